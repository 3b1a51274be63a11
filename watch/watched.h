/*
 * watched - a pool under the eyes of the distribution monitor: which counters are its, what is due
 * to its servers now, and what was seen of it.
 *
 * Owner    struct distributions.      Threads  control
 */
#ifndef WATCH_WATCHED_H
#define WATCH_WATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/monitor.h"

struct counters;
struct publisher;
struct snapshot;
struct snapshot_pool;

struct watched_server {
    char *name;
    uint32_t slot;
    uint32_t orders;       /* state and weight in force, as one number */
    double due[REF_COUNT]; /* now; REF_PREVIOUS is the monitor's */
    struct {               /* counters as last seen */
        uint64_t attempts, sticky, retries, errors, answers, latency_us;
    } seen;
};

struct watched {
    char *name;
    const struct snapshot_pool *pool; /* of the snapshot that runs */
    struct watched_server *servers;   /* in the order of the configuration */
    size_t server_count;
    uint32_t slot;
    uint64_t epoch;    /* of the live words that `due` was made of */
    uint64_t requests; /* as last seen */
    uint64_t reasons[MONITOR_REASONS];
    bool is_ramping;
    struct monitor *monitor; /* NULL: no request was ever seen */
};

struct distributions {
    uint32_t tag;
    struct counters *counters;
    unsigned worker_count;
    struct publisher *publisher;
    const struct snapshot *snapshot; /* of this generation; compared, and read while it runs */
    uint64_t generation;
    uint64_t changed_generation; /* that brought this configuration */
    uint64_t changed_ms;
    char digest[72];
    bool is_first; /* snapshot of the process: all that was counted came to it */
    uint64_t seconds;
    uint64_t now_ms;       /* of the last tick */
    struct watched *pools; /* by name */
    size_t pool_count;
};

/* NULL: there is none. */
struct watched *watched_find(const struct distributions *distributions, const char *name);

/* What is due to servers of `pool` now: fills `due`, `orders` and is_ramping. */
void watched_find_due(struct watched *watched, uint64_t now_ms);

/* Of any snapshot's pool, by configured server: what is due to each by its capacity; the caller's.
 */
double *watched_capacity_of(const struct snapshot_pool *pool, uint64_t now_ms);

/* One that has seen nothing, for a pool that got no request yet; the caller's. */
struct monitor *watched_silent_monitor(const struct watched *watched, uint64_t now_s);

#endif
