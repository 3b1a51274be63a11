/*
 * client_h2 - a client's connection on which HTTP/2 is spoken: streams, their requests, and how it
 * ends.
 *
 * A stream is here until the frames have told its end; its request may be over long before, and
 * what it left behind goes out.
 *
 * Owner    the client.      Threads  the worker's
 * Source   RFC 9113, RFC 8441
 */
#include "proxy/client/client_h2.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "observe/observer.h"
#include "proxy/client/internal.h"
#include "proxy/hold.h"
#include "proxy/http/h2_budget.h"
#include "proxy/http/h2_message.h"
#include "proxy/network.h"
#include "proxy/request.h"
#include "proxy/request_end.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream.h"

enum {
    STREAMS = 100,
    STREAM_WINDOW = 64 * 1024,
    CONNECTION_WINDOW = 1024 * 1024,
    CROWDED_BYTES = 512 * 1024, /* that wait for all streams: over it, each may keep little */
    ROUND_TRIP_MS = 1000,       /* that is waited for before the last GOAWAY */
    LAST_BYTES = 64 * 1024,
    WRITE_BLOCK = WORKER_READ_BLOCK + 1024, /* one read in frames goes in one write */
    LINE_BYTES = sizeof("  HTTP/1.1\r\nHost: \r\n"),
};

void client_h2_mark(struct client_h2 *h2)
{
    late_mark(client_h2_worker(h2), &h2->late);
}

/* ---- a stream's request ---- */

static void begin_request(struct client_stream *stream)
{
    struct client *client = stream->h2->client;
    struct worker *worker = client->transport.worker;
    struct request *req = request_take(worker);

    req->client = client;
    req->ops = &client_h2_ops;
    req->stream = stream;
    req->is_https = client->transport.tls != NULL;
    req->started_ns = worker->now_ns;
    req->progress_ms = worker_now_ms(worker);
    stream->request = req;
    client->served++;
}

static struct client_stream *open_stream(struct client_h2 *h2, struct h2_stream *wire)
{
    struct worker *worker = client_h2_worker(h2);
    struct client_stream *stream = slab_take(&worker->stream_slab);

    *stream = (struct client_stream){
        .tag = CLIENT_STREAM_TAG, .h2 = h2, .wire = wire, .progress_ms = worker_now_ms(worker)};
    buffer_init(&stream->inbox);
    buffer_init(&stream->trailers);
    list_append(&h2->streams, &stream->link);
    if (h2->client->state == CLIENT_IDLE)
        client_enter(h2->client, CLIENT_BUSY);
    begin_request(stream);
    return stream;
}

static void free_stream(struct client_stream *stream)
{
    list_remove(&stream->link);
    buffer_fini(&stream->inbox);
    buffer_fini(&stream->trailers);
    stream->tag = 0;
    slab_give(&client_h2_worker(stream->h2)->stream_slab, stream);
}

/* A code that says why it was broken off. */
static enum h2_code code_of(const struct request *req)
{
    switch (req->failure) {
    case FAILURE_RESPONSE_BROKEN:
    case FAILURE_BAD_RESPONSE: return req->state == REQUEST_TUNNEL ? H2_CANCEL : H2_INTERNAL_ERROR;
    case FAILURE_BAD_REQUEST: return H2_PROTOCOL_ERROR;
    default: return H2_CANCEL;
    }
}

void client_h2_finish(struct request *req, bool is_clean)
{
    struct client_stream *stream = req->stream;
    enum h2_code code = code_of(req);

    stream->request = NULL;
    stream->progress_ms = worker_now_ms(req->worker);
    request_give(req);
    if (stream->wire == NULL)
        return;
    if (!is_clean) {
        h2_stream_reset(stream->wire, code);
    } else {
        h2_stream_end(stream->wire, SLICE("")); /* of a tunnel; a response has said so */
        if (!stream->has_ended) /* the rest of the upload is of no use (RFC 9113 §8.1) */
            h2_stream_reset(stream->wire, H2_NO_ERROR);
    }
    buffer_reset(&stream->inbox, 0);
    client_h2_mark(stream->h2);
}

