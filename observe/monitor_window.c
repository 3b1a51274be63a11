/*
 * monitor_window - what came in the windows of a monitor, added up; and what is told of it.
 *
 * Owner    the monitor      Threads  one at a time
 */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "observe/internal.h"

enum { COLUMNS = 2 * REF_COUNT + 2 /* of monitor_sums */ };

/* A bucket's picks, as far as a reference speaks of it at all. */
static void add_bucket(struct monitor_sums *sums, const struct monitor_cell *cells, size_t count)
{
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        double due = 0;

        for (size_t i = 0; i < count; i++)
            due += cells[i].due[ref];
        if (due <= 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            sums->picks[ref][i] += cells[i].picks + (ref == REF_CONFIGURED ? 0 : cells[i].sticky);
            sums->due[ref][i] += cells[i].due[ref];
        }
    }
    for (size_t i = 0; i < count; i++) {
        sums->both[i] += cells[i].picks + cells[i].sticky;
        sums->sticky[i] += cells[i].sticky;
        sums->first += cells[i].picks;
        sums->all += cells[i].picks + cells[i].sticky;
    }
}

/* Capacity and what was before say nothing of servers that should serve nobody: sessions that stay
 * with one that drains, and backups. */
static void finish_sums(struct monitor_sums *sums, size_t count)
{
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        double due = 0;

        for (size_t i = 0; i < count; i++)
            due += sums->due[ref][i];
        for (size_t i = 0; i < count; i++) {
            sums->due[ref][i] = due > 0 ? sums->due[ref][i] / due : 0;
            if (ref != REF_CONFIGURED && sums->due[ref][i] < MONITOR_NOTHING)
                sums->picks[ref][i] = 0;
            sums->requests[ref] += sums->picks[ref][i];
        }
    }
}

static void copy_sums(struct monitor_sums *to, const struct monitor_sums *from, size_t count)
{
    to->first = from->first;
    to->all = from->all;
    memcpy(to->both, from->both, count * sizeof(uint64_t));
    memcpy(to->sticky, from->sticky, count * sizeof(uint64_t));
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        memcpy(to->picks[ref], from->picks[ref], count * sizeof(uint64_t));
        memcpy(to->due[ref], from->due[ref], count * sizeof(double));
    }
}

void monitor_view_init(struct monitor_view *view, const struct monitor *monitor)
{
    size_t bytes = (monitor->count + 1) * sizeof(uint64_t);
    char *at;
    unsigned back = 0;

    _Static_assert(sizeof(double) == sizeof(uint64_t), "columns are as wide");
    memset(view, 0, sizeof(*view));
    at = view->memory = xcalloc(DISTRIBUTION_WINDOWS * COLUMNS, bytes);
    for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++, at += COLUMNS * bytes) {
        struct monitor_sums *sums = &view->windows[w];

        for (unsigned ref = 0; ref < REF_COUNT; ref++) {
            sums->picks[ref] = (uint64_t *)(void *)(at + ref * bytes);
            sums->due[ref] = (double *)(void *)(at + (REF_COUNT + ref) * bytes);
        }
        sums->both = (uint64_t *)(void *)(at + 2 * REF_COUNT * bytes);
        sums->sticky = (uint64_t *)(void *)(at + (2 * REF_COUNT + 1) * bytes);
    }
    for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++) {
        struct monitor_sums *sums = &view->windows[w];

        sums->seconds = monitor_window_buckets[w] * MONITOR_BUCKET_S;
        if (w > 0)
            copy_sums(sums, sums - 1, monitor->count);
        if (w == 0 && monitor->cells != NULL)
            add_bucket(sums, bucket_back(monitor, 0), monitor->count);
        while (back < monitor_window_buckets[w] && back < closed_buckets(monitor))
            add_bucket(sums, bucket_back(monitor, ++back), monitor->count);
    }
    for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++)
        finish_sums(&view->windows[w], monitor->count);
}

void monitor_view_fini(struct monitor_view *view)
{
    xfree(view->memory);
    view->memory = NULL;
}

/* ---- what is told ---- */

double monitor_dispersion(const struct monitor *monitor, enum distribution_ref ref, unsigned window)
{
    CHECK(window < DISTRIBUTION_WINDOWS);
    return monitor->phi[ref][window];
}

const struct monitor_alarm *monitor_alarm(const struct monitor *monitor, enum monitor_rule rule)
{
    return &monitor->alarms[rule].shown;
}

enum distribution_state monitor_state(const struct monitor *monitor, enum distribution_ref ref)
{
    enum distribution_state state =
        monitor->is_enough[ref] ? DISTRIBUTION_OK : DISTRIBUTION_INSUFFICIENT;

    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        const struct monitor_alarm *alarm = &monitor->alarms[rule].shown;

        if (monitor_rules[rule].ref != ref || !alarm->is_raised)
            continue;
        if (alarm->is_page)
            return DISTRIBUTION_PAGE;
        state = DISTRIBUTION_WARN;
    }
    return state;
}

