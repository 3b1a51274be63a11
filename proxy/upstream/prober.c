/*
 * prober - active health checks and ejections, on a thread of their own.
 *
 * Which servers are watched, of which pools, and what is asked of the thread; when each is asked is
 * in watched.c.  A message of a worker names a server by pointer only: it is looked up, never
 * followed, for the server may be gone when the message arrives.
 *
 * Owner    control starts and stops it.      Threads  see prober.h
 */
#include "proxy/upstream/prober.h"

#include <signal.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/model.h"
#include "proxy/upstream/keyed.h"
#include "proxy/upstream/target.h"
#include "proxy/upstream/watched.h"

enum {
    PROBER_TAG = 0x50524245,
    SPREAD_MS = 1000,
    SPREAD_EACH_MS = 5,
    SETTLE_MS = 20,
    SWEEP_MS = 1000,
};

struct watched_pool {
    struct target_pool pool;
    struct keyed keyed; /* by the live pool's address in memory */
    struct list in_all;
    struct list in_dirty;
    uint64_t seen_epoch;
    size_t room;
    size_t newcomers;
    size_t serving; /* kept ones that are up */
};

struct prober {
    uint32_t tag;
    uv_thread_t thread;
    uv_loop_t loop;
    struct mailbox mailbox;
    struct mail stop;
    uv_timer_t settle; /* panics are judged once for all changes of a moment */
    uv_timer_t sweep;  /* what control changed (drain …) counts for panic too */
    struct keyed_table by_server;
    struct keyed_table by_pool;
    struct list watched;
    struct list pools;
    struct list dirty;
    struct checks checks;
    bool has_adopted;
    bool is_stopping;
    _Atomic uint64_t seen_ms; /* written at each sweep, read by control */
};

struct adoption {
    struct mail message;
    const struct prober_target *targets;
    size_t count;
    prober_adopted_fn *on_adopted;
    void *context;
};

struct suspicion {
    struct mail message;
    struct server *server;
};

static uint64_t hash_of(const void *pointer)
{
    return hash_mix((uintptr_t)pointer);
}

/* ---- after a target changed ---- */

static void on_settle(uv_timer_t *timer);

static struct watched_pool *pool_of(const struct watched *watched)
{
    return container_of(watched->target.pool, struct watched_pool, pool);
}

static void note_change(struct watched *watched)
{
    struct prober *prober = container_of(watched->checks, struct prober, checks);
    struct watched_pool *pool = pool_of(watched);

    if (!list_is_empty(&pool->in_dirty))
        return;
    list_append(&prober->dirty, &pool->in_dirty);
    if (!uv_is_active((uv_handle_t *)&prober->settle))
        watched_start_timer(&prober->settle, on_settle, SETTLE_MS);
}

static void judge_pool(struct watched_pool *pool)
{
    pool->seen_epoch = atomic_load_explicit(&pool->pool.live->epoch, memory_order_acquire);
    target_pool_judge(&pool->pool);
}

static void judge_dirty_pools(struct prober *prober)
{
    struct list *item;

    while ((item = list_pop(&prober->dirty)) != NULL)
        judge_pool(container_of(item, struct watched_pool, in_dirty));
}

static void on_sweep(uv_timer_t *timer)
{
    struct prober *prober = container_of(timer, struct prober, sweep);

    atomic_store_explicit(&prober->seen_ms, clock_ms(), memory_order_relaxed);
    LIST_EACH (item, &prober->pools) {
        struct watched_pool *pool = container_of(item, struct watched_pool, in_all);

        if (atomic_load_explicit(&pool->pool.live->epoch, memory_order_relaxed) != pool->seen_epoch)
            judge_pool(pool);
    }
}

/* ---- the list of targets ---- */

static struct watched *find_watched(const struct prober *prober, const struct server *server)
{
    struct keyed *item = keyed_first(&prober->by_server, hash_of(server));

    for (; item != NULL; item = keyed_next(item)) {
        struct watched *watched = container_of(item, struct watched, keyed);

        if (watched->target.server == server)
            return watched;
    }
    return NULL;
}

static struct watched *add_watched(struct prober *prober, struct server *server)
{
    struct watched *watched = watched_open(&prober->checks, server);

    list_append(&prober->watched, &watched->in_all);
    keyed_add(&prober->by_server, &watched->keyed, hash_of(server));
    return watched;
}

