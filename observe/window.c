/*
 * window - rates and latency quantiles of the last 10 and 60 seconds, from the counter rows.
 *
 *   requests, errors   a cell a second, running sums over 10 and 60 cells
 *   latency            a histogram for each ten seconds and their sum: quantiles are those of
 *                      the last 50 to 60 seconds
 *
 * A window is cold until its slot's counters move, and cold again after a minute without.
 *
 * Owner    the observer.      Threads  one at a time
 */
#include "observe/window.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "observe/counters.h"
#include "observe/summary.h"

enum { WINDOWS_TAG = 0x57494e44, SHORT = 10, LONG = 60, DECADES = LONG / 10, CLASS_5XX = 5 };

/* What a slot's rows add up to; the buckets modulo 2^32. */
struct totals {
    uint64_t requests;
    uint64_t errors;
    uint64_t sum_us;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* The last minute of a slot with traffic. */
struct recent {
    uint32_t quiet_seconds;
    uint64_t requests_10s, requests_60s, errors_10s;
    uint32_t requests[LONG];
    uint32_t errors[SHORT];
    uint32_t decades[DECADES][HISTOGRAM_BUCKETS];
    uint32_t all[HISTOGRAM_BUCKETS]; /* sum of the decades */
};

struct window {
    uint64_t requests, errors, sum_us; /* totals last seen */
    uint32_t *buckets;                 /* likewise; NULL: all zero */
    struct recent *recent;             /* NULL: cold */
};

struct scope_windows {
    struct window *slots;
    uint32_t count;
};

struct windows {
    uint32_t tag;
    struct counters *counters;
    uint64_t began_ms;
    uint64_t second; /* of the last tick, since began_ms */
    struct scope_windows routes, pools, servers;
    struct window process;
    struct totals process_totals;
};

/* The words of a row that windows look at, alike in all scopes. */
struct row_view {
    counter *requests;
    counter *failures; /* NULL: this scope has none */
    counter *responses;
    struct histogram *latency;
};

static struct row_view view_row(struct counters *counters, enum counter_scope scope,
                                unsigned worker, uint32_t slot)
{
    if (scope == SCOPE_ROUTE) {
        struct route_row *row = counters_route(counters, worker, slot);

        return (struct row_view){&row->requests, NULL, row->responses, &row->latency};
    }
    if (scope == SCOPE_POOL) {
        struct pool_row *row = counters_pool(counters, worker, slot);

        return (struct row_view){&row->requests, NULL, row->responses, &row->latency};
    }
    struct server_row *row = counters_server(counters, worker, slot);

    return (struct row_view){&row->requests, &row->failures, row->responses, &row->latency};
}

static uint64_t look(counter *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

struct windows *windows_new(struct counters *counters, uint64_t now_ms)
{
    struct windows *windows = xcalloc(1, sizeof(*windows));

    windows->tag = WINDOWS_TAG;
    windows->counters = counters;
    windows->began_ms = now_ms;
    return windows;
}

static void window_fini(struct window *window)
{
    xfree(window->buckets);
    xfree(window->recent);
}

static void scope_fini(struct scope_windows *scope)
{
    for (uint32_t slot = 0; slot < scope->count; slot++)
        window_fini(&scope->slots[slot]);
    xfree(scope->slots);
}

void windows_free(struct windows **held)
{
    struct windows *windows = TAKE_POINTER(held);

    if (windows == NULL)
        return;
    CHECK_OBJ(windows, WINDOWS_TAG);
    scope_fini(&windows->routes);
    scope_fini(&windows->pools);
    scope_fini(&windows->servers);
    window_fini(&windows->process);
    windows->tag = 0;
    xfree(windows);
}

/* Lets what is a minute old go: seconds (from, to] begin empty. */
static void recent_advance(struct recent *recent, uint64_t from, uint64_t to)
{
    if (to - from > LONG) {
        memset(recent, 0, sizeof(*recent));
        return;
    }
    for (uint64_t second = from + 1; second <= to; second++) {
        uint32_t *decade = recent->decades[second / 10 % DECADES];

        recent->requests_10s -= recent->requests[(second + LONG - SHORT) % LONG];
        recent->requests_60s -= recent->requests[second % LONG];
        recent->requests[second % LONG] = 0;
        recent->errors_10s -= recent->errors[second % SHORT];
        recent->errors[second % SHORT] = 0;
        if (second % 10 != 0)
            continue;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            recent->all[i] -= decade[i];
        memset(decade, 0, sizeof(recent->decades[0]));
    }
}

static void warm_up(struct window *window)
{
    window->recent = xcalloc(1, sizeof(*window->recent));
    if (window->buckets == NULL)
        window->buckets = xcalloc(HISTOGRAM_BUCKETS, sizeof(window->buckets[0]));
}

static void cool_down(struct window *window)
{
    xfree(window->recent);
    window->recent = NULL;
}

/* Enters what came since the last time. */
static void window_feed(struct window *window, const struct totals *totals, uint64_t second)
{
    struct recent *recent = window->recent;
    uint32_t *decade = recent->decades[second / 10 % DECADES];
    uint32_t requests = (uint32_t)(totals->requests - window->requests);
    uint32_t errors = (uint32_t)(totals->errors - window->errors);

    recent->requests[second % LONG] += requests;
    recent->requests_10s += requests;
    recent->requests_60s += requests;
    recent->errors[second % SHORT] += errors;
    recent->errors_10s += errors;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint32_t more = totals->buckets[i] - window->buckets[i];

        decade[i] += more;
        recent->all[i] += more;
        window->buckets[i] = totals->buckets[i];
    }
    window->requests = totals->requests;
    window->errors = totals->errors;
    window->sum_us = totals->sum_us;
}

static bool has_moved(struct windows *windows, enum counter_scope scope, uint32_t slot,
                      const struct window *window)
{
    uint64_t requests = 0, sum_us = 0;

    for (unsigned worker = 0; worker < counters_worker_count(windows->counters); worker++) {
        struct row_view row = view_row(windows->counters, scope, worker, slot);

        requests += look(row.requests);
        sum_us += look(&row.latency->sum_us);
    }
    return requests != window->requests || sum_us != window->sum_us;
}

static void read_totals(struct windows *windows, enum counter_scope scope, uint32_t slot,
                        struct totals *totals_out)
{
    memset(totals_out, 0, sizeof(*totals_out));
    for (unsigned worker = 0; worker < counters_worker_count(windows->counters); worker++) {
        struct row_view row = view_row(windows->counters, scope, worker, slot);

        totals_out->requests += look(row.requests);
        totals_out->errors += look(&row.responses[CLASS_5XX]);
        if (row.failures != NULL)
            totals_out->errors += look(row.failures);
        totals_out->sum_us += look(&row.latency->sum_us);
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            totals_out->buckets[i] += (uint32_t)look(&row.latency->buckets[i]);
    }
}

/* The process took what its routes took; their increase is added up. */
static void add_to_process(struct windows *windows, const struct window *before,
                           const struct totals *now)
{
    struct totals *process = &windows->process_totals;

    process->sum_us += now->sum_us - before->sum_us;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        process->buckets[i] += now->buckets[i] - before->buckets[i];
}

static void tick_slot(struct windows *windows, enum counter_scope scope, uint32_t slot,
                      struct window *window, uint64_t second)
{
    struct totals totals;
    bool moved = has_moved(windows, scope, slot, window);

