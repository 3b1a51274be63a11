/*
 * canary - see canary.h.
 *
 *   a step begins   counters of both arms are noted: what comes is "since"
 *   each 10 s       readings; the rest is the baseline
 *   the next step   the same again
 *
 * What began under the candidate is counted in the ordinary rows too, so the rest is the difference
 * (observe/counters.h).
 *
 * Owner    watch.      Threads  control only
 */
#include "watch/canary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "observe/counters.h"
#include "observe/distribution.h"
#include "proxy/snapshot.h"
#include "watch/gate_arms.h"
#include "watch/gate_due.h"
#include "watch/gate_health.h"
#include "watch/gate_spread.h"
#include "watch/history.h"
#include "watch/watched.h"

enum { CANARY_WATCH_TAG = 0x43414e57, TICKS_A_MINUTE = 6, CLASS_5XX = 5, SECOND_MS = 1000 };

/* One thing counted in both arms. */
struct pair {
    struct pool_counts rest;
    struct pool_counts tried;
};

/* Beside a gate_arm: where its numbers come from. */
struct tried_pool {
    uint32_t slot;
    struct pair start;
    struct pool_counts ticks[TICKS_A_MINUTE]; /* of the share, at the last readings; a ring */
    const json_t *instead;                    /* the subject's */
    struct pool_counts instead_start;
    uint64_t *picks_start; /* by configured server: of the share, then of the rest */
    struct gate_due due;   /* of the share */
};

struct canary_watch {
    uint32_t tag;
    struct counters *counters;
    unsigned worker_count;
    bool has_subject;
    uint64_t rev;
    uint32_t percent;
    uint64_t begun_ms;
    uint64_t reading_due_ms;
    unsigned readings;
    struct gate_arms arms;
    struct tried_pool *pools;   /* beside arms.arms */
    uint64_t connections_start; /* as counted when the first step began */
    struct pair all_start;
    struct gate_counts all_last; /* of the share */
};

/* ---- life ---- */

struct canary_watch *canary_watch_new(struct counters *counters, unsigned worker_count)
{
    struct canary_watch *watch = xcalloc(1, sizeof(*watch));

    watch->tag = CANARY_WATCH_TAG;
    watch->counters = counters;
    watch->worker_count = worker_count;
    return watch;
}

static void forget_subject(struct canary_watch *watch)
{
    for (size_t i = 0; i < watch->arms.count; i++) {
        xfree(watch->arms.arms[i].pool);
        xfree(watch->pools[i].picks_start);
        gate_due_fini(&watch->pools[i].due);
    }
    xfree(watch->arms.arms);
    xfree(watch->pools);
    watch->arms = (struct gate_arms){0};
    watch->pools = NULL;
    watch->has_subject = false;
}

void canary_watch_free(struct canary_watch **holder)
{
    struct canary_watch *watch = TAKE_POINTER(holder);

    if (watch == NULL)
        return;
    CHECK_OBJ(watch, CANARY_WATCH_TAG);
    forget_subject(watch);
    watch->tag = 0;
    xfree(watch);
}

/* ---- counters ---- */

