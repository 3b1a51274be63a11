/*
 * look - what is wrong now, asked of everybody who knows; each source is one line of tell_all().
 *
 * Owner    watch.      Threads  control only
 */
#include "watch/internal.h"
#include "watch/renewals.h"
#include "watch/staples.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "change/ledger.h"
#include "config/model.h"
#include "observe/summary.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "watch/alerts.h"
#include "watch/certificates.h"
#include "watch/distributions.h"
#include "watch/live.h"
#include "watch/pool_alerts.h"

enum { SILENT_MS = 30 * 1000, TEXT = 256 };

static void tell(struct watch *watch, const char *name, const char *summary,
                 const char *description)
{
    alerts_tell(watch->alerts, json_pack("{s:s, s:s, s:s}", "name", name, "summary", summary,
                                         "description", description));
}

/* ---- drift ---- */

static bool has_drift(const struct watch *watch)
{
    return watch->options.has_drift != NULL && watch->options.has_drift(watch->options.context);
}

static void tell_drift(struct watch *watch)
{
    if (has_drift(watch))
        alerts_tell(watch->alerts,
                    json_pack("{s:s, s:s, s:s+}", "name", "Drift", "summary",
                              "conf.d on disk differs from what was last taken over", "description",
                              "GET /v1/drift shows what differs; POST /v1/reload takes it over, in "
                              "mode enforced as a change that others approve. Directory: ",
                              watch->options.configuration_directory));
}

/* ---- the other threads ---- */

static bool is_silent(uint64_t seen_ms, uint64_t now_ms)
{
    return seen_ms != 0 && now_ms > seen_ms && now_ms - seen_ms > SILENT_MS;
}

static void tell_silence(struct watch *watch, uint64_t now_ms)
{
    if (is_silent(watch->observer_seen_ms, now_ms))
        tell(watch, "ObserverSilent", "the thread of the access log says nothing any more",
             "Its disk may hang. Rates stand still, recent traffic is not sampled and access log "
             "lines are dropped; requests go on.");
    if (watch->options.prober_seen_ms != NULL &&
        is_silent(watch->options.prober_seen_ms(watch->options.context), now_ms))
        tell(watch, "ChecksSilent", "the thread of the health checks says nothing any more",
             "Servers that fail are not taken out, and those that are well again do not come "
             "back. A restart begins it anew.");
}

static void tell_undeliverable(struct watch *watch, uint64_t now_ms)
{
    if (is_silent(watch->reported_ms, now_ms))
        tell(watch, "AlertsUndeliverable", "the thread that sends alerts says nothing any more",
             "Nobody is told of alerts. A restart begins it anew.");
    else if (watch->undeliverable != NULL)
        alerts_tell(watch->alerts, json_incref(watch->undeliverable));
}

/* ---- the access log ---- */

static void tell_access_log(struct watch *watch)
{
    char summary[TEXT];

    if (watch->is_log_failing)
        tell(watch, "AccessLogFailing", "the access log cannot be written",
             "The log says why (log-failed). Requests go on; what they were is not written down.");
    if (watch->log_lines_dropped == 0)
        return;
    (void)snprintf(summary, sizeof(summary), "access log lines are dropped, %llu a second",
                   (unsigned long long)watch->log_lines_dropped);
    tell(watch, "AccessLogDropped", summary,
         "The disk is slower than the requests come. observe.access_log.sample_percent writes "
         "fewer of them.");
}

void look_at_summary(struct watch *watch, const struct summary *summary)
{
    uint64_t before = watch->log_lines_before;

    watch->observer_seen_ms = clock_ms();
    watch->is_log_failing = summary->is_log_failing;
    watch->log_lines_dropped =
        summary->log_lines_dropped > before ? summary->log_lines_dropped - before : 0;
    watch->log_lines_before = summary->log_lines_dropped;
}

/* ---- servers and pools ---- */

void look_at_pools(struct watch *watch, const struct summary *summary)
{
    const struct snapshot *snapshot =
        watch->options.publisher != NULL ? publisher_running(watch->options.publisher) : NULL;
    struct live_source source = {.ledger = watch->options.ledger, .summary = summary};

    certificates_look(watch->certificates, snapshot);
    json_decref(watch->pool_alerts);
    watch->pool_alerts = snapshot != NULL ? pool_alerts(&source, snapshot) : json_array();
}

/* ---- certificates ---- */

static void tell_certificates(struct watch *watch)
{
    json_t *list = json_array();

    certificates_add_alerts(watch->certificates, clock_wall_ms(), list);
    if (watch->options.staples != NULL)
        staples_add_alerts(watch->options.staples, clock_wall_ms(), list);
    if (watch->options.renewals != NULL)
        renewals_add_alerts(watch->options.renewals, list);
    alerts_tell_all(watch->alerts, list);
}

/* ---- all of it ---- */

static void tell_all(struct watch *watch, uint64_t now_ms)
{
    if (watch->options.ledger != NULL)
        alerts_tell_all(watch->alerts, ledger_alerts(watch->options.ledger));
    tell_drift(watch);
    tell_silence(watch, now_ms);
    tell_access_log(watch);
    tell_undeliverable(watch, now_ms);
    tell_certificates(watch);
    if (watch->distributions != NULL) {
        json_t *spread = json_array();

        distributions_add_alerts(watch->distributions, spread);
        alerts_tell_all(watch->alerts, spread);
    }
    if (watch->pool_alerts != NULL)
        alerts_tell_all(watch->alerts, json_incref(watch->pool_alerts));
}

void look(struct watch *watch)
{
    uint64_t now_ms = clock_ms();
    json_t *suspect = NULL;

    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    alerts_begin(watch->alerts, clock_wall_ms(), now_ms);
    tell_all(watch, now_ms);
    if (watch->options.ledger != NULL && alerts_name_a_change(watch->alerts))
        suspect = ledger_suspect(watch->options.ledger);
    alerts_end(watch->alerts, suspect);
    json_decref(suspect);
}

const char *look_runbooks(const struct watch *watch)
{
    const struct snapshot *snapshot =
        watch->options.publisher != NULL ? publisher_running(watch->options.publisher) : NULL;

    return snapshot != NULL ? snapshot->conf->observe.runbooks : "runbooks/";
}