static void drop_watched(struct prober *prober, struct watched *watched)
{
    list_remove(&watched->in_all);
    keyed_remove(&prober->by_server, &watched->keyed);
    watched_close(watched);
}

static struct watched_pool *pool_for(struct prober *prober, const struct prober_target *given)
{
    struct pool_live *live = given->server->pool;
    struct keyed *item = keyed_first(&prober->by_pool, hash_of(live));
    struct watched_pool *pool;

    for (; item != NULL; item = keyed_next(item)) {
        pool = container_of(item, struct watched_pool, keyed);
        if (pool->pool.live == live)
            return pool;
    }
    pool = xcalloc(1, sizeof(*pool));
    pool->pool.live = live;
    pool->pool.conf = given->pool;
    list_init(&pool->in_dirty);
    list_append(&prober->pools, &pool->in_all);
    keyed_add(&prober->by_pool, &pool->keyed, hash_of(live));
    return pool;
}

static void add_to_pool(struct watched_pool *pool, struct watched *watched)
{
    if (pool->pool.count == pool->room) {
        pool->room = pool->room > 0 ? 2 * pool->room : 8;
        pool->pool.targets = xrealloc(pool->pool.targets, pool->room * sizeof(*pool->pool.targets));
    }
    pool->pool.targets[pool->pool.count++] = &watched->target;
    pool->newcomers += watched->is_new;
    pool->serving += !watched->is_new && atomic_load_explicit(&watched->target.server->live.health,
                                                              memory_order_relaxed) == HEALTH_UP;
}

static void take_target(struct prober *prober, const struct prober_target *given)
{
    struct watched *watched = find_watched(prober, given->server);
    struct watched_pool *pool = pool_for(prober, given);

    CHECK_OBJ(given->server, SERVER_TAG);
    if (watched == NULL)
        watched = add_watched(prober, given->server);
    if (watched->is_kept)
        return;
    watched->is_kept = true;
    watched_configure(watched, &pool->pool, given);
    add_to_pool(pool, watched);
}

/* A server that is new among others that serve begins slowly, unless most of them are new. */
static bool joins(const struct prober *prober, const struct watched *watched)
{
    const struct watched_pool *pool = pool_of(watched);

    return prober->has_adopted && pool->serving > 0 && pool->newcomers * 2 <= pool->pool.count;
}

/* Few are asked at once right away, many over a second. */
static uint64_t spread_of(const struct prober *prober)
{
    uint64_t newcomers = 0;

    LIST_EACH (item, &prober->pools) {
        newcomers += container_of(item, struct watched_pool, in_all)->newcomers;
    }
    return newcomers * SPREAD_EACH_MS < SPREAD_MS ? newcomers * SPREAD_EACH_MS : SPREAD_MS;
}

static void drop_pools(struct list *pools)
{
    struct list *item;

    while ((item = list_pop(pools)) != NULL) {
        struct watched_pool *pool = container_of(item, struct watched_pool, in_all);

        list_remove(&pool->in_dirty);
        xfree(pool->pool.targets);
        xfree(pool);
    }
}

static void drop_all_but_kept(struct prober *prober)
{
    LIST_EACH_SAFE (item, &prober->watched) {
        struct watched *watched = container_of(item, struct watched, in_all);

        if (!watched->is_kept)
            drop_watched(prober, watched);
        watched->is_kept = false;
    }
}

static void adopt(struct prober *prober, const struct adoption *adoption)
{
    struct list old_pools;
    uint64_t spread_ms;

    /* The old pools stay until nobody points to them. */
    list_init(&old_pools);
    while (!list_is_empty(&prober->pools))
        list_append(&old_pools, list_pop(&prober->pools));
    keyed_fini(&prober->by_pool);
    for (size_t i = 0; i < adoption->count; i++)
        take_target(prober, &adoption->targets[i]);
    drop_all_but_kept(prober);
    drop_pools(&old_pools);
    spread_ms = spread_of(prober);
    LIST_EACH (item, &prober->watched) {
        struct watched *watched = container_of(item, struct watched, in_all);

        if (watched->is_new)
            watched->target.is_joining = joins(prober, watched);
        watched_schedule(watched, spread_ms);
    }
    prober->has_adopted = true;
    checks_go_on(&prober->checks);
}

/* ---- messages ---- */