static uint64_t read_counter(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static uint64_t less(uint64_t all, uint64_t part)
{
    return all > part ? all - part : 0; /* read at two moments while workers count */
}

static void add_row(struct pool_counts *sum, const struct candidate_row *row)
{
    uint64_t failed = read_counter(&row->responses[CLASS_5XX]);

    sum->all.failed += failed;
    sum->all.requests += failed;
    for (unsigned class = 1; class < CLASS_5XX; class ++)
        sum->all.requests += read_counter(&row->responses[class]);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->latency[i] += read_counter(&row->latency.buckets[i]);
}

static struct pool_counts rest_of(const struct pool_counts *all, const struct pool_counts *tried)
{
    struct pool_counts rest = {.all = {less(all->all.requests, tried->all.requests),
                                       less(all->all.failed, tried->all.failed)}};

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        rest.latency[i] = less(all->latency[i], tried->latency[i]);
    return rest;
}

static struct pair count_pool(const struct canary_watch *watch, uint32_t slot)
{
    struct pair pair = {0};
    struct pool_counts all;

    for (unsigned w = 0; w < watch->worker_count; w++)
        add_row(&pair.tried, counters_candidate_pool(watch->counters, w, slot));
    all = counted_of_pool(watch->counters, watch->worker_count, slot);
    pair.rest = rest_of(&all, &pair.tried);
    return pair;
}

static void add_listener(struct gate_counts *sum, const struct listener_row *row)
{
    uint64_t failed = read_counter(&row->responses[CLASS_5XX]);

    sum->failed += failed;
    sum->requests += failed;
    for (unsigned class = 1; class < CLASS_5XX; class ++)
        sum->requests += read_counter(&row->responses[class]);
}

/* Whatever pool they went to, if any; without latency. */
static struct pair count_all(const struct canary_watch *watch)
{
    uint32_t slots = counters_slot_count(watch->counters, SCOPE_LISTENER);
    struct pool_counts all = {0};
    struct pair pair = {0};

    for (unsigned w = 0; w < watch->worker_count; w++)
        add_row(&pair.tried, counters_candidate(watch->counters, w));
    for (unsigned w = 0; w < watch->worker_count; w++)
        for (uint32_t slot = 0; slot < slots; slot++)
            add_listener(&all.all, counters_listener(watch->counters, w, slot));
    pair.rest = rest_of(&all, &pair.tried);
    return pair;
}

/* Of the pools whose place it takes: of the rest, all together. */
static struct pool_counts count_instead(const struct canary_watch *watch, const json_t *others)
{
    struct pool_counts sum = {0};
    const json_t *other;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)others, i, other)
    {
        struct pair one = count_pool(
            watch, counters_slot(watch->counters, SCOPE_POOL, NULL, json_string_value(other)));

        pool_counts_add(&sum, &one.rest);
    }
    return sum;
}

static uint64_t first_attempts(const struct server_row *row)
{
    uint64_t retries = read_counter(&row->retries);

    return less(read_counter(&row->requests), retries);
}

/* How often each configured server was chosen: for the share, then for the rest. */
static uint64_t *count_picks(const struct canary_watch *watch, const struct conf_pool *pool)
{
    uint64_t *picks = xcalloc(2 * pool->server_count + 1, sizeof(*picks));

    for (size_t i = 0; i < pool->server_count; i++) {
        uint32_t slot =
            counters_slot(watch->counters, SCOPE_SERVER, pool->name, pool->servers[i].name);
        uint64_t all = 0;

        for (unsigned w = 0; w < watch->worker_count; w++)
            picks[i] += read_counter(counters_candidate_picks(watch->counters, w, slot));
        for (unsigned w = 0; w < watch->worker_count; w++)
            all += first_attempts(counters_server(watch->counters, w, slot));
        picks[pool->server_count + i] = less(all, picks[i]);
    }
    return picks;
}

/* ---- a step begins ---- */

static void begin_pool(struct canary_watch *watch, const struct canary_sight *sight,
                       const struct snapshot_pool *pool, const json_t *instead,
                       const json_t *prediction)
{
    struct gate_arm *arm = &watch->arms.arms[watch->arms.count];
    struct tried_pool *tried = &watch->pools[watch->arms.count++];

    arm->pool = xstrdup(pool->conf->name);
    arm->is_quiet_by_plan =
        gate_predicts_none(prediction, arm->pool) || !gate_is_led_to(sight->tried, pool);
    tried->slot = pool->counter_slot;
    tried->start = count_pool(watch, tried->slot);
    tried->instead = instead;
    tried->instead_start = count_instead(watch, instead);
    tried->picks_start = count_picks(watch, pool->conf);
    gate_due_begin(&tried->due, pool, tried->picks_start, sight->now_ms);
}

/* Of the share: those of earlier steps go on in it. */
static uint64_t count_connections(const struct canary_watch *watch)
{
    uint64_t connections = 0;

    for (unsigned w = 0; w < watch->worker_count; w++)
        connections += read_counter(&counters_candidate(watch->counters, w)->connections);
    return connections;
}

