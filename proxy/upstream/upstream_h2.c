/*
 * upstream_h2 - one request's stream of an HTTP/2 connection to a server.
 *
 * When the request lets go of it the stream may still have to be reset; what it is told until
 * then is dropped, and it dies when it is closed.
 *
 * Owner    its request, then the connection.      Threads  the worker's
 */
#include "proxy/upstream/upstream_h2.h"

#include "base/check.h"
#include "config/model.h"
#include "proxy/http/h2_message.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/h2_connection.h"
#include "proxy/upstream/limits.h"
#include "proxy/worker.h"

/* Counts on where a request could not be begun, so that it is told later and not from within. */
enum { SOON_MS = 1 };

static struct upstream_h2 *h2_of(struct upstream *base)
{
    struct upstream_h2 *up = container_of(base, struct upstream_h2, base);

    CHECK_OBJ(up, UPSTREAM_H2_TAG);
    return up;
}

static struct upstream_h2 *owner_of(void *owner)
{
    struct upstream_h2 *up = owner;

    CHECK_OBJ(up, UPSTREAM_H2_TAG);
    return up;
}

/* ---- ends ---- */

static void die(struct worker *worker, struct upstream_h2 *up)
{
    up->tag = 0;
    slab_give(&worker->server_stream_slab, up);
}

/* The request is through with it. */
static void let_go(struct upstream_h2 *up, bool is_clean)
{
    struct worker *worker = up->base.request->worker;
    struct h2_connection *conn = up->connection;

    deadline_clear(&up->deadline);
    if (conn != NULL)
        h2_connection_part(up);
    up->base.request = NULL;
    if (up->stream == NULL) {
        die(worker, up);
        return;
    }
    if (!is_clean)
        h2_stream_reset(up->stream, H2_CANCEL);
    h2_connection_mark(conn);
}

static void drop(struct upstream *base)
{
    let_go(h2_of(base), false);
}

/* A server that has answered without taking the whole body takes no more of it. */
static void release(struct upstream *base, const struct snapshot_pool *pool)
{
    struct upstream_h2 *up = h2_of(base);

    (void)pool;
    let_go(up, up->stream == NULL || h2_stream_unsent(up->stream) == 0);
}

void upstream_h2_fail(struct upstream_h2 *up, enum failure failure)
{
    request_upstream_failed(up->base.request, failure);
}

void upstream_h2_lost(struct upstream_h2 *up)
{
    const struct h2_connection *conn = up->connection;

    if (up->has_response)
        upstream_h2_fail(up, FAILURE_RESPONSE_BROKEN);
    else if (conn->is_violated)
        upstream_h2_fail(up, FAILURE_BAD_RESPONSE);
    else if (up->is_lone && conn->read_ns < up->sent_ns)
        upstream_h2_fail(up, FAILURE_REUSED_CLOSED);
    else
        upstream_h2_fail(up, FAILURE_SERVER_CLOSED);
}

static enum failure failure_of_code(const struct upstream_h2 *up, uint32_t code, bool is_by_peer)
{
    if (up->has_response)
        return FAILURE_RESPONSE_BROKEN;
    if (code == H2_REFUSED_STREAM)
        return FAILURE_STREAM_REFUSED;
    return is_by_peer ? FAILURE_STREAM_RESET : FAILURE_BAD_RESPONSE;
}

void upstream_h2_on_closed(void *connection, void *owner, uint32_t code, bool is_by_peer)
{
    struct h2_connection *conn = connection;
    struct upstream_h2 *up = owner_of(owner);

    h2_connection_lost_stream(conn);
    up->stream = NULL;
    if (up->base.request == NULL) {
        die(conn->transport.worker, up);
        return;
    }
    if (code == H2_REFUSED_STREAM)
        count_one(&h2_connection_row(conn)->h2_refused);
    upstream_h2_fail(up, failure_of_code(up, code, is_by_peer));
}

/* ---- time ---- */

static void touch(struct upstream_h2 *up)
{
    if (!up->is_paused && !up->is_waiting)
        deadline_set(&up->base.request->worker->deadlines, &up->deadline, up->response_timeout_ms);
}

/* A connection that has said nothing since may be dead: nobody else should wait for it. */
static void suspect(const struct upstream_h2 *up)
{
    if (up->connection->read_ns < up->sent_ns)
        h2_connection_retire(up->connection);
}

