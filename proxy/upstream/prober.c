/*
 * prober - active health checks and ejections, on a thread of their own.
 *
 *   RESTING --due--> QUEUED (PROBES_AT_ONCE run) --> ASKING --answer or time over--> LINGERING
 *      ^                                                           |                    |
 *      +------------ nothing left to read ------------------------+--------------------+
 *
 * What a check says is judged in target.c, what bytes mean in probe_reply.c; here is when, and
 * which.  A message of a worker names a server by pointer only: it is looked up, never followed,
 * for the server may be gone when the message arrives.
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
#include "config/load.h"
#include "config/model.h"
#include "proxy/upstream/keyed.h"
#include "proxy/upstream/probe.h"
#include "proxy/upstream/target.h"

enum {
    PROBER_TAG = 0x50524245,
    WATCHED_TAG = 0x57415443,
    PROBES_AT_ONCE = 512,
    LINGER_MS = 250,
    SOONEST_MS = 10, /* between two checks of a server that takes longer than its interval */
    SPREAD_MS = 1000,
    SPREAD_EACH_MS = 5,
    SETTLE_MS = 20,
    SWEEP_MS = 1000,
};

enum asking { RESTING, QUEUED, ASKING, LINGERING };

struct watched {
    uint32_t tag;
    struct target target;
    struct prober *prober;
    struct keyed keyed; /* by the server's address in memory */
    struct list in_all;
    struct list in_queue;
    enum asking asking;
    const char *host;              /* of the configuration: the server's name, or NULL */
    const struct tls_trust *trust; /* as given */
    const char *tls_name;
    struct probe *probe;
    uint64_t begun_ms;
    uv_timer_t timer;       /* the next check, or the time it may take */
    uv_timer_t phase_timer; /* target.phase_due_ms */
    unsigned open_timers;
    bool is_kept; /* named by the list that is being adopted */
    bool is_new;
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
    struct list queue;
    unsigned running;
    uint64_t random;
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

static uint64_t jittered(struct prober *prober, uint64_t ms)
{
    return ms - ms / 10 + random_next(&prober->random) % (ms / 5 + 1);
}

static void start_timer(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t ms)
{
    uv_update_time(timer->loop);
    CHECK(uv_timer_start(timer, on_timer, ms, 0) == 0);
}

/* ---- after a target changed ---- */

static void on_phase(uv_timer_t *timer);
static void on_settle(uv_timer_t *timer);

static struct watched_pool *pool_of(const struct watched *watched)
{
    return container_of(watched->target.pool, struct watched_pool, pool);
}

static void arm_phase(struct watched *watched)
{
    uint64_t due_ms = watched->target.phase_due_ms;
    uint64_t now_ms = clock_ms();

    if (due_ms == 0)
        uv_timer_stop(&watched->phase_timer);
    else
        start_timer(&watched->phase_timer, on_phase, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void note_change(struct watched *watched)
{
    struct prober *prober = watched->prober;
    struct watched_pool *pool = pool_of(watched);

    arm_phase(watched);
    if (!list_is_empty(&pool->in_dirty))
        return;
    list_append(&prober->dirty, &pool->in_dirty);
    if (!uv_is_active((uv_handle_t *)&prober->settle))
        start_timer(&prober->settle, on_settle, SETTLE_MS);
}

static void on_phase(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, phase_timer);

    CHECK_OBJ(watched, WATCHED_TAG);
    target_phase_over(&watched->target, clock_ms());
    note_change(watched);
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

/* ---- checks: when ---- */

static void begin_waiting(struct prober *prober);
static void on_due(uv_timer_t *timer);

static const struct conf_health_check *check_of(const struct watched *watched)
{
    return &watched->target.pool->conf->health_check;
}

static void rest_for(struct watched *watched, uint64_t ms)
{
    watched->asking = RESTING;
    start_timer(&watched->timer, on_due, ms);
}

static void rest(struct watched *watched)
{
    uint64_t interval_ms = jittered(watched->prober, target_interval_ms(&watched->target));
    uint64_t due_ms = watched->begun_ms + interval_ms;
    uint64_t now_ms = clock_ms();

    rest_for(watched, due_ms > now_ms + SOONEST_MS ? due_ms - now_ms : SOONEST_MS);
}

/* No longer than half the time to the next check. */
static uint64_t linger_ms(const struct watched *watched)
{
    uint64_t half_ms = target_interval_ms(&watched->target) / 2;

    return half_ms < LINGER_MS ? half_ms : LINGER_MS;
}

/* Whatever it does, it does no more. */
static void abandon(struct watched *watched)
{
    uv_timer_stop(&watched->timer);
    list_remove(&watched->in_queue);
    watched->asking = RESTING;
    if (watched->probe == NULL)
        return;
    probe_close(&watched->probe);
    watched->prober->running--;
}

static void conclude(struct watched *watched)
{
    struct prober *prober = watched->prober;

    abandon(watched);
    rest(watched);
    begin_waiting(prober);
}

static void on_linger_over(uv_timer_t *timer)
{
    conclude(container_of(timer, struct watched, timer));
}

static void take_answer(struct watched *watched, const struct probe_answer *answer)
{
    target_judge(&watched->target, answer, clock_ms());
    note_change(watched);
}

static void on_probe(void *context, const struct probe_answer *answer, bool is_over)
{
    struct watched *watched = context;

    CHECK_OBJ(watched, WATCHED_TAG);
    if (answer != NULL)
        take_answer(watched, answer);
    if (is_over) {
        conclude(watched);
        return;
    }
    watched->asking = LINGERING;
    start_timer(&watched->timer, on_linger_over, linger_ms(watched));
}

static void on_time_over(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);
    struct probe_answer answer = probe_time_out(watched->probe);

    take_answer(watched, &answer);
    conclude(watched);
}

static void begin(struct watched *watched)
{
    struct prober *prober = watched->prober;
    struct probe_answer answer;
    struct probe_options options = {
        .server = watched->target.server,
        .host = watched->host,
        .trust = watched->trust,
        .is_h2 = watched->target.pool->conf->protocol == PROTOCOL_H2,
        .tls_name = watched->tls_name,
        .check = check_of(watched),
        .on_event = on_probe,
        .context = watched,
    };

    watched->begun_ms = clock_ms();
    watched->probe = probe_open(&prober->loop, &options, &answer);
    if (watched->probe == NULL) {
        take_answer(watched, &answer);
        rest(watched);
        return;
    }
    prober->running++;
    watched->asking = ASKING;
    start_timer(&watched->timer, on_time_over, check_of(watched)->timeout_ms);
}

static void begin_waiting(struct prober *prober)
{
    struct list *item;

    while (prober->running < PROBES_AT_ONCE && (item = list_pop(&prober->queue)) != NULL)
        begin(container_of(item, struct watched, in_queue));
}

static void on_due(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);

    CHECK_OBJ(watched, WATCHED_TAG);
    if (target_is_paused(&watched->target)) {
        target_pause(&watched->target);
        watched->begun_ms = clock_ms();
        rest(watched);
        return;
    }
    watched->asking = QUEUED;
    list_append(&watched->prober->queue, &watched->in_queue);
    begin_waiting(watched->prober);
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
    struct watched *watched = xcalloc(1, sizeof(*watched));

    watched->tag = WATCHED_TAG;
    watched->prober = prober;
    watched->is_new = true;
    target_init(&watched->target, server);
    list_init(&watched->in_queue);
    CHECK(uv_timer_init(&prober->loop, &watched->timer) == 0);
    CHECK(uv_timer_init(&prober->loop, &watched->phase_timer) == 0);
    watched->open_timers = 2;
    list_append(&prober->watched, &watched->in_all);
    keyed_add(&prober->by_server, &watched->keyed, hash_of(server));
    return watched;
}

static void timer_closed(struct watched *watched)
{
    if (--watched->open_timers > 0)
        return;
    watched->tag = 0;
    xfree(watched);
}

static void on_timer_closed(uv_handle_t *handle)
{
    timer_closed(container_of((uv_timer_t *)handle, struct watched, timer));
}

static void on_phase_timer_closed(uv_handle_t *handle)
{
    timer_closed(container_of((uv_timer_t *)handle, struct watched, phase_timer));
}

static void drop_watched(struct prober *prober, struct watched *watched)
{
    abandon(watched);
    target_fini(&watched->target);
    list_remove(&watched->in_all);
    keyed_remove(&prober->by_server, &watched->keyed);
    uv_close((uv_handle_t *)&watched->timer, on_timer_closed);
    uv_close((uv_handle_t *)&watched->phase_timer, on_phase_timer_closed);
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

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether an answer under way still answers what the new configuration asks. */
static bool is_same_question(const struct conf_health_check *a, const struct conf_health_check *b)
{
    return a->is_on == b->is_on && a->type == b->type && a->port == b->port &&
           is_same_text(a->path, b->path) && is_same_text(a->host, b->host) &&
           is_same_text(a->service, b->service);
}

/* The old configuration lives until the adoption is told. */
static void take_configuration(struct watched *watched, struct watched_pool *pool,
                               const struct prober_target *given)
{
    int index = config_find_server(given->pool, given->server->name);
    const struct conf_server *conf = index != CONFIG_NONE ? &given->pool->servers[index] : NULL;

    if (watched->probe != NULL &&
        (!is_same_question(check_of(watched), &given->pool->health_check) ||
         watched->trust != given->trust ||
         watched->target.pool->conf->protocol != given->pool->protocol)) {
        abandon(watched);
        rest_for(watched, SOONEST_MS);
    }
    if (watched->probe != NULL)
        probe_recheck(watched->probe, &given->pool->health_check);
    watched->target.pool = &pool->pool;
    watched->target.is_backup = given->is_backup;
    watched->target.is_tried = given->is_tried;
    watched->target.weight = conf != NULL ? conf->weight : 1;
    watched->trust = given->trust;
    watched->tls_name = given->tls_name;
    watched->host = conf != NULL && conf->address.kind == ADDRESS_NAME ? conf->address.host : NULL;
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
    take_configuration(watched, pool, given);
    add_to_pool(pool, watched);
}

/* A server that is new among others that serve begins slowly, unless most of them are new. */
static bool joins(const struct prober *prober, const struct watched *watched)
{
    const struct watched_pool *pool = pool_of(watched);

    return prober->has_adopted && pool->serving > 0 && pool->newcomers * 2 <= pool->pool.count;
}

/* A resting one whose interval became shorter is asked sooner. */
static void hasten(struct watched *watched)
{
    uint64_t interval_ms = jittered(watched->prober, target_interval_ms(&watched->target));

    if (!uv_is_active((uv_handle_t *)&watched->timer) ||
        uv_timer_get_due_in(&watched->timer) > interval_ms)
        rest_for(watched, interval_ms);
}

static void schedule(struct watched *watched, uint64_t spread_ms)
{
    struct prober *prober = watched->prober;
    const struct conf_health_check *check = check_of(watched);

    if (watched->is_new)
        watched->target.is_joining = joins(prober, watched);
    if (watched->target.pool->conf->ejection.consecutive_failures == 0)
        target_end_ejection(&watched->target, clock_ms());
    if (!check->is_on) {
        abandon(watched);
        target_needs_no_check(&watched->target, clock_ms());
    } else if (watched->is_new) {
        if (check->interval_ms < spread_ms)
            spread_ms = check->interval_ms;
        rest_for(watched, random_next(&prober->random) % (spread_ms + 1));
    } else if (watched->asking == RESTING) {
        hasten(watched);
    }
    watched->is_new = false;
    note_change(watched);
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
        schedule(container_of(item, struct watched, in_all), spread_ms);
    }
    prober->has_adopted = true;
    begin_waiting(prober);
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
    if (target_suspect(&watched->target, clock_ms(), random_next(&prober->random)))
        note_change(watched);
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
    start_timer(&prober->settle, on_settle, 0);
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
    prober->random = random_seed();
    prober->stop.handle = on_stop;
    list_init(&prober->watched);
    list_init(&prober->pools);
    list_init(&prober->dirty);
    list_init(&prober->queue);
    CHECK(uv_loop_init(&prober->loop) == 0);
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
