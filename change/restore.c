/*
 * restore - the way back: what ran before the pending change runs again, under its own number and
 * a new generation.  On /cancel, over the deadline, and where an apply could not be recorded.
 *
 * The record is written before workers get it, so that a crash between the two starts with it.
 * When the store cannot be written at all it happens nevertheless, and is recorded later.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/fault.h"
#include "change/refusal.h"
#include "config/model.h"

enum { RETRY_MS = 5000 };

bool restore_record(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    struct change *change = ledger_open_change(ledger, activity->change);
    struct step step;

    step_begin(&step, ledger, &activity->actor);
    step.may_use_reserve = true;
    pointer_put(&step, "running", &ledger->running, activity->rev, activity->digest);
    pending_delete(&step);
    if (change != NULL) {
        xfree(change->ended_why);
        change->ended_why = xstrdup(activity->why);
        if (gate_took_back(ledger, change->id, activity->why)) {
            xfree(change->last_error);
            change->last_error = xstrdup(activity->why);
        }
        change_move(&step, change, CHANGE_ROLLED_BACK, "change.rolled-back",
                    json_pack("{s:s, s:I, s:I}", "why", activity->why, "rev",
                              (json_int_t)activity->rev, "from", (json_int_t)activity->from_rev));
    }
    if (!step_commit(&step, refusal))
        return false;
    serving_reload(ledger);
    return true;
}

/* It happens in memory; apply_tick() writes it as soon as the store can be written. */
static void note_undurable(struct activity *activity, const struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;

    activity->is_undurable = true;
    ledger->running.rev = activity->rev;
    memcpy(ledger->running.digest, activity->digest, sizeof(ledger->running.digest));
    ledger->pending.is_set = false;
    log_event(EV_ROLLBACK_UNDURABLE, LOG_NUMBER("rev", activity->rev),
              LOG_TEXT("why", refusal->detail));
}

/* By whom; people cancel. */
static enum rollback_cause cause_of(const struct activity *activity)
{
    if (strcmp(activity->actor.auth, "system") != 0)
        return ROLLBACK_CANCEL;
    if (strcmp(activity->actor.principal, "gate") == 0)
        return ROLLBACK_GATE;
    return strcmp(activity->actor.principal, "deadline") == 0 ? ROLLBACK_DEADLINE : ROLLBACK_APPLY;
}

static void restore_published(void *context, uint64_t generation)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    const struct change *change = ledger_find(ledger, activity->change);
    json_t *answer;

    fault_point("restore.published");
    lkg_start(ledger);
    gate_start(ledger, generation);
    ledger->serving.rollbacks[cause_of(activity)]++;
    answer = change != NULL ? change_shown(ledger, change) : json_object();
    json_object_set_new(answer, "running",
                        json_pack("{s:I, s:s, s:I}", "rev", (json_int_t)activity->rev, "digest",
                                  activity->digest, "generation", (json_int_t)generation));
    if (activity->is_undurable)
        json_object_set_new(answer, "undurable", json_true());
    activity_end(activity, answer, NULL);
}

static void fail(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;

    ledger->serving.retry_boot_ms = ledger_boot_ms(ledger) + RETRY_MS;
    log_event(EV_ROLLBACK_FAILED, LOG_NUMBER("rev", activity->rev),
              LOG_TEXT("why", refusal->detail));
    activity_end(activity, NULL, refusal);
    refusal_clear(refusal);
}

static void restore_prepared(void *context, struct prepared *prepared,
                             const struct findings *findings, const struct error *why)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    const struct runner *runner = ledger->options.runner;
    struct refusal refusal = {0};

    (void)findings;
    if (prepared == NULL) {
        (void)refuse(&refusal, "state-conflict", "GET /v1/status",
                     "revision %llu cannot be made to run again: %s",
                     (unsigned long long)activity->rev, why->text);
        fail(activity, &refusal);
        return;
    }
    fault_point("restore.built");
    if (!restore_record(activity, &refusal)) {
        note_undurable(activity, &refusal);
        refusal_clear(&refusal);
    }
    fault_point("restore.recorded");
    runner->publish(runner->process, prepared, restore_published, activity);
}

/* What ran before has never left service: nothing is to be built. */
static void take_back(struct activity *activity)
{
    const struct runner *runner = activity->ledger->options.runner;
    struct refusal refusal = {0};

    if (!restore_record(activity, &refusal)) {
        note_undurable(activity, &refusal);
        refusal_clear(&refusal);
    }
    fault_point("canary.back-recorded");
    restore_published(activity, runner->take_back(runner->process));
}

static bool find_previous(struct activity *activity, struct refusal *refusal)
{
    struct revision revision = {0};

    if (!revision_read(activity->ledger, activity->rev, &revision))
        return refuse(refusal, "not-found", "GET /v1/revisions",
                      "revision %llu, which ran before, is not in the store",
                      (unsigned long long)activity->rev);
    memcpy(activity->digest, revision.digest, sizeof(activity->digest));
    revision_fini(&revision);
    return true;
}

void restore_begin(struct ledger *ledger, const struct actor *actor, const char *why,
                   ledger_done_fn *done, void *context)
{
    struct activity *activity = activity_new(ledger, ACTIVITY_RESTORE, actor);
    struct refusal refusal = {0};

    CHECK(ledger->activity == NULL && ledger->pending.is_set);
    ledger->activity = activity;
    activity_wait(activity, done, context);
    activity->rev = ledger->pending.previous_rev;
    activity->why = xstrdup(why);
    memcpy(activity->change, ledger->pending.change, sizeof(activity->change));
    if (!find_previous(activity, &refusal))
        fail(activity, &refusal);
    else if (canary_is_running(ledger))
        take_back(activity);
    else if (!activity_prepare(activity, restore_prepared, &refusal))
        fail(activity, &refusal);
}

static bool may_cancel(struct ledger *ledger, const struct actor *actor, const char *id,
                       struct refusal *refusal)
{
    const struct change *change = ledger_need_open(ledger, id, refusal);

    if (change == NULL || !activity_is_free(ledger, refusal))
        return false;
    if (!ledger_may_act(ledger, actor, ROLE_OPERATOR, "operator", refusal))
        return false;
    if (change->state == CHANGE_CONFIRMING && ledger->pending.is_set &&
        !ledger->pending.is_confirmed && strcmp(ledger->pending.change, id) == 0)
        return true;
    return refuse(refusal, "state-conflict", "POST /v1/rollback {\"to\":\"previous\"}",
                  "change %s is %s: only one that waits for its confirmation is cancelled (before "
                  "it is applied: withdraw it; after it: roll back)",
                  id, change_state_word(change->state));
}

void ledger_cancel(struct ledger *ledger, const struct actor *actor, const char *id,
                   const char *reason, ledger_done_fn *done, void *context)
{
    struct refusal refusal = {0};
    char why[256];

    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    if (!may_cancel(ledger, actor, id, &refusal)) {
        (void)ledger_denied(ledger, actor, "change.rolled-back", id, &refusal);
        done(context, NULL, &refusal);
        refusal_clear(&refusal);
        return;
    }
    (void)snprintf(why, sizeof(why), "cancelled by %s%s%s", actor->person,
                   reason != NULL ? ": " : "", reason != NULL ? reason : "");
    restore_begin(ledger, actor, why, done, context);
}
