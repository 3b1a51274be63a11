/*
 * request - the life of one request; the only conductor.  The picture is in request.h.
 *
 * Reads from top to bottom as a request lives: stock, begin, a server, upload, response, tunnel,
 * settling, failing, ending.
 *
 * Owner    one worker.      Threads  the worker's
 */
#include "proxy/request.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/thread.h"
#include "observe/counters.h"
#include "proxy/attempt.h"
#include "proxy/client/client.h"
#include "proxy/hold.h"
#include "proxy/queue.h"
#include "proxy/request_end.h"
#include "proxy/retry.h"
#include "proxy/snapshot.h"
#include "proxy/sticky.h"
#include "proxy/upstream/server.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker.h"

enum { MAX_INTERIMS = 32, KEPT_MEMORY = 8192, DRAINABLE_BYTES = 256 * 1024 };

#define TO(state) (1u << (state))
static const uint32_t legal_moves[REQUEST_STATES] = {
    [REQUEST_HEAD] = TO(REQUEST_ROUTING) | TO(REQUEST_ANSWERED) | TO(REQUEST_ENDED),
    [REQUEST_ROUTING] = TO(REQUEST_QUEUED) | TO(REQUEST_CONNECTING) | TO(REQUEST_ANSWERED),
    [REQUEST_QUEUED] = TO(REQUEST_ROUTING) | TO(REQUEST_ANSWERED) | TO(REQUEST_ENDED),
    [REQUEST_CONNECTING] =
        TO(REQUEST_EXCHANGING) | TO(REQUEST_ROUTING) | TO(REQUEST_ANSWERED) | TO(REQUEST_ENDED),
    [REQUEST_EXCHANGING] =
        TO(REQUEST_TUNNEL) | TO(REQUEST_ROUTING) | TO(REQUEST_ANSWERED) | TO(REQUEST_ENDED),
    [REQUEST_ANSWERED] = TO(REQUEST_ENDED),
    [REQUEST_TUNNEL] = TO(REQUEST_ENDED),
    [REQUEST_ENDED] = TO(REQUEST_HEAD),
};

void request_enter(struct request *req, enum request_state state)
{
    CHECK(legal_moves[req->state] & TO(state));
    req->state = (uint8_t)state;
}

/* ---- stock ---- */

static void reset(struct request *req)
{
    struct buffer head = req->head;
    struct buffer replay = req->replay;
    struct worker *worker = req->worker;

    memset(req, 0, sizeof(*req));
    req->tag = REQUEST_TAG;
    req->worker = worker;
    req->head = head;
    req->replay = replay;
    buffer_clear(&req->head);
    buffer_clear(&req->replay);
    list_init(&req->link);
    deadline_init(&req->queue_deadline, attempt_on_queue_due);
    req->server_index = BALANCE_NO_SERVER;
}

struct request *request_take(struct worker *worker)
{
    struct list *spare = list_pop(&worker->spare_requests);
    struct request *req;

    if (spare != NULL) {
        req = container_of(spare, struct request, link);
    } else {
        req = xcalloc(1, sizeof(*req));
        req->worker = worker;
    }
    reset(req);
    return req;
}

void request_give(struct request *req)
{
    CHECK_OBJ(req, REQUEST_TAG);
    CHECK(req->hold == NULL && req->upstream == NULL && req->record == NULL && req->tap == NULL);
    req->tag = 0;
    buffer_reset(&req->head, KEPT_MEMORY);
    buffer_reset(&req->replay, KEPT_MEMORY);
    list_prepend(&req->worker->spare_requests, &req->link);
}

void request_stock_fini(struct worker *worker)
{
    struct list *spare;

    while ((spare = list_pop(&worker->spare_requests)) != NULL) {
        struct request *req = container_of(spare, struct request, link);

        buffer_fini(&req->head);
        buffer_fini(&req->replay);
        xfree(req);
    }
}

/* ---- answers of our own ---- */

/* The client may go on with this connection only when the rest of its body can be read and dropped.
 */
static bool upload_can_be_dropped(const struct request *req)
{
    if (req->upload == HALF_ENDED)
        return true;
    return req->upload == HALF_OPEN && !req->expects_continue && req->body.kind == FORWARD_LENGTH &&
           req->body.left <= DRAINABLE_BYTES;
}