    if (window->recent == NULL) {
        if (!moved)
            return;
        warm_up(window);
    } else {
        recent_advance(window->recent, windows->second, second);
    }
    window->recent->quiet_seconds += (uint32_t)(second - windows->second);
    if (moved)
        window->recent->quiet_seconds = 0;
    if (window->recent->quiet_seconds > LONG) {
        cool_down(window);
        return;
    }
    read_totals(windows, scope, slot, &totals);
    if (scope == SCOPE_ROUTE)
        add_to_process(windows, window, &totals);
    window_feed(window, &totals, second);
}

static void tick_scope(struct windows *windows, enum counter_scope scope,
                       struct scope_windows *slots, uint64_t second)
{
    uint32_t count = counters_slot_count(windows->counters, scope);

    if (count > slots->count) {
        slots->slots = xrealloc(slots->slots, count * sizeof(slots->slots[0]));
        memset(slots->slots + slots->count, 0, (count - slots->count) * sizeof(slots->slots[0]));
        slots->count = count;
    }
    for (uint32_t slot = 0; slot < count; slot++)
        tick_slot(windows, scope, slot, &slots->slots[slot], second);
}

static void tick_process(struct windows *windows, uint64_t second)
{
    struct totals *totals = &windows->process_totals;
    uint32_t count = counters_slot_count(windows->counters, SCOPE_LISTENER);

    totals->requests = totals->errors = 0;
    for (unsigned worker = 0; worker < counters_worker_count(windows->counters); worker++)
        for (uint32_t slot = 0; slot < count; slot++) {
            struct listener_row *row = counters_listener(windows->counters, worker, slot);

            totals->requests += look(&row->requests);
            totals->errors += look(&row->responses[CLASS_5XX]);
        }
    if (windows->process.recent == NULL)
        warm_up(&windows->process);
    else
        recent_advance(windows->process.recent, windows->second, second);
    window_feed(&windows->process, totals, second);
}

void windows_tick(struct windows *windows, uint64_t now_ms)
{
    uint64_t second;

    CHECK_OBJ(windows, WINDOWS_TAG);
    second = (now_ms - windows->began_ms + 500) / 1000;
    if (second < windows->second)
        second = windows->second;
    tick_scope(windows, SCOPE_ROUTE, &windows->routes, second);
    tick_scope(windows, SCOPE_POOL, &windows->pools, second);
    tick_scope(windows, SCOPE_SERVER, &windows->servers, second);
    tick_process(windows, second);
    windows->second = second;
}

/* The duration that `part` (0 to 1) of the requests did not exceed, to within a bucket. */
static uint64_t quantile_us(const uint32_t *buckets, uint64_t count, double part)
{
    double rank = part * (double)count;
    double before = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t lower = i == 0 ? 0 : histogram_edge_us(i - 1);

        if (buckets[i] == 0 || before + buckets[i] < rank) {
            before += buckets[i];
            continue;
        }
        if (i == HISTOGRAM_BUCKETS - 1)
            return lower;
        uint64_t width = histogram_edge_us(i) - lower;
        return lower + (uint64_t)((double)width * (rank - before) / buckets[i]);
    }
    return 0;
}

