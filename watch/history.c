/*
 * history - see history.h: a ring of minutes a pool, and a second one while a change waits.
 *
 * Owner    watch/gate_watch.c.      Threads  control only
 */
#include "watch/history.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum {
    HISTORY_TAG = 0x48495354,
    MINUTES = 11, /* ten, and the one that is being filled */
    BUCKETS_A_MINUTE = 6,
    BUCKET_S = 10,
    CLASS_5XX = 5,
};

/* Of a minute: 32 bits are 70 million requests a second. */
struct minute {
    uint32_t requests;
    uint32_t failed;
    uint32_t latency[HISTOGRAM_BUCKETS];
};

struct past {
    struct minute minutes[MINUTES];
};

struct pool_history {
    struct pool_counts seen; /* when the last bucket was closed */
    struct past now;
    struct past *aside; /* NULL: nothing is, or there was nothing */
};

/* Which minutes of the rings count. */
struct span {
    unsigned at;      /* the minute that is being filled */
    unsigned buckets; /* of it */
    unsigned minutes; /* full ones before it */
};

struct history {
    uint32_t tag;
    struct counters *counters;
    unsigned worker_count;
    struct pool_history **pools; /* by slot; NULL: it never had a request */
    uint32_t pool_count;
    struct gate_counts connections_seen;
    struct gate_counts connections[MINUTES];
    struct gate_counts connections_aside[MINUTES];
    struct span now;
    struct span aside;
    bool is_aside;
};

/* ---- counters ---- */