static void end_requests(struct client_h2 *h2, enum failure failure)
{
    LIST_EACH_SAFE (link, &h2->streams) {
        struct client_stream *stream = container_of(link, struct client_stream, link);

        if (stream->request != NULL)
            request_client_gone(stream->request, failure);
    }
}

/* ---- leaving ---- */

static void leave(struct client_h2 *h2)
{
    if (h2->leaving != LEAVING_NO || h2->is_over)
        return;
    h2->leaving = LEAVING_ASKED;
    h2->asked_ms = worker_now_ms(client_h2_worker(h2));
    h2_frames_goaway(h2->frames);
    h2_frames_ping(h2->frames); /* its answer tells that the client knows */
    client_h2_mark(h2);
}

static void leave_for_good(struct client_h2 *h2)
{
    if (h2->leaving == LEAVING_SAID || h2->is_over)
        return;
    h2->leaving = LEAVING_SAID;
    h2_frames_goaway_final(h2->frames, H2_NO_ERROR);
    client_h2_mark(h2);
}

static void on_pong(void *connection)
{
    struct client_h2 *h2 = connection;

    if (h2->leaving == LEAVING_ASKED)
        leave_for_good(h2);
}

/* ---- writing ---- */

static void write_frames(struct client_h2 *h2, bool has_room, size_t most)
{
    struct transport *transport = &h2->client->transport;
    struct worker *worker = transport->worker;
    char *block = transport_scratch(worker, WRITE_BLOCK);
    size_t total = 0;
    size_t count;

    CHECK(block != NULL); /* nothing else is under way at the end of a turn */
    while (total < most && !transport->is_closing && (has_room || !transport_is_full(transport)) &&
           (count = h2_frames_take(h2->frames, block, WRITE_BLOCK)) > 0) {
        transport_gather(transport, slice_of(block, count));
        transport_flush(worker);
        total += count;
    }
    transport_scratch_trim(worker, block, 0);
}

void client_h2_write_now(struct client_h2 *h2)
{
    struct transport *transport = &h2->client->transport;
    struct worker *worker = transport->worker;
    char *block = transport_scratch(worker, WRITE_BLOCK);
    size_t count;

    client_h2_mark(h2);
    if (block == NULL)
        return;
    while (!transport->is_closing && !transport_is_full(transport) &&
           (count = h2_frames_take_untold(h2->frames, block, WRITE_BLOCK)) > 0) {
        transport_gather(transport, slice_of(block, count));
        transport_flush(worker);
    }
    transport_scratch_trim(worker, block, 0);
}

/* No stream is left.  A little may still be on its way to a full socket: it is kept for it. */
static void end_connection(struct client_h2 *h2)
{
    write_frames(h2, true, LAST_BYTES);
    client_end(h2->client, h2->is_over || !client_h2_worker(h2)->is_stopping);
}

/* A rule is broken or a budget used up: GOAWAY, and nothing is read any more. */
static void end_violator(struct client_h2 *h2)
{
    end_requests(h2, FAILURE_CLIENT_LEFT);
    transport_read_stop(&h2->client->transport);
    end_connection(h2);
}

static void look_whether_over(struct client_h2 *h2)
{
    if (client_is_ending(h2->client))
        return;
    if (h2->is_over)
        end_violator(h2);
    else if (list_is_empty(&h2->streams) &&
             (h2->leaving == LEAVING_SAID || h2_frames_is_over(h2->frames)))
        end_connection(h2);
}

static void on_late(struct late *late)
{
    struct client_h2 *h2 = container_of(late, struct client_h2, late);

    if (client_is_ending(h2->client))
        return;
    write_frames(h2, false, SIZE_MAX);
    look_whether_over(h2);
}

void client_h2_drained(struct client *client)
{
    client_h2_mark(client->h2);
}

/* ---- what is wrong ---- */

static void count_violation(struct client_h2 *h2, enum h2_budget_kind kind, const char *why)
{
    struct client *client = h2->client;
    struct worker *worker = client->transport.worker;
    char address[NETWORK_TEXT] = "unix";

    _Static_assert((int)H2_BUDGET_COUNT <= (int)COUNTERS_VIOLATIONS, "each has its counter");
    count_one(&client_row(client)->h2_violations[kind]);
    if (!worker_may_tell(worker, &worker->told_violation_ms[kind]))
        return; /* the metric has them all */
    if (client->has_peer)
        network_write_address(client->peer, address);
    observer_tell_violation(
        worker->observer,
        counters_slot_name(worker->counters, SCOPE_LISTENER, client->listener->counter_slot),
        address, why);
}

