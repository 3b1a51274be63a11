/*
 * probe_h2 - see probe_h2.h.
 *
 * Threads  the prober's
 */
#include "proxy/upstream/probe_h2.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "proxy/http/h2_frames.h"
#include "proxy/upstream/grpc_health.h"
#include "proxy/upstream/limits.h"

enum { WRITE_BYTES = 16 * 1024 };

struct probe_h2 {
    struct h2_frames *frames;
    struct h2_stream *stream;
    probe_h2_send_fn *send;
    void *context;
    unsigned status;
    char grpc_status[8];
    struct buffer body; /* its beginning */
    bool has_ended;
    bool is_closed; /* the stream, before it had ended */
    bool is_refused;
};

static void take_fields(struct probe_h2 *probe, const struct h2_head *head)
{
    uint64_t number;

    for (size_t i = 0; i < head->count; i++) {
        const struct h2_field *field = &head->fields[i];

        if (slice_equal(field->name, SLICE(":status")) && slice_to_u64(field->value, &number))
            probe->status = number < 1000 ? (unsigned)number : 0;
        else if (slice_equal(field->name, SLICE("grpc-status")) &&
                 field->value.len < sizeof(probe->grpc_status))
            slice_copy(field->value, probe->grpc_status, sizeof(probe->grpc_status));
    }
}

static void on_response(void *connection, void *owner, const struct h2_head *head, bool is_last)
{
    (void)owner;
    (void)is_last;
    take_fields(connection, head);
}

static void on_trailers(void *connection, void *owner, const struct h2_head *head)
{
    (void)owner;
    take_fields(connection, head);
}

static void on_data(void *connection, void *owner, struct slice data)
{
    struct probe_h2 *probe = connection;
    size_t room = REPLY_BODY_BYTES - buffer_length(&probe->body);

    (void)owner;
    buffer_append(&probe->body, data.at, data.len < room ? data.len : room);
    h2_stream_consumed(probe->stream, data.len);
}

static void on_end(void *connection, void *owner)
{
    struct probe_h2 *probe = connection;

    (void)owner;
    probe->has_ended = true;
}

static void on_closed(void *connection, void *owner, uint32_t code, bool is_by_peer)
{
    struct probe_h2 *probe = connection;

    (void)owner;
    (void)is_by_peer;
    probe->stream = NULL;
    probe->is_closed = true;
    probe->is_refused = code == H2_REFUSED_STREAM;
}

static void on_drained(void *connection, void *owner)
{
    (void)connection;
    (void)owner;
}

static void on_goaway(void *connection, uint32_t last, uint32_t code)
{
    (void)connection; /* what it means for our stream is told of the stream */
    (void)last;
    (void)code;
}

static void on_settings(void *connection, uint32_t streams)
{
    (void)connection;
    (void)streams;
}

static void on_violation(void *connection, const char *why)
{
    (void)connection; /* h2_frames_read() tells that it is over */
    (void)why;
}

static const struct h2_events events = {
    .on_response = on_response,
    .on_trailers = on_trailers,
    .on_data = on_data,
    .on_end = on_end,
    .on_closed = on_closed,
    .on_drained = on_drained,
    .on_goaway = on_goaway,
    .on_settings = on_settings,
    .on_violation = on_violation,
};

struct probe_h2 *probe_h2_new(struct slice head, struct slice body, bool is_https,
                              probe_h2_send_fn *send, void *context)
{
    struct probe_h2 *probe = xcalloc(1, sizeof(*probe));

    probe->send = send;
    probe->context = context;
    buffer_init(&probe->body);
    probe->frames = h2_frames_new(H2_CLIENT, &upstream_limits, &events, probe);
    probe->stream = h2_frames_request(probe->frames, head, is_https, body.len == 0, probe);
    CHECK(probe->stream != NULL); /* nothing has limited it yet */
    if (body.len > 0) {
        h2_stream_send(probe->stream, body);
        h2_stream_end(probe->stream, SLICE(""));
    }
    return probe;
}

void probe_h2_free(struct probe_h2 **holder)
{
    struct probe_h2 *probe = *holder;

    *holder = NULL;
    if (probe == NULL)
        return;
    h2_frames_free(&probe->frames);
    buffer_fini(&probe->body);
    xfree(probe);
}

void probe_h2_flush(struct probe_h2 *probe)
{
    char block[WRITE_BYTES];
    size_t count;

    while ((count = h2_frames_take(probe->frames, block, sizeof(block))) > 0)
        probe->send(probe->context, slice_of(block, count));
}

static struct reply failed(const struct probe_h2 *probe, const char *why)
{
    return (struct reply){.verdict = REPLY_FAILED, .status = probe->status, .why = why};
}

/* As the same answer over HTTP/1 would be judged. */
static struct reply judge_http(struct probe_h2 *probe, const struct conf_health_check *check)
{
    struct buffer text;
    struct reply reply;

    buffer_init(&text);
    buffer_printf(&text, "HTTP/1.1 %03u\r\n\r\n", probe->status);
    buffer_append_slice(&text, buffer_slice(&probe->body));
    reply = reply_judge(buffer_slice(&text), probe->has_ended, check);
    buffer_fini(&text);
    return reply;
}

static struct reply judge(struct probe_h2 *probe, const struct conf_health_check *check)
{
    if (check->type == CHECK_HTTP && probe->status >= 200)
        return judge_http(probe, check);
    if (probe->has_ended)
        return grpc_health_judge(probe->status, slice_from(probe->grpc_status),
                                 buffer_slice(&probe->body));
    return (struct reply){.verdict = REPLY_MORE};
}

struct reply probe_h2_read(struct probe_h2 *probe, struct slice bytes, uint64_t now_ms,
                           const struct conf_health_check *check)
{
    bool goes_on = h2_frames_read(probe->frames, bytes, now_ms);
    struct reply reply = judge(probe, check);

    probe_h2_flush(probe);
    if (reply.verdict != REPLY_MORE)
        return reply;
    if (probe->is_refused)
        return failed(probe, "the server refused the HTTP/2 stream");
    if (probe->is_closed)
        return failed(probe, "the HTTP/2 stream was reset before an answer");
    if (!goes_on)
        return failed(probe, "the answer is not HTTP/2");
    return reply;
}
