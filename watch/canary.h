/*
 * canary - takes the gate's readings while a change is tried on a share of the connections: those
 * that have it against those that have not, in the same seconds.
 *
 * Owner    watch.      Threads  control only
 */
#ifndef WATCH_CANARY_H
#define WATCH_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include "change/gate.h"

struct canary_watch;
struct counters;
struct snapshot;

struct canary_watch *canary_watch_new(struct counters *counters, unsigned worker_count);
void canary_watch_free(struct canary_watch **watch);

/* What of the process is looked at. */
struct canary_sight {
    uint64_t now_ms;                /* clock_ms() */
    const struct snapshot *running; /* what the rest has */
    const struct snapshot *tried;   /* what the share has; NULL: nothing is tried */
};

/* Each second; `subject` is NULL while nothing is to be looked at.  True: readings were taken. */
bool canary_watch_tick(struct canary_watch *watch, const struct canary_sight *sight,
                       const struct gate_subject *subject, struct gate_readings *out);

#endif
