/*
 * distributions_shown - what monitors know, as alerts, as JSON, as metrics, and for the gate.
 *
 * Owner    watch.      Threads  control only
 */
#include "watch/distributions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "observe/exposition.h"
#include "proxy/balance/balance.h"
#include "watch/watched.h"

enum { TEXT = 512, CAUSE_TEXT = 128 };

static json_t *number(double value)
{
    return value < 0 || !isfinite(value) ? json_null() : json_real(round(value * 1e4) / 1e4);
}

/* ---- by what cause ---- */

/* Requests are picked by ... */
static const char *const cause_words[REASON_COUNT] = {
    [REASON_BALANCER] = "by the balancer",
    [REASON_HASH] = "by what is hashed",
    [REASON_STICKY] = "by sticky cookies",
    [REASON_RETRY] = "as retries of what failed elsewhere",
    [REASON_PANIC] = "because the pool panics",
    [REASON_SPILL] = "because another was full or at its ceiling",
    [REASON_ONLY_ONE_LEFT] = "because it is the only one left",
};

/* What most of a server's requests came by.  Cookies and retries are counted by server; of the
 * others the pool's counts tell. */
static const char *cause_of(const struct monitor *monitor, size_t server,
                            const struct monitor_share *share, char text[CAUSE_TEXT])
{
    uint64_t reasons[MONITOR_REASONS];
    double retries = monitor_retries(monitor, server);
    double all = share->picks + share->sticky + retries;
    double parts[REASON_COUNT] = {0};
    double others = 0;
    unsigned most = REASON_BALANCER;

    monitor_reasons(monitor, reasons);
    for (unsigned why = 0; why < REASON_COUNT; why++)
        if (why != REASON_STICKY && why != REASON_RETRY)
            others += (double)reasons[why];
    for (unsigned why = 0; why < REASON_COUNT; why++) {
        parts[why] = others > 0 ? share->picks * (double)reasons[why] / others : 0;
        if (why == REASON_STICKY)
            parts[why] = share->sticky;
        if (why == REASON_RETRY)
            parts[why] = retries;
        if (parts[why] > parts[most])
            most = why;
    }
    text[0] = '\0';
    if (all > 0)
        (void)snprintf(text, CAUSE_TEXT, "%.0f %% of them %s.", 100 * parts[most] / all,
                       cause_words[most]);
    return text;
}

/* ---- alerts ---- */

static const char *window_word(unsigned seconds, char text[32])
{
    if (seconds < 120)
        (void)snprintf(text, 32, "%us", seconds);
    else
        (void)snprintf(text, 32, "%um", seconds / 60);
    return text;
}

static void summarise(const struct watched *watched, enum monitor_rule rule,
                      const struct monitor_alarm *alarm, char text[TEXT])
{
    const char *server = watched->servers[alarm->server].name;

    if (rule == RULE_OVERLOAD)
        (void)snprintf(text, TEXT, "pool %s: %s is used to %.0f %%, and others idle", watched->name,
                       server, 100 * alarm->evidence);
    else if (rule == RULE_SINKHOLE)
        (void)snprintf(text, TEXT,
                       "pool %s: %s fails %.0f %% of its requests fast and gets %.0f %% of all "
                       "(expected %.0f %%)",
                       watched->name, server, 100 * alarm->evidence, 100 * alarm->share,
                       100 * alarm->expected);
    else
        (void)snprintf(text, TEXT, "pool %s: %s gets %.0f %% of requests (expected %.0f %%)",
                       watched->name, server, 100 * alarm->share, 100 * alarm->expected);
}

static void explain(const struct watched *watched, enum monitor_rule rule,
                    const struct monitor_alarm *alarm, char text[TEXT])
{
    struct monitor_share *shares = xcalloc(watched->server_count + 1, sizeof(*shares));
    char window[32], cause[CAUSE_TEXT];

    (void)monitor_window(watched->monitor, 0, shares);
    (void)snprintf(text, TEXT, "%s: n=%llu share=%.2f tau=%.2f N_eff=%.2f TVD=%.2f: %s. %s %s",
                   window_word(alarm->window_s, window), (unsigned long long)alarm->requests,
                   alarm->share, alarm->tolerated, alarm->n_eff, alarm->tvd,
                   monitor_rules[rule].what,
                   cause_of(watched->monitor, alarm->server, &shares[alarm->server], cause),
                   monitor_rules[rule].remedy);
    xfree(shares);
}