static void on_violation(void *connection, const char *why)
{
    struct client_h2 *h2 = connection;

    h2->is_over = true;
    count_violation(h2, h2_budget_find(why), why);
    client_h2_mark(h2);
}

/* ---- requests ---- */

static void on_drained(void *connection, void *owner)
{
    struct client_stream *stream = client_stream_of(owner);

    (void)connection;
    if (stream->request != NULL)
        request_client_drained(stream->request);
}

/* Bytes of the head as HTTP/1 would have it. */
static size_t head_bytes(const struct h2_head *head)
{
    size_t bytes = LINE_BYTES;

    for (size_t i = 0; i < head->count; i++)
        bytes += head->fields[i].name.len + head->fields[i].value.len + 4;
    return bytes;
}

/* A server that speaks HTTP/1 is to prove that it understood, of which RFC 8441 §5 knows nothing.
 */
static void add_websocket_key(struct request *req, struct message *message)
{
    uint64_t random[2] = {random_next(&req->worker->random), random_next(&req->worker->random)};
    const struct field *given = message_find(message, SLICE("sec-websocket-key"));

    websocket_make_key(random, req->websocket_key);
    if (given != NULL && given->value.len == WEBSOCKET_KEY)
        slice_copy(given->value, req->websocket_key, sizeof(req->websocket_key));
    else if (given == NULL && message->field_count < MESSAGE_MAX_FIELDS)
        message->fields[message->field_count++] = (struct field){
            .name = SLICE("Sec-WebSocket-Key"), .value = slice_from(req->websocket_key)};
}

/* It is one of the pseudo-fields, which stand in front. */
static bool has_https_scheme(const struct h2_head *head)
{
    for (size_t i = 0; i < head->count && head->fields[i].name.at[0] == ':'; i++)
        if (slice_equal(head->fields[i].name, SLICE(":scheme")))
            return slice_equal_nocase(head->fields[i].value, SLICE("https"));
    return false;
}

static void read_request(struct client_stream *stream, const struct h2_head *head, bool is_last)
{
    struct client *client = stream->h2->client;
    struct worker *worker = client->transport.worker;
    struct request *req = stream->request;
    struct head_limits limits = client_limits(client);
    struct h2_scratch scratch = {.room = head_bytes(head)};
    const char *why = NULL;
    bool is_extended;
    unsigned status;

    req->searched = scratch.room;
    req->received_bytes += scratch.room;
    scratch.at = transport_scratch(worker, scratch.room);
    if (scratch.at == NULL) {
        request_refuse(req, FAILURE_HEAD_TOO_LARGE, NULL);
        return;
    }
    status =
        h2_request_message(worker->message, head, is_last, &limits, &scratch, &is_extended, &why);
    if (status != 0) {
        request_refuse(req, client_failure_of_status(status), why);
        return;
    }
    req->claims_https = !req->is_https && has_https_scheme(head);
    if (worker->message->dropped_fields > 0)
        count_add(&client_row(client)->fields_dropped, worker->message->dropped_fields);
    req->must_upgrade = is_extended;
    if (is_extended)
        add_websocket_key(req, worker->message);
    request_begin(req);
}

/* A listener that has gone begins no request; the client may ask elsewhere. */
static bool refuses(struct client_h2 *h2, struct h2_stream *wire)
{
    if (h2->client->listener->now != NULL && !client_is_ending(h2->client) && !h2->is_over)
        return false;
    count_one(&client_row(h2->client)->h2_streams_refused);
    h2_stream_reset(wire, H2_REFUSED_STREAM);
    client_h2_mark(h2);
    return true;
}

static void after_request(struct client_h2 *h2)
{
    client_h2_keep_scratch(h2);
    if (client_is_spent(h2->client))
        leave(h2);
}

