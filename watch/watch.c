/*
 * watch - see watch.h: its life, what it does each second, and what it answers.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#include "watch/watch.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "change/gate.h"
#include "observe/alert_report.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "watch/alerts.h"
#include "watch/canary.h"
#include "watch/certificates.h"
#include "watch/distributions.h"
#include "watch/gate_watch.h"
#include "watch/internal.h"

struct watch *watch_new(const struct watch_options *options)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));

    ON_CONTROL();
    watch->tag = WATCH_TAG;
    watch->options = *options;
    watch->alerts = alerts_new();
    watch->certificates = certificates_new();
    if (options->publisher != NULL && options->counters != NULL)
        watch->distributions =
            distributions_new(options->counters, options->worker_count, options->publisher);
    if (options->ledger != NULL && options->publisher != NULL) {
        watch->gate =
            gate_watch_new(options->counters, options->worker_count, watch->distributions);
        watch->canary = canary_watch_new(options->counters, options->worker_count);
    }
    return watch;
}

void watch_free(struct watch **holder)
{
    struct watch *watch = TAKE_POINTER(holder);

    if (watch == NULL)
        return;
    CHECK_OBJ(watch, WATCH_TAG);
    alerts_free(&watch->alerts);
    certificates_free(&watch->certificates);
    gate_watch_free(&watch->gate);
    canary_watch_free(&watch->canary);
    distributions_free(&watch->distributions);
    json_decref(watch->pool_alerts);
    json_decref(watch->undeliverable);
    alert_report_free(&watch->report);
    xfree(watch->route_requests);
    watch->tag = 0;
    xfree(watch);
}

/* ---- each second ---- */

void watch_tick(struct watch *watch, const struct summary *summary)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    look_at_summary(watch, summary);
    look_at_routes(watch);
}

static void look_at_gate(struct watch *watch)
{
    struct ledger *ledger = watch->options.ledger;
    const struct publisher *publisher = watch->options.publisher;
    const struct snapshot *newest;
    struct gate_sight sight = {.now_ms = clock_ms()};
    struct gate_subject subject;
    struct gate_readings readings;
    bool has_subject;

    if (watch->gate == NULL)
        return;
    newest = publisher_current(publisher);
    sight.running = publisher_running(publisher);
    sight.published_generation = newest != NULL ? newest->generation : 0;
    /* while only a share of the connections has it, that is held against the others */
    has_subject = ledger_gate_subject(ledger, &subject) && subject.percent == 0;
    if (has_subject && !subject.is_soaking && watch->distributions != NULL)
        (void)distributions_look(watch->distributions, sight.now_ms); /* what came by now */
    if (gate_watch_tick(watch->gate, &sight, has_subject ? &subject : NULL, &readings))
        ledger_gate_tick(ledger, &readings);
}

static void look_at_canary(struct watch *watch)
{
    struct ledger *ledger = watch->options.ledger;
    const struct publisher *publisher = watch->options.publisher;
    struct canary_sight sight = {.now_ms = clock_ms()};
    struct gate_subject subject;
    struct gate_readings readings;
    bool has_subject;

    if (watch->canary == NULL)
        return;
    sight.running = publisher_current(publisher);
    sight.tried = publisher_candidate(publisher);
    has_subject = ledger_gate_subject(ledger, &subject);
    if (canary_watch_tick(watch->canary, &sight, has_subject ? &subject : NULL, &readings))
        ledger_gate_tick(ledger, &readings);
}

void watch_second(struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    if (watch->distributions != NULL)
        distributions_tick(watch->distributions, clock_ms());
    look_at_pools(watch, NULL);
    look_at_gate(watch);
    look_at_canary(watch);
    look(watch);
    notify(watch);
}

const struct distributions *watch_distributions(struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    if (watch->distributions == NULL || !distributions_look(watch->distributions, clock_ms()))
        return NULL;
    return watch->distributions;
}

json_t *watch_alerts(struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    look(watch);
    return alerts_shown(watch->alerts, look_runbooks(watch));
}

const struct certificate_end *watch_certificates(const struct watch *watch, size_t *count_out)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    return certificates_ends(watch->certificates, count_out);
}

const struct staples *watch_staples(const struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    return watch->options.staples;
}
