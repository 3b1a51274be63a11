/*
 * upstream_h1 - one connection to a server, and the HTTP/1 spoken on it.
 *
 * Reads responses and tells the request; writes what the request gives it.  A response whose
 * framing is wrong is told as a failure, and the connection never used again.
 *
 * Owner    its request, or the reuse list.      Threads  the worker's
 */
#include "proxy/upstream/upstream_h1.h"

#include "base/check.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/limits.h"
#include "proxy/upstream/reuse.h"
#include "proxy/upstream/server.h"
#include "proxy/worker.h"
#include "tls/engine.h"

/* At once, where little of it may be kept: a frame's worth. */
enum { CROWDED_READ = 16 * 1024 };

static struct upstream_h1 *upstream_of(struct transport *transport)
{
    struct upstream_h1 *up = (struct upstream_h1 *)transport;

    CHECK_OBJ(up, UPSTREAM_TAG);
    return up;
}

struct upstream_h1 *upstream_h1_of(struct upstream *base)
{
    struct upstream_h1 *up = container_of(base, struct upstream_h1, base);

    CHECK_OBJ(up, UPSTREAM_TAG);
    return up;
}

struct server_row *upstream_h1_row(const struct upstream_h1 *up)
{
    const struct worker *worker = up->transport.worker;

    return counters_server(worker->counters, worker->index, up->counter_slot);
}

/* ---- ends ---- */

void upstream_h1_drop(struct upstream_h1 **holder)
{
    struct upstream_h1 *up = TAKE_POINTER(holder);

    CHECK_OBJ(up, UPSTREAM_TAG);
    up->state = UPSTREAM_CLOSED;
    up->base.request = NULL;
    deadline_clear(&up->deadline);
    opening_end(&up->opening);
    transport_close(&up->transport);
}

static void on_closed(struct transport *transport)
{
    struct upstream_h1 *up = upstream_of(transport);
    struct worker *worker = transport->worker;

    buffer_fini(&up->inbox);
    up->tag = 0;
    slab_give(&worker->upstream_slab, up);
}

/* Tells the request, which drops this connection. */
static void fail(struct upstream_h1 *up, enum failure failure)
{
    if (up->base.request != NULL) {
        opening_end(&up->opening); /* it is for nobody */
        request_upstream_failed(up->base.request, failure);
    } else if (up->state == UPSTREAM_CONNECTING) {
        reuse_forget(up->transport.worker, up);
        upstream_h1_drop(&up);
    }
}

static void fail_handshake(struct upstream_h1 *up, enum tls_trouble trouble, const char *why)
{
    opening_note_trouble(upstream_h1_row(up), up->base.server, trouble, why);
    if (up->base.request != NULL)
        up->base.request->server_tls_why = why;
    fail(up, FAILURE_SERVER_TLS);
}

static void end_idle(struct upstream_h1 *up)
{
    reuse_forget(up->transport.worker, up);
    upstream_h1_drop(&up);
}

/* How it failed, seen from where the response stands. */
static enum failure failure_of_end(const struct upstream_h1 *up)
{
    if (up->state == UPSTREAM_BODY)
        return FAILURE_RESPONSE_BROKEN;
    if (up->has_read || !up->is_reused)
        return FAILURE_SERVER_CLOSED;
    return FAILURE_REUSED_CLOSED;
}

static void on_broken(struct transport *transport, int error)
{
    struct upstream_h1 *up = upstream_of(transport);

    (void)error; /* whatever ended it, what follows depends on how far the response had come */
    if (transport->is_broken && !up->is_deaf &&
        (up->state == UPSTREAM_HEAD || up->state == UPSTREAM_BODY)) {
        /* Writing failed, but an answer that came before may still wait to be read; the end of
         * reading tells. */
        up->is_deaf = true;
        return;
    }
    if (up->state == UPSTREAM_IDLE)
        end_idle(up);
    else if (up->is_shaking_hands)
        fail_handshake(up, TLS_TROUBLE_CLOSED, "it closed during the handshake");
    else if (up->state == UPSTREAM_TUNNEL)
        fail(up, FAILURE_RESPONSE_BROKEN);
    else if (up->state != UPSTREAM_CLOSED)
        fail(up, failure_of_end(up));
}