static void begin_step(struct canary_watch *watch, const struct canary_sight *sight,
                       const struct gate_subject *subject)
{
    size_t count = json_object_size(subject->changed);

    if (!watch->has_subject || watch->rev != subject->rev)
        watch->connections_start = count_connections(watch);
    forget_subject(watch);
    watch->has_subject = true;
    watch->rev = subject->rev;
    watch->percent = subject->percent;
    watch->begun_ms = sight->now_ms;
    watch->reading_due_ms = sight->now_ms + GATE_TICK_MS;
    watch->readings = 0;
    watch->all_start = count_all(watch);
    watch->all_last = watch->all_start.tried.all;
    watch->arms.arms = xcalloc(count + 1, sizeof(struct gate_arm));
    watch->pools = xcalloc(count + 1, sizeof(struct tried_pool));
    for (size_t i = 0; count > 0 && i < sight->tried->pool_count; i++) {
        const struct snapshot_pool *pool = &sight->tried->pools[i];
        const json_t *instead = json_object_get(subject->changed, pool->conf->name);

        if (instead != NULL)
            begin_pool(watch, sight, pool, instead, subject->prediction);
    }
}

static bool is_same_step(const struct canary_watch *watch, const struct gate_subject *subject)
{
    return watch->has_subject && watch->rev == subject->rev && watch->percent == subject->percent;
}

/* ---- each pool ---- */

static void read_pool(struct canary_watch *watch, size_t at)
{
    struct gate_arm *arm = &watch->arms.arms[at];
    struct tried_pool *pool = &watch->pools[at];
    struct pair now = count_pool(watch, pool->slot);
    struct pool_counts instead = count_instead(watch, pool->instead);
    struct pool_counts *ring = pool->ticks;
    const struct pool_counts *last =
        watch->readings > 0 ? &ring[(watch->readings - 1) % TICKS_A_MINUTE] : &pool->start.tried;
    const struct pool_counts *a_minute_ago = watch->readings >= TICKS_A_MINUTE
                                                 ? &ring[watch->readings % TICKS_A_MINUTE]
                                                 : &pool->start.tried;

    arm->before = rest_of(&now.rest, &pool->start.rest);
    arm->instead = rest_of(&instead, &pool->instead_start);
    arm->since = rest_of(&now.tried, &pool->start.tried);
    arm->recent = rest_of(&now.tried, a_minute_ago);
    arm->newest = counts_less(now.tried.all, last->all);
    ring[watch->readings % TICKS_A_MINUTE] = now.tried;
}

static void read_health(struct gate_arm *arm, const struct canary_sight *sight)
{
    const struct snapshot_pool *before = snapshot_find_pool(sight->running, arm->pool);
    const struct snapshot_pool *now = snapshot_find_pool(sight->tried, arm->pool);
    struct gate_health at_most;

    arm->health_before = (struct gate_health){0, 0};
    if (before != NULL)
        gate_health_of(before, &arm->health_before, &at_most);
    if (now != NULL)
        gate_health_of(now, &arm->healthy_at_least, &arm->healthy_at_most);
}

/* ---- the inputs ---- */

static struct gate_reading said(enum gate_word word, const char *why)
{
    struct gate_reading reading = {.word = word};

    (void)snprintf(reading.why, sizeof(reading.why), "%s", why);
    return reading;
}

/* All requests of the share, wherever they went: routes that answer themselves, too. */
static struct gate_reading errors_of_all(struct canary_watch *watch)
{
    struct pair now = count_all(watch);
    struct gate_counts rest = rest_of(&now.rest, &watch->all_start.rest).all;
    struct gate_counts tried = rest_of(&now.tried, &watch->all_start.tried).all;
    struct gate_counts newest = counts_less(now.tried.all, watch->all_last);
    struct gate_reading reading = gate_test_errors(rest, tried);
    struct gate_reading named = {.word = reading.word};

    watch->all_last = now.tried.all;
    if (reading.word == GATE_FAIL && !gate_still_fails(rest, newest))
        named.word = GATE_INCONCLUSIVE;
    (void)snprintf(named.why, sizeof(named.why), "all requests: %.200s", reading.why);
    return named;
}

