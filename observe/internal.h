/*
 * internal - what monitor.c (counting, windows), monitor_rules.c (judging) and monitor_alarms.c
 * (deciding) share.
 *
 * Owner    whoever made the monitor      Threads  one at a time
 */
#ifndef OBSERVE_INTERNAL_H
#define OBSERVE_INTERNAL_H

#include "observe/dispersion.h"
#include "observe/monitor.h"

static const unsigned monitor_window_buckets[DISTRIBUTION_WINDOWS] = {6, 30, 90};

/* A share below this is none. */
#define MONITOR_NOTHING 1e-6

enum {
    MONITOR_TAG = 0x4d4f4e49,
    MONITOR_KEPT = 90,               /* closed buckets: 15 minutes */
    MONITOR_RING = MONITOR_KEPT + 1, /* and the open one */
    MONITOR_MINUTE = 6,
    MONITOR_WORK_RING = MONITOR_MINUTE + 1,
    MONITOR_TENTHS = 6, /* of an hour, for REF_PREVIOUS: ten minutes each */
    MONITOR_FLAPS = 3,
    MONITOR_ANSWERS = 10, /* fewer have no mean */
};

/* One server in one bucket: 20 bytes. */
struct monitor_cell {
    uint32_t picks;
    uint32_t sticky;
    float due[REF_COUNT]; /* in requests */
};

/* Of the last minute's buckets. */
struct monitor_work {
    uint32_t attempts;
    uint32_t errors;
    uint32_t answers;
    float latency_us;
};

struct monitor_server {
    double due[REF_COUNT];  /* now, as shares */
    double owed[REF_COUNT]; /* share times requests, since the last count */
    double previous;        /* share in the hour before the last change */
    uint32_t tenths[MONITOR_TENTHS];
};

struct alarm_state {
    struct monitor_alarm shown;
    enum distribution_speed speed;
    unsigned streak; /* decisions in a row that it is wrong */
    unsigned clean;  /* that it is surely right, while it is raised */
    unsigned raised_count;
    uint64_t raised_s[MONITOR_FLAPS]; /* the last times */
};

struct monitor {
    uint32_t tag;
    size_t count;
    struct monitor_server *servers;
    uint64_t *epoch_picks;
    double *epoch_due[REF_COUNT];
    uint32_t *trial_picks;      /* of the sequential test */
    struct monitor_cell *cells; /* MONITOR_RING rows of `count`; NULL: idle */
    struct monitor_work *work;  /* MONITOR_WORK_RING rows */
    uint64_t reasons[MONITOR_WORK_RING][MONITOR_REASONS];
    struct monitor_traits traits;
    uint64_t open;  /* number of the bucket that is being filled */
    uint64_t since; /* windows begin with this one */
    unsigned turns;
    unsigned quiet_turns; /* without a request */
    double pending;       /* requests since `due` last changed, not in `owed` yet */
    double last_second;
    double sessions_begun; /* of late: halved each hour, as are their requests */
    double session_requests;
    uint64_t last_turn_s;
    uint64_t settles_s; /* before, nothing is said against REF_CONFIGURED */
    uint64_t epoch_s;
    bool was_over[REF_COUNT];
    double phi[REF_COUNT][DISTRIBUTION_WINDOWS]; /* as of the last turn */
    bool has_previous;
    bool skips_trial; /* the next count straddles the beginning of the trial */
    bool is_enough[REF_COUNT];
    unsigned trial_turns;
    struct dispersion first[DISTRIBUTION_WINDOWS]; /* of what the balancer picked */
    struct dispersion all[DISTRIBUTION_WINDOWS];   /* with sticky ones; sticky pools only */
    struct alarm_state alarms[RULE_COUNT];
};

/* By number of the bucket. */
static inline struct monitor_cell *cells_of(const struct monitor *monitor, uint64_t bucket)
{
    return monitor->cells + bucket % MONITOR_RING * monitor->count;
}

static inline struct monitor_work *work_of(const struct monitor *monitor, uint64_t bucket)
{
    return monitor->work + bucket % MONITOR_WORK_RING * monitor->count;
}

static inline unsigned closed_buckets(const struct monitor *monitor)
{
    uint64_t closed = monitor->open - monitor->since;

    return monitor->cells == NULL ? 0 : closed < MONITOR_KEPT ? (unsigned)closed : MONITOR_KEPT;
}

static inline const struct monitor_cell *bucket_back(const struct monitor *monitor, unsigned back)
{
    return cells_of(monitor, monitor->open + MONITOR_RING - back);
}

/* Requests of one session go together; while phi is not learnt it is at least their number. */

/* What came in one window, added up; the arrays are by server. */
struct monitor_sums {
    unsigned seconds;
    uint64_t first, all;          /* picks; with sticky ones */
    uint64_t requests[REF_COUNT]; /* that this reference speaks of */
    uint64_t *picks[REF_COUNT];
    double *due[REF_COUNT]; /* shares; all 0: not known */
    uint64_t *both;         /* picks and sticky, whatever a reference says */
    uint64_t *sticky;
};

struct monitor_view {
    struct monitor_sums windows[DISTRIBUTION_WINDOWS];
    void *memory;
};
/* The open bucket is in it: empty where it is decided, and what came last where it is told.  Freed
 * by monitor_view_fini(). */
void monitor_view_init(struct monitor_view *view, const struct monitor *monitor);
void monitor_view_fini(struct monitor_view *view);

/* The last minute's work of a server. */
struct monitor_work monitor_work_of(const struct monitor *monitor, size_t server);

/* monitor_dispersion.c: phi of each reference and window, from what is known; and what this turn
 * teaches. */
void monitor_find_dispersion(struct monitor *monitor, const struct monitor_view *view);
void monitor_learn_dispersion(struct monitor *monitor, const struct monitor_view *view,
                              uint64_t now_s);

/* monitor_alarms.c: raises and clears. */
void monitor_decide(struct monitor *monitor, const struct monitor_view *view, uint64_t now_s,
                    const struct monitor_limits *limits);
/* monitor_rules.c: begins the sequential test anew. */
void monitor_new_trial(struct monitor *monitor);

#endif