static void on_eof(struct transport *transport)
{
    struct upstream_h1 *up = upstream_of(transport);

    if (up->state == UPSTREAM_IDLE) {
        end_idle(up);
    } else if (up->state == UPSTREAM_TUNNEL) {
        request_server_half_closed(up->base.request);
    } else if (up->state == UPSTREAM_BODY && up->body.kind == FORWARD_UNTIL_CLOSE && !up->is_deaf &&
               !transport_was_cut_off(transport)) {
        up->may_be_kept = false;
        request_response_ended(up->base.request, NULL);
    } else {
        on_broken(transport, UV_EOF);
    }
}

static void touch(struct upstream_h1 *up)
{
    if (up->transport.is_reading && (up->state == UPSTREAM_HEAD || up->state == UPSTREAM_BODY))
        deadline_set(&up->transport.worker->deadlines, &up->deadline, up->response_timeout_ms);
}

static void on_due(struct deadline *deadline)
{
    struct upstream_h1 *up = container_of(deadline, struct upstream_h1, deadline);

    worker_note_time(up->transport.worker);
    if (up->state == UPSTREAM_IDLE)
        end_idle(up);
    else if (up->state == UPSTREAM_CONNECTING)
        fail(up, FAILURE_CONNECT_TIMEOUT);
    else if (request_waits_for_client(up->base.request))
        touch(up); /* the server has nothing to answer yet; timeouts.body_idle counts */
    else if (up->state == UPSTREAM_HEAD)
        fail(up, FAILURE_RESPONSE_TIMEOUT);
    else if (up->state == UPSTREAM_BODY)
        fail(up, FAILURE_RESPONSE_BROKEN);
}

/* ---- reading ---- */

/* 1xx and 204 have no body (RFC 9110 §15.2, §15.3.5).  One that is announced all the same may come
 * where the next request's response is awaited: there is none after this. */
static void note_announced(struct upstream_h1 *up, const struct message *message)
{
    if (message->status < 200 || message->status == 204)
        up->is_suspect |= message->is_chunked || (message->content_length != MESSAGE_NO_LENGTH &&
                                                  message->content_length > 0);
}

static void begin_body(struct upstream_h1 *up, const struct message *message)
{
    const struct request *req = up->base.request;
    uint16_t status = message->status;

    up->may_be_kept = message->http_minor == 1 ? !message->has_connection_close
                                               : message->has_connection_keep_alive;
    if (request_is_head(req) || status == 204 || status == 304) {
        body_begin(&up->body, FORWARD_NO_BODY, 0);
    } else if (message->is_chunked) {
        body_begin(&up->body, FORWARD_CHUNKED, 0);
    } else if (message->content_length != MESSAGE_NO_LENGTH) {
        body_begin(&up->body, FORWARD_LENGTH, message->content_length);
    } else {
        body_begin(&up->body, FORWARD_UNTIL_CLOSE, 0);
        up->may_be_kept = false;
    }
    up->base.response_body = up->body.kind;
    up->base.response_length = up->body.left;
    up->state = UPSTREAM_BODY;
}

/* Another protocol is told at its first bytes, not when the time is up. */
static bool begins_like_http(struct slice bytes)
{
    struct slice start = SLICE("HTTP/1.");
    size_t count = bytes.len < start.len ? bytes.len : start.len;

    return memcmp(bytes.at, start.at, count) == 0;
}