static void send_answer(struct request *req, struct answer *answer, bool closes)
{
    answer->form = req->form;
    answer->date = worker_date(req->worker);
    answer->request_id = slice_from(req->request_id);
    answer->is_head = request_is_head(req);
    answer->is_http_10 = req->http_minor == 0;
    answer->closes = closes || client_must_close(req) || !upload_can_be_dropped(req);
    req->closes = answer->closes;
    req->status = (uint16_t)answer->status;
    req->is_response_started = true;
    req->download = HALF_ENDED;
    request_enter(req, REQUEST_ANSWERED);
    req->ops->send_answer(req, answer);
    if (req->upload != HALF_OPEN || req->closes)
        request_end(req, true);
    else
        req->ops->want_upload(req); /* some of it may be here already */
}

static void answer_failure(struct request *req, struct answer *answer, enum failure failure,
                           const char *why)
{
    const struct failure_row *row = &failure_rows[failure];
    /* What follows may not be what it looks like: a tunnel's bytes, or the rest of a message. */
    bool is_framing_lost = req->state == REQUEST_HEAD || failure == FAILURE_BAD_REQUEST ||
                           failure == FAILURE_METHOD_NOT_ALLOWED ||
                           failure == FAILURE_UNKNOWN_METHOD || req->upload == HALF_BROKEN;

    req->failure = (uint8_t)failure;
    answer->status = row->status;
    answer->detail = slice_from(why != NULL && why[0] != '\0' ? why : row->help);
    send_answer(req, answer, is_framing_lost);
}

/* Whatever it was that failed: an answer where one can still be given, else the client's
 * connection ends in a way that it cannot take for a whole response. */
void request_fail(struct request *req, enum failure failure, const char *why)
{
    struct answer answer = {0};

    req->failure = (uint8_t)failure;
    if (req->pool != NULL)
        count_one(&pool_row_of(req)->failures[failure]);
    if (req->is_response_started || failure_rows[failure].status == 0) {
        req->download = HALF_BROKEN;
        request_end(req, false);
        return;
    }
    if (failure == FAILURE_QUEUE_FULL || failure == FAILURE_QUEUE_TIMEOUT)
        answer.retry_after_s = 1;
    answer_failure(req, &answer, failure, why);
}

/* ---- the head is there ---- */

/* A whole connection is in one arm: it got its lot when it was accepted, and the bound only
 * grows while a change is tried.  The listeners of both are the same, in the same order. */
static void pin_snapshot(struct request *req)
{
    const struct worker *worker = req->worker;
    const struct snapshot_listener *listener = client_listener(req);

    if (req->client->lot < worker->candidate_below) {
        req->hold = hold_pin(worker->candidate);
        req->listener = &worker->candidate->snapshot->listeners[listener->index];
        return;
    }
    req->hold = hold_pin(worker->current);
    req->listener = listener;
}

void request_refuse(struct request *req, enum failure failure, const char *why)
{
    struct answer answer = {0};

    CHECK_OBJ(req, REQUEST_TAG);
    pin_snapshot(req);
    count_one(&listener_row_of(req)->bad_requests);
    req->http_minor = 1;
    req->head_ns = req->worker->now_ns;
    request_note_unread(req);
    answer_failure(req, &answer, failure, why);
}

void request_begin(struct request *req)
{
    struct answer answer = {0};
    const char *why = NULL;
    enum failure failure;

    CHECK_OBJ(req, REQUEST_TAG);
    ON_WORKER(req->worker->index);
    pin_snapshot(req);
    request_enter(req, REQUEST_ROUTING);
    req->head_ns = req->worker->now_ns;
    failure = request_decide(req, &answer, &why);
    count_one(&listener_row_of(req)->requests);
    if (failure != FAILURE_NONE) {
        if (failure == FAILURE_BAD_REQUEST)
            count_one(&listener_row_of(req)->bad_requests);
        answer_failure(req, &answer, failure, why);
    } else if (req->pool == NULL) {
        send_answer(req, &answer, false);
    } else {
        count_one(&pool_row_of(req)->requests);
        retry_note_request(req);
        attempt_begin(req);
    }
}

