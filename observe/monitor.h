/*
 * monitor - one pool's shares over time, held against three references; pure.
 *
 *   each second       monitor_due() where the shares that are due changed, monitor_second()
 *   each ten seconds  monitor_count() with what came, then monitor_turn(): it is decided
 *   at a change       monitor_count(), then monitor_change(): an epoch begins
 *
 * Windows are 60 s, 5 min and 15 min of ten-second buckets.  What is due is integrated over the
 * seconds in which requests came, so that a server that was down for a part of a window is expected
 * to have got the rest.  A rule is raised after three decisions in a row, and cleared after thirty.
 *
 * Owner    whoever made it      Threads  one at a time; no clock of its own: `now_s` is any
 *          monotonic one, in seconds
 * Memory   about 6 KiB, and 120 bytes a server; with requests in the last 15 minutes 2 KiB a server
 */
#ifndef OBSERVE_MONITOR_H
#define OBSERVE_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/distribution.h"

struct monitor;

enum {
    MONITOR_BUCKET_S = 10,
    MONITOR_REASONS = 8,
    MONITOR_NEW = -1, /* monitor_shape(): the server was not there before */
};

enum monitor_severity { MONITOR_GATE, MONITOR_TICKET, MONITOR_PAGE };

enum monitor_rule {
#define MONITOR_RULE(id, reference, severity, alert, what, remedy) RULE_##id,
#include "observe/monitor_rules.def"
    RULE_COUNT
};

struct monitor_rule_row {
    enum distribution_ref ref;
    enum monitor_severity severity;
    const char *alert;
    const char *what;
    const char *remedy;
};
extern const struct monitor_rule_row monitor_rules[RULE_COUNT];

struct monitor *monitor_new(uint64_t now_s);
void monitor_free(struct monitor **monitor);

/* The pool has `count` servers from now on; from[i] is the place that server i had until now. */
void monitor_shape(struct monitor *monitor, size_t count, const int *from);

struct monitor_traits {
    bool is_sticky;    /* cookies hold clients: what is independent are sessions */
    bool follows_load; /* what is due moves with load: no sequential test against it */
    bool is_standby;   /* one is to serve and the others stand by: only overload counts */
};
void monitor_describe(struct monitor *monitor, const struct monitor_traits *traits);

/* ---- what is due, and what came ---- */

/* From now on, by server: shares of what serves, and of what should; each adds up to 1, or is 0
 * throughout where nobody is there. */
void monitor_due(struct monitor *monitor, const double *configured, const double *capacity);
/* So many requests came since the last time. */
void monitor_second(struct monitor *monitor, uint64_t requests);

/* What came to a server since the last time. */
struct monitor_counts {
    uint32_t attempts;
    uint32_t sticky;  /* first attempts that a cookie decided */
    uint32_t retries; /* attempts after the first; the rest of the attempts are the balancer's */
    uint32_t errors;
    uint32_t answers;
    double latency_us; /* of the answers, together */
};
/* `reasons` (MONITOR_REASONS of them, or NULL): attempts of the whole pool, by why. */
void monitor_count(struct monitor *monitor, const struct monitor_counts *counts,
                   const uint64_t *reasons);

/* As of now; 0: no limit is known. */
struct monitor_limits {
    uint32_t capacity_rps;
    uint32_t max_connections;
    uint32_t in_flight;
};
/* Ends the bucket and decides. */
void monitor_turn(struct monitor *monitor, uint64_t now_s, const struct monitor_limits *limits);
/* Snapshots were exchanged, or something else that lets a balancer begin anew: for a minute nothing
 * is said against REF_CONFIGURED. */
void monitor_settle(struct monitor *monitor, uint64_t now_s);
/* What is due was ordered to be otherwise: windows begin anew, so that what was before does not
 * hide what is. */
void monitor_restart(struct monitor *monitor);
/* Another configuration runs: the same, and the shares of the hour before are the reference
 * REF_PREVIOUS from now on, and an epoch begins. */
void monitor_change(struct monitor *monitor, uint64_t now_s);

/* Nothing came in the last 15 minutes: nothing is kept but the epoch, and nothing raised. */
bool monitor_is_idle(const struct monitor *monitor);

/* ---- what is told ---- */

struct monitor_alarm {
    bool is_raised;
    bool is_page;     /* of rules that may page: enough requests are concerned */
    uint64_t since_s; /* when it was raised */
    size_t server;
    unsigned window_s;
    uint64_t requests; /* in that window */
    double share, expected, tolerated;
    double evidence; /* as the rule has it; see docs/distribution.md */
    double n_eff, tvd;
};
const struct monitor_alarm *monitor_alarm(const struct monitor *monitor, enum monitor_rule rule);
enum distribution_state monitor_state(const struct monitor *monitor, enum distribution_ref ref);
/* phi, as used for this reference and window now. */
double monitor_dispersion(const struct monitor *monitor, enum distribution_ref ref,
                          unsigned window);

struct monitor_share {
    double share;               /* 0 to 1; negative: no requests */
    double expected[REF_COUNT]; /* negative: this reference has nothing to say of it */
    uint32_t picks, sticky;     /* first attempts: by the balancer, by a cookie */
};

struct monitor_window {
    unsigned seconds;
    uint64_t requests;           /* first attempts */
    double n_eff;                /* of all servers */
    double tvd[REF_COUNT];       /* negative: not known */
    double ratio_max[REF_COUNT]; /* likewise */
    bool is_enough[REF_COUNT];
};
/* `window` is 0 to DISTRIBUTION_WINDOWS - 1; `shares_out`, of as many as there are servers, or
 * NULL. */
struct monitor_window monitor_window(const struct monitor *monitor, unsigned window,
                                     struct monitor_share *shares_out);
/* Attempts of the last minute by why; and those of one server that were retries. */
void monitor_reasons(const struct monitor *monitor, uint64_t reasons_out[MONITOR_REASONS]);
uint32_t monitor_retries(const struct monitor *monitor, size_t server);
/* Its share by REF_PREVIOUS now; negative: not known. */
double monitor_previous(const struct monitor *monitor, size_t server);
/* Mean time of its answers over the last minute; negative: too few. */
double monitor_latency_us(const struct monitor *monitor, size_t server);
/* Attempts a second over the last minute. */
double monitor_rate(const struct monitor *monitor, size_t server);

/* ---- since the last change ---- */

struct monitor_epoch {
    uint64_t began_s;
    uint64_t requests;
    const uint64_t *picks;             /* first attempts, by server */
    const double *expected[REF_COUNT]; /* by server, in requests; all 0: not known */
    bool was_over[REF_COUNT];          /* in the five minutes before */
};
struct monitor_epoch monitor_epoch(const struct monitor *monitor);

#endif