static void on_due(struct deadline *deadline)
{
    struct upstream_h2 *up = container_of(deadline, struct upstream_h2, deadline);
    struct request *req = up->base.request;

    worker_note_time(req->worker);
    if (up->stream == NULL) {
        upstream_h2_fail(up, FAILURE_STREAM_REFUSED);
    } else if (request_waits_for_client(req)) {
        touch(up); /* the server has nothing to answer yet; timeouts.body_idle counts */
    } else {
        suspect(up);
        upstream_h2_fail(up, up->has_response ? FAILURE_RESPONSE_BROKEN : FAILURE_RESPONSE_TIMEOUT);
    }
}

/* ---- what comes ---- */

static void begin_body(struct upstream_h2 *up, const struct message *message, bool is_last)
{
    uint16_t status = message->status;
    bool has_length = message->content_length != MESSAGE_NO_LENGTH;

    up->has_response = true;
    up->left = 0;
    if (request_is_head(up->base.request) || status == 204 || status == 304) {
        up->base.response_body = FORWARD_NO_BODY;
    } else if (has_length || is_last) {
        up->base.response_body = FORWARD_LENGTH;
        up->left = has_length ? message->content_length : 0;
    } else {
        up->base.response_body = FORWARD_CHUNKED;
    }
    up->base.response_length = up->left;
}

/* Something has come, and the exchange goes on. */
static void touch_if_still(struct upstream_h2 *up)
{
    if (up->base.request != NULL)
        touch(up);
}

void upstream_h2_on_response(void *connection, void *owner, const struct h2_head *head,
                             bool is_last)
{
    struct upstream_h2 *up = owner_of(owner);
    struct request *req = up->base.request;
    struct message *message;
    const char *why;

    (void)connection;
    if (req == NULL)
        return;
    message = req->worker->message;
    if (req->first_byte_ns == 0)
        req->first_byte_ns = req->worker->now_ns;
    if (h2_response_message(message, head, is_last, &why) != 0) {
        upstream_h2_fail(up, FAILURE_BAD_RESPONSE);
        return;
    }
    if (message->status >= 200)
        begin_body(up, message, is_last);
    if (is_last && up->left > 0) {
        up->has_response = false;
        upstream_h2_fail(up, FAILURE_BAD_RESPONSE);
        return;
    }
    if (request_response(req))
        touch_if_still(up);
}

void upstream_h2_settle(struct upstream_h2 *up)
{
    struct request *req = up->base.request;

    up->connection->unsettled = NULL;
    request_response_settle(req);
    if (up->base.request != req || up->is_paused || up->stream == NULL)
        return;
    h2_stream_consumed(up->stream, up->unconsumed);
    up->unconsumed = 0;
}

/* Does the length that was told allow these bytes? */
static bool counts(struct upstream_h2 *up, size_t bytes)
{
    if (up->base.response_body == FORWARD_CHUNKED)
        return true;
    if (!up->has_response || bytes > up->left)
        return false;
    up->left -= bytes;
    return true;
}

/* It goes to the client's socket with what else comes of this stream in this read. */
void upstream_h2_on_data(void *connection, void *owner, struct slice data)
{
    struct h2_connection *conn = connection;
    struct upstream_h2 *up = owner_of(owner);

    if (up->base.request == NULL || data.len == 0)
        return;
    if (!counts(up, data.len)) {
        upstream_h2_fail(up, FAILURE_RESPONSE_BROKEN);
        return;
    }
    if (conn->unsettled != NULL && conn->unsettled != up)
        upstream_h2_settle(conn->unsettled);
    conn->unsettled = up;
    up->unconsumed += data.len;
    request_response_body(up->base.request, data, true);
    touch_if_still(up);
}

static void end_response(struct upstream_h2 *up, struct message *trailers)
{
    if (up->left > 0)
        upstream_h2_fail(up, FAILURE_RESPONSE_BROKEN);
    else
        request_response_ended(up->base.request, trailers);
}

void upstream_h2_on_trailers(void *connection, void *owner, const struct h2_head *head)
{
    struct upstream_h2 *up = owner_of(owner);
    struct request *req = up->base.request;
    const char *why;

    (void)connection;
    if (req == NULL)
        return;
    if (h2_trailers_message(req->worker->trailers, head, &upstream_limits.head, &why) != 0)
        upstream_h2_fail(up, FAILURE_RESPONSE_BROKEN);
    else
        end_response(up, req->worker->trailers);
}

void upstream_h2_on_end(void *connection, void *owner)
{
    struct upstream_h2 *up = owner_of(owner);

    (void)connection;
    if (up->base.request != NULL)
        end_response(up, NULL);
}

void upstream_h2_on_drained(void *connection, void *owner)
{
    struct upstream_h2 *up = owner_of(owner);

    (void)connection;
    if (up->base.request == NULL)
        return;
    touch(up);
    request_upstream_drained(up->base.request);
}