/* ---- upload ---- */

void request_connected(struct request *req)
{
    bool is_whole = req->upload == HALF_ENDED;
    bool has_body = !is_whole || buffer_length(&req->replay) > 0 || req->is_chunked_to_server;

    CHECK_OBJ(req, REQUEST_TAG);
    if (!req->was_reused)
        req->connect_us = (uint32_t)((req->worker->now_ns - req->connect_from_ns) / 1000);
    request_enter(req, REQUEST_EXCHANGING);
    upstream_send_head(req->upstream, buffer_slice(&req->head), !has_body);
    if (buffer_length(&req->replay) > 0) {
        upstream_send_body(req->upstream, buffer_slice(&req->replay), req->is_chunked_to_server);
        req->sent_to_server = buffer_length(&req->replay);
        transport_flush(req->worker); /* the replay may grow, and move, with what follows */
    }
    if (!is_whole)
        req->ops->want_upload(req);
    else if (has_body)
        upstream_send_end(req->upstream, req->is_chunked_to_server, NULL);
}

bool request_takes_upload(const struct request *req)
{
    if (req->state == REQUEST_ANSWERED)
        return true;
    return req->state == REQUEST_EXCHANGING && req->upload == HALF_OPEN && req->upstream != NULL &&
           !upstream_is_full(req->upstream);
}

bool request_waits_for_client(const struct request *req)
{
    bool waits_for_100 = req->expects_continue && req->uploaded_bytes == 0;

    return req->upload == HALF_OPEN && !waits_for_100 && request_takes_upload(req);
}

static void keep_for_replay(struct request *req, struct slice data)
{
    if (!req->keeps_replay)
        return;
    if (buffer_length(&req->replay) + data.len <= REQUEST_REPLAY) {
        buffer_append(&req->replay, data.at, data.len);
        return;
    }
    req->keeps_replay = false;
    buffer_clear(&req->replay);
}

void request_upload(struct request *req, struct slice data)
{
    req->uploaded_bytes += data.len;
    req->progress_ms = worker_now_ms(req->worker);
    if (req->state == REQUEST_ANSWERED || data.len == 0)
        return;
    keep_for_replay(req, data);
    req->sent_to_server += data.len;
    upstream_touch(req->upstream);
    upstream_send_body(req->upstream, data, req->is_chunked_to_server);
}

static struct message *trailers_for_server(struct request *req, struct message *trailers)
{
    const struct snapshot *snapshot = req->hold->snapshot;
    struct forward_edits identity = {.remove = snapshot->identity_headers,
                                     .remove_count = snapshot->identity_header_count,
                                     .is_identity = true};

    if (trailers == NULL || !req->passes_trailers)
        return NULL;
    forward_drop_edited(trailers, &identity);
    forward_drop_edited(trailers, &req->route->request_edits);
    return trailers;
}

void request_upload_ended(struct request *req, struct message *trailers)
{
    req->upload = HALF_ENDED;
    if (req->state == REQUEST_ANSWERED) {
        request_end(req, true);
        return;
    }
    trailers = trailers_for_server(req, trailers);
    req->has_sent_trailers = trailers != NULL;
    upstream_send_end(req->upstream, req->is_chunked_to_server, trailers);
}

void request_upload_failed(struct request *req, enum failure failure, const char *why)
{
    req->upload = HALF_BROKEN;
    req->closes = true;
    if (req->state == REQUEST_ANSWERED) {
        request_end(req, true);
        return;
    }
    request_fail(req, failure, why);
}

void request_upstream_drained(struct request *req)
{
    if (req->state == REQUEST_TUNNEL || req->upload == HALF_OPEN)
        req->ops->want_upload(req);
}

/* ---- response ---- */

/* Is `token` among the protocols that the client offered? */
static bool was_offered(const struct request *req, struct slice token)
{
    struct slice rest = slice_from(req->upgrade);
    struct slice element;

    while (slice_next_element(&rest, &element))
        if (element.len > 0 && slice_equal_nocase(element, token))
            return true;
    return false;
}