static void fill_rates(const struct window *window, uint64_t second, struct summary_rates *rates)
{
    const struct recent *recent = window->recent;
    double seconds = second == 0 ? 1 : second < SHORT ? (double)second : SHORT;
    uint64_t count = 0;

    if (recent == NULL)
        return;
    rates->requests_per_second = (double)recent->requests_10s / seconds;
    rates->errors_per_second = (double)recent->errors_10s / seconds;
    rates->requests_10s = recent->requests_10s;
    rates->requests_60s = recent->requests_60s;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += recent->all[i];
    if (count == 0)
        return;
    rates->p50_us = quantile_us(recent->all, count, 0.50);
    rates->p95_us = quantile_us(recent->all, count, 0.95);
    rates->p99_us = quantile_us(recent->all, count, 0.99);
}

static struct summary_rates *scope_rates(const struct scope_windows *slots, uint64_t second)
{
    struct summary_rates *rates = xcalloc(slots->count, sizeof(*rates));

    for (uint32_t slot = 0; slot < slots->count; slot++)
        fill_rates(&slots->slots[slot], second, &rates[slot]);
    return rates;
}

struct summary *windows_summary(const struct windows *windows, int64_t wall_ms)
{
    struct summary *summary = xcalloc(1, sizeof(*summary));

    summary->wall_ms = (uint64_t)wall_ms;
    fill_rates(&windows->process, windows->second, &summary->process);
    summary->route_count = windows->routes.count;
    summary->pool_count = windows->pools.count;
    summary->server_count = windows->servers.count;
    summary->routes = scope_rates(&windows->routes, windows->second);
    summary->pools = scope_rates(&windows->pools, windows->second);
    summary->servers = scope_rates(&windows->servers, windows->second);
    return summary;
}
