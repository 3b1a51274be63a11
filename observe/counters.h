/*
 * counters - what is counted, one row a worker and thing; each word has one writer.
 *
 * Scopes: the process, a listener, a route, a pool, a server (by name, over its addresses).  A
 * thing gets a slot when control first meets its name, and keeps it while the process lives, so
 * that counters never go back.  Rows are zero pages until somebody counts.
 *
 * Owner    control makes it before the threads start.
 * Threads  counters_slot: control.  Rows: the worker they belong to; everybody may read.
 */
#ifndef OBSERVE_COUNTERS_H
#define OBSERVE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

/* Adds to a counter of one's own row. */
static inline void count_add(counter *c, uint64_t amount)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void count_one(counter *c)
{
    count_add(c, 1);
}

/* For gauges that one worker moves both ways. */
static inline void count_less(counter *c)
{
    count_add(c, UINT64_MAX);
}

/* Log-linear: 4 buckets an octave from 64 µs; the last one is everything longer (> 117 s). */
enum { HISTOGRAM_BUCKETS = 88 };

struct histogram {
    counter sum_us;
    counter buckets[HISTOGRAM_BUCKETS];
};

unsigned histogram_bucket(uint64_t us);
/* Upper edge of a bucket in microseconds, not in it; UINT64_MAX for the last. */
uint64_t histogram_edge_us(unsigned bucket);

static inline void histogram_note(struct histogram *histogram, uint64_t us)
{
    count_add(&histogram->sum_us, us);
    count_one(&histogram->buckets[histogram_bucket(us)]);
}

enum {
    COUNTERS_FAILURES = 48,
    COUNTERS_REASONS = 8,
    COUNTERS_CLASSES = 6,
    COUNTERS_TROUBLES = 12,
    COUNTERS_VIOLATIONS = 24,
};

/* Generated from counters.def: COUNTER(scope, name, metric type, help). */
struct process_row {
#define PROCESS_COUNTER(name, type, help) counter name;
#include "observe/counters.def"
};

struct listener_row {
#define LISTENER_COUNTER(name, type, help) counter name;
#include "observe/counters.def"

    counter responses[COUNTERS_CLASSES];        /* [0]: none sent; 1xx … 5xx */
    counter failures[COUNTERS_FAILURES];        /* by enum failure */
    counter h2_violations[COUNTERS_VIOLATIONS]; /* by enum h2_budget_kind */
};

struct route_row {
#define ROUTE_COUNTER(name, type, help) counter name;
#include "observe/counters.def"

    counter responses[COUNTERS_CLASSES];
    struct histogram latency;
};

struct pool_row {
#define POOL_COUNTER(name, type, help) counter name;
#include "observe/counters.def"

    counter responses[COUNTERS_CLASSES];
    counter failures[COUNTERS_FAILURES]; /* by enum failure */
    counter picked[COUNTERS_REASONS];    /* by enum balance_reason */
    struct histogram latency;
};

struct server_row {
#define SERVER_COUNTER(name, type, help) counter name;
#include "observe/counters.def"

    counter responses[COUNTERS_CLASSES];
    struct histogram latency;
    counter tls_failures[COUNTERS_TROUBLES]; /* by enum tls_trouble */
};

/* What began under a candidate (docs/canary.md), apart: it is in the rows above too. */
struct candidate_row {
    counter connections; /* that had a request; of all pools together only */
    counter responses[COUNTERS_CLASSES];
    struct histogram latency;
};

enum counter_scope { SCOPE_PROCESS, SCOPE_LISTENER, SCOPE_ROUTE, SCOPE_POOL, SCOPE_SERVER };
enum { COUNTER_SCOPES = 5, COUNTERS_SLOTS = 65536 };

struct counters;

struct counters *counters_new(unsigned worker_count);
void counters_free(struct counters **counters);
unsigned counters_worker_count(const struct counters *counters);

/* The slot of `name` (servers: `pool`, `name`; else pool is NULL), new if need be.  When a
 * scope is full (COUNTERS_SLOTS), slot 0 is given: the row called "other". */
uint32_t counters_slot(struct counters *counters, enum counter_scope scope, const char *pool,
                       const char *name);
uint32_t counters_slot_count(const struct counters *counters, enum counter_scope scope);
const char *counters_slot_name(const struct counters *counters, enum counter_scope scope,
                               uint32_t slot);
const char *counters_slot_pool(const struct counters *counters, uint32_t server_slot);

struct process_row *counters_process(struct counters *counters, unsigned worker);
struct listener_row *counters_listener(struct counters *counters, unsigned worker, uint32_t slot);
struct route_row *counters_route(struct counters *counters, unsigned worker, uint32_t slot);
struct pool_row *counters_pool(struct counters *counters, unsigned worker, uint32_t slot);
struct server_row *counters_server(struct counters *counters, unsigned worker, uint32_t slot);
/* All of a worker's requests under a candidate; those of one pool; and how often a server was
 * chosen first for them. */
struct candidate_row *counters_candidate(struct counters *counters, unsigned worker);
struct candidate_row *counters_candidate_pool(struct counters *counters, unsigned worker,
                                              uint32_t slot);
counter *counters_candidate_picks(struct counters *counters, unsigned worker, uint32_t slot);

#endif