static struct gate_reading errors_reading(struct canary_watch *watch)
{
    struct gate_reading all = errors_of_all(watch);
    struct gate_reading pools;

    if (watch->arms.count == 0)
        return all;
    pools = gate_arms_errors(&watch->arms);
    gate_worse(&pools, &all);
    return pools;
}

struct by_capacity {
    uint64_t *tried;
    uint64_t *rest;
    double *expected;
    const char **names;
    size_t count;
};

/* Whoever was sent too much may have been taken out for it: he counts. */
static bool counts(const struct snapshot_pool *pool, size_t server, uint64_t picks)
{
    return gate_is_serving(pool, server) || (picks > 0 && gate_is_failing(pool, server));
}

/* As the monitor has it, of those that serve. */
static void fill_by_capacity(struct by_capacity *spread, const struct snapshot_pool *pool,
                             const uint64_t *picks, uint64_t now_ms)
{
    size_t servers = pool->conf->server_count;
    double *due = watched_capacity_of(pool, now_ms);
    double sum = 0;

    for (size_t i = 0; i < servers; i++) {
        if (due[i] <= 0 || !counts(pool, i, picks[i]))
            continue;
        spread->tried[spread->count] = picks[i];
        spread->rest[spread->count] = picks[servers + i];
        spread->names[spread->count] = pool->conf->servers[i].name;
        spread->expected[spread->count] = due[i];
        sum += spread->expected[spread->count++];
    }
    for (size_t i = 0; i < spread->count; i++)
        spread->expected[i] /= sum;
    xfree(due);
}

/* Where a client's requests all go to one server, connections are what was drawn by chance, not
 * requests: three of them say no more than three requests do. */
static double dispersion_of(const struct canary_watch *watch, const struct conf_pool *conf,
                            const struct gate_due *due)
{
    double connections = (double)(count_connections(watch) - watch->connections_start);
    double requests = 0;

    if (conf->balance != BALANCE_MAGLEV && conf->sticky.cookie == NULL)
        return 1;
    for (size_t i = 0; i < due->count; i++)
        requests += (double)due->picks[i];
    return fmax(1, requests / fmax(1, connections));
}

/* A share above what its capacity tolerates is this change's doing only where the rest is not so
 * already. */
static struct gate_reading judge_by_capacity(const struct by_capacity *spread, double dispersion,
                                             const char *words)
{
    struct distribution_over tried = distribution_over_share(
        spread->tried, spread->expected, spread->count, dispersion, DISTRIBUTION_FAST);
    struct distribution_over rest = distribution_over_share(spread->rest, spread->expected,
                                                            spread->count, 1, DISTRIBUTION_FAST);
    struct gate_reading reading = {.word = GATE_PASS};

    if (!tried.is_over || (rest.is_over && rest.server == tried.server))
        return reading;
    reading.word = GATE_FAIL;
    (void)snprintf(reading.why, sizeof(reading.why),
                   "%.60s got %.1f%% of the share's requests; %s %.1f%%",
                   spread->names[tried.server], 100 * tried.share, words, 100 * tried.expected);
    return reading;
}

static struct gate_reading capacity_reading(const struct snapshot_pool *pool, const uint64_t *picks,
                                            double dispersion, uint64_t now_ms)
{
    size_t room = pool->conf->server_count + 1;
    struct by_capacity spread = {.tried = xcalloc(room, sizeof(uint64_t)),
                                 .rest = xcalloc(room, sizeof(uint64_t)),
                                 .expected = xcalloc(room, sizeof(double)),
                                 .names = xcalloc(room, sizeof(char *))};
    struct gate_reading reading = {.word = GATE_PASS};

    fill_by_capacity(&spread, pool, picks, now_ms);
    if (spread.count > 1)
        reading = judge_by_capacity(&spread, dispersion, gate_words_of_capacity(pool));
    xfree(spread.tried);
    xfree(spread.rest);
    xfree(spread.expected);
    xfree(spread.names);
    return reading;
}

