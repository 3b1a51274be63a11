/*
 * history - what each pool answered in the last ten minutes, so that a change can be held against
 * what was before it.
 *
 * Buckets are closed each ten seconds and added up by the minute; what is asked for are the closed
 * ones.  While a change waits, what was before it is set aside, and comes back with what ran
 * before.  A pool that never had a request costs eight bytes, another one about 4 KiB.
 *
 * Owner    watch/gate_watch.c.      Threads  control only; rows are read while workers count
 */
#ifndef WATCH_HISTORY_H
#define WATCH_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "change/gate_tests.h"
#include "observe/counters.h"

struct history;

/* Requests that were answered, those of them with 5xx, and how long all of them took. */
struct pool_counts {
    struct gate_counts all;
    uint64_t latency[HISTOGRAM_BUCKETS];
};

struct history *history_new(struct counters *counters, unsigned worker_count);
void history_free(struct history **history);

/* Closes the bucket; each ten seconds. */
void history_close_bucket(struct history *history);

/* A change came: the past is kept as it is, and what comes is kept apart. */
void history_set_aside(struct history *history);
/* It was taken back: the past is what it was. */
void history_bring_back(struct history *history);
/* It stays: the past begins with it. */
void history_leave_behind(struct history *history);
/* Something else runs, and nobody knows how it does. */
void history_clear(struct history *history);

/* The past: what was set aside, or all there is. */
uint64_t history_seconds(const struct history *history);
struct pool_counts history_of_pool(const struct history *history, uint32_t pool_slot);
/* Connections that came, and those that were refused or whose TLS handshake failed. */
struct gate_counts history_of_connections(const struct history *history);

/* Since the process started. */
struct pool_counts counted_of_pool(struct counters *counters, unsigned worker_count,
                                   uint32_t pool_slot);
struct gate_counts counted_connections(struct counters *counters, unsigned worker_count);

/* a - b, b being earlier. */
struct gate_counts counts_less(struct gate_counts a, struct gate_counts b);
struct pool_counts pool_counts_less(const struct pool_counts *a, const struct pool_counts *b);
void pool_counts_add(struct pool_counts *sum, const struct pool_counts *more);

#endif