/* Where the key was ours so is its answer. */
static bool is_accepted(const struct request *req, const struct message *message)
{
    const struct field *accept;

    if (!req->must_upgrade)
        return true;
    accept = message_find(message, SLICE("sec-websocket-accept"));
    return accept != NULL && websocket_is_accepted(slice_from(req->websocket_key), accept->value);
}

static void begin_tunnel(struct request *req, struct message *message)
{
    struct forward_response response = {.is_upgrade = true,
                                        .body = FORWARD_NO_BODY,
                                        .date = worker_date(req->worker),
                                        .edits = &req->route->response_edits};

    req->status = 101;
    req->is_response_started = true;
    req->closes = true;
    req->upload = req->download = HALF_OPEN;
    count_one(&listener_row_of(req)->tunnels);
    if (!req->ops->send_response(req, message, &response)) {
        request_fail(req, FAILURE_RESPONSE_TOO_LARGE, NULL);
        return;
    }
    request_enter(req, REQUEST_TUNNEL);
    upstream_become_tunnel(req->upstream);
    req->ops->become_tunnel(req);
}

static bool relay_interim(struct request *req, struct message *message)
{
    if (message->status == 101) {
        if (!req->passes_upgrade || !was_offered(req, message->upgrade) ||
            !is_accepted(req, message)) {
            request_upstream_failed(req, FAILURE_BAD_UPGRADE);
            return false;
        }
        begin_tunnel(req, message);
        return req->state == REQUEST_TUNNEL;
    }
    if (++req->interims > MAX_INTERIMS) {
        request_upstream_failed(req, FAILURE_BAD_RESPONSE);
        return false;
    }
    if (req->http_minor == 0 || (message->status == 100 && !req->expects_continue))
        return true;
    forward_drop_edited(message, &req->route->response_edits);
    if (!req->ops->send_interim(req, message)) {
        request_upstream_failed(req, FAILURE_RESPONSE_TOO_LARGE);
        return false;
    }
    if (message->status == 100) { /* now it is the client's turn */
        req->expects_continue = false;
        req->progress_ms = worker_now_ms(req->worker);
    }
    return true;
}

/* How the client gets the body: as the server framed it, but chunks only for HTTP/1.1. */
static enum forward_body framing_to_client(const struct request *req)
{
    enum forward_body kind = req->upstream->response_body;

    if (kind == FORWARD_NO_BODY || kind == FORWARD_LENGTH)
        return kind;
    return req->http_minor == 0 ? FORWARD_UNTIL_CLOSE : FORWARD_CHUNKED;
}

static struct slice sticky_cookie(struct request *req)
{
    const struct conf_pool *pool = req->pool->conf;
    char *memory;
    struct writer w;

    if (pool->sticky.cookie == NULL || req->choice.sticky == req->server_index ||
        (req->choice.sticky != BALANCE_NO_SERVER &&
         strcmp(req->pool->servers[req->choice.sticky]->name, req->server->name) == 0))
        return SLICE("");
    memory = transport_scratch(req->worker, 512);
    if (memory == NULL)
        return SLICE("");
    w = writer_over(memory, 512);
    sticky_write(req->worker->sticky_key, &w, pool->sticky.cookie, pool->name, req->server->name,
                 pool->sticky.ttl_ms, req->is_https);
    transport_scratch_trim(req->worker, memory, writer_length(&w));
    return w.overflow ? SLICE("") : writer_slice(&w);
}

static bool relay_final(struct request *req, struct message *message)
{
    struct forward_response response = {
        .to_http_10 = req->http_minor == 0,
        .keeps_length = request_is_head(req) || message->status == 304,
        .body = framing_to_client(req),
        .length = req->upstream->response_length,
        .date = worker_date(req->worker),
        .set_cookie = sticky_cookie(req),
        .edits = &req->route->response_edits,
    };

    if (req->must_upgrade && message->status < 300) {
        request_upstream_failed(req, FAILURE_NOT_UPGRADED);
        return false;
    }
    if (message->names_fields)
        req->has_te_trailers = false;
    req->closes =
        client_must_close(req) || req->upload == HALF_OPEN || response.body == FORWARD_UNTIL_CLOSE;
    response.closes = req->closes;
    req->download_kind = response.body;
    req->status = message->status;
    if (!req->ops->send_response(req, message, &response)) {
        request_upstream_failed(req, FAILURE_RESPONSE_TOO_LARGE);
        return false;
    }
    req->is_response_started = true;
    return true;
}