/* Against what was approved, and against capacity. */
static struct gate_reading spread_of(const struct canary_watch *watch, size_t at,
                                     const struct snapshot_pool *pool, const json_t *prediction,
                                     uint64_t now_ms, bool *is_known_out)
{
    struct tried_pool *tried = &watch->pools[at];
    uint64_t *picks = count_picks(watch, pool->conf);
    struct gate_reading by_capacity;
    struct gate_reading reading;
    double dispersion;

    gate_due_note(&tried->due, pool, prediction, picks, now_ms);
    for (size_t i = 0; i < 2 * tried->due.count; i++)
        picks[i] = less(picks[i], tried->picks_start[i]);
    dispersion = dispersion_of(watch, pool->conf, &tried->due);
    reading = gate_spread_predicted(pool, &tried->due, dispersion, is_known_out);
    by_capacity = capacity_reading(pool, picks, dispersion, now_ms);
    xfree(picks);
    if (by_capacity.word != GATE_FAIL)
        return reading;
    *is_known_out = true;
    return by_capacity;
}

static struct gate_reading spread_reading(const struct canary_watch *watch,
                                          const struct canary_sight *sight,
                                          const json_t *prediction)
{
    struct gate_reading all = said(GATE_PASS, "no shares are changed");
    bool has_one = false;

    for (size_t i = 0; i < watch->arms.count; i++) {
        const struct gate_arm *arm = &watch->arms.arms[i];
        const struct snapshot_pool *pool = snapshot_find_pool(sight->tried, arm->pool);
        struct gate_reading one;
        bool is_known = false;

        if (pool == NULL || arm->is_quiet_by_plan ||
            pool->conf->server_count != watch->pools[i].due.count)
            continue;
        one = spread_of(watch, i, pool, prediction, sight->now_ms, &is_known);
        if (!is_known)
            continue;
        gate_reading_of_pool(&one, arm->pool);
        if (!has_one)
            all = one;
        gate_worse(&all, &one);
        has_one = true;
    }
    return all;
}

/* ---- a reading ---- */

/* The share's requests are fewer than the rest's: by how much, so much longer the rest counts for
 * what is to be expected of it. */
static uint64_t comparable_seconds(const struct canary_watch *watch, uint64_t now_ms)
{
    return (now_ms - watch->begun_ms) * (100 - watch->percent) / watch->percent / SECOND_MS;
}

static void take_readings(struct canary_watch *watch, const struct canary_sight *sight,
                          const struct gate_subject *subject, struct gate_readings *out)
{
    for (size_t i = 0; i < watch->arms.count; i++) {
        read_pool(watch, i);
        read_health(&watch->arms.arms[i], sight);
    }
    watch->readings++;
    watch->arms.is_minute_over = watch->readings >= TICKS_A_MINUTE;
    watch->arms.before_seconds = comparable_seconds(watch, sight->now_ms);
    out->inputs[GATE_WORKERS] = said(GATE_PASS, "every worker has it beside what runs");
    out->inputs[GATE_ERRORS] = errors_reading(watch);
    out->inputs[GATE_LATENCY] = gate_arms_latency(&watch->arms);
    out->inputs[GATE_HEALTH] = gate_arms_health(&watch->arms);
    out->inputs[GATE_DISTRIBUTION] = spread_reading(watch, sight, subject->prediction);
    out->inputs[GATE_REFUSALS] = said(GATE_PASS, "its listeners are those that run");
}

bool canary_watch_tick(struct canary_watch *watch, const struct canary_sight *sight,
                       const struct gate_subject *subject, struct gate_readings *out)
{
    CHECK_OBJ(watch, CANARY_WATCH_TAG);
    if (subject == NULL || subject->percent == 0 || sight->tried == NULL) {
        forget_subject(watch);
        return false;
    }
    if (!is_same_step(watch, subject))
        begin_step(watch, sight, subject);
    if (sight->now_ms < watch->reading_due_ms)
        return false;
    watch->reading_due_ms = sight->now_ms + GATE_TICK_MS;
    take_readings(watch, sight, subject, out);
    return true;
}
