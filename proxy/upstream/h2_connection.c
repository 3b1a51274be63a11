/*
 * h2_connection - see h2_connection.h: connecting, sharing, reading and writing, ending.
 *
 * Threads  the worker's
 */
#include "proxy/upstream/h2_connection.h"

#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "observe/observer.h"
#include "proxy/http/h2_budget.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/limits.h"
#include "proxy/upstream/reuse.h"
#include "proxy/upstream/server.h"
#include "proxy/upstream/upstream_h2.h"
#include "proxy/worker.h"
#include "tls/context.h"
#include "tls/engine.h"

enum { WRITE_BLOCK = 64 * 1024 };

static struct h2_connection *connection_of(struct transport *transport)
{
    struct h2_connection *conn = (struct h2_connection *)transport;

    CHECK_OBJ(conn, H2_CONNECTION_TAG);
    return conn;
}

struct server_row *h2_connection_row(const struct h2_connection *conn)
{
    const struct worker *worker = conn->transport.worker;

    return counters_server(worker->counters, worker->index, conn->counter_slot);
}

/* ---- idle or not ---- */

static void note_busy(struct h2_connection *conn)
{
    if (!conn->is_idle)
        return;
    conn->is_idle = false;
    deadline_clear(&conn->deadline);
    count_less(&h2_connection_row(conn)->connections_idle);
}

static void note_idle(struct h2_connection *conn)
{
    struct worker *worker = conn->transport.worker;

    CHECK(!conn->is_idle);
    conn->is_idle = true;
    count_one(&h2_connection_row(conn)->connections_idle);
    deadline_set(&worker->deadlines, &conn->deadline, reuse_idle_ms(worker, conn->idle_ms));
}

static bool has_requests(const struct h2_connection *conn)
{
    return !list_is_empty(&conn->active) || !list_is_empty(&conn->waiting);
}

/* ---- the end ---- */

/* Nobody finds it any more. */
static void forget(struct h2_connection *conn)
{
    conn->is_leaving = true;
    list_remove(&conn->link);
}

static void close_now(struct h2_connection *conn)
{
    if (conn->state == H2_CLOSED)
        return;
    note_busy(conn);
    forget(conn);
    conn->state = H2_CLOSED;
    opening_end(&conn->opening);
    deadline_clear(&conn->deadline);
    late_forget(&conn->late);
    transport_close(&conn->transport);
}

/* Those that wait fail with `failure`, and each that is under way by what has come of it. */
static void lose(struct h2_connection *conn, enum failure failure)
{
    close_now(conn); /* first: what is tried again must not come back here */
    while (!list_is_empty(&conn->waiting))
        upstream_h2_fail(container_of(conn->waiting.next, struct upstream_h2, link), failure);
    while (!list_is_empty(&conn->active))
        upstream_h2_lost(container_of(conn->active.next, struct upstream_h2, link));
}

static void on_closed(struct transport *transport)
{
    struct h2_connection *conn = connection_of(transport);

    if (conn->frames != NULL)
        h2_frames_free(&conn->frames);
    CHECK(!has_requests(conn) && conn->stream_count == 0);
    list_remove(&conn->all);
    conn->tag = 0;
    xfree(conn);
}

void h2_connection_retire(struct h2_connection *conn)
{
    if (conn->is_leaving)
        return;
    note_busy(conn);
    forget(conn);
    if (!has_requests(conn))
        h2_connection_mark(conn);
}

void h2_connection_retire_all(struct worker *worker)
{
    LIST_EACH_SAFE (item, &worker->h2_connections)
        h2_connection_retire(container_of(item, struct h2_connection, all));
}

void h2_connection_close_all(struct worker *worker)
{
    LIST_EACH_SAFE (item, &worker->h2_connections)
        close_now(container_of(item, struct h2_connection, all));
}

/* The handshake came to nothing, or agreed on something else. */
static void lose_handshake(struct h2_connection *conn, enum failure failure,
                           enum tls_trouble trouble, const char *why)
{
    opening_note_trouble(h2_connection_row(conn), conn->server, trouble, why);
    LIST_EACH (item, &conn->waiting)
        container_of(item, struct upstream_h2, link)->base.request->server_tls_why = why;
    lose(conn, failure);
}