/* Reads one head off `bytes`; the bytes it took, or 0 when it is not whole or was refused. */
static size_t read_head(struct upstream_h1 *up, struct slice bytes)
{
    struct worker *worker = up->transport.worker;
    enum head_search found = head_search(bytes, &up->searched, &upstream_limits.head);
    const char *why;
    size_t head_bytes = up->searched;

    if (found == HEAD_INCOMPLETE && begins_like_http(bytes))
        return 0;
    if (found != HEAD_FOUND) {
        fail(up, found == HEAD_TOO_LARGE || found == HEAD_LINE_TOO_LONG ? FAILURE_RESPONSE_TOO_LARGE
                                                                        : FAILURE_BAD_RESPONSE);
        return 0;
    }
    up->searched = 0;
    if (head_parse_response(worker->message, slice_of(bytes.at, head_bytes), &upstream_limits.head,
                            &why) != 0) {
        fail(up, FAILURE_BAD_RESPONSE);
        return 0;
    }
    note_announced(up, worker->message);
    if (worker->message->status >= 200)
        begin_body(up, worker->message);
    if (!request_response(up->base.request))
        return 0;
    return head_bytes;
}

static bool parse_trailers(struct upstream_h1 *up, struct slice trailers)
{
    const char *why;

    return head_parse_trailers(up->transport.worker->trailers, trailers, &upstream_limits.head,
                               &why) == 0;
}

/* Reads body off `bytes`; the bytes it took. */
static size_t read_body(struct upstream_h1 *up, char *bytes, size_t count)
{
    struct worker *worker = up->transport.worker;
    struct slice data;
    struct slice trailers;
    size_t used;
    enum body_result result =
        body_read(&up->body, &upstream_limits.head, bytes, count, &data, &used, &trailers);

    if (result == BODY_MALFORMED || (trailers.len > 2 && !parse_trailers(up, trailers))) {
        fail(up, FAILURE_RESPONSE_BROKEN);
        return count;
    }
    if (data.len > 0)
        request_response_body(up->base.request, data, result == BODY_ENDED);
    if (result == BODY_ENDED) {
        if (used < count) /* bytes behind the response: whose are they? */
            up->may_be_kept = false;
        request_response_ended(up->base.request, trailers.len > 2 ? worker->trailers : NULL);
        return count;
    }
    return used;
}

/* Goes on as long as something is taken; the bytes that must be kept are the rest. */
static size_t consume(struct upstream_h1 *up, char *bytes, size_t count)
{
    size_t used = 0;

    while (up->state == UPSTREAM_HEAD && used < count) {
        size_t took = read_head(up, slice_of(bytes + used, count - used));

        if (took == 0)
            return used;
        used += took;
    }
    if (up->state == UPSTREAM_TUNNEL) {
        request_tunnel_from_server(up->base.request, slice_of(bytes + used, count - used));
        return count;
    }
    if (up->state == UPSTREAM_BODY && (used < count || body_is_empty(&up->body)))
        used += read_body(up, bytes + used, count - used);
    return used;
}

/* The server has said something, and the same exchange goes on. */
static void touch_if_still(struct upstream_h1 *up, uint32_t exchange)
{
    if (up->requests == exchange && up->transport.is_reading)
        touch(up);
}

static void on_read(struct transport *transport, char *bytes, size_t count)
{
    struct upstream_h1 *up = upstream_of(transport);
    uint32_t exchange;
    size_t used;

    count_add(&upstream_h1_row(up)->received_bytes, count);
    if (up->state == UPSTREAM_IDLE) { /* an answer to nothing */
        end_idle(up);
        return;
    }
    if (up->state == UPSTREAM_CLOSED)
        return;
    if (!up->has_read) {
        up->has_read = true;
        if (up->base.request->first_byte_ns == 0)
            up->base.request->first_byte_ns = transport->worker->now_ns;
    }
    exchange = up->requests;
    if (buffer_length(&up->inbox) == 0) {
        used = consume(up, bytes, count);
        if (used < count && (up->state == UPSTREAM_HEAD || up->state == UPSTREAM_BODY))
            buffer_append(&up->inbox, bytes + used, count - used);
        touch_if_still(up, exchange);
        return;
    }
    buffer_append(&up->inbox, bytes, count);
    used = consume(up, up->inbox.data + up->inbox.start, buffer_length(&up->inbox));
    /* Otherwise it has ended, and may even serve the next request by now. */
    if (up->requests == exchange && (up->state == UPSTREAM_HEAD || up->state == UPSTREAM_BODY))
        buffer_consume(&up->inbox, used);
    else if (up->state == UPSTREAM_TUNNEL)
        buffer_clear(&up->inbox);
    touch_if_still(up, exchange);
}

