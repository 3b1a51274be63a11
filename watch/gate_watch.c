/*
 * gate_watch - see gate_watch.h.
 *
 *   nothing waits    each ten seconds a bucket of history, and how healthy each pool is
 *   a change comes   its pools' history is set aside; counters are noted: what comes is "since"
 *   each 10 s        readings
 *   it is confirmed  readings go on for the soak, against the same baseline
 *   it is taken back the history before it is the history again
 *
 * Owner    watch.      Threads  control only
 */
#include "watch/gate_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"
#include "watch/distributions.h"
#include "watch/gate_arms.h"
#include "watch/gate_due.h"
#include "watch/gate_health.h"
#include "watch/gate_spread.h"
#include "watch/history.h"

enum {
    GATE_WATCH_TAG = 0x47415445,
    TICKS_A_MINUTE = 6,
    DIGEST_ROOM = 80,
    ARENA_BLOCK = 16384,
};

/* How healthy a pool was, at each of the last buckets. */
struct health_ring {
    char *pool;
    struct gate_health seen[TICKS_A_MINUTE];
};

/* What is counted of a pool that was changed. */
struct watched {
    uint32_t slot;
    struct pool_counts start;                 /* as counted at apply */
    struct pool_counts ticks[TICKS_A_MINUTE]; /* as counted at the last readings, a ring */
    struct gate_due due;                      /* by configured server */
};

struct gate_watch {
    uint32_t tag;
    struct counters *counters;
    unsigned worker_count;
    const struct distributions *distributions;
    struct history *history;
    uint64_t bucket_due_ms;
    uint64_t round;             /* of buckets */
    struct health_ring *health; /* by place in the snapshot that ran */
    size_t health_count;
    char digest[DIGEST_ROOM]; /* of what ran when nothing waited */
    /* what is looked at */
    bool has_subject;
    bool is_soaking;
    uint64_t rev;
    uint64_t generation;
    uint64_t reading_due_ms;
    unsigned readings;
    struct gate_arms arms;
    struct watched *watched; /* beside arms.arms */
    struct gate_counts connections_before;
    struct gate_counts connections_start;
    struct gate_counts connections_last;
};

struct gate_watch *gate_watch_new(struct counters *counters, unsigned worker_count,
                                  const struct distributions *distributions)
{
    struct gate_watch *watch = xcalloc(1, sizeof(*watch));

    watch->tag = GATE_WATCH_TAG;
    watch->counters = counters;
    watch->worker_count = worker_count;
    watch->distributions = distributions;
    watch->history = history_new(counters, worker_count);
    return watch;
}

static void forget_subject(struct gate_watch *watch)
{
    for (size_t i = 0; i < watch->arms.count; i++) {
        xfree(watch->arms.arms[i].pool);
        gate_due_fini(&watch->watched[i].due);
    }
    xfree(watch->arms.arms);
    xfree(watch->watched);
    watch->arms = (struct gate_arms){0};
    watch->watched = NULL;
    watch->has_subject = false;
}

static void forget_health(struct gate_watch *watch)
{
    for (size_t i = 0; i < watch->health_count; i++)
        xfree(watch->health[i].pool);
    xfree(watch->health);
    watch->health = NULL;
    watch->health_count = 0;
}

void gate_watch_free(struct gate_watch **holder)
{
    struct gate_watch *watch = TAKE_POINTER(holder);

    if (watch == NULL)
        return;
    CHECK_OBJ(watch, GATE_WATCH_TAG);
    forget_subject(watch);
    forget_health(watch);
    history_free(&watch->history);
    watch->tag = 0;
    xfree(watch);
}

/* ---- health, before ---- */

static int compare_ring(const void *name, const void *ring)
{
    return strcmp(name, ((const struct health_ring *)ring)->pool);
}

/* Snapshots have their pools by name. */
static struct health_ring *ring_of(struct gate_watch *watch, const char *pool)
{
    return watch->health_count > 0 ? bsearch(pool, watch->health, watch->health_count,
                                             sizeof(*watch->health), compare_ring)
                                   : NULL;
}

/* The same pools in the same places: what a reload does not change. */
static bool has_pools_of(const struct gate_watch *watch, const struct snapshot *snapshot)
{
    if (watch->health_count != snapshot->pool_count)
        return false;
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        if (strcmp(watch->health[i].pool, snapshot->pools[i].conf->name) != 0)
            return false;
    }
    return true;
}