static json_t *alert_of(const struct watched *watched, enum monitor_rule rule)
{
    const struct monitor_alarm *alarm = monitor_alarm(watched->monitor, rule);
    char summary[TEXT], description[TEXT], since[CLOCK_RFC3339_TEXT];
    int64_t age_ms = (int64_t)(clock_ms() - alarm->since_s * 1000);

    summarise(watched, rule, alarm, summary);
    explain(watched, rule, alarm, description);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", monitor_rules[rule].alert,
                     "severity", alarm->is_page ? "page" : "ticket", "pool", watched->name,
                     "server", watched->servers[alarm->server].name, "ref",
                     distribution_ref_words[monitor_rules[rule].ref], "summary", summary,
                     "description", description, "since",
                     clock_rfc3339(clock_wall_ms() - age_ms, since));
}

/* Of two that say the same the one that is more urgent speaks, and of equals the one that was
 * raised first goes on. */
static bool is_outdone(const struct monitor *monitor, enum monitor_rule rule, enum monitor_rule by)
{
    const struct monitor_alarm *own = monitor_alarm(monitor, rule);
    const struct monitor_alarm *other = monitor_alarm(monitor, by);

    if (!other->is_raised || other->is_page != own->is_page)
        return other->is_raised && other->is_page;
    return other->since_s < own->since_s || (other->since_s == own->since_s && by < rule);
}

/* One alert a trouble: what another one says better is left out. */
static bool is_said_by_another(const struct monitor *monitor, enum monitor_rule rule)
{
    bool is_over = monitor_alarm(monitor, RULE_OVER_CONFIGURED)->is_raised;

    switch (rule) {
    case RULE_CONCENTRATION: return is_outdone(monitor, rule, RULE_OVER_CAPACITY);
    case RULE_OVER_CAPACITY:
        return is_outdone(monitor, rule, RULE_CONCENTRATION) ||
               monitor_alarm(monitor, RULE_SINKHOLE)->is_page;
    case RULE_STARVED:
    case RULE_UNDER_CONFIGURED: return is_over;
    case RULE_SKEW:
        return is_over || monitor_alarm(monitor, RULE_STARVED)->is_raised ||
               monitor_alarm(monitor, RULE_UNDER_CONFIGURED)->is_raised;
    default: return false;
    }
}

static void add_alerts_of(const struct watched *watched, json_t *alerts)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (monitor_rules[rule].severity != MONITOR_GATE &&
            monitor_alarm(watched->monitor, (enum monitor_rule)rule)->is_raised &&
            !is_said_by_another(watched->monitor, (enum monitor_rule)rule))
            json_array_append_new(alerts, alert_of(watched, (enum monitor_rule)rule));
}

void distributions_add_alerts(const struct distributions *distributions, json_t *alerts)
{
    for (size_t i = 0; i < distributions->pool_count; i++)
        if (distributions->pools[i].monitor != NULL)
            add_alerts_of(&distributions->pools[i], alerts);
}

/* ---- as JSON ---- */

static json_t *by_ref(const double values[REF_COUNT])
{
    json_t *json = json_object();

    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        json_object_set_new(json, distribution_ref_words[ref], number(values[ref]));
    return json;
}

static json_t *enough_json(const bool values[REF_COUNT])
{
    json_t *json = json_object();

    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        json_object_set_new(json, distribution_ref_words[ref], json_boolean(values[ref]));
    return json;
}

static json_t *share_json(const char *name, const struct monitor_share *share)
{
    json_t *json =
        json_pack("{s:s, s:o, s:I, s:I}", "name", name, "share", number(share->share), "requests",
                  (json_int_t)share->picks + share->sticky, "sticky", (json_int_t)share->sticky);

    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        json_object_set_new(json, distribution_ref_words[ref], number(share->expected[ref]));
    return json;
}

static json_t *window_json(const struct watched *watched, unsigned window)
{
    struct monitor_share *shares = xcalloc(watched->server_count + 1, sizeof(*shares));
    struct monitor_window told = monitor_window(watched->monitor, window, shares);
    json_t *servers = json_array();

    for (size_t i = 0; i < watched->server_count; i++)
        json_array_append_new(servers, share_json(watched->servers[i].name, &shares[i]));
    xfree(shares);
    return json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "seconds", (int)told.seconds,
                     "requests", (json_int_t)told.requests, "tvd", number(told.tvd[REF_CAPACITY]),
                     "n_eff", told.requests > 0 ? number(told.n_eff) : json_null(), "tvd_by",
                     by_ref(told.tvd), "share_ratio_max", by_ref(told.ratio_max), "enough",
                     enough_json(told.is_enough), "servers", servers);
}

static json_t *states_json(const struct watched *watched)
{
    json_t *json = json_object();

    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        json_object_set_new(json, distribution_ref_words[ref],
                            json_string(distribution_state_word(
                                monitor_state(watched->monitor, (enum distribution_ref)ref))));
    return json;
}

