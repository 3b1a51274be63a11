/*
 * summary - the last seconds in numbers: what the observer tells control once a second.
 *
 * Owner    control, once received; summary_free().      Threads  one at a time
 */
#ifndef OBSERVE_SUMMARY_H
#define OBSERVE_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

/* Over the last 10 s (or since the start, if that is shorter). */
struct summary_rates {
    double requests_per_second;
    double errors_per_second; /* 5xx and attempts that failed */
    uint64_t requests_10s;
    uint64_t requests_60s;
    uint64_t p50_us, p95_us, p99_us; /* 60 s; 0: no request */
};

struct summary {
    struct summary *next;
    uint64_t wall_ms;
    struct summary_rates process;
    uint32_t route_count, pool_count, server_count; /* slots covered */
    struct summary_rates *routes;                   /* by counter slot */
    struct summary_rates *pools;
    struct summary_rates *servers;
    bool is_log_failing;        /* the access log cannot be written */
    uint64_t log_lines_dropped; /* of the access log, since the start */
};

void summary_free(struct summary **summary);

#endif
