/*
 * monitor - see monitor.h: its life, what is due, what came, turns and epochs.  Windows are
 * monitor_window.c, the rules monitor_rules.c, alarms monitor_alarms.c.
 *
 * Owner    whoever made it      Threads  one at a time
 */
#include "observe/monitor.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "observe/internal.h"

enum {
    SETTLE_S = 60,
    TENTH_S = 600,
    FIVE_MINUTES = 1,
    BETWEEN = 30, /* buckets */
};

/* ---- its life ---- */

struct monitor *monitor_new(uint64_t now_s)
{
    struct monitor *monitor = xcalloc(1, sizeof(*monitor));

    monitor->tag = MONITOR_TAG;
    monitor->last_turn_s = now_s;
    monitor->settles_s = now_s + SETTLE_S;
    monitor->epoch_s = now_s;
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++)
            monitor->phi[ref][w] = 1;
    return monitor;
}

static void free_ring(struct monitor *monitor)
{
    xfree(monitor->cells);
    xfree(monitor->work);
    monitor->cells = NULL;
    monitor->work = NULL;
}

static void free_servers(struct monitor *monitor)
{
    free_ring(monitor);
    xfree(monitor->servers);
    xfree(monitor->epoch_picks);
    xfree(monitor->trial_picks);
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        xfree(monitor->epoch_due[ref]);
}

void monitor_free(struct monitor **holder)
{
    struct monitor *monitor = TAKE_POINTER(holder);

    if (monitor == NULL)
        return;
    CHECK_OBJ(monitor, MONITOR_TAG);
    free_servers(monitor);
    monitor->tag = 0;
    xfree(monitor);
}

static void make_servers(struct monitor *monitor, size_t count)
{
    monitor->count = count;
    monitor->servers = xcalloc(count + 1, sizeof(*monitor->servers));
    monitor->epoch_picks = xcalloc(count + 1, sizeof(uint64_t));
    monitor->trial_picks = xcalloc(count + 1, sizeof(uint32_t));
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        monitor->epoch_due[ref] = xcalloc(count + 1, sizeof(double));
}

static void make_ring(struct monitor *monitor)
{
    monitor->cells = xcalloc(MONITOR_RING * (monitor->count + 1), sizeof(*monitor->cells));
    monitor->work = xcalloc(MONITOR_WORK_RING * (monitor->count + 1), sizeof(*monitor->work));
}

static void carry_server(struct monitor *to, size_t at, const struct monitor *from, size_t old)
{
    to->servers[at] = from->servers[old];
    to->epoch_picks[at] = from->epoch_picks[old];
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        to->epoch_due[ref][at] = from->epoch_due[ref][old];
    if (from->cells == NULL)
        return;
    for (unsigned bucket = 0; bucket < MONITOR_RING; bucket++)
        cells_of(to, bucket)[at] = cells_of(from, bucket)[old];
    for (unsigned bucket = 0; bucket < MONITOR_WORK_RING; bucket++)
        work_of(to, bucket)[at] = work_of(from, bucket)[old];
}

/* An alarm about a server that has gone is over; the others' point to their new places. */
static void move_alarms(struct monitor *monitor, const int *from)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        struct alarm_state *alarm = &monitor->alarms[rule];
        size_t at = 0;

        while (at < monitor->count && from[at] != (int)alarm->shown.server)
            at++;
        if (at < monitor->count)
            alarm->shown.server = at;
        else
            *alarm = (struct alarm_state){0};
    }
}

void monitor_shape(struct monitor *monitor, size_t count, const int *from)
{
    struct monitor old = *monitor;

    CHECK_OBJ(monitor, MONITOR_TAG);
    make_servers(monitor, count);
    monitor->cells = NULL;
    monitor->work = NULL;
    if (old.cells != NULL)
        make_ring(monitor);
    for (size_t i = 0; i < count; i++)
        if (from[i] != MONITOR_NEW)
            carry_server(monitor, i, &old, (size_t)from[i]);
    move_alarms(monitor, from);
    monitor_new_trial(monitor);
    free_servers(&old);
}

