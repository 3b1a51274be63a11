/*
 * request_end - what a finished request leaves behind.
 *
 * Owner    the request.      Threads  the worker's
 */
#include "proxy/request_end.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "observe/counters.h"
#include "observe/observer.h"
#include "observe/record.h"
#include "observe/ring.h"
#include "proxy/client/client.h"
#include "proxy/hold.h"
#include "proxy/listener.h"
#include "proxy/queue.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/tapping.h"
#include "proxy/upstream/server.h"
#include "proxy/worker.h"
#include "tls/engine.h"

struct listener_row *listener_row_of(const struct request *req)
{
    return counters_listener(req->worker->counters, req->worker->index,
                             req->client->listener->counter_slot);
}

struct pool_row *pool_row_of(const struct request *req)
{
    return counters_pool(req->worker->counters, req->worker->index, req->pool->counter_slot);
}

struct server_row *server_row_of(const struct request *req)
{
    return counters_server(req->worker->counters, req->worker->index, req->server->counter_slot);
}

struct worker_pool *worker_pool_of(struct worker *worker, const struct snapshot_pool *pool)
{
    struct worker_pool *own = &worker->pools[pool->counter_slot];

    if (!own->is_ready) {
        list_init(&own->waiting);
        own->is_ready = true;
    }
    return own;
}

struct balance_view *pool_view(struct worker *worker, const struct hold *hold,
                               const struct snapshot_pool *pool)
{
    struct worker_view *own = &worker->pools[pool->counter_slot].views[hold->arm];
    uint64_t generation = hold->snapshot->generation;

    if (own->built_generation != generation || own->built_for != pool) {
        struct balance_view *older = own->view;

        own->view = balance_view_new(&pool->balance, older, random_next(&worker->random));
        own->built_for = pool;
        own->built_generation = generation;
        balance_view_free(&older);
    }
    return own->view;
}

void pool_views_drop(struct worker *worker, const struct hold *hold)
{
    const struct snapshot *snapshot = hold->snapshot;

    for (size_t i = 0; i < snapshot->pool_count; i++) {
        struct worker_view *own = &worker->pools[snapshot->pools[i].counter_slot].views[hold->arm];

        if (own->view == NULL || own->built_generation != snapshot->generation)
            continue;
        balance_view_free(&own->view);
        *own = (struct worker_view){0};
    }
}

const struct snapshot_listener *client_listener(const struct request *req)
{
    /* Connections of a listener that has gone begin no request (client_retire). */
    CHECK(req->client->listener->now != NULL);
    return req->client->listener->now;
}

bool client_must_close(const struct request *req)
{
    return req->wants_close || (req->stream == NULL && client_is_spent(req->client));
}

/* ---- the record ---- */

static uint32_t since_us(const struct request *req, uint64_t moment_ns)
{
    return moment_ns > req->started_ns ? (uint32_t)((moment_ns - req->started_ns) / 1000) : 0;
}

static void put_tls(const struct request *req, struct record *record)
{
    const struct tls_engine *tls = req->client->transport.tls;
    const struct tls_identity *client = req->client->identity;

    record->is_tls_resumed = tls_engine_is_resumed(tls);
    record_put(record, RECORD_TLS_VERSION, slice_from(tls_engine_version(tls)), 16);
    record_put(record, RECORD_TLS_CIPHER, slice_from(tls_engine_cipher(tls)), 40);
    record_put(record, RECORD_TLS_NAME, slice_from(tls_engine_server_name(tls)), 128);
    if (client != NULL)
        record_put(record, RECORD_TLS_CLIENT, slice_from(client->subject), 160);
}