bool request_response(struct request *req)
{
    struct message *message = req->worker->message;

    CHECK_OBJ(req, REQUEST_TAG);
    req->server_status = message->status;
    return message->status < 200 ? relay_interim(req, message) : relay_final(req, message);
}

void request_response_body(struct request *req, struct slice data, bool is_last)
{
    req->ops->send_body(req, data, is_last);
    if (!is_last) /* else it goes out together with what ends the response */
        request_response_settle(req);
}

void request_response_settle(struct request *req)
{
    transport_flush(req->worker);
    if (req->ops->is_full(req))
        upstream_pause(req->upstream);
    else
        req->progress_ms = worker_now_ms(req->worker);
}

bool request_is_crowded(const struct request *req)
{
    return req->ops->is_crowded != NULL && req->ops->is_crowded(req);
}

void request_client_drained(struct request *req)
{
    req->progress_ms = worker_now_ms(req->worker);
    if (req->upstream != NULL && (req->state == REQUEST_EXCHANGING || req->state == REQUEST_TUNNEL))
        upstream_resume(req->upstream);
}

void request_response_ended(struct request *req, struct message *trailers)
{
    if (!req->has_te_trailers)
        trailers = NULL;
    if (trailers != NULL)
        forward_drop_edited(trailers, &req->route->response_edits);
    req->ops->send_end(req, trailers);
    req->download = HALF_ENDED;
    request_end(req, true);
}

/* ---- tunnel ---- */

void request_tunnel_from_client(struct request *req, struct slice data)
{
    req->uploaded_bytes += data.len;
    upstream_send_tunnel(req->upstream, data);
}

void request_tunnel_from_server(struct request *req, struct slice data)
{
    if (data.len == 0)
        return;
    req->ops->send_body(req, data, false);
    transport_flush(req->worker);
    if (req->ops->is_full(req))
        upstream_pause(req->upstream);
}

void request_server_half_closed(struct request *req)
{
    req->download = HALF_ENDED;
    if (req->upload == HALF_ENDED)
        request_end(req, true);
    else
        req->ops->send_fin(req);
}

/* ---- what can go wrong ---- */

void request_client_half_closed(struct request *req)
{
    CHECK(req->state == REQUEST_TUNNEL);
    req->upload = HALF_ENDED;
    if (req->download == HALF_ENDED)
        request_end(req, true);
    else
        upstream_send_fin(req->upstream);
}

void request_client_gone(struct request *req, enum failure failure)
{
    req->upload = HALF_BROKEN;
    req->closes = true;
    if (req->state == REQUEST_ANSWERED) {
        request_end(req, true);
        return;
    }
    req->failure = (uint8_t)failure;
    if (req->pool != NULL)
        count_one(&pool_row_of(req)->failures[failure]);
    request_end(req, false);
}

/* ---- the end ---- */

/* The server's side ends: kept for the next request when both halves came to their end. */
static void end_upstream(struct request *req, bool is_clean)
{
    if (req->upstream == NULL)
        return;
    if (is_clean && req->download == HALF_ENDED)
        attempt_note_success(req);
    if (is_clean && req->upload == HALF_ENDED && req->state != REQUEST_TUNNEL)
        upstream_release(&req->upstream, req->pool);
    else
        upstream_drop(&req->upstream);
}

void request_end(struct request *req, bool is_clean)
{
    const struct client_ops *client = req->ops;

    CHECK_OBJ(req, REQUEST_TAG);
    if (req->state == REQUEST_QUEUED)
        queue_leave(req);
    if (req->upload == HALF_OPEN)
        req->closes = true;
    end_upstream(req, is_clean);
    request_record(req);
    attempt_leave_server(req);
    request_enter(req, REQUEST_ENDED);
    if (req->hold != NULL)
        hold_unpin(&req->hold);
    client->finish(req, is_clean);
}
