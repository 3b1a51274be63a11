/*
 * gate_watch - takes the health gate's readings: each ten seconds from when all workers had a
 * change, of what the pools that it changed answer since, against what they answered before.
 *
 * Owner    watch.      Threads  control only
 */
#ifndef WATCH_GATE_WATCH_H
#define WATCH_GATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "change/gate.h"

struct counters;
struct distributions;
struct gate_watch;
struct snapshot;

/* `distributions` may be NULL in tests without one. */
struct gate_watch *gate_watch_new(struct counters *counters, unsigned worker_count,
                                  const struct distributions *distributions);
void gate_watch_free(struct gate_watch **watch);

/* What of the process is looked at. */
struct gate_sight {
    uint64_t now_ms;                /* clock_ms() */
    const struct snapshot *running; /* the newest that all workers run; NULL: none yet */
    uint64_t published_generation;  /* the newest of all */
};
/* Each second; `subject` is NULL while nothing is to be looked at.  True: readings were taken. */
bool gate_watch_tick(struct gate_watch *watch, const struct gate_sight *sight,
                     const struct gate_subject *subject, struct gate_readings *out);

#endif