static void on_broken(struct transport *transport, int error)
{
    struct h2_connection *conn = connection_of(transport);

    (void)error; /* what follows depends on how far each response had come */
    if (transport->is_broken && conn->frames != NULL && has_requests(conn)) {
        /* Writing failed, but answers that came before may still wait to be read; the end of
         * reading tells. */
        h2_connection_retire(conn);
        return;
    }
    if (conn->is_shaking_hands)
        lose_handshake(conn, FAILURE_SERVER_TLS, TLS_TROUBLE_CLOSED,
                       "it closed during the handshake");
    else
        lose(conn, FAILURE_SERVER_PROTOCOL);
}

static void on_eof(struct transport *transport)
{
    on_broken(transport, UV_EOF);
}

static void on_due(struct deadline *deadline)
{
    struct h2_connection *conn = container_of(deadline, struct h2_connection, deadline);

    worker_note_time(conn->transport.worker);
    if (conn->state == H2_CONNECTING)
        lose(conn, FAILURE_CONNECT_TIMEOUT);
    else if (conn->is_leaving)
        close_now(conn); /* it takes what is to be written no longer */
    else
        h2_connection_retire(conn);
}

/* ---- writing ---- */

void h2_connection_mark(struct h2_connection *conn)
{
    if (conn->state != H2_CLOSED)
        late_mark(conn->transport.worker, &conn->late);
}

static void write_frames(struct h2_connection *conn)
{
    struct worker *worker = conn->transport.worker;
    char *block = transport_scratch(worker, WRITE_BLOCK);
    size_t count;

    if (block == NULL) {
        h2_connection_mark(conn);
        return;
    }
    while (!transport_is_full(&conn->transport) && !conn->transport.is_closing &&
           (count = h2_frames_take(conn->frames, block, WRITE_BLOCK)) > 0) {
        count_add(&h2_connection_row(conn)->sent_bytes, count);
        transport_gather(&conn->transport, slice_of(block, count));
        transport_flush(worker);
    }
}

/* Once a turn of the loop, when there is something to do. */
static void on_late(struct late *late)
{
    struct h2_connection *conn = container_of(late, struct h2_connection, late);
    bool is_over = conn->is_leaving && !has_requests(conn);

    if (conn->frames == NULL) {
        if (is_over)
            close_now(conn);
        return;
    }
    if (is_over)
        h2_frames_goaway_final(conn->frames, H2_NO_ERROR);
    write_frames(conn);
    if (conn->is_violated)
        lose(conn, FAILURE_SERVER_PROTOCOL);
    if (!is_over || conn->state == H2_CLOSED)
        return;
    if (transport_is_full(&conn->transport))
        deadline_set(&conn->transport.worker->deadlines, &conn->deadline, conn->idle_ms);
    else
        close_now(conn);
}

static void on_drained(struct transport *transport)
{
    h2_connection_mark(connection_of(transport));
}

/* ---- reading ---- */

static void on_read(struct transport *transport, char *bytes, size_t count)
{
    struct h2_connection *conn = connection_of(transport);
    struct worker *worker = transport->worker;
    bool goes_on;

    if (conn->state == H2_CLOSED)
        return;
    count_add(&h2_connection_row(conn)->received_bytes, count);
    conn->read_ns = worker->now_ns;
    if (conn->frames == NULL)
        return; /* bytes before the handshake is told: never */
    goes_on = h2_frames_read(conn->frames, slice_of(bytes, count), worker_now_ms(worker));
    if (conn->unsettled != NULL)
        upstream_h2_settle(conn->unsettled);
    if (goes_on) {
        h2_connection_mark(conn);
        return;
    }
    if (conn->state != H2_CLOSED)
        write_frames(conn); /* what we have to say about it */
    lose(conn, FAILURE_SERVER_PROTOCOL);
}

/* ---- what the frames tell of the whole connection ---- */

/* Those that find no room go on to another connection. */
static void open_gate(struct h2_connection *conn)
{
    while (!list_is_empty(&conn->waiting) && conn->stream_count < conn->most_streams)
        upstream_h2_begin(container_of(conn->waiting.next, struct upstream_h2, link));
    while (!list_is_empty(&conn->waiting)) {
        struct upstream_h2 *up = container_of(conn->waiting.next, struct upstream_h2, link);
        enum failure failure = FAILURE_STREAM_REFUSED;

        h2_connection_part(up);
        if (conn->most_streams > 0)
            failure = h2_connection_await(up);
        if (failure != FAILURE_NONE)
            upstream_h2_fail(up, failure);
    }
}