static void *on_request(void *connection, struct h2_stream *wire, const struct h2_head *head,
                        bool is_last)
{
    struct client_h2 *h2 = connection;
    struct client_stream *stream;

    if (refuses(h2, wire))
        return NULL;
    stream = open_stream(h2, wire);
    read_request(stream, head, is_last);
    after_request(h2);
    return stream;
}

static void *on_request_too_large(void *connection, struct h2_stream *wire)
{
    struct client_h2 *h2 = connection;
    struct client_stream *stream;

    if (refuses(h2, wire))
        return NULL;
    stream = open_stream(h2, wire);
    request_refuse(stream->request, FAILURE_HEAD_TOO_LARGE, NULL);
    after_request(h2);
    return stream;
}

static void on_stream_closed(void *connection, void *owner, uint32_t code, bool is_by_peer)
{
    struct client_h2 *h2 = connection;
    struct client_stream *stream = client_stream_of(owner);

    stream->wire = NULL;
    if (stream->request != NULL)
        request_client_gone(stream->request, is_by_peer || code != H2_PROTOCOL_ERROR
                                                 ? FAILURE_CLIENT_LEFT
                                                 : FAILURE_BAD_REQUEST);
    free_stream(stream);
    if (!list_is_empty(&h2->streams) || client_is_ending(h2->client))
        return;
    client_enter(h2->client, CLIENT_IDLE);
    if (h2->leaving != LEAVING_NO)
        client_h2_mark(h2); /* it may be over now */
}

/* ---- the connection ---- */

static const struct h2_events events = {
    .on_request = on_request,
    .on_request_too_large = on_request_too_large,
    .on_trailers = client_h2_on_trailers,
    .on_data = client_h2_on_data,
    .on_end = client_h2_on_end,
    .on_closed = on_stream_closed,
    .on_drained = on_drained,
    .on_pong = on_pong,
    .on_violation = on_violation,
};

void client_h2_begin(struct client *client)
{
    struct client_h2 *h2 = xcalloc(1, sizeof(*h2));
    struct h2_limits limits = {.streams = STREAMS,
                               .stream_window = STREAM_WINDOW,
                               .connection_window = CONNECTION_WINDOW,
                               .extended_connect = true,
                               .crowded_bytes = CROWDED_BYTES,
                               .head = client_limits(client)};

    h2->client = client;
    h2->moved_ms = worker_now_ms(client->transport.worker);
    list_init(&h2->streams);
    late_init(&h2->late, on_late);
    h2->frames = h2_frames_new(H2_SERVER, &limits, &events, h2);
    client->h2 = h2;
    count_one(&client_row(client)->h2_connections);
    client_h2_mark(h2);
}

void client_h2_free(struct client *client)
{
    struct client_h2 *h2 = TAKE_POINTER(&client->h2);

    late_forget(&h2->late);
    h2_frames_free(&h2->frames);
    CHECK(list_is_empty(&h2->streams));
    xfree(h2);
}

/* A head that has begun is waited for as one of HTTP/1. */
static void watch_head(struct client_h2 *h2)
{
    struct client *client = h2->client;

    if (!h2_frames_is_in_head(h2->frames)) {
        h2->head_from_ms = 0;
    } else if (h2->head_from_ms == 0) {
        h2->head_from_ms = worker_now_ms(client_h2_worker(h2));
        if (client->state == CLIENT_IDLE)
            client_set_deadline(client);
    }
}

void client_h2_read(struct client *client, const char *bytes, size_t count)
{
    struct client_h2 *h2 = client->h2;
    struct worker *worker = client->transport.worker;

    if (client_is_ending(client))
        return;
    (void)h2_frames_read(h2->frames, slice_of(bytes, count), worker_now_ms(worker));
    transport_flush(worker); /* it may point into what was read */
    if (client_is_ending(client))
        return;
    watch_head(h2);
    if (h2_frames_wants_write(h2->frames) || h2->is_over)
        client_h2_mark(h2);
}

void client_h2_broken(struct client *client)
{
    end_requests(client->h2, FAILURE_CLIENT_LEFT);
    client_break_off(client);
}

/* Without its side of the connection there are no windows, and soon no client. */
void client_h2_eof(struct client *client)
{
    end_requests(client->h2, FAILURE_CLIENT_LEFT);
    client_end(client, false);
}

