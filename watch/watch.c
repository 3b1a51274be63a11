/*
 * watch - see watch.h: its life, and the list of alerts.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#include "watch/watch.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "change/ledger.h"
#include "watch/internal.h"

struct watch *watch_new(const struct watch_options *options)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));

    ON_CONTROL();
    watch->tag = WATCH_TAG;
    watch->options = *options;
    return watch;
}

void watch_free(struct watch **holder)
{
    struct watch *watch = TAKE_POINTER(holder);

    if (watch == NULL)
        return;
    CHECK_OBJ(watch, WATCH_TAG);
    watch->tag = 0;
    xfree(watch);
}

/* ---- drift ---- */

static bool has_drift(const struct watch *watch)
{
    return watch->options.has_drift != NULL && watch->options.has_drift(watch->options.context);
}

static void notice_drift(struct watch *watch, int64_t now_ms)
{
    if (!has_drift(watch))
        watch->drift_since_ms = 0;
    else if (watch->drift_since_ms == 0)
        watch->drift_since_ms = now_ms;
}

static json_t *drift_alert(const struct watch *watch)
{
    char since[CLOCK_RFC3339_TEXT];

    return json_pack(
        "{s:s, s:s, s:o, s:s, s:s+}", "name", "Drift", "severity", "warning", "since",
        watch->drift_since_ms > 0 ? json_string(clock_rfc3339(watch->drift_since_ms, since))
                                  : json_null(),
        "summary", "conf.d on disk differs from what was last taken over", "description",
        "GET /v1/drift shows what differs; POST /v1/reload takes it over, in mode "
        "enforced as a change that others approve. Directory: ",
        watch->options.configuration_directory);
}

/* ---- each second ---- */

void watch_tick(struct watch *watch, const struct summary *summary)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    (void)summary;
    notice_drift(watch, clock_wall_ms());
}

json_t *watch_alerts(struct watch *watch)
{
    json_t *list =
        watch->options.ledger != NULL ? ledger_alerts(watch->options.ledger) : json_array();

    ON_CONTROL();
    if (has_drift(watch))
        json_array_append_new(list, drift_alert(watch));
    return list;
}
