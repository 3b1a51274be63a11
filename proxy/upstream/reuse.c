/*
 * reuse - one worker's idle connections to servers, newest first; and those of HTTP/2, oldest
 * first, so that as few as possible are used.
 *
 * A request that is cancelled while its connection is being opened leaves it here: a peer that asks
 * and cancels, again and again, has no more of them opened than it asked for at once.
 *
 * Per worker and not shared: no lock, at the price of up to `workers` times as many idle
 * connections; idle_per_worker bounds them.
 *
 * Owner    the worker.      Threads  the worker's
 */
#include "proxy/upstream/reuse.h"

#include "base/check.h"
#include "base/hash.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/h2_connection.h"
#include "proxy/upstream/server.h"
#include "proxy/upstream/upstream_h1.h"
#include "proxy/worker.h"
#include "tls/engine.h"

static struct reuse_list *list_of(struct worker *worker, const struct server *server)
{
    struct reuse_list *list = &worker->reuse[server->slot];

    if (!list->is_ready) {
        list_init(&list->idle);
        list_init(&list->opening);
        list_init(&list->shared);
        list->is_ready = true;
    }
    return list;
}

static struct server_row *row_of(struct worker *worker, const struct upstream_h1 *up)
{
    return counters_server(worker->counters, worker->index, up->counter_slot);
}

/* ---- sessions ---- */

const struct tls_session *reuse_session(struct worker *worker, const struct server *server,
                                        uint64_t trust_key)
{
    const struct reuse_list *list = list_of(worker, server);

    return list->session_key == trust_key ? list->session : NULL;
}

void reuse_keep_session(struct worker *worker, const struct server *server, uint64_t trust_key,
                        struct tls_engine *tls)
{
    struct reuse_list *list = list_of(worker, server);
    struct tls_session *session = tls != NULL ? tls_engine_take_session(tls) : NULL;

    if (session == NULL)
        return;
    tls_session_free(&list->session);
    list->session = session;
    list->session_key = trust_key;
}

static void drop_session(struct reuse_list *list)
{
    tls_session_free(&list->session);
    list->session_key = 0;
}

/* ---- connections ---- */

struct list *reuse_shared(struct worker *worker, const struct server *server)
{
    return &list_of(worker, server)->shared;
}

void reuse_forget(struct worker *worker, struct upstream_h1 *up)
{
    struct reuse_list *list = list_of(worker, up->base.server);

    worker->kept_upstreams--;
    list_remove(&up->link);
    if (up->state == UPSTREAM_CONNECTING) {
        CHECK(list->opening_count > 0);
        list->opening_count--;
        return; /* its time goes on */
    }
    CHECK(list->count > 0);
    list->count--;
    count_less(&row_of(worker, up)->connections_idle);
    deadline_clear(&up->deadline);
}

/* Those of another trust are the other arm's while there is one, else of before. */
struct upstream_h1 *reuse_take(struct worker *worker, const struct server *server,
                               uint64_t trust_key)
{
    LIST_EACH_SAFE (item, &list_of(worker, server)->idle) {
        struct upstream_h1 *up = container_of(item, struct upstream_h1, link);
        bool is_right = up->trust_key == trust_key;

        if (!is_right && worker->candidate != NULL)
            continue;
        reuse_forget(worker, up);
        if (is_right)
            return up;
        upstream_h1_drop(&up);
    }
    return NULL;
}

bool reuse_may_keep(const struct worker *worker, const struct server *server,
                    const struct snapshot_pool *pool)
{
    return !worker->is_stopping && pool->conf->keepalive.idle_per_worker > 0 &&
           worker->server_generations[server->slot] == worker->newest_generation;
}

/* In eight steps, so that connections do not end all at once. */
uint64_t reuse_idle_ms(struct worker *worker, uint64_t timeout_ms)
{
    uint64_t step = (random_next(&worker->random) >> 32) % 8;

    return timeout_ms * (90 + step * 20 / 7) / 100;
}

void reuse_keep(struct worker *worker, struct upstream_h1 *up, const struct snapshot_pool *pool)
{
    struct reuse_list *list = list_of(worker, up->base.server);

    if (list->count >= pool->conf->keepalive.idle_per_worker) {
        struct upstream_h1 *oldest = container_of(list->idle.prev, struct upstream_h1, link);

        reuse_forget(worker, oldest);
        upstream_h1_drop(&oldest);
    }
    up->state = UPSTREAM_IDLE;
    list->count++;
    worker->kept_upstreams++;
    count_one(&row_of(worker, up)->connections_idle);
    list_prepend(&list->idle, &up->link);
    deadline_set(&worker->deadlines, &up->deadline,
                 reuse_idle_ms(worker, pool->conf->keepalive.idle_timeout_ms));
    transport_read_start(&up->transport);
}

/* ---- connections that nobody waits for yet ---- */

bool reuse_keep_opening(struct worker *worker, struct upstream_h1 *up)
{
    struct reuse_list *list = list_of(worker, up->base.server);
    const struct snapshot_pool *pool = up->opening.pool;

    if (!reuse_may_keep(worker, up->base.server, pool) ||
        list->count + list->opening_count >= pool->conf->keepalive.idle_per_worker)
        return false;
    list->opening_count++;
    worker->kept_upstreams++;
    list_append(&list->opening, &up->link);
    return true;
}

/* The oldest: it will be open first. */
struct upstream_h1 *reuse_take_opening(struct worker *worker, const struct server *server,
                                       uint64_t trust_key)
{
    struct reuse_list *list = list_of(worker, server);

    LIST_EACH (item, &list->opening) {
        struct upstream_h1 *up = container_of(item, struct upstream_h1, link);

        if (up->trust_key != trust_key)
            continue;
        reuse_forget(worker, up);
        return up;
    }
    return NULL;
}

/* ---- the end ---- */

static void drop_all(struct worker *worker, struct list *of)
{
    while (!list_is_empty(of)) {
        struct upstream_h1 *up = container_of(of->next, struct upstream_h1, link);

        reuse_forget(worker, up);
        upstream_h1_drop(&up);
    }
}

static void drop_both(struct worker *worker, struct reuse_list *list)
{
    drop_all(worker, &list->idle);
    drop_all(worker, &list->opening);
}

void reuse_close_server(struct worker *worker, struct server *server)
{
    if (!worker->reuse[server->slot].is_ready)
        return;
    drop_both(worker, &worker->reuse[server->slot]);
    LIST_EACH_SAFE (item, reuse_shared(worker, server))
        h2_connection_retire(container_of(item, struct h2_connection, link));
    drop_session(&worker->reuse[server->slot]);
}

void reuse_close_all(struct worker *worker)
{
    for (unsigned slot = 0; slot < WORKER_SLOTS && worker->kept_upstreams > 0; slot++)
        if (worker->reuse[slot].is_ready)
            drop_both(worker, &worker->reuse[slot]);
    h2_connection_retire_all(worker);
}

void reuse_fini(struct worker *worker)
{
    for (unsigned slot = 0; slot < WORKER_SLOTS; slot++)
        if (worker->reuse[slot].session != NULL)
            drop_session(&worker->reuse[slot]);
}