static void measure(const struct monitor *monitor, const struct monitor_sums *sums,
                    enum distribution_ref ref, double dispersion, struct monitor_window *window)
{
    double *shares = xcalloc(monitor->count + 1, sizeof(*shares));

    for (size_t i = 0; i < monitor->count; i++) {
        double due = sums->due[ref][i];

        shares[i] = (double)sums->picks[ref][i] / (double)sums->requests[ref];
        if (due >= MONITOR_NOTHING && shares[i] / due > window->ratio_max[ref])
            window->ratio_max[ref] = shares[i] / due;
    }
    window->tvd[ref] = distribution_tvd(shares, sums->due[ref], monitor->count);
    window->is_enough[ref] =
        distribution_is_enough(sums->requests[ref], sums->due[ref], monitor->count, dispersion);
    xfree(shares);
}

static double n_eff_of(const struct monitor_sums *sums, size_t count)
{
    double squares = 0;

    for (size_t i = 0; i < count; i++)
        squares += (double)sums->both[i] * (double)sums->both[i];
    return squares > 0 ? (double)sums->all * (double)sums->all / squares : 0;
}

static bool is_known(const struct monitor_sums *sums, enum distribution_ref ref, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sums->due[ref][i] > 0)
            return true;
    return false;
}

static void fill_shares(const struct monitor *monitor, const struct monitor_sums *sums,
                        struct monitor_share *shares)
{
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        bool known = is_known(sums, (enum distribution_ref)ref, monitor->count);

        for (size_t i = 0; i < monitor->count; i++)
            shares[i].expected[ref] = known ? sums->due[ref][i] : -1;
    }
    for (size_t i = 0; i < monitor->count; i++) {
        shares[i].share = sums->all > 0 ? (double)sums->both[i] / (double)sums->all : -1;
        shares[i].sticky = (uint32_t)sums->sticky[i];
        shares[i].picks = (uint32_t)(sums->both[i] - sums->sticky[i]);
    }
}

struct monitor_window monitor_window(const struct monitor *monitor, unsigned window,
                                     struct monitor_share *shares_out)
{
    struct monitor_view view;
    const struct monitor_sums *sums = &view.windows[window];
    struct monitor_window told;

    CHECK(window < DISTRIBUTION_WINDOWS);
    monitor_view_init(&view, monitor);
    told = (struct monitor_window){
        .seconds = sums->seconds, .requests = sums->all, .n_eff = n_eff_of(sums, monitor->count)};
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        told.tvd[ref] = told.ratio_max[ref] = -1;
        if (sums->requests[ref] > 0)
            measure(monitor, sums, (enum distribution_ref)ref, monitor->phi[ref][window], &told);
    }
    if (shares_out != NULL)
        fill_shares(monitor, sums, shares_out);
    monitor_view_fini(&view);
    return told;
}

void monitor_reasons(const struct monitor *monitor, uint64_t reasons_out[MONITOR_REASONS])
{
    for (unsigned why = 0; why < MONITOR_REASONS; why++) {
        reasons_out[why] = 0;
        for (unsigned back = 0; back <= MONITOR_MINUTE; back++)
            reasons_out[why] +=
                monitor
                    ->reasons[(monitor->open + MONITOR_WORK_RING - back) % MONITOR_WORK_RING][why];
    }
}

struct monitor_work monitor_work_of(const struct monitor *monitor, size_t server)
{
    struct monitor_work sum = {0};

    for (unsigned back = 0; back <= MONITOR_MINUTE && monitor->work != NULL; back++) {
        const struct monitor_work *work =
            &work_of(monitor, monitor->open + MONITOR_WORK_RING - back)[server];

        sum.attempts += work->attempts;
        sum.errors += work->errors;
        sum.answers += work->answers;
        sum.latency_us += work->latency_us;
    }
    return sum;
}

uint32_t monitor_retries(const struct monitor *monitor, size_t server)
{
    uint32_t first = 0;
    struct monitor_work work = monitor_work_of(monitor, server);

    for (unsigned back = 0; back <= MONITOR_MINUTE && monitor->cells != NULL; back++) {
        const struct monitor_cell *cell =
            &cells_of(monitor, monitor->open + MONITOR_RING - back)[server];

        first += cell->picks + cell->sticky;
    }
    return work.attempts > first ? work.attempts - first : 0;
}

double monitor_latency_us(const struct monitor *monitor, size_t server)
{
    struct monitor_work work = monitor_work_of(monitor, server);

    return work.answers >= MONITOR_ANSWERS ? (double)work.latency_us / work.answers : -1;
}

double monitor_rate(const struct monitor *monitor, size_t server)
{
    return (double)monitor_work_of(monitor, server).attempts /
           (monitor_window_buckets[0] * MONITOR_BUCKET_S);
}