/* Nothing is under way on it, and nobody waits for it. */
static void rest(struct h2_connection *conn, const struct snapshot_pool *pool)
{
    bool may_stay = reuse_may_keep(conn->transport.worker, conn->server, pool);

    if (conn->state == H2_CONNECTING && (conn->is_leaving || !may_stay))
        close_now(conn);
    else if (conn->state == H2_CONNECTING)
        return; /* for the next */
    else if (conn->is_leaving)
        h2_connection_mark(conn);
    else if (may_stay)
        note_idle(conn);
    else
        h2_connection_retire(conn);
}

static void on_settings(void *connection, uint32_t streams)
{
    struct h2_connection *conn = connection;
    bool is_lone = !has_requests(conn);

    conn->most_streams = streams < H2_CONNECTION_STREAMS ? streams : H2_CONNECTION_STREAMS;
    if (conn->state != H2_CONNECTING)
        return;
    conn->state = H2_OPEN;
    deadline_clear(&conn->deadline);
    if (is_lone)
        rest(conn, conn->opening.pool);
    opening_end(&conn->opening);
    open_gate(conn);
}

static void on_goaway(void *connection, uint32_t last, uint32_t code)
{
    struct h2_connection *conn = connection;

    (void)last; /* each stream above it is told on its own */
    (void)code;
    count_one(&h2_connection_row(conn)->h2_goaways);
    h2_connection_retire(conn);
}

static void tell_violation(const struct h2_connection *conn, const char *why)
{
    struct worker *worker = conn->transport.worker;

    if (!worker_may_tell(worker, &worker->told_server_violation_ms[h2_budget_find(why)]))
        return; /* the metric has them all */
    observer_tell_server_violation(
        worker->observer, counters_slot_pool(worker->counters, conn->counter_slot),
        counters_slot_name(worker->counters, SCOPE_SERVER, conn->counter_slot), why);
}

/* Before it is open this is no server that broke a rule, but one that speaks something else. */
static void on_violation(void *connection, const char *why)
{
    struct h2_connection *conn = connection;

    conn->is_violated = true;
    if (conn->state != H2_OPEN)
        return;
    count_one(&h2_connection_row(conn)->h2_violations);
    tell_violation(conn, why);
}

static const struct h2_events events = {
    .on_response = upstream_h2_on_response,
    .on_trailers = upstream_h2_on_trailers,
    .on_data = upstream_h2_on_data,
    .on_end = upstream_h2_on_end,
    .on_closed = upstream_h2_on_closed,
    .on_drained = upstream_h2_on_drained,
    .on_goaway = on_goaway,
    .on_settings = on_settings,
    .on_violation = on_violation,
};

/* ---- connecting ---- */

/* timeouts.connect counts on until the server's SETTINGS are here. */
static void greet(struct h2_connection *conn)
{
    conn->frames = h2_frames_new(H2_CLIENT, &upstream_limits, &events, conn);
    h2_connection_mark(conn);
}

static void on_connected(struct transport *transport, int status)
{
    struct h2_connection *conn = connection_of(transport);

    worker_note_time(transport->worker);
    if (conn->state != H2_CONNECTING)
        return;
    if (status < 0) {
        lose(conn, opening_failure(status));
        return;
    }
    transport_read_start(transport);
    conn->is_shaking_hands = conn->opening.pool->trust != NULL;
    if (conn->is_shaking_hands)
        opening_shake_hands(&conn->opening, transport);
    else
        greet(conn);
}

static void on_secured(struct transport *transport)
{
    struct h2_connection *conn = connection_of(transport);

    conn->is_shaking_hands = false;
    if (conn->state != H2_CONNECTING)
        return;
    if (tls_engine_is_resumed(transport->tls))
        count_one(&h2_connection_row(conn)->tls_resumed);
    if (tls_engine_protocol(transport->tls) != TLS_ALPN_H2) {
        lose_handshake(conn, FAILURE_SERVER_PROTOCOL, TLS_TROUBLE_NO_HTTP2,
                       "it did not agree to HTTP/2 (ALPN)");
        return;
    }
    server_note_handshake(conn->server, NULL);
    greet(conn);
}