static void note_health(struct gate_watch *watch, const struct snapshot *snapshot)
{
    if (!has_pools_of(watch, snapshot)) {
        forget_health(watch);
        watch->health = xcalloc(snapshot->pool_count + 1, sizeof(*watch->health));
        watch->health_count = snapshot->pool_count;
        for (size_t i = 0; i < snapshot->pool_count; i++)
            watch->health[i].pool = xstrdup(snapshot->pools[i].conf->name);
    }
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        struct gate_health at_most;

        gate_health_of(&snapshot->pools[i], &watch->health[i].seen[watch->round % TICKS_A_MINUTE],
                       &at_most);
    }
}

/* The worst of the last minute: a server that was down then is not down by the change. */
static struct gate_health health_before(struct gate_watch *watch, const char *pool)
{
    const struct health_ring *ring = ring_of(watch, pool);
    struct gate_health worst = {0, 0};

    for (size_t i = 0; ring != NULL && i < TICKS_A_MINUTE; i++)
        worst = gate_health_worse(worst, ring->seen[i]);
    return worst;
}

/* ---- buckets ---- */

static void note_digest(struct gate_watch *watch, const struct snapshot *running)
{
    (void)snprintf(watch->digest, sizeof(watch->digest), "%s", running->conf->digest);
}

/* What runs is what ran when nothing waited. */
static bool is_as_before(const struct gate_watch *watch, const struct gate_sight *sight)
{
    return sight->running != NULL && strcmp(watch->digest, sight->running->conf->digest) == 0;
}

/* A rollback or a reload came, which nothing waits for. */
static void follow_digest(struct gate_watch *watch, const struct gate_sight *sight)
{
    bool waits = watch->has_subject && !watch->is_soaking;

    if (waits || sight->running == NULL || is_as_before(watch, sight))
        return;
    if (watch->digest[0] != '\0')
        history_clear(watch->history);
    note_digest(watch, sight->running);
}

static void close_bucket(struct gate_watch *watch, const struct gate_sight *sight)
{
    bool waits = watch->has_subject && !watch->is_soaking;

    if (sight->now_ms < watch->bucket_due_ms)
        return;
    watch->bucket_due_ms = sight->now_ms + GATE_TICK_MS;
    history_close_bucket(watch->history);
    if (sight->running != NULL && !waits)
        note_health(watch, sight->running);
    watch->round++;
}

/* ---- a change comes ---- */

static uint64_t *read_picks(const struct gate_watch *watch, const struct snapshot_pool *pool)
{
    uint64_t *picks = xcalloc(pool->conf->server_count + 1, sizeof(*picks));

    for (size_t i = 0; i < pool->conf->server_count; i++) {
        uint32_t slot = counters_slot(watch->counters, SCOPE_SERVER, pool->conf->name,
                                      pool->conf->servers[i].name);

        for (unsigned w = 0; w < watch->worker_count; w++)
            picks[i] += atomic_load_explicit(&counters_server(watch->counters, w, slot)->requests,
                                             memory_order_relaxed);
    }
    return picks;
}

static struct pool_counts instead_of(const struct gate_watch *watch, const json_t *others)
{
    struct pool_counts sum = {0};
    const json_t *other;
    size_t i;

    json_array_foreach(others, i, other)
    {
        uint32_t slot = counters_slot(watch->counters, SCOPE_POOL, NULL, json_string_value(other));
        struct pool_counts one = history_of_pool(watch->history, slot);

        pool_counts_add(&sum, &one);
    }
    return sum;
}

static void begin_pool(struct gate_watch *watch, const struct gate_sight *sight,
                       const struct snapshot_pool *pool, const json_t *instead,
                       const json_t *prediction)
{
    uint64_t *picks = read_picks(watch, pool);
    struct gate_arm *arm = &watch->arms.arms[watch->arms.count];
    struct watched *watched = &watch->watched[watch->arms.count++];

    arm->pool = xstrdup(pool->conf->name);
    arm->is_quiet_by_plan =
        gate_predicts_none(prediction, arm->pool) || !gate_is_led_to(sight->running, pool);
    arm->before = history_of_pool(watch->history, pool->counter_slot);
    arm->instead = instead_of(watch, instead);
    arm->health_before = health_before(watch, arm->pool);
    watched->slot = pool->counter_slot;
    watched->start = counted_of_pool(watch->counters, watch->worker_count, watched->slot);
    gate_due_begin(&watched->due, pool, picks, sight->now_ms);
    xfree(picks);
}