static json_t *picked_json(const struct watched *watched)
{
    uint64_t reasons[MONITOR_REASONS];
    json_t *json = json_object();

    monitor_reasons(watched->monitor, reasons);
    for (unsigned why = 0; why < REASON_COUNT; why++)
        json_object_set_new(json, balance_reason_words[why],
                            json_integer((json_int_t)reasons[why]));
    return json;
}

static json_t *raised_json(const struct watched *watched)
{
    json_t *alerts = json_array(), *alert;
    size_t i;

    add_alerts_of(watched, alerts);
    json_array_foreach(alerts, i, alert)
    {
        json_object_del(alert, "pool");
    }
    return alerts;
}

json_t *distributions_shown(const struct distributions *distributions, const char *pool)
{
    const struct watched *watched = watched_find(distributions, pool);
    struct watched silent;
    json_t *windows, *shown;

    if (watched == NULL)
        return NULL;
    silent = *watched;
    if (watched->monitor == NULL) /* no request was ever seen: all is empty, and said so */
        silent.monitor = watched_silent_monitor(watched, 0);
    windows = json_array();
    for (unsigned window = 0; window < DISTRIBUTION_WINDOWS; window++)
        json_array_append_new(windows, window_json(&silent, window));
    shown = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "pool", watched->name, "windows", windows,
                      "states", states_json(&silent), "picked_by", picked_json(&silent),
                      "dispersion", number(monitor_dispersion(silent.monitor, REF_CAPACITY, 0)),
                      "alerts", raised_json(&silent));
    if (watched->monitor == NULL)
        monitor_free(&silent.monitor);
    return shown;
}

/* ---- as metrics ---- */

typedef void write_pool_fn(struct buffer *out, const char *name, const struct watched *watched,
                           const struct monitor_window *window);

static void write_ratio(struct buffer *out, const char *name, const struct watched *watched,
                        const struct monitor_window *window)
{
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        if (window->ratio_max[ref] >= 0)
            exposition_sample(
                out, name, window->ratio_max[ref],
                EXPOSITION_LABELS("pool", watched->name, "ref", distribution_ref_words[ref]));
}

static void write_tvd(struct buffer *out, const char *name, const struct watched *watched,
                      const struct monitor_window *window)
{
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        if (window->tvd[ref] >= 0)
            exposition_sample(
                out, name, window->tvd[ref],
                EXPOSITION_LABELS("pool", watched->name, "ref", distribution_ref_words[ref]));
}

static void write_n_eff(struct buffer *out, const char *name, const struct watched *watched,
                        const struct monitor_window *window)
{
    if (window->requests > 0)
        exposition_sample(out, name, window->n_eff, EXPOSITION_LABELS("pool", watched->name));
}

static void write_state(struct buffer *out, const char *name, const struct watched *watched,
                        const struct monitor_window *window)
{
    (void)window;
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        enum distribution_state state =
            watched->monitor == NULL ? DISTRIBUTION_INSUFFICIENT
                                     : monitor_state(watched->monitor, (enum distribution_ref)ref);

        exposition_sample(
            out, name, state,
            EXPOSITION_LABELS("pool", watched->name, "ref", distribution_ref_words[ref]));
    }
}

static void write_due(struct buffer *out, const char *name, const struct watched *watched,
                      const struct monitor_window *window)
{
    (void)window;
    for (size_t i = 0; i < watched->server_count; i++)
        for (unsigned ref = 0; ref < REF_COUNT; ref++) {
            double due = ref != REF_PREVIOUS        ? watched->servers[i].due[ref]
                         : watched->monitor != NULL ? monitor_previous(watched->monitor, i)
                                                    : -1;

            if (due >= 0)
                exposition_sample(out, name, due,
                                  EXPOSITION_LABELS("pool", watched->name, "server",
                                                    watched->servers[i].name, "ref",
                                                    distribution_ref_words[ref]));
        }
}

static void write_family(struct buffer *out, const char *name, write_pool_fn *write_pool,
                         const struct distributions *distributions,
                         const struct monitor_window *windows)
{
    for (size_t i = 0; i < distributions->pool_count; i++)
        write_pool(out, name, &distributions->pools[i], &windows[i]);
}