static void on_drained(struct transport *transport)
{
    struct upstream_h1 *up = upstream_of(transport);

    if (up->base.request != NULL) {
        touch(up);
        request_upstream_drained(up->base.request);
    }
}

static size_t read_room(struct transport *transport)
{
    const struct request *req = upstream_of(transport)->base.request;

    return req != NULL && request_is_crowded(req) ? CROWDED_READ : WORKER_READ_BLOCK;
}

static const struct upstream_ops upstream_h1_ops;
static void on_secured(struct transport *transport);
static void on_insecure(struct transport *transport);

static const struct transport_ops ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_broken = on_broken,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .on_secured = on_secured,
    .on_insecure = on_insecure,
    .read_room = read_room,
};

/* ---- a new exchange ---- */

static void begin_exchange(struct upstream_h1 *up, struct request *req)
{
    up->base.request = req;
    up->has_read = false;
    up->is_deaf = false;
    up->is_suspect = false;
    up->transport.asks_room = req->stream != NULL;
    up->may_be_kept = false;
    up->searched = 0;
    up->state = UPSTREAM_HEAD;
    up->requests++;
    up->response_timeout_ms = upstream_response_ms(req);
    touch(up);
}

struct upstream *upstream_h1_reuse(struct request *req)
{
    uint64_t trust_key = opening_trust_key(req);
    struct upstream_h1 *up;

    while ((up = reuse_take(req->worker, req->server, trust_key)) != NULL) {
        if (transport_is_quiet(&up->transport)) {
            up->is_reused = true;
            count_one(&upstream_h1_row(up)->connections_reused);
            begin_exchange(up, req);
            return &up->base;
        }
        upstream_h1_drop(&up);
    }
    return NULL;
}

/* Nobody waits for it any more. */
static void begin_idle(struct upstream_h1 *up)
{
    struct worker *worker = up->transport.worker;
    const struct snapshot_pool *pool = up->opening.pool;

    reuse_forget(worker, up);
    if (reuse_may_keep(worker, up->base.server, pool)) {
        reuse_keep(worker, up, pool);
        opening_end(&up->opening);
    } else {
        upstream_h1_drop(&up);
    }
}

static void begin_first(struct upstream_h1 *up)
{
    if (up->base.request == NULL) {
        begin_idle(up);
        return;
    }
    opening_end(&up->opening);
    begin_exchange(up, up->base.request);
    request_connected(up->base.request);
}

static void on_connected(struct transport *transport, int status)
{
    struct upstream_h1 *up = upstream_of(transport);

    worker_note_time(transport->worker);
    if (up->state != UPSTREAM_CONNECTING)
        return;
    if (status < 0) {
        fail(up, opening_failure(status));
        return;
    }
    transport_read_start(transport);
    up->is_shaking_hands = up->opening.pool->trust != NULL;
    if (up->is_shaking_hands)
        opening_shake_hands(&up->opening, transport); /* timeouts.connect counts on */
    else
        begin_first(up);
}

static void on_secured(struct transport *transport)
{
    struct upstream_h1 *up = upstream_of(transport);

    up->is_shaking_hands = false;
    server_note_handshake(up->base.server, NULL);
    if (tls_engine_is_resumed(transport->tls))
        count_one(&upstream_h1_row(up)->tls_resumed);
    if (up->state == UPSTREAM_CONNECTING)
        begin_first(up);
}

static void on_insecure(struct transport *transport)
{
    struct upstream_h1 *up = upstream_of(transport);

    if (!up->is_shaking_hands) {
        on_broken(transport, UV_EPROTO);
        return;
    }
    fail_handshake(up, tls_engine_trouble(transport->tls), tls_engine_why(transport->tls));
}