static void begin_subject(struct gate_watch *watch, const struct gate_sight *sight,
                          const struct gate_subject *subject)
{
    size_t count = json_object_size(subject->changed);

    forget_subject(watch);
    if (!subject->is_soaking)
        history_set_aside(watch->history);
    watch->has_subject = true;
    watch->is_soaking = subject->is_soaking;
    watch->rev = subject->rev;
    watch->generation = subject->generation;
    watch->readings = 0;
    watch->reading_due_ms = sight->now_ms + GATE_TICK_MS;
    watch->connections_before = history_of_connections(watch->history);
    watch->connections_start = watch->connections_last =
        counted_connections(watch->counters, watch->worker_count);
    watch->arms.before_seconds = history_seconds(watch->history);
    watch->arms.arms = xcalloc(count + 1, sizeof(struct gate_arm));
    watch->watched = xcalloc(count + 1, sizeof(struct watched));
    for (size_t i = 0; count > 0 && i < sight->running->pool_count; i++) {
        const struct snapshot_pool *pool = &sight->running->pools[i];
        const json_t *instead = json_object_get(subject->changed, pool->conf->name);

        if (instead != NULL)
            begin_pool(watch, sight, pool, instead, subject->prediction);
    }
}

/* Taken back, or something else came. */
static void end_subject(struct gate_watch *watch, const struct gate_sight *sight)
{
    if (!watch->is_soaking && is_as_before(watch, sight))
        history_bring_back(watch->history);
    forget_subject(watch);
}

static void follow_subject(struct gate_watch *watch, const struct gate_sight *sight,
                           const struct gate_subject *subject)
{
    bool is_same = subject != NULL && watch->has_subject && watch->rev == subject->rev &&
                   watch->generation == subject->generation;

    if (is_same && subject->is_soaking && !watch->is_soaking) {
        watch->is_soaking = true; /* it was confirmed: what it is held against stays */
        history_leave_behind(watch->history);
        note_digest(watch, sight->running);
    }
    if (is_same)
        return;
    if (watch->has_subject)
        end_subject(watch, sight);
    if (subject != NULL && sight->running != NULL)
        begin_subject(watch, sight, subject);
}

/* ---- readings ---- */

static const struct snapshot_pool *pool_now(const struct gate_sight *sight, const char *name)
{
    return snapshot_find_pool(sight->running, name);
}

static void read_pool(struct gate_watch *watch, size_t at)
{
    struct gate_arm *arm = &watch->arms.arms[at];
    struct watched *watched = &watch->watched[at];
    struct pool_counts now = counted_of_pool(watch->counters, watch->worker_count, watched->slot);
    const struct pool_counts *last = watch->readings > 0
                                         ? &watched->ticks[(watch->readings - 1) % TICKS_A_MINUTE]
                                         : &watched->start;
    const struct pool_counts *a_minute_ago = watch->readings >= TICKS_A_MINUTE
                                                 ? &watched->ticks[watch->readings % TICKS_A_MINUTE]
                                                 : &watched->start;

    arm->since = pool_counts_less(&now, &watched->start);
    arm->recent = pool_counts_less(&now, a_minute_ago);
    arm->newest = counts_less(now.all, last->all);
    watched->ticks[watch->readings % TICKS_A_MINUTE] = now;
}

static void read_health(struct gate_arm *arm, const struct gate_sight *sight)
{
    const struct snapshot_pool *pool = pool_now(sight, arm->pool);

    if (pool != NULL)
        gate_health_of(pool, &arm->healthy_at_least, &arm->healthy_at_most);
}

static struct gate_reading workers_reading(const struct gate_sight *sight, uint64_t generation)
{
    struct gate_reading reading = {.word = GATE_PASS};
    uint64_t running = sight->running->generation;

    if (running < generation || running != sight->published_generation)
        reading.word = GATE_FAIL;
    (void)snprintf(reading.why, sizeof(reading.why), "all workers run generation %llu%s",
                   (unsigned long long)running,
                   reading.word == GATE_PASS ? "" : ", and not all the newest");
    return reading;
}

static void note_due(struct gate_watch *watch, const struct gate_sight *sight, size_t at,
                     const json_t *prediction)
{
    const struct snapshot_pool *pool =
        snapshot_find_pool(sight->running, watch->arms.arms[at].pool);
    struct gate_due *due = &watch->watched[at].due;
    uint64_t *picks;

    if (pool == NULL || pool->conf->server_count != due->count)
        return;
    picks = read_picks(watch, pool);
    gate_due_note(due, pool, prediction, picks, sight->now_ms);
    xfree(picks);
}

