/*
 * gate_tests - whether an arm "after" does worse than an arm "before"; plain numbers in, a reading
 * out.
 *
 * The gate compares what was counted since apply with what was counted before; the canary compares
 * two snapshots at the same time.  A reading FAILs only where the difference matters and chance
 * does not explain it; where too little was counted it is INCONCLUSIVE (docs/gate.md has the
 * formulas, their sources and what they cost in false alarms).
 *
 * Owner    nobody (pure).      Threads  any; no clock
 */
#ifndef CHANGE_GATE_TESTS_H
#define CHANGE_GATE_TESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "change/gate.h"
#include "observe/counters.h"

enum { GATE_REQUESTS = 200 }; /* fewer pass nothing */

struct gate_counts {
    uint64_t requests;
    uint64_t failed;
};

/* 5xx, or whatever else may fail.  `before` of fewer than GATE_REQUESTS is no baseline: `after` is
 * held against a limit of its own. */
struct gate_reading gate_test_errors(struct gate_counts before, struct gate_counts after);
/* `newest`, a short while, is above what is tolerated too: what failed is not over yet.  Where
 * nothing was asked, it is not known to be over. */
bool gate_still_fails(struct gate_counts before, struct gate_counts newest);

/* Histograms of counters.h: p99 more than twice as long, and more than 100 ms longer. */
struct gate_reading gate_test_latency(const uint64_t before[HISTOGRAM_BUCKETS],
                                      const uint64_t after[HISTOGRAM_BUCKETS]);

struct gate_health {
    uint64_t healthy;
    uint64_t servers;
};
/* The part of the servers that is healthy is not below before; no server before: a new pool, whose
 * servers are all to be healthy. */
struct gate_reading gate_test_health(struct gate_health before, struct gate_health after);

/* Upper edge of the bucket that has the quantile, in microseconds; 0: nothing was counted. */
uint64_t gate_quantile_us(const uint64_t buckets[HISTOGRAM_BUCKETS], double quantile);
/* Fisher's exact test, one-sided: how probable so many failures or more after are, if both arms
 * fail alike. */
double gate_fisher(struct gate_counts before, struct gate_counts after);

/* FAIL before INCONCLUSIVE before PASS: `one` is `other` where that is worse. */
void gate_worse(struct gate_reading *one, const struct gate_reading *other);

#endif