static void on_insecure(struct transport *transport)
{
    struct h2_connection *conn = connection_of(transport);

    if (conn->is_shaking_hands)
        lose_handshake(conn, FAILURE_SERVER_TLS, tls_engine_trouble(transport->tls),
                       tls_engine_why(transport->tls));
    else
        on_broken(transport, UV_EPROTO);
}

static const struct transport_ops ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_broken = on_broken,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .on_secured = on_secured,
    .on_insecure = on_insecure,
};

static struct h2_connection *new_connection(const struct request *req)
{
    struct h2_connection *conn = xcalloc(1, sizeof(*conn));

    conn->tag = H2_CONNECTION_TAG;
    conn->state = H2_CONNECTING;
    conn->server = req->server;
    conn->counter_slot = req->server->counter_slot;
    conn->trust_key = opening_trust_key(req);
    list_init(&conn->link);
    list_init(&conn->all);
    list_init(&conn->waiting);
    list_init(&conn->active);
    late_init(&conn->late, on_late);
    deadline_init(&conn->deadline, on_due);
    return conn;
}

static enum failure open_connection(const struct request *req, struct h2_connection **conn_out)
{
    struct worker *worker = req->worker;
    struct h2_connection *conn = new_connection(req);
    int error = opening_begin(&conn->opening, &conn->transport, req, &ops, on_connected);

    list_append(&worker->h2_connections, &conn->all);
    if (error != 0) {
        close_now(conn);
        return opening_failure(error);
    }
    list_append(reuse_shared(worker, req->server), &conn->link);
    count_one(&h2_connection_row(conn)->connections);
    deadline_set(&worker->deadlines, &conn->deadline, req->pool->conf->timeouts.connect_ms);
    *conn_out = conn;
    return FAILURE_NONE;
}

/* ---- sharing ---- */

struct h2_connection *h2_connection_find(struct request *req)
{
    LIST_EACH (item, reuse_shared(req->worker, req->server)) {
        struct h2_connection *conn = container_of(item, struct h2_connection, link);

        if (conn->state == H2_OPEN && conn->stream_count < conn->most_streams &&
            conn->trust_key == opening_trust_key(req))
            return conn;
    }
    return NULL;
}

static struct h2_connection *find_opening(const struct request *req)
{
    LIST_EACH (item, reuse_shared(req->worker, req->server)) {
        struct h2_connection *conn = container_of(item, struct h2_connection, link);

        if (conn->state == H2_CONNECTING && conn->waiting_count < H2_CONNECTION_STREAMS &&
            conn->trust_key == opening_trust_key(req))
            return conn;
    }
    return NULL;
}

static void take_settings(struct h2_connection *conn, const struct conf_pool *pool)
{
    conn->idle_ms = pool->keepalive.idle_timeout_ms;
    conn->most_requests = pool->keepalive.max_requests;
}

enum failure h2_connection_await(struct upstream_h2 *up)
{
    struct request *req = up->base.request;
    struct h2_connection *conn = find_opening(req);
    enum failure failure = FAILURE_NONE;

    if (conn == NULL)
        failure = open_connection(req, &conn);
    if (failure != FAILURE_NONE)
        return failure;
    take_settings(conn, req->pool->conf);
    up->connection = conn;
    up->is_waiting = true;
    conn->waiting_count++;
    list_append(&conn->waiting, &up->link);
    return FAILURE_NONE;
}

void h2_connection_join(struct h2_connection *conn, struct upstream_h2 *up)
{
    take_settings(conn, up->base.request->pool->conf);
    note_busy(conn);
    up->connection = conn;
    list_append(&conn->active, &up->link);
    conn->stream_count++;
    conn->requests++;
    if (conn->most_requests > 0 && conn->requests >= conn->most_requests)
        h2_connection_retire(conn);
}

void h2_connection_part(struct upstream_h2 *up)
{
    struct h2_connection *conn = up->connection;

    if (conn->unsettled == up)
        conn->unsettled = NULL;
    list_remove(&up->link);
    if (up->is_waiting)
        conn->waiting_count--;
    up->is_waiting = false;
    up->connection = NULL;
    if (conn->state == H2_CLOSED || has_requests(conn))
        return;
    reuse_keep_session(conn->transport.worker, conn->server, conn->trust_key, conn->transport.tls);
    rest(conn, up->base.request->pool);
}

void h2_connection_lost_stream(struct h2_connection *conn)
{
    CHECK(conn->stream_count > 0);
    conn->stream_count--;
}