/* ---- what goes ---- */

static void send_head(struct upstream *base, struct slice head, bool is_last)
{
    struct upstream_h2 *up = h2_of(base);
    struct h2_connection *conn = up->connection;
    bool is_https = conn->transport.tls != NULL;

    up->sent_ns = base->request->worker->now_ns;
    up->stream = h2_frames_request(conn->frames, head, is_https, is_last, up);
    if (up->stream == NULL) {
        h2_connection_lost_stream(conn);
        h2_connection_retire(conn);
        deadline_set(&base->request->worker->deadlines, &up->deadline, SOON_MS);
        return;
    }
    count_one(&h2_connection_row(conn)->h2_streams);
    h2_connection_mark(conn);
}

static void send_body(struct upstream *base, struct slice data, bool is_chunked)
{
    struct upstream_h2 *up = h2_of(base);

    (void)is_chunked;
    if (up->stream == NULL)
        return;
    h2_stream_send(up->stream, data);
    h2_connection_mark(up->connection);
}

static struct slice write_trailers(struct worker *worker, const struct message *trailers)
{
    char *memory = transport_scratch(worker, UPSTREAM_HEAD_BYTES * 2);
    struct writer w;

    if (memory == NULL)
        return SLICE("");
    w = writer_over(memory, UPSTREAM_HEAD_BYTES * 2);
    forward_write_trailers(&w, trailers);
    transport_scratch_trim(worker, memory, writer_length(&w));
    return writer_slice(&w);
}

static void send_end(struct upstream *base, bool is_chunked, const struct message *trailers)
{
    struct upstream_h2 *up = h2_of(base);

    (void)is_chunked;
    if (up->stream == NULL)
        return;
    h2_stream_end(up->stream,
                  trailers != NULL ? write_trailers(base->request->worker, trailers) : SLICE(""));
    h2_connection_mark(up->connection);
}

static bool is_full(const struct upstream *base)
{
    const struct upstream_h2 *up = container_of(base, const struct upstream_h2, base);

    return up->stream != NULL && h2_stream_is_full(up->stream);
}

static void touch_base(struct upstream *base)
{
    touch(h2_of(base));
}

/* What is under way still comes: a window at most. */
static void pause_stream(struct upstream *base)
{
    struct upstream_h2 *up = h2_of(base);

    up->is_paused = true;
    deadline_clear(&up->deadline); /* the client is slow, not the server */
}

static void resume_stream(struct upstream *base)
{
    struct upstream_h2 *up = h2_of(base);

    if (!up->is_paused)
        return;
    up->is_paused = false;
    touch(up);
    if (up->stream == NULL || up->unconsumed == 0)
        return;
    h2_stream_consumed(up->stream, up->unconsumed);
    up->unconsumed = 0;
    h2_connection_mark(up->connection);
}

static const struct upstream_ops ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .is_full = is_full,
    .touch = touch_base,
    .pause = pause_stream,
    .resume = resume_stream,
    .release = release,
    .drop = drop,
};

/* ---- a new exchange ---- */

static struct upstream_h2 *new_stream(struct request *req)
{
    struct upstream_h2 *up = slab_take(&req->worker->server_stream_slab);

    *up = (struct upstream_h2){
        .base = {.ops = &ops, .request = req, .server = req->server},
        .tag = UPSTREAM_H2_TAG,
        .response_timeout_ms = upstream_response_ms(req),
    };
    list_init(&up->link);
    deadline_init(&up->deadline, on_due);
    return up;
}

struct upstream *upstream_h2_reuse(struct request *req)
{
    struct h2_connection *conn = h2_connection_find(req);
    struct upstream_h2 *up;

    if (conn == NULL)
        return NULL;
    up = new_stream(req);
    up->is_lone = conn->is_idle;
    h2_connection_join(conn, up);
    count_one(&h2_connection_row(conn)->connections_reused);
    touch(up);
    return &up->base;
}

enum failure upstream_h2_open(struct request *req)
{
    struct upstream_h2 *up = new_stream(req);
    enum failure failure = h2_connection_await(up);

    if (failure == FAILURE_NONE)
        req->upstream = &up->base;
    else
        die(req->worker, up);
    return failure;
}

void upstream_h2_begin(struct upstream_h2 *up)
{
    struct h2_connection *conn = up->connection;

    list_remove(&up->link);
    conn->waiting_count--;
    up->is_waiting = false;
    h2_connection_join(conn, up);
    touch(up);
    request_connected(up->base.request);
}