void monitor_describe(struct monitor *monitor, const struct monitor_traits *traits)
{
    monitor->traits = *traits;
}

/* ---- what is due ---- */

static void owe(struct monitor *monitor, double requests)
{
    for (size_t i = 0; i < monitor->count && requests > 0; i++)
        for (unsigned ref = 0; ref < REF_COUNT; ref++)
            monitor->servers[i].owed[ref] += requests * monitor->servers[i].due[ref];
}

/* Those that serve now share what was before among them. */
static void make_previous_due(struct monitor *monitor)
{
    double sum = 0;

    for (size_t i = 0; i < monitor->count && monitor->has_previous; i++)
        if (monitor->servers[i].due[REF_CONFIGURED] > 0)
            sum += monitor->servers[i].previous;
    for (size_t i = 0; i < monitor->count; i++) {
        struct monitor_server *server = &monitor->servers[i];

        server->due[REF_PREVIOUS] =
            sum > 0 && server->due[REF_CONFIGURED] > 0 ? server->previous / sum : 0;
    }
}

void monitor_due(struct monitor *monitor, const double *configured, const double *capacity)
{
    double last = monitor->last_second;
    bool is_other = false;

    CHECK_OBJ(monitor, MONITOR_TAG);
    /* When in the last second it changed is not known: half of it is the old one's. */
    owe(monitor, monitor->pending - last / 2);
    monitor->pending = last / 2;
    for (size_t i = 0; i < monitor->count; i++) {
        struct monitor_server *server = &monitor->servers[i];

        is_other = is_other || fabs(server->due[REF_CONFIGURED] - configured[i]) > MONITOR_NOTHING;
        server->due[REF_CONFIGURED] = configured[i];
        server->due[REF_CAPACITY] = capacity[i];
    }
    make_previous_due(monitor);
    if (is_other)
        monitor_new_trial(monitor);
}

void monitor_second(struct monitor *monitor, uint64_t requests)
{
    CHECK_OBJ(monitor, MONITOR_TAG);
    monitor->last_second = (double)requests;
    monitor->pending += (double)requests;
}

/* ---- what came ---- */

/* The counts are those of a longer time than one second: they are shared out as the requests of
 * the seconds were due. */
static void settle_due(struct monitor *monitor, enum distribution_ref ref, uint64_t requests)
{
    double sum = 0, now = 0;

    for (size_t i = 0; i < monitor->count; i++) {
        sum += monitor->servers[i].owed[ref];
        now += monitor->servers[i].due[ref];
    }
    for (size_t i = 0; i < monitor->count; i++) {
        struct monitor_server *server = &monitor->servers[i];
        double part = sum > 0 ? server->owed[ref] / sum : now > 0 ? server->due[ref] / now : 0;

        server->owed[ref] = 0;
        if (requests == 0)
            continue;
        cells_of(monitor, monitor->open)[i].due[ref] += (float)((double)requests * part);
        monitor->epoch_due[ref][i] += (double)requests * part;
    }
}

static void count_server(struct monitor *monitor, size_t at, const struct monitor_counts *counts,
                         uint64_t *first, uint64_t *sticky)
{
    struct monitor_cell *cell = &cells_of(monitor, monitor->open)[at];
    struct monitor_work *work = &work_of(monitor, monitor->open)[at];
    uint32_t other = counts->sticky + counts->retries;
    uint32_t picks = counts->attempts > other ? counts->attempts - other : 0;

    cell->picks += picks;
    cell->sticky += counts->sticky;
    work->attempts += counts->attempts;
    work->errors += counts->errors;
    work->answers += counts->answers;
    work->latency_us += (float)counts->latency_us;
    monitor->epoch_picks[at] += picks + counts->sticky;
    monitor->servers[at].tenths[monitor->last_turn_s / TENTH_S % MONITOR_TENTHS] +=
        picks + counts->sticky;
    if (!monitor->skips_trial)
        monitor->trial_picks[at] += picks;
    *first += picks;
    *sticky += counts->sticky;
}