void client_h2_retire(struct client *client)
{
    if (client->listener->now == NULL)
        leave_for_good(client->h2);
    else
        leave(client->h2);
    if (client->state == CLIENT_IDLE)
        client_set_deadline(client);
}

void client_h2_abort(struct client *client)
{
    end_requests(client->h2, FAILURE_STOPPED);
}

/* ---- deadlines ---- */

uint64_t client_h2_idle_ms(const struct client *client)
{
    const struct client_h2 *h2 = client->h2;

    if (h2->leaving != LEAVING_NO)
        return ROUND_TRIP_MS;
    if (h2->head_from_ms != 0)
        return client_conf(client)->timeouts.headers_ms;
    return client_conf(client)->timeouts.keepalive_ms;
}

/* What waits, and nothing of it went out for long: the client has closed its window, and keeps our
 * memory. */
static bool is_stalled(struct client_stream *stream, uint64_t now_ms, uint64_t most_ms)
{
    size_t unsent = h2_stream_unsent(stream->wire);
    uint64_t sent = stream->given - unsent;

    if (unsent == 0 || sent != stream->seen_sent)
        stream->progress_ms = now_ms;
    stream->seen_sent = sent;
    return now_ms - stream->progress_ms >= most_ms;
}

static void end_stalled(struct client_stream *stream)
{
    struct client_h2 *h2 = stream->h2;

    if (stream->request != NULL)
        request_client_gone(stream->request, FAILURE_CLIENT_STALLED);
    else
        h2_stream_reset(stream->wire, H2_CANCEL);
    client_h2_mark(h2);
    (void)h2_frames_spend(h2->frames, H2_BUDGET_STALLED); /* on_violation tells */
}

static void look_at_stream(struct client_stream *stream, uint64_t now_ms)
{
    const struct conf_listener_timeouts *timeouts = &client_conf(stream->h2->client)->timeouts;
    struct request *req = stream->request;

    if (stream->wire == NULL)
        return;
    if (req != NULL && req->state == REQUEST_TUNNEL) {
        if (now_ms - stream->progress_ms >= timeouts->tunnel_idle_ms)
            request_client_gone(req, FAILURE_TUNNEL_IDLE);
    } else if (is_stalled(stream, now_ms, timeouts->write_idle_ms)) {
        end_stalled(stream);
    } else if (req != NULL && h2_stream_unsent(stream->wire) == 0 &&
               request_waits_for_client(req) &&
               now_ms - req->progress_ms >= timeouts->body_idle_ms) {
        request_upload_failed(req, FAILURE_BODY_TIMEOUT, NULL);
    }
}

/* Its socket takes nothing: every stream waits. */
static bool is_socket_stalled(struct client *client, uint64_t now_ms)
{
    struct client_h2 *h2 = client->h2;

    if (client_has_taken(client) || client->transport.queued_bytes == 0)
        h2->moved_ms = now_ms;
    return now_ms - h2->moved_ms >= client_conf(client)->timeouts.write_idle_ms;
}

static void look_at_streams(struct client_h2 *h2, uint64_t now_ms)
{
    LIST_EACH_SAFE (link, &h2->streams)
        look_at_stream(container_of(link, struct client_stream, link), now_ms);
}

void client_h2_due(struct client *client)
{
    struct client_h2 *h2 = client->h2;
    uint64_t now_ms = worker_now_ms(client->transport.worker);
    bool is_idle = client->state == CLIENT_IDLE;

    if (is_socket_stalled(client, now_ms)) {
        end_requests(h2, FAILURE_CLIENT_STALLED);
        client_break_off(client);
        return;
    }
    if (h2->head_from_ms != 0 &&
        now_ms - h2->head_from_ms >= client_conf(client)->timeouts.headers_ms) {
        (void)h2_frames_spend(h2->frames, H2_BUDGET_SLOW_HEAD);
        return;
    }
    look_at_streams(h2, now_ms);
    if (h2->leaving == LEAVING_ASKED && now_ms - h2->asked_ms >= ROUND_TRIP_MS)
        leave_for_good(h2);
    else if (is_idle)
        leave_for_good(h2); /* timeouts.keepalive */
    else if (client_is_spent(client))
        leave(h2);
    client_set_deadline(client);
}
