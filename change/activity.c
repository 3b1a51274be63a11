/*
 * activity - see activity.h.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/files.h"
#include "change/refusal.h"
#include "config/contents.h"
#include "config/finding.h"
#include "config/load.h"

enum { ARENA_BLOCK = 4096 };

struct activity *activity_new(struct ledger *ledger, enum activity_kind kind,
                              const struct actor *actor)
{
    struct activity *activity = xcalloc(1, sizeof(*activity));

    activity->kind = kind;
    activity->ledger = ledger;
    activity->from_rev = ledger->running.rev;
    actor_copy(&activity->actor, actor);
    buffer_init(&activity->bytes);
    return activity;
}

void activity_free(struct activity **holder)
{
    struct activity *activity = TAKE_POINTER(holder);

    if (activity == NULL)
        return;
    actor_fini(&activity->actor);
    buffer_fini(&activity->bytes);
    xfree(activity->why);
    xfree(activity->waiters);
    xfree(activity);
}

void activity_wait(struct activity *activity, ledger_done_fn *done, void *context)
{
    if (done == NULL)
        return;
    activity->waiters =
        xrealloc(activity->waiters, (activity->waiter_count + 1) * sizeof(struct activity_waiter));
    activity->waiters[activity->waiter_count++] = (struct activity_waiter){done, context};
}

void activity_tell(struct activity *activity, json_t *answer, const struct refusal *refusal)
{
    size_t count = activity->waiter_count;
    struct activity_waiter *waiters = TAKE_POINTER(&activity->waiters);

    activity->waiter_count = 0;
    for (size_t i = 0; i < count; i++)
        waiters[i].done(waiters[i].context, answer != NULL ? json_deep_copy(answer) : NULL,
                        refusal);
    xfree(waiters);
    json_decref(answer);
}

static void begin_queued(struct ledger *ledger)
{
    if (ledger->activity != NULL || ledger->serving.queued == NULL)
        return;
    ledger->activity = TAKE_POINTER(&ledger->serving.queued);
    rollback_begin(ledger->activity);
}

void activity_end(struct activity *activity, json_t *answer, const struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;

    CHECK(ledger->activity == activity);
    ledger->activity = NULL;
    activity_tell(activity, answer, refusal);
    if (activity->is_undurable)
        ledger->serving.undurable = activity;
    else
        activity_free(&activity);
    begin_queued(ledger);
}

bool activity_is_free(const struct ledger *ledger, struct refusal *refusal)
{
    static const char *const words[] = {[ACTIVITY_APPLY] = "an apply",
                                        [ACTIVITY_RESTORE] = "the way back to the last revision",
                                        [ACTIVITY_ROLLBACK] = "a rollback"};

    if (ledger->serving.undurable != NULL)
        return refuse(refusal, "audit-unavailable", "GET /v1/status",
                      "what runs could not be recorded yet; nothing else is done before");
    if (ledger->activity == NULL)
        return true;
    return refuse(refusal, "state-conflict", "GET /v1/status",
                  "%s is under way (%s, asked for by %s); ask again when it is over",
                  words[ledger->activity->kind],
                  ledger->activity->change[0] != '\0' ? ledger->activity->change : "no change",
                  ledger->activity->actor.person);
}

/* What its files held when it was approved, or ran. */
static bool fill_files(const struct activity *activity, struct configuration *conf,
                       struct findings *findings)
{
    struct ledger *ledger = activity->ledger;
    const struct change *change =
        activity->kind == ACTIVITY_APPLY ? ledger_open_change(ledger, activity->change) : NULL;
    struct revision revision = {0};
    const json_t *map = NULL;
    int64_t read_ms = 0;
    bool ok;

    if (contents_are_filled(conf)) /* it names none */
        return true;
    if (change != NULL) {
        map = change->files;
        read_ms = change->submitted_ms;
    } else if (revision_read(ledger, activity->to_rev != 0 ? activity->to_rev : activity->rev,
                             &revision)) {
        map = revision.files;
        read_ms = revision.files_ms;
    }
    ok = files_fill(ledger, map, read_ms, conf, findings);
    revision_fini(&revision);
    return ok;
}

bool activity_prepare(struct activity *activity, runner_prepared_fn *done, struct refusal *refusal)
{
    const struct runner *runner = activity->ledger->options.runner;
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct configuration *conf = NULL;
    struct findings findings;

    findings_init(&findings, arena);
    if (buffer_length(&activity->bytes) == 0 &&
        !ledger_blob(activity->ledger, activity->digest, &activity->bytes))
        (void)refuse(refusal, "state-conflict", "GET /v1/status",
                     "the stored bytes of revision %llu do not have its digest %s",
                     (unsigned long long)activity->rev, activity->digest);
    else
        conf = ledger_parse(buffer_slice(&activity->bytes), "the stored configuration", &findings);
    if (conf != NULL && !fill_files(activity, conf, &findings))
        config_free(&conf);
    if (conf == NULL && findings.count > 0)
        (void)refuse_findings(refusal, "findings-block", "GET /v1/status", &findings,
                              "the stored configuration does not build");
    findings_fini(&findings);
    arena_free(&arena);
    if (conf == NULL)
        return false;
    runner->prepare(runner->process, conf, done, activity);
    return true;
}

void serving_close(struct ledger *ledger)
{
    struct serving *serving = &ledger->serving;
    struct activity *left[] = {ledger->activity, serving->queued, serving->undurable};
    struct refusal refusal = {0};

    (void)refuse(&refusal, "not-running", "GET /v1/status", "twokey is stopping");
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        if (left[i] != NULL)
            activity_tell(left[i], NULL, &refusal);
        activity_free(&left[i]);
    }
    ledger->activity = serving->queued = serving->undurable = NULL;
    json_decref(serving->alerts);
    serving->alerts = NULL;
}

json_t *stored_json(struct ledger *ledger, const char *key, uint64_t *version_out)
{
    struct buffer bytes;
    json_t *value = NULL;

    buffer_init(&bytes);
    if (store_get(ledger->store, key, &bytes, version_out))
        value = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    buffer_fini(&bytes);
    return value;
}

bool ledger_is_busy(const struct ledger *ledger)
{
    return ledger->activity != NULL;
}