static uint64_t read_counter(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static struct gate_counts counted_answers(struct counters *counters, unsigned worker_count,
                                          uint32_t slot)
{
    struct gate_counts counts = {0};

    for (unsigned w = 0; w < worker_count; w++) {
        const struct pool_row *row = counters_pool(counters, w, slot);
        uint64_t failed = read_counter(&row->responses[CLASS_5XX]);

        counts.failed += failed;
        counts.requests += failed;
        for (unsigned i = 1; i < CLASS_5XX; i++)
            counts.requests += read_counter(&row->responses[i]);
    }
    return counts;
}

struct pool_counts counted_of_pool(struct counters *counters, unsigned worker_count, uint32_t slot)
{
    struct pool_counts counts = {.all = counted_answers(counters, worker_count, slot)};

    for (unsigned w = 0; w < worker_count; w++) {
        const struct pool_row *row = counters_pool(counters, w, slot);

        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            counts.latency[i] += read_counter(&row->latency.buckets[i]);
    }
    return counts;
}

struct gate_counts counted_connections(struct counters *counters, unsigned worker_count)
{
    uint32_t slots = counters_slot_count(counters, SCOPE_LISTENER);
    struct gate_counts counts = {0};

    for (unsigned w = 0; w < worker_count; w++) {
        uint64_t failures = read_counter(&counters_process(counters, w)->accept_failures);

        counts.failed += failures;
        counts.requests += failures; /* accepted ones are counted below, refused ones too */
        for (uint32_t slot = 0; slot < slots; slot++) {
            const struct listener_row *row = counters_listener(counters, w, slot);

            counts.failed += read_counter(&row->connections_refused);
            counts.failed += read_counter(&row->tls_failures);
            counts.requests += read_counter(&row->connections);
        }
    }
    /* read at two moments while workers count */
    if (counts.failed > counts.requests)
        counts.requests = counts.failed;
    return counts;
}

struct gate_counts counts_less(struct gate_counts a, struct gate_counts b)
{
    struct gate_counts less = {a.requests - b.requests, a.failed - b.failed};

    return less;
}

struct pool_counts pool_counts_less(const struct pool_counts *a, const struct pool_counts *b)
{
    struct pool_counts less = {.all = counts_less(a->all, b->all)};

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        less.latency[i] = a->latency[i] - b->latency[i];
    return less;
}

void pool_counts_add(struct pool_counts *sum, const struct pool_counts *more)
{
    sum->all.requests += more->all.requests;
    sum->all.failed += more->all.failed;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->latency[i] += more->latency[i];
}

/* ---- life ---- */

struct history *history_new(struct counters *counters, unsigned worker_count)
{
    struct history *history = xcalloc(1, sizeof(*history));

    history->tag = HISTORY_TAG;
    history->counters = counters;
    history->worker_count = worker_count;
    return history;
}

void history_free(struct history **holder)
{
    struct history *history = TAKE_POINTER(holder);

    if (history == NULL)
        return;
    CHECK_OBJ(history, HISTORY_TAG);
    for (uint32_t i = 0; i < history->pool_count; i++) {
        if (history->pools[i] != NULL)
            xfree(history->pools[i]->aside);
        xfree(history->pools[i]);
    }
    xfree(history->pools);
    history->tag = 0;
    xfree(history);
}

/* ---- a bucket ---- */

static void make_room(struct history *history)
{
    uint32_t slots = counters_slot_count(history->counters, SCOPE_POOL);

    if (slots <= history->pool_count)
        return;
    history->pools = xrealloc(history->pools, slots * sizeof(struct pool_history *));
    memset(history->pools + history->pool_count, 0,
           (slots - history->pool_count) * sizeof(struct pool_history *));
    history->pool_count = slots;
}

static void close_pool(struct history *history, uint32_t slot)
{
    struct pool_history *pool = history->pools[slot];
    uint64_t requests = counted_answers(history->counters, history->worker_count, slot).requests;
    struct pool_counts counted;
    struct minute *minute;

    if (requests == (pool != NULL ? pool->seen.all.requests : 0)) /* most pools, most of the time */
        return;
    counted = counted_of_pool(history->counters, history->worker_count, slot);
    if (pool == NULL)
        pool = history->pools[slot] = xcalloc(1, sizeof(*pool));
    minute = &pool->now.minutes[history->now.at];
    minute->requests += (uint32_t)(counted.all.requests - pool->seen.all.requests);
    minute->failed += (uint32_t)(counted.all.failed - pool->seen.all.failed);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        minute->latency[i] += (uint32_t)(counted.latency[i] - pool->seen.latency[i]);
    pool->seen = counted;
}

static void next_minute(struct history *history)
{
    struct span *now = &history->now;

    now->at = (now->at + 1) % MINUTES;
    now->buckets = 0;
    if (now->minutes < MINUTES - 1)
        now->minutes++;
    history->connections[now->at] = (struct gate_counts){0};
    for (uint32_t i = 0; i < history->pool_count; i++) {
        if (history->pools[i] != NULL)
            history->pools[i]->now.minutes[now->at] = (struct minute){0};
    }
}

void history_close_bucket(struct history *history)
{
    struct gate_counts counted = counted_connections(history->counters, history->worker_count);
    struct gate_counts came = counts_less(counted, history->connections_seen);

    CHECK_OBJ(history, HISTORY_TAG);
    make_room(history);
    if (history->now.buckets == BUCKETS_A_MINUTE)
        next_minute(history);
    history->now.buckets++;
    history->connections[history->now.at].requests += came.requests;
    history->connections[history->now.at].failed += came.failed;
    history->connections_seen = counted;
    for (uint32_t slot = 0; slot < history->pool_count; slot++)
        close_pool(history, slot);
}

/* ---- a change comes, and goes or stays ---- */

/* What is counted from here on is not in what was before. */
static void begin_anew(struct history *history)
{
    history->now = (struct span){0};
    memset(history->connections, 0, sizeof(history->connections));
    history->connections_seen = counted_connections(history->counters, history->worker_count);
    for (uint32_t i = 0; i < history->pool_count; i++) {
        struct pool_history *pool = history->pools[i];

        if (pool == NULL)
            continue;
        memset(&pool->now, 0, sizeof(pool->now));
        pool->seen = counted_of_pool(history->counters, history->worker_count, i);
    }
}

void history_set_aside(struct history *history)
{
    CHECK_OBJ(history, HISTORY_TAG);
    history_leave_behind(history);
    for (uint32_t i = 0; i < history->pool_count; i++) {
        struct pool_history *pool = history->pools[i];

        if (pool == NULL)
            continue;
        pool->aside = xcalloc(1, sizeof(*pool->aside));
        *pool->aside = pool->now;
    }
    history->aside = history->now;
    memcpy(history->connections_aside, history->connections, sizeof(history->connections));
    history->is_aside = true;
    begin_anew(history);
}

void history_bring_back(struct history *history)
{
    CHECK_OBJ(history, HISTORY_TAG);
    begin_anew(history);
    if (!history->is_aside)
        return;
    for (uint32_t i = 0; i < history->pool_count; i++) {
        struct pool_history *pool = history->pools[i];

        if (pool != NULL && pool->aside != NULL)
            pool->now = *pool->aside;
    }
    history->now = history->aside;
    memcpy(history->connections, history->connections_aside, sizeof(history->connections));
    history_leave_behind(history);
}

void history_leave_behind(struct history *history)
{
    CHECK_OBJ(history, HISTORY_TAG);
    for (uint32_t i = 0; i < history->pool_count; i++) {
        if (history->pools[i] == NULL)
            continue;
        xfree(history->pools[i]->aside);
        history->pools[i]->aside = NULL;
    }
    history->is_aside = false;
}

void history_clear(struct history *history)
{
    CHECK_OBJ(history, HISTORY_TAG);
    history_leave_behind(history);
    begin_anew(history);
}

/* ---- the past ---- */

uint64_t history_seconds(const struct history *history)
{
    const struct span *span = history->is_aside ? &history->aside : &history->now;

    return (uint64_t)(span->minutes * BUCKETS_A_MINUTE + span->buckets) * BUCKET_S;
}

struct pool_counts history_of_pool(const struct history *history, uint32_t slot)
{
    const struct pool_history *pool = slot < history->pool_count ? history->pools[slot] : NULL;
    const struct past *past = NULL;
    struct pool_counts counts = {0};

    if (pool != NULL)
        past = history->is_aside ? pool->aside : &pool->now;
    for (unsigned m = 0; past != NULL && m < MINUTES; m++) {
        counts.all.requests += past->minutes[m].requests;
        counts.all.failed += past->minutes[m].failed;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            counts.latency[i] += past->minutes[m].latency[i];
    }
    return counts;
}

struct gate_counts history_of_connections(const struct history *history)
{
    const struct gate_counts *minutes =
        history->is_aside ? history->connections_aside : history->connections;
    struct gate_counts counts = {0};

    for (unsigned m = 0; m < MINUTES; m++) {
        counts.requests += minutes[m].requests;
        counts.failed += minutes[m].failed;
    }
    return counts;
}
