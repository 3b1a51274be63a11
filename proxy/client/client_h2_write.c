/*
 * client_h2_write - the writing half of client_h2: heads, bodies and answers to frames.
 *
 * A head is written as HTTP/1 would have it, and made into fields at the last step.
 *
 * Owner    the client.      Threads  the worker's
 */
#include "proxy/client/client_h2.h"

#include "base/check.h"
#include "proxy/client/internal.h"
#include "proxy/http/answer.h"
#include "proxy/request.h"
#include "proxy/upstream/upstream.h"

enum {
    OWN_FIELDS = 4096,
    TRAILER_ROOM = 2 * UPSTREAM_HEAD_BYTES,
    LEAST_NOW = 16 * 1024, /* more than a frame */
};

static bool begin_writing(struct request *req, size_t room, struct writer *w)
{
    char *memory = transport_scratch(req->worker, room);

    if (memory == NULL)
        return false;
    *w = writer_over(memory, room);
    return true;
}

/* Frames keep no bytes of it. */
static void end_writing(struct request *req, const struct writer *w)
{
    transport_scratch_trim(req->worker, w->start, 0);
    client_h2_mark(req->stream->h2);
}

static void count_body(struct request *req, struct slice data)
{
    req->sent_bytes += data.len;
    req->stream->given += data.len;
}

static void put_body(struct request *req, struct slice data)
{
    count_body(req, data);
    h2_stream_send(req->stream->wire, data);
}

static bool put_head(struct request *req, const struct writer *w, bool is_last)
{
    if (!w->overflow) {
        req->sent_bytes += writer_length(w);
        h2_stream_respond(req->stream->wire, writer_slice(w), is_last);
    }
    end_writing(req, w);
    return !w->overflow;
}

/* A 101 is a 200 to an extended CONNECT, whose key needs no answer (RFC 8441 §5). */
static void make_200(struct request *req, struct message *message)
{
    req->status = message->status = 200;
    message->reason = SLICE("OK");
    for (uint32_t i = 0; i < message->field_count; i++)
        if (slice_equal_nocase(message->fields[i].name, SLICE("sec-websocket-accept")))
            message->fields[i].is_dropped = true;
}

static bool send_response(struct request *req, struct message *message,
                          const struct forward_response *response)
{
    struct forward_response own = *response;
    struct writer w;
    size_t room = UPSTREAM_HEAD_BYTES + OWN_FIELDS +
                  (response->edits != NULL ? response->edits->set_bytes : 0);
    bool is_last =
        !response->is_upgrade && (response->body == FORWARD_NO_BODY ||
                                  (response->body == FORWARD_LENGTH && response->length == 0));

    if (!begin_writing(req, room, &w))
        return false;
    if (response->is_upgrade)
        make_200(req, message);
    own.is_upgrade = own.closes = false;
    forward_write_response(&w, message, &own);
    return put_head(req, &w, is_last);
}

static bool send_interim(struct request *req, const struct message *message)
{
    struct writer w;

    if (!begin_writing(req, UPSTREAM_HEAD_BYTES + OWN_FIELDS, &w))
        return false;
    forward_write_interim(&w, message);
    if (!w.overflow) {
        req->sent_bytes += writer_length(&w);
        h2_stream_interim(req->stream->wire, writer_slice(&w));
    }
    end_writing(req, &w);
    return !w.overflow;
}

/* What fills frames goes from where it was read to the socket; only what that, or a window, does
 * not take is kept.  The rest goes at the end of the turn, with what other streams have: the last
 * piece together with END_STREAM, which would wait for a window once that is used up. */
static void send_body(struct request *req, struct slice data, bool is_last)
{
    struct h2_stream *wire = req->stream->wire;

    if (req->state == REQUEST_TUNNEL)
        req->stream->progress_ms = worker_now_ms(req->worker);
    count_body(req, data);
    if (data.len > LEAST_NOW && !is_last) {
        h2_stream_lend(wire, data);
        client_h2_write_now(req->stream->h2);
        h2_stream_keep(wire);
    } else {
        h2_stream_send(wire, data);
        client_h2_mark(req->stream->h2);
    }
}

static void send_end(struct request *req, const struct message *trailers)
{
    struct writer w;

    if (trailers == NULL || !begin_writing(req, TRAILER_ROOM, &w)) {
        h2_stream_end(req->stream->wire, SLICE(""));
        client_h2_mark(req->stream->h2);
        return;
    }
    forward_write_trailers(&w, trailers);
    h2_stream_end(req->stream->wire, w.overflow ? SLICE("") : writer_slice(&w));
    end_writing(req, &w);
}

/* Behind the first empty line. */
static struct slice body_of(struct slice response)
{
    const char *end = memmem(response.at, response.len, "\r\n\r\n", 4);

    CHECK(end != NULL);
    return slice_after(response, (size_t)(end + 4 - response.at));
}

static void send_answer(struct request *req, const struct answer *answer)
{
    struct writer w;
    struct slice body;
    size_t edits = answer->edits != NULL ? answer->edits->set_bytes : 0;

    /* Its parts are bounded by the configuration and by the head: it always fits. */
    CHECK(begin_writing(req, 2 * OWN_FIELDS + answer->body.len + answer->location.len + edits, &w));
    answer_write(&w, answer);
    CHECK(!w.overflow);
    body = body_of(writer_slice(&w));
    req->sent_bytes += writer_length(&w) - body.len;
    h2_stream_respond(req->stream->wire, slice_of(w.start, writer_length(&w) - body.len),
                      body.len == 0);
    put_body(req, body);
    h2_stream_end(req->stream->wire, SLICE(""));
    end_writing(req, &w);
}

static bool is_full(const struct request *req)
{
    return h2_stream_is_full(req->stream->wire);
}

static bool is_crowded(const struct request *req)
{
    return h2_frames_is_crowded(req->stream->h2->frames);
}

static void want_upload(struct request *req)
{
    client_h2_pump(req->stream);
}

/* In a tunnel: the server writes no more. */
static void send_fin(struct request *req)
{
    h2_stream_end(req->stream->wire, SLICE(""));
    client_h2_mark(req->stream->h2);
}

const struct client_ops client_h2_ops = {
    .send_response = send_response,
    .send_interim = send_interim,
    .send_body = send_body,
    .send_end = send_end,
    .send_answer = send_answer,
    .is_full = is_full,
    .is_crowded = is_crowded,
    .want_upload = want_upload,
    .become_tunnel = want_upload,
    .send_fin = send_fin,
    .finish = client_h2_finish,
    .peer = client_peer,
};
