/*
 * upstream_h1_write - a request as HTTP/1 to its server.
 *
 * Threads  the worker's
 */
#include "proxy/upstream/upstream_h1.h"

#include "base/check.h"
#include "proxy/http/writer.h"
#include "proxy/worker.h"

static void say(struct upstream_h1 *up, struct slice bytes)
{
    count_add(&upstream_h1_row(up)->sent_bytes, bytes.len);
    transport_gather(&up->transport, bytes);
}

void upstream_h1_send_head(struct upstream *base, struct slice head, bool is_last)
{
    (void)is_last; /* the head says it */
    say(upstream_h1_of(base), head);
}

void upstream_h1_send_tunnel(struct upstream *base, struct slice bytes)
{
    say(upstream_h1_of(base), bytes);
}

void upstream_h1_send_body(struct upstream *base, struct slice data, bool is_chunked)
{
    struct upstream_h1 *up = upstream_h1_of(base);
    struct worker *worker = up->transport.worker;
    char *memory;
    struct writer w;

    if (data.len == 0)
        return;
    if (!is_chunked) {
        say(up, data);
        return;
    }
    memory = transport_scratch(worker, 24);
    CHECK(memory != NULL); /* one piece a read: the scratch cannot run out */
    w = writer_over(memory, 24);
    write_hex(&w, data.len);
    write_literal(&w, "\r\n");
    transport_scratch_trim(worker, memory, writer_length(&w));
    say(up, writer_slice(&w));
    say(up, data);
    say(up, SLICE("\r\n"));
}

void upstream_h1_send_end(struct upstream *base, bool is_chunked, const struct message *trailers)
{
    struct upstream_h1 *up = upstream_h1_of(base);
    struct worker *worker = up->transport.worker;
    char *memory;
    struct writer w;

    if (!is_chunked)
        return;
    if (trailers == NULL) {
        say(up, SLICE("0\r\n\r\n"));
        return;
    }
    memory = transport_scratch(worker, UPSTREAM_HEAD_BYTES * 2);
    if (memory == NULL) {
        say(up, SLICE("0\r\n\r\n"));
        return;
    }
    w = writer_over(memory, UPSTREAM_HEAD_BYTES * 2);
    write_literal(&w, "0\r\n");
    forward_write_trailers(&w, trailers);
    write_literal(&w, "\r\n");
    transport_scratch_trim(worker, memory, writer_length(&w));
    say(up, writer_slice(&w));
}

void upstream_h1_send_fin(struct upstream *base)
{
    transport_shutdown(&upstream_h1_of(base)->transport);
}

bool upstream_h1_is_full(const struct upstream *base)
{
    return transport_is_full(&container_of(base, const struct upstream_h1, base)->transport);
}