static bool is_any(const struct monitor *monitor, const struct monitor_counts *counts)
{
    for (size_t i = 0; i < monitor->count; i++)
        if (counts[i].attempts > 0 || counts[i].answers > 0 || counts[i].errors > 0)
            return true;
    return false;
}

void monitor_count(struct monitor *monitor, const struct monitor_counts *counts,
                   const uint64_t *reasons)
{
    uint64_t first = 0, sticky = 0;

    CHECK_OBJ(monitor, MONITOR_TAG);
    owe(monitor, monitor->pending);
    monitor->pending = monitor->last_second = 0;
    if (!is_any(monitor, counts) && monitor->cells == NULL)
        return;
    if (monitor->cells == NULL)
        make_ring(monitor);
    for (size_t i = 0; i < monitor->count; i++)
        count_server(monitor, i, &counts[i], &first, &sticky);
    settle_due(monitor, REF_CONFIGURED, first);
    settle_due(monitor, REF_CAPACITY, first + sticky);
    settle_due(monitor, REF_PREVIOUS, first + sticky);
    for (unsigned why = 0; why < MONITOR_REASONS && reasons != NULL; why++)
        monitor->reasons[monitor->open % MONITOR_WORK_RING][why] += reasons[why];
    monitor->skips_trial = false;
    monitor->sessions_begun += (double)first;
    monitor->session_requests += (double)(first + sticky);
    if (first + sticky > 0)
        monitor->quiet_turns = 0;
}

/* ---- turns ---- */

static void open_next(struct monitor *monitor)
{
    monitor->open++;
    memset(monitor->reasons[monitor->open % MONITOR_WORK_RING], 0, sizeof(monitor->reasons[0]));
    if (monitor->cells == NULL)
        return;
    memset(cells_of(monitor, monitor->open), 0, monitor->count * sizeof(struct monitor_cell));
    memset(work_of(monitor, monitor->open), 0, monitor->count * sizeof(struct monitor_work));
}

/* What is wrong is not what is usual. */
static bool is_in_order(const struct monitor *monitor)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (monitor->alarms[rule].streak > 0 || monitor->alarms[rule].shown.is_raised)
            return false;
    return true;
}

static void close_tenths(struct monitor *monitor, uint64_t now_s)
{
    uint64_t last = monitor->last_turn_s / TENTH_S;

    if (last / MONITOR_TENTHS != now_s / TENTH_S / MONITOR_TENTHS) {
        monitor->sessions_begun /= 2;
        monitor->session_requests /= 2;
    }
    for (uint64_t tenth = last + 1; tenth <= now_s / TENTH_S && tenth <= last + MONITOR_TENTHS;
         tenth++)
        for (size_t i = 0; i < monitor->count; i++)
            monitor->servers[i].tenths[tenth % MONITOR_TENTHS] = 0;
}

void monitor_turn(struct monitor *monitor, uint64_t now_s, const struct monitor_limits *limits)
{
    uint64_t buckets = (now_s - monitor->last_turn_s + MONITOR_BUCKET_S / 2) / MONITOR_BUCKET_S;
    struct monitor_view view;

    CHECK_OBJ(monitor, MONITOR_TAG);
    if (buckets > MONITOR_RING)
        buckets = MONITOR_RING;
    open_next(monitor);
    for (uint64_t late = 1; late < buckets; late++)
        open_next(monitor);
    monitor->turns++;
    monitor->quiet_turns += buckets > 0 ? (unsigned)buckets : 1;
    close_tenths(monitor, now_s);
    monitor->last_turn_s = now_s;
    monitor_view_init(&view, monitor);
    monitor_find_dispersion(monitor, &view);
    monitor_decide(monitor, &view, now_s, limits);
    if (monitor->turns % MONITOR_MINUTE == 0 && is_in_order(monitor))
        monitor_learn_dispersion(monitor, &view, now_s);
    monitor_view_fini(&view);
    if (monitor->quiet_turns > MONITOR_RING)
        free_ring(monitor);
}