static struct upstream_h1 *new_connection(const struct request *req)
{
    struct upstream_h1 *up = slab_take(&req->worker->upstream_slab);

    up->base.ops = &upstream_h1_ops;
    up->tag = UPSTREAM_TAG;
    up->state = UPSTREAM_CONNECTING;
    up->is_reused = false;
    up->base.server = req->server;
    up->base.request = NULL;
    up->requests = 0;
    up->is_shaking_hands = false;
    up->trust_key = opening_trust_key(req);
    up->counter_slot = req->server->counter_slot;
    list_init(&up->link);
    deadline_init(&up->deadline, on_due);
    buffer_init(&up->inbox);
    return up;
}

enum failure upstream_h1_open(struct request *req)
{
    struct worker *worker = req->worker;
    struct upstream_h1 *up = reuse_take_opening(worker, req->server, opening_trust_key(req));
    int error;

    if (up == NULL) {
        up = new_connection(req);
        error = opening_begin(&up->opening, &up->transport, req, &ops, on_connected);
        if (error != 0) {
            upstream_h1_drop(&up);
            return opening_failure(error);
        }
        count_one(&upstream_h1_row(up)->connections);
        deadline_set(&worker->deadlines, &up->deadline, req->pool->conf->timeouts.connect_ms);
    }
    up->base.request = req;
    req->upstream = &up->base;
    return FAILURE_NONE;
}

/* Bytes of the next response may have come already: then this connection is not kept. */
static bool can_be_kept(const struct upstream_h1 *up, const struct snapshot_pool *pool)
{
    uint32_t most = pool->conf->keepalive.max_requests;

    return up->may_be_kept && !up->is_suspect && !up->is_deaf && !up->transport.is_closing &&
           !up->transport.is_broken && up->transport.queued_bytes == 0 &&
           (most == 0 || up->requests < most) &&
           reuse_may_keep(up->transport.worker, up->base.server, pool);
}

static void release(struct upstream *base, const struct snapshot_pool *pool)
{
    struct upstream_h1 *up = upstream_h1_of(base);
    struct worker *worker = up->transport.worker;

    reuse_keep_session(worker, base->server, up->trust_key, up->transport.tls);
    if (!can_be_kept(up, pool)) {
        upstream_h1_drop(&up);
        return;
    }
    base->request = NULL;
    transport_flush(worker); /* it may point into the inbox */
    buffer_reset(&up->inbox, 0);
    reuse_keep(worker, up, pool);
}

/* What is being opened is for the next request. */
static void drop(struct upstream *base)
{
    struct upstream_h1 *up = upstream_h1_of(base);

    if (opening_lasts(&up->opening) && reuse_keep_opening(up->transport.worker, up))
        base->request = NULL;
    else
        upstream_h1_drop(&up);
}

/* ---- what the request asks for ---- */

static void touch_base(struct upstream *base)
{
    touch(upstream_h1_of(base));
}

static void pause_reading(struct upstream *base)
{
    struct upstream_h1 *up = upstream_h1_of(base);

    transport_read_stop(&up->transport);
    deadline_clear(&up->deadline); /* the client is slow, not the server */
}

static void resume_reading(struct upstream *base)
{
    struct upstream_h1 *up = upstream_h1_of(base);

    transport_read_start(&up->transport);
    touch(up);
}

static void become_tunnel(struct upstream *base)
{
    struct upstream_h1 *up = upstream_h1_of(base);

    up->state = UPSTREAM_TUNNEL;
    deadline_clear(&up->deadline);
}

static const struct upstream_ops upstream_h1_ops = {
    .send_head = upstream_h1_send_head,
    .send_body = upstream_h1_send_body,
    .send_end = upstream_h1_send_end,
    .is_full = upstream_h1_is_full,
    .touch = touch_base,
    .pause = pause_reading,
    .resume = resume_reading,
    .release = release,
    .drop = drop,
    .become_tunnel = become_tunnel,
    .send_tunnel = upstream_h1_send_tunnel,
    .send_fin = upstream_h1_send_fin,
};
