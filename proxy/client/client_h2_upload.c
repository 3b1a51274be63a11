/*
 * client_h2_upload - what clients send on their streams, given on as servers take it.
 *
 * Bytes that are not taken wait in the stream's inbox, at most a window of them: the window is
 * given back with what is given on.
 *
 * Owner    the client.      Threads  the worker's
 */
#include "proxy/client/client_h2.h"

#include "base/check.h"
#include "proxy/client/internal.h"
#include "proxy/http/h2_message.h"
#include "proxy/request.h"
#include "proxy/upstream/upstream.h"

/* What is read only to be dropped is over no limit: the client was told that it may go on. */
static bool is_over_limit(const struct request *req, struct slice data)
{
    return req->state != REQUEST_ANSWERED && req->body_limit > 0 &&
           req->uploaded_bytes + data.len > req->body_limit;
}

static bool takes(const struct request *req)
{
    if (req->state == REQUEST_TUNNEL)
        return req->upload == HALF_OPEN && !upstream_is_full(req->upstream);
    return req->upload == HALF_OPEN && request_takes_upload(req);
}

/* Bytes of a tunnel or a body; it may end the request. */
static void give(struct client_stream *stream, struct slice data)
{
    struct request *req = stream->request;

    stream->progress_ms = worker_now_ms(req->worker);
    h2_stream_consumed(stream->wire, data.len);
    client_h2_mark(stream->h2);
    if (req->state == REQUEST_TUNNEL) {
        request_tunnel_from_client(req, data);
    } else if (is_over_limit(req, data)) {
        request_upload_failed(req, FAILURE_BODY_TOO_LARGE, NULL);
    } else if (req->body.kind == FORWARD_LENGTH && data.len > req->body.left) {
        request_upload_failed(req, FAILURE_BAD_REQUEST, "more body than Content-Length says");
    } else {
        req->body.left -= req->body.kind == FORWARD_LENGTH ? data.len : 0;
        request_upload(req, data);
    }
}

/* The lines that were kept, as a message; NULL: none.  False: it is none. */
static bool read_trailers(struct client_stream *stream, struct message **trailers_out,
                          const char **why_out)
{
    struct worker *worker = client_h2_worker(stream->h2);
    struct head_limits limits = client_limits(stream->h2->client);

    *trailers_out = NULL;
    if (buffer_length(&stream->trailers) == 0)
        return true;
    *trailers_out = worker->trailers;
    return head_parse_trailers(worker->trailers, buffer_slice(&stream->trailers), &limits,
                               why_out) == 0;
}

/* The client has ended its side, and all that came before was given on. */
static void give_end(struct client_stream *stream)
{
    struct request *req = stream->request;
    struct message *trailers;
    const char *why;

    if (req->state == REQUEST_TUNNEL)
        request_client_half_closed(req);
    else if (req->body.kind == FORWARD_LENGTH && req->body.left > 0)
        request_upload_failed(req, FAILURE_BAD_REQUEST, "less body than Content-Length says");
    else if (!read_trailers(stream, &trailers, &why))
        request_upload_failed(req, FAILURE_BAD_REQUEST, why);
    else
        request_upload_ended(req, trailers);
}

void client_h2_pump(struct client_stream *stream)
{
    struct buffer *inbox = &stream->inbox;

    if (buffer_length(inbox) > 0 && takes(stream->request)) {
        give(stream, buffer_slice(inbox));
        transport_flush(client_h2_worker(stream->h2)); /* it points into the inbox */
        if (stream->request == NULL)
            return;
        buffer_reset(inbox, 0);
    }
    if (stream->has_ended && buffer_length(inbox) == 0 && takes(stream->request))
        give_end(stream);
}

void client_h2_keep_scratch(struct client_h2 *h2)
{
    struct worker *worker = client_h2_worker(h2);

    if (worker->scratch_used <= WORKER_SCRATCH / 2)
        return;
    transport_flush(worker);
    worker->scratch_used = 0;
}

void client_h2_on_data(void *connection, void *owner, struct slice data)
{
    struct client_stream *stream = client_stream_of(owner);
    struct request *req = stream->request;

    if (req == NULL) { /* it is over: the rest is dropped */
        h2_stream_consumed(stream->wire, data.len);
        client_h2_mark(stream->h2);
        return;
    }
    req->received_bytes += data.len;
    req->progress_ms = worker_now_ms(req->worker);
    if (buffer_length(&stream->inbox) == 0 && takes(req))
        give(stream, data);
    else
        buffer_append_slice(&stream->inbox, data); /* at most a window */
    client_h2_keep_scratch(connection);
}

void client_h2_on_trailers(void *connection, void *owner, const struct h2_head *head)
{
    struct client_stream *stream = client_stream_of(owner);
    struct client_h2 *h2 = connection;
    struct request *req = stream->request;
    struct worker *worker = client_h2_worker(h2);
    struct head_limits limits = client_limits(h2->client);
    const char *why;
    struct writer w;
    size_t room = 2;

    if (req == NULL || req->upload != HALF_OPEN)
        return;
    if (h2_trailers_message(worker->trailers, head, &limits, &why) != 0) {
        request_upload_failed(req, FAILURE_BAD_REQUEST, why);
        return;
    }
    for (size_t i = 0; i < head->count; i++)
        room += head->fields[i].name.len + head->fields[i].value.len + 4;
    w = writer_over(buffer_reserve(&stream->trailers, room), room);
    forward_write_trailers(&w, worker->trailers);
    write_literal(&w, "\r\n");
    CHECK(!w.overflow);
    stream->trailers.end += (uint32_t)writer_length(&w);
}

void client_h2_on_end(void *connection, void *owner)
{
    struct client_stream *stream = client_stream_of(owner);

    (void)connection;
    stream->has_ended = true;
    if (stream->request != NULL)
        client_h2_pump(stream);
}