bool monitor_is_idle(const struct monitor *monitor)
{
    return monitor->cells == NULL;
}

/* ---- a change ---- */

static void keep_previous(struct monitor *monitor)
{
    uint64_t sum = 0;
    double *shares = xcalloc(monitor->count + 1, sizeof(*shares));

    for (size_t i = 0; i < monitor->count; i++) {
        uint64_t picks = 0;

        for (unsigned tenth = 0; tenth < MONITOR_TENTHS; tenth++)
            picks += monitor->servers[i].tenths[tenth];
        shares[i] = (double)picks;
        sum += picks;
    }
    for (size_t i = 0; i < monitor->count && sum > 0; i++)
        shares[i] /= (double)sum;
    monitor->has_previous = distribution_is_enough(sum, shares, monitor->count, 1);
    for (size_t i = 0; i < monitor->count; i++)
        monitor->servers[i].previous = monitor->has_previous ? shares[i] : 0;
    xfree(shares);
}

static void note_what_was_over(struct monitor *monitor)
{
    struct monitor_view view;

    monitor_view_init(&view, monitor);
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        const struct monitor_sums *sums = &view.windows[FIVE_MINUTES];

        monitor->was_over[ref] =
            distribution_over_share(sums->picks[ref], sums->due[ref], monitor->count,
                                    monitor->phi[ref][FIVE_MINUTES], DISTRIBUTION_FAST)
                .is_over;
    }
    monitor_view_fini(&view);
}

/* What was before the change is not held against what was before it. */
static void forget_previous_due(struct monitor *monitor)
{
    for (unsigned bucket = 0; bucket < MONITOR_RING && monitor->cells != NULL; bucket++)
        for (size_t i = 0; i < monitor->count; i++)
            cells_of(monitor, bucket)[i].due[REF_PREVIOUS] = 0;
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (monitor_rules[rule].ref == REF_PREVIOUS)
            monitor->alarms[rule] = (struct alarm_state){0};
}

void monitor_restart(struct monitor *monitor)
{
    CHECK_OBJ(monitor, MONITOR_TAG);
    open_next(monitor); /* no bucket is of both sides */
    monitor->since = monitor->open;
    monitor_new_trial(monitor);
}

void monitor_change(struct monitor *monitor, uint64_t now_s)
{
    CHECK_OBJ(monitor, MONITOR_TAG);
    note_what_was_over(monitor);
    monitor_restart(monitor);
    keep_previous(monitor);
    forget_previous_due(monitor);
    make_previous_due(monitor);
    monitor->epoch_s = now_s;
    monitor->settles_s = now_s + SETTLE_S;
    for (size_t i = 0; i < monitor->count; i++) {
        monitor->epoch_picks[i] = 0;
        for (unsigned ref = 0; ref < REF_COUNT; ref++)
            monitor->epoch_due[ref][i] = 0;
    }
}

void monitor_settle(struct monitor *monitor, uint64_t now_s)
{
    monitor->settles_s = now_s + SETTLE_S;
}

struct monitor_epoch monitor_epoch(const struct monitor *monitor)
{
    struct monitor_epoch epoch = {.began_s = monitor->epoch_s, .picks = monitor->epoch_picks};

    for (size_t i = 0; i < monitor->count; i++)
        epoch.requests += monitor->epoch_picks[i];
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        epoch.expected[ref] = monitor->epoch_due[ref];
        epoch.was_over[ref] = monitor->was_over[ref];
    }
    return epoch;
}

double monitor_previous(const struct monitor *monitor, size_t server)
{
    return monitor->has_previous ? monitor->servers[server].due[REF_PREVIOUS] : -1;
}