static void on_adoption(struct mail *message, void *receiver)
{
    struct adoption *adoption = container_of(message, struct adoption, message);
    struct prober *prober = receiver;

    CHECK_OBJ(prober, PROBER_TAG);
    if (!prober->is_stopping)
        adopt(prober, adoption);
    if (adoption->on_adopted != NULL)
        adoption->on_adopted(adoption->context);
    xfree(adoption);
}

void prober_adopt(struct prober *prober, const struct prober_target *targets, size_t count,
                  prober_adopted_fn *on_adopted, void *context)
{
    struct adoption *adoption = xcalloc(1, sizeof(*adoption));

    CHECK_OBJ(prober, PROBER_TAG);
    ON_CONTROL();
    adoption->message.handle = on_adoption;
    adoption->targets = targets;
    adoption->count = count;
    adoption->on_adopted = on_adopted;
    adoption->context = context;
    CHECK(mailbox_post(&prober->mailbox, &adoption->message));
}

static void on_suspicion(struct mail *message, void *receiver)
{
    struct suspicion *suspicion = container_of(message, struct suspicion, message);
    struct prober *prober = receiver;
    struct watched *watched = find_watched(prober, suspicion->server);

    xfree(suspicion);
    if (watched == NULL || prober->is_stopping)
        return;
    if (target_suspect(&watched->target, clock_ms(), random_next(&prober->checks.random)))
        watched_changed(watched);
}

void prober_suspect(struct prober *prober, struct server *server)
{
    struct suspicion *suspicion = xcalloc(1, sizeof(*suspicion));

    CHECK_OBJ(prober, PROBER_TAG);
    suspicion->message.handle = on_suspicion;
    suspicion->server = server;
    if (!mailbox_post(&prober->mailbox, &suspicion->message))
        xfree(suspicion); /* it stops: nothing is decided any more */
}

/* ---- life ---- */

static void shut_down(struct prober *prober)
{
    drop_all_but_kept(prober);
    drop_pools(&prober->pools);
    mailbox_close(&prober->mailbox);
    uv_close((uv_handle_t *)&prober->settle, NULL);
    uv_close((uv_handle_t *)&prober->sweep, NULL);
}

static void on_settle(uv_timer_t *timer)
{
    struct prober *prober = container_of(timer, struct prober, settle);

    judge_dirty_pools(prober);
    if (prober->is_stopping)
        shut_down(prober);
}

uint64_t prober_seen_ms(const struct prober *prober)
{
    CHECK_OBJ(prober, PROBER_TAG);
    return atomic_load_explicit(&prober->seen_ms, memory_order_relaxed);
}

/* Not at once: the mailbox is being emptied. */
static void on_stop(struct mail *message, void *receiver)
{
    struct prober *prober = receiver;

    (void)message;
    prober->is_stopping = true;
    watched_start_timer(&prober->settle, on_settle, 0);
}

static void run(void *context)
{
    struct prober *prober = context;

    thread_take_role(THREAD_PROBER, 0);
    CHECK(uv_run(&prober->loop, UV_RUN_DEFAULT) == 0);
}

/* Signals are control's. */
static void start_thread(struct prober *prober)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    CHECK(uv_thread_create(&prober->thread, run, prober) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

struct prober *prober_start(void)
{
    struct prober *prober = xcalloc(1, sizeof(*prober));

    ON_CONTROL();
    prober->tag = PROBER_TAG;
    prober->stop.handle = on_stop;
    list_init(&prober->watched);
    list_init(&prober->pools);
    list_init(&prober->dirty);
    CHECK(uv_loop_init(&prober->loop) == 0);
    checks_init(&prober->checks, &prober->loop, note_change);
    CHECK(mailbox_open(&prober->mailbox, &prober->loop, prober) == 0);
    CHECK(uv_timer_init(&prober->loop, &prober->settle) == 0);
    CHECK(uv_timer_init(&prober->loop, &prober->sweep) == 0);
    CHECK(uv_timer_start(&prober->sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
    start_thread(prober);
    return prober;
}

void prober_stop(struct prober **holder)
{
    struct prober *prober = TAKE_POINTER(holder);

    CHECK_OBJ(prober, PROBER_TAG);
    ON_CONTROL();
    CHECK(mailbox_post(&prober->mailbox, &prober->stop));
    CHECK(uv_thread_join(&prober->thread) == 0);
    CHECK(uv_loop_close(&prober->loop) == 0);
    keyed_fini(&prober->by_server);
    keyed_fini(&prober->by_pool);
    prober->tag = 0;
    xfree(prober);
}
