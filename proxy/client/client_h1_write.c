/*
 * client_h1_write - the writing half of client_h1: heads, bodies and answers to bytes.
 *
 * Owner    the client.      Threads  the worker's
 */
#include "proxy/client/internal.h"

#include "base/check.h"
#include "proxy/http/answer.h"
#include "proxy/http/forward.h"
#include "proxy/request.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker.h"

enum { OWN_FIELDS = 4096, TRAILER_ROOM = 2 * UPSTREAM_HEAD_BYTES };

static void put(struct request *req, struct slice bytes)
{
    req->sent_bytes += bytes.len;
    transport_gather(&req->client->transport, bytes);
}

/* Gives the writer's bytes to the transport; false when they did not fit. */
static bool send_written(struct request *req, struct writer *w)
{
    transport_scratch_trim(req->worker, w->start, w->overflow ? 0 : writer_length(w));
    if (w->overflow)
        return false;
    put(req, writer_slice(w));
    return true;
}

static bool begin_writing(struct request *req, size_t room, struct writer *w)
{
    char *memory = transport_scratch(req->worker, room);

    if (memory == NULL)
        return false;
    *w = writer_over(memory, room);
    return true;
}

static bool send_response(struct request *req, struct message *message,
                          const struct forward_response *response)
{
    struct writer w;
    size_t room = UPSTREAM_HEAD_BYTES + OWN_FIELDS +
                  (response->edits != NULL ? response->edits->set_bytes : 0);

    if (!begin_writing(req, room, &w))
        return false;
    forward_write_response(&w, message, response);
    return send_written(req, &w);
}

static bool send_interim(struct request *req, const struct message *message)
{
    struct writer w;

    if (!begin_writing(req, UPSTREAM_HEAD_BYTES + OWN_FIELDS, &w))
        return false;
    forward_write_interim(&w, message);
    return send_written(req, &w);
}

static void send_body(struct request *req, struct slice data, bool is_last)
{
    struct writer w;

    (void)is_last; /* it is written at the end of the callback anyway */
    if (data.len == 0)
        return;
    if (req->state == REQUEST_TUNNEL)
        client_h1_tunnel_moved(req);
    if (req->download_kind != FORWARD_CHUNKED || req->state == REQUEST_TUNNEL) {
        put(req, data);
        return;
    }
    CHECK(begin_writing(req, 24, &w)); /* one piece a read: the scratch cannot run out */
    write_hex(&w, data.len);
    write_literal(&w, "\r\n");
    send_written(req, &w);
    put(req, data);
    put(req, SLICE("\r\n"));
}

static void send_end(struct request *req, const struct message *trailers)
{
    struct writer w;

    if (req->download_kind != FORWARD_CHUNKED)
        return;
    if (trailers != NULL && begin_writing(req, TRAILER_ROOM, &w)) {
        write_literal(&w, "0\r\n");
        forward_write_trailers(&w, trailers);
        write_literal(&w, "\r\n");
        if (send_written(req, &w))
            return;
    }
    put(req, SLICE("0\r\n\r\n"));
}

static void send_answer(struct request *req, const struct answer *answer)
{
    struct writer w;
    size_t edits = answer->edits != NULL ? answer->edits->set_bytes : 0;

    /* Its parts are bounded by the configuration and by the head: it always fits. */
    CHECK(begin_writing(req, 2 * OWN_FIELDS + answer->body.len + answer->location.len + edits, &w));
    answer_write(&w, answer);
    CHECK(send_written(req, &w));
}

static bool is_full(const struct request *req)
{
    return transport_is_full(&req->client->transport);
}

static void send_fin(struct request *req)
{
    transport_shutdown(&req->client->transport);
}

const struct client_ops client_h1_ops = {
    .send_response = send_response,
    .send_interim = send_interim,
    .send_body = send_body,
    .send_end = send_end,
    .send_answer = send_answer,
    .is_full = is_full,
    .want_upload = client_h1_want_upload,
    .become_tunnel = client_h1_become_tunnel,
    .send_fin = send_fin,
    .finish = client_h1_finish,
    .peer = client_peer,
};
