/*
 * notify - hands what is wrong to the thread that tells the receivers of observe.alerts.
 *
 * A batch goes when something was raised or is over, and each half minute while anything is: words
 * change, and what is kept of ends grows old.
 *
 * Owner    watch.      Threads  control only
 */
#include "watch/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "change/ledger.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/alert_report.h"
#include "observe/alert_thread.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "watch/alerts.h"

enum { AGAIN_MS = 30 * 1000, HOST_TEXT = 128, TEXT = 512 };

/* ---- whom ---- */

static json_t *list_of(const struct conf_strings *urls)
{
    json_t *list = json_array();

    for (size_t i = 0; i < urls->count; i++)
        json_array_append_new(list, json_string(urls->items[i]));
    return list;
}

/* True: they are others than before. */
static bool set_receivers(struct watch *watch, const struct configuration *conf)
{
    const struct conf_observe *observe = &conf->observe;

    if (strcmp(watch->receivers_of, conf->digest) == 0)
        return false;
    (void)snprintf(watch->receivers_of, sizeof(watch->receivers_of), "%s", conf->digest);
    watch->has_receivers = observe->alertmanagers.count + observe->webhooks.count > 0;
    alert_thread_set_receivers(watch->options.alerts,
                               json_pack("{s:o, s:o}", "alertmanager",
                                         list_of(&observe->alertmanagers), "webhook",
                                         list_of(&observe->webhooks)));
    return true;
}

/* ---- what ---- */

/* This machine and the admin listener's port: "lb2:9901". */
static json_t *instance_of(const struct conf_address *listen)
{
    const char *colon = strrchr(listen->text, ':');
    char host[HOST_TEXT];

    if (gethostname(host, sizeof(host)) != 0)
        (void)snprintf(host, sizeof(host), "localhost");
    host[sizeof(host) - 1] = '\0';
    return json_sprintf("%s%s", host, colon != NULL ? colon : "");
}

static json_t *batch_of(struct watch *watch, const struct configuration *conf)
{
    json_t *batch = alerts_batch(watch->alerts, conf->observe.runbooks);
    char url[CONFIG_URL_TEXT];

    json_object_set_new(batch, "instance", instance_of(&conf->admin.listen));
    json_object_set_new(batch, "url", json_string(config_admin_url(conf, url)));
    if (watch->options.ledger != NULL)
        json_object_set_new(batch, "cluster", json_string(ledger_cluster(watch->options.ledger)));
    return batch;
}

/* ---- how it goes ---- */

void watch_take_report(struct watch *watch, struct alert_report *report)
{
    char text[TEXT];
    size_t used = 0, failing = 0;

    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    alert_report_free(&watch->report);
    watch->report = report;
    watch->reported_ms = clock_ms();
    text[0] = '\0';
    for (size_t i = 0; i < report->count; i++) {
        const struct alert_receiver *receiver = &report->receivers[i];

        if (receiver->failing_since_ms == 0)
            continue;
        failing++;
        if (used < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s: %s",
                                     used > 0 ? "; " : "", receiver->name, receiver->why);
    }
    json_decref(watch->undeliverable);
    watch->undeliverable = NULL;
    if (failing > 0)
        watch->undeliverable = json_pack(
            "{s:s, s:o, s:s, s:o}", "name", "AlertsUndeliverable", "summary",
            json_sprintf("alerts do not reach %zu of %zu receivers", failing, report->count),
            "severity", "ticket", "description",
            json_sprintf("%s. It is tried again; what is true then is sent.", text));
}

const struct alert_report *watch_report(const struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    return watch->report;
}

/* ---- each second ---- */

void notify(struct watch *watch)
{
    const struct snapshot *snapshot =
        watch->options.publisher != NULL ? publisher_running(watch->options.publisher) : NULL;
    uint64_t seq = alerts_seq(watch->alerts), now_ms = clock_ms();
    bool is_due;

    if (snapshot == NULL || watch->options.alerts == NULL)
        return;
    is_due = set_receivers(watch, snapshot->conf) || seq != watch->notified_seq ||
             now_ms - watch->notified_ms >= AGAIN_MS;
    if (!watch->has_receivers || !is_due || seq == 0)
        return;
    watch->notified_seq = seq;
    watch->notified_ms = now_ms;
    alert_thread_send(watch->options.alerts, batch_of(watch, snapshot->conf));
}