void distributions_write_metrics(const struct distributions *distributions, struct buffer *out)
{
    struct monitor_window *windows = xcalloc(distributions->pool_count + 1, sizeof(*windows));

    for (size_t i = 0; i < distributions->pool_count; i++) {
        const struct watched *watched = &distributions->pools[i];

        windows[i].tvd[0] = windows[i].tvd[1] = windows[i].tvd[2] = -1;
        windows[i].ratio_max[0] = windows[i].ratio_max[1] = windows[i].ratio_max[2] = -1;
        if (watched->monitor != NULL)
            windows[i] = monitor_window(watched->monitor, 0, NULL);
    }
    exposition_family(out, "twokey_server_share_expected", METRIC_GAUGE,
                      "share that is due to it now by this reference, 0 to 1");
    write_family(out, "twokey_server_share_expected", write_due, distributions, windows);
    exposition_family(out, "twokey_pool_share_ratio_max", METRIC_GAUGE,
                      "largest share over what was due, over 60 s");
    write_family(out, "twokey_pool_share_ratio_max", write_ratio, distributions, windows);
    exposition_family(out, "twokey_pool_tvd", METRIC_GAUGE,
                      "part of the requests that went to another server than was due, over 60 s");
    write_family(out, "twokey_pool_tvd", write_tvd, distributions, windows);
    exposition_family(out, "twokey_pool_effective_servers", METRIC_GAUGE,
                      "as many equal servers would spread requests so, over 60 s");
    write_family(out, "twokey_pool_effective_servers", write_n_eff, distributions, windows);
    exposition_family(out, "twokey_distribution_state", METRIC_GAUGE,
                      "0 ok, 1 a ticket, 2 a page, -1 too few requests to tell");
    write_family(out, "twokey_distribution_state", write_state, distributions, windows);
    xfree(windows);
}

/* ---- for the gate ---- */

static struct distributions_verdict judge(const struct distributions_since *since,
                                          const struct monitor_epoch *epoch,
                                          enum distribution_ref ref, double dispersion)
{
    size_t count = since->server_count;
    uint64_t *picks = xcalloc(count + 1, sizeof(*picks));
    double *expected = xcalloc(count + 1, sizeof(*expected));
    struct distributions_verdict verdict = {.was_over = epoch->was_over[ref]};
    uint64_t requests = 0;

    for (size_t i = 0; i < count; i++) {
        expected[i] = since->servers[i].expected[ref];
        verdict.is_known = verdict.is_known || expected[i] > 0;
        /* capacity and what was before say nothing of those that should serve nobody */
        if (ref == REF_CONFIGURED || expected[i] > 0)
            picks[i] = since->servers[i].picks;
        requests += picks[i];
    }
    if (verdict.is_known) {
        verdict.is_enough = distribution_is_enough(requests, expected, count, dispersion);
        verdict.over =
            distribution_over_share(picks, expected, count, dispersion, DISTRIBUTION_FAST);
        verdict.under =
            distribution_under_share(picks, expected, count, dispersion, DISTRIBUTION_FAST);
        verdict.bayes = distribution_bayes(picks, expected, count, dispersion);
    }
    xfree(picks);
    xfree(expected);
    return verdict;
}

static void fill_expected(struct distributions_since *since, const struct monitor_epoch *epoch)
{
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        double sum = 0;

        for (size_t i = 0; i < since->server_count; i++)
            sum += epoch->expected[ref][i];
        for (size_t i = 0; i < since->server_count; i++)
            since->servers[i].expected[ref] = sum > 0 ? epoch->expected[ref][i] / sum : 0;
    }
}

/* The window that is nearest to how long it is since. */
static unsigned window_for(const struct distributions *distributions)
{
    uint64_t since_ms = distributions->now_ms - distributions->changed_ms;

    return since_ms < 150 * 1000 ? 0 : since_ms < 600 * 1000 ? 1 : 2;
}

bool distributions_since_change(const struct distributions *distributions, const char *pool,
                                struct arena *arena, struct distributions_since *out)
{
    const struct watched *watched = watched_find(distributions, pool);
    struct monitor_epoch epoch = {0};

    if (watched == NULL)
        return false;
    *out = (struct distributions_since){
        .generation = distributions->changed_generation,
        .began_ms = distributions->changed_ms,
        .dispersion = 1,
        .servers = arena_array(arena, watched->server_count + 1, sizeof(*out->servers)),
        .server_count = watched->server_count,
    };
    for (size_t i = 0; i < watched->server_count; i++)
        out->servers[i].name = watched->servers[i].name;
    if (watched->monitor == NULL)
        return true;
    epoch = monitor_epoch(watched->monitor);
    out->requests = epoch.requests;
    out->dispersion = monitor_dispersion(watched->monitor, REF_CAPACITY, window_for(distributions));
    for (size_t i = 0; i < watched->server_count; i++)
        out->servers[i].picks = epoch.picks[i];
    fill_expected(out, &epoch);
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        out->verdicts[ref] = judge(out, &epoch, (enum distribution_ref)ref, out->dispersion);
    return true;
}