static void fill_record(struct request *req, struct record *record)
{
    const struct worker *worker = req->worker;
    struct slice none = SLICE("");

    record->wall_ms = worker_wall_ms(worker) - (int64_t)(since_us(req, worker->now_ns) / 1000);
    record->received_bytes = req->received_bytes;
    record->sent_bytes = req->sent_bytes;
    record->head_us = since_us(req, req->head_ns);
    record->queued_us = req->queued_us;
    record->connect_us = req->was_reused ? 0 : req->connect_us;
    record->first_byte_us = since_us(req, req->first_byte_ns);
    record->total_us = since_us(req, worker->now_ns);
    memcpy(record->client_address, req->client_address, 16);
    record->client_port = req->client->peer_port;
    record->status = req->status;
    record->server_status = req->server_status;
    record->attempts = req->attempts;
    record->reason = (uint8_t)req->choice.reason;
    record->failure = req->failure;
    record->http_version = req->stream != NULL ? 20 : (uint8_t)(10 + req->http_minor);
    record->is_reused = req->was_reused;
    record->is_tunnel = req->state == REQUEST_TUNNEL;
    record_put(record, RECORD_ROUTE, req->route ? slice_from(req->route->conf->name) : none, 63);
    record_put(record, RECORD_POOL, req->pool ? slice_from(req->pool->conf->name) : none, 63);
    if (req->attempts > 0) {
        const struct server *server = req->pool->servers[req->server_index];

        record_put(record, RECORD_SERVER, slice_from(server->name), 63);
        record_put(record, RECORD_SERVER_ADDRESS, slice_from(server->address_text), 64);
    }
    if (req->server_tls_why != NULL)
        record_put(record, RECORD_SERVER_TLS, slice_from(req->server_tls_why), 80);
    if (req->is_https)
        put_tls(req, record);
}

/* A failure always has its line; of the rest sample_percent. */
static bool has_line(struct request *req)
{
    unsigned percent = req->hold->snapshot->conf->observe.access_log_percent;

    return percent >= 100 || req->failure != FAILURE_NONE || req->status >= 500 ||
           random_next(&req->worker->random) % 100 < percent;
}

static void log_request(struct request *req)
{
    struct worker *worker = req->worker;
    struct record *cell = ring_claim(worker->ring);

    if (cell != NULL) {
        fill_record(req, req->record);
        memcpy(cell, req->record, offsetof(struct record, text) + req->record->text_end);
        if (ring_publish(worker->ring))
            observer_wake(worker->observer);
    } else {
        count_one(&counters_process(worker->counters, worker->index)->log_records_dropped);
    }
}

static void note_arm(const struct request *req, unsigned class, uint64_t total_us)
{
    const struct worker *worker = req->worker;
    struct candidate_row *all = counters_candidate(worker->counters, worker->index);
    struct candidate_row *pool;
    uint32_t generation = (uint32_t)req->hold->snapshot->generation;

    if (req->client->tried != generation) {
        req->client->tried = generation;
        count_one(&all->connections);
    }
    count_one(&all->responses[class]);
    histogram_note(&all->latency, total_us);
    if (req->pool == NULL)
        return;
    pool = counters_candidate_pool(worker->counters, worker->index, req->pool->counter_slot);
    count_one(&pool->responses[class]);
    histogram_note(&pool->latency, total_us);
}

void request_record(struct request *req)
{
    struct worker *worker = req->worker;
    struct listener_row *listener = listener_row_of(req);
    unsigned class = req->status / 100u < COUNTERS_CLASSES ? req->status / 100u : 0;
    uint64_t total_us = (worker->now_ns - req->started_ns) / 1000;

    count_one(&listener->responses[class]);
    if (req->failure != FAILURE_NONE)
        count_one(&listener->failures[req->failure]);
    count_add(&listener->received_bytes, req->received_bytes);
    count_add(&listener->sent_bytes, req->sent_bytes);
    if (req->route != NULL) {
        struct route_row *route =
            counters_route(worker->counters, worker->index, req->route->counter_slot);

        count_one(&route->responses[class]);
        histogram_note(&route->latency, total_us);
    }
    if (req->pool != NULL) {
        struct pool_row *pool = pool_row_of(req);

        count_one(&pool->responses[class]);
        histogram_note(&pool->latency, total_us);
    }
    if (req->server != NULL && req->server_status != 0) {
        struct server_row *server = server_row_of(req);

        count_one(&server->responses[req->server_status / 100u % COUNTERS_CLASSES]);
        histogram_note(&server->latency, (worker->now_ns - req->attempt_ns) / 1000);
    }
    if (req->hold->arm != ARM_RUNNING)
        note_arm(req, class, total_us);
    if (req->tap != NULL) /* it got no server */
        tapping_give(req);
    if (req->record == NULL)
        return;
    if (has_line(req))
        log_request(req);
    slab_give(&worker->record_slab, TAKE_POINTER(&req->record));
}
