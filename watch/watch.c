/*
 * watch - see watch.h: its life, what it does each second, and what it answers.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#include "watch/watch.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/thread.h"
#include "watch/alerts.h"
#include "watch/internal.h"

struct watch *watch_new(const struct watch_options *options)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));

    ON_CONTROL();
    watch->tag = WATCH_TAG;
    watch->options = *options;
    watch->alerts = alerts_new();
    return watch;
}

void watch_free(struct watch **holder)
{
    struct watch *watch = TAKE_POINTER(holder);

    if (watch == NULL)
        return;
    CHECK_OBJ(watch, WATCH_TAG);
    alerts_free(&watch->alerts);
    json_decref(watch->pool_alerts);
    json_decref(watch->undeliverable);
    watch->tag = 0;
    xfree(watch);
}

/* ---- each second ---- */

void watch_tick(struct watch *watch, const struct summary *summary)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    look_at_summary(watch, summary);
    notify_take_report(watch, summary);
}

void watch_second(struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    look_at_pools(watch, NULL);
    look(watch);
    notify(watch);
}

json_t *watch_alerts(struct watch *watch)
{
    ON_CONTROL();
    CHECK_OBJ(watch, WATCH_TAG);
    look(watch);
    return alerts_shown(watch->alerts, look_runbooks(watch));
}