/* Of one pool; false: nothing is to be said of it. */
static bool read_spread(struct gate_watch *watch, const struct snapshot_pool *pool, size_t at,
                        struct arena *arena, struct gate_reading *out)
{
    bool is_changed = at < watch->arms.count;
    struct distributions_since since = {.dispersion = 1};
    bool is_known = false;
    bool is_seen =
        watch->distributions != NULL &&
        distributions_since_change(watch->distributions, pool->conf->name, arena, &since);

    if (is_seen) {
        *out = gate_spread_monitored(pool, &since, is_changed);
        is_known = out->word == GATE_FAIL;
    }
    if (!is_known && is_changed && !watch->arms.arms[at].is_quiet_by_plan &&
        pool->conf->server_count == watch->watched[at].due.count)
        *out = gate_spread_predicted(pool, &watch->watched[at].due, since.dispersion, &is_known);
    if (is_known)
        gate_reading_of_pool(out, pool->conf->name);
    return is_known;
}

/* As with errors: it hinders only where all that were changed are quiet. */
static bool is_quiet(const struct gate_watch *watch, size_t at, const struct gate_reading *reading)
{
    return reading->word == GATE_INCONCLUSIVE && at < watch->arms.count &&
           watch->arms.arms[at].since.all.requests < GATE_REQUESTS;
}

static struct gate_reading spread_reading(struct gate_watch *watch, const struct gate_sight *sight)
{
    struct gate_reading all = {.word = GATE_PASS, .why = "spread as it should be"};
    struct gate_reading quiet = all;
    struct arena *arena = arena_new(ARENA_BLOCK);
    bool has_one = false;
    size_t next = 0; /* arms are in the order of the snapshot */

    for (size_t i = 0; i < sight->running->pool_count; i++) {
        const struct snapshot_pool *pool = &sight->running->pools[i];
        bool is_changed =
            next < watch->arms.count && strcmp(watch->arms.arms[next].pool, pool->conf->name) == 0;
        struct gate_reading one;

        if (read_spread(watch, pool, is_changed ? next : watch->arms.count, arena, &one)) {
            if (is_quiet(watch, next, &one)) {
                quiet = one;
            } else {
                if (!has_one)
                    all = one;
                gate_worse(&all, &one);
                has_one = true;
            }
        }
        next += is_changed;
    }
    arena_free(&arena);
    return has_one ? all : quiet;
}

static void take_readings(struct gate_watch *watch, const struct gate_sight *sight,
                          const struct gate_subject *subject, struct gate_readings *out)
{
    struct gate_counts connections = counted_connections(watch->counters, watch->worker_count);

    for (size_t i = 0; i < watch->arms.count; i++) {
        read_pool(watch, i);
        read_health(&watch->arms.arms[i], sight);
        note_due(watch, sight, i, subject->prediction);
    }
    watch->readings++;
    watch->arms.is_minute_over = watch->readings >= TICKS_A_MINUTE;
    out->inputs[GATE_WORKERS] = workers_reading(sight, subject->generation);
    out->inputs[GATE_ERRORS] = gate_arms_errors(&watch->arms);
    out->inputs[GATE_LATENCY] = gate_arms_latency(&watch->arms);
    out->inputs[GATE_HEALTH] = gate_arms_health(&watch->arms);
    out->inputs[GATE_DISTRIBUTION] = spread_reading(watch, sight);
    out->inputs[GATE_REFUSALS] = gate_arms_refusals(
        watch->connections_before, counts_less(connections, watch->connections_start),
        counts_less(connections, watch->connections_last));
    watch->connections_last = connections;
}

bool gate_watch_tick(struct gate_watch *watch, const struct gate_sight *sight,
                     const struct gate_subject *subject, struct gate_readings *out)
{
    CHECK_OBJ(watch, GATE_WATCH_TAG);
    follow_subject(watch, sight, subject);
    follow_digest(watch, sight);
    close_bucket(watch, sight);
    if (!watch->has_subject || sight->running == NULL || sight->now_ms < watch->reading_due_ms)
        return false;
    watch->reading_due_ms += GATE_TICK_MS;
    if (watch->reading_due_ms <= sight->now_ms) /* control was busy for long */
        watch->reading_due_ms = sight->now_ms + GATE_TICK_MS;
    take_readings(watch, sight, subject, out);
    return true;
}
