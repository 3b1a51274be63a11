/*
 * apply - from an approved change to what every worker runs.  Each step is durable before the next:
 *
 *   INTENT     the change is applying                                     change.applying
 *   PREPARED   its revision is stored                                     apply.prepared
 *              tables built, listeners bound: all that can fail has been done
 *   ARMED      `pending` names it, `running` is it, `boot` is what ran    apply.armed
 *              published; all workers have it
 *   ACTIVE     the change is confirming                                   change.confirming
 *
 * A change with a rollout is armed with its first share of the connections; `running` is what ran
 * until all of them have it (canary.c).
 *
 * Approvals are consumed at ARMED: from there a change never comes back to approved.  A crash
 * before ARMED exposed nothing; after it a start runs `boot`.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/fault.h"
#include "change/override.h"
#include "change/refusal.h"
#include "change/rollout.h"
#include "config/load.h"
#include "config/model.h"

enum {
    FAILURES_MAX = 3,
    SCHEDULE_RETRY_MS = 5000,
    COMMAND_TEXT = 448,
};

/* ---- the key "pending" ---- */

void pending_put(struct step *step, const struct pending_confirm *pending)
{
    json_t *value = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "change", pending->change, "rev",
        (json_int_t)pending->rev, "previous", (json_int_t)pending->previous_rev, "applied_ms",
        (json_int_t)pending->applied_wall_ms, "deadline_ms", (json_int_t)pending->deadline_wall_ms,
        "min_bake_ms", (json_int_t)(pending->min_bake_boot_ms - pending->applied_boot_ms), "auto",
        pending->is_auto, "confirmed", pending->is_confirmed);

    CHECK(value != NULL);
    if (pending->trying.percent > 0)
        json_object_set_new(value, "rollout", canary_encode(&pending->trying));
    store_expect(step->txn, "pending", pending->version);
    step_put_json(step, "pending", value);
    json_decref(value);
}

void pending_delete(struct step *step)
{
    store_expect(step->txn, "pending", step->ledger->pending.version);
    store_delete(step->txn, "pending");
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

void pending_load(struct ledger *ledger)
{
    struct pending_confirm *pending = &ledger->pending;
    uint64_t version = 0;
    json_t *stored = stored_json(ledger, "pending", &version);
    const char *change = json_string_value(json_object_get(stored, "change"));

    *pending = (struct pending_confirm){0};
    if (change != NULL) {
        pending->is_set = true;
        (void)snprintf(pending->change, sizeof(pending->change), "%s", change);
        pending->rev = number_of(stored, "rev");
        pending->previous_rev = number_of(stored, "previous");
        pending->applied_wall_ms = (int64_t)number_of(stored, "applied_ms");
        pending->deadline_wall_ms = (int64_t)number_of(stored, "deadline_ms");
        pending->min_bake_boot_ms = number_of(stored, "min_bake_ms");
        pending->is_auto = json_is_true(json_object_get(stored, "auto"));
        pending->is_confirmed = json_is_true(json_object_get(stored, "confirmed"));
        canary_decode(json_object_get(stored, "rollout"), &pending->trying);
    }
    pending->version = version;
    json_decref(stored);
}

void serving_reload(struct ledger *ledger)
{
    struct pending_confirm before = ledger->pending;

    pointer_load(ledger, "running", &ledger->running);
    pointer_load(ledger, "boot", &ledger->boot);
    pointer_load(ledger, "lkg", &ledger->lkg);
    pointer_load(ledger, "previous", &ledger->previous);
    pending_load(ledger);
    /* this process's times are not stored */
    ledger->pending.applied_boot_ms = before.applied_boot_ms;
    ledger->pending.deadline_boot_ms = before.deadline_boot_ms;
    ledger->pending.min_bake_boot_ms = before.min_bake_boot_ms;
    ledger->pending.trying.since_boot_ms = before.trying.since_boot_ms;
    ledger->pending.trying.until_boot_ms = before.trying.until_boot_ms;
    ledger->pending.trying.limit_boot_ms = before.trying.limit_boot_ms;
    ledger->pending.confirm_ms = before.confirm_ms;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whoever changes the way to the admin API confirms over it: nothing confirms itself (E-37). */
static bool changes_admin(struct ledger *ledger, const struct change *change)
{
    json_t *now = ledger_running_json(ledger);
    json_t *target = ledger_blob_json(ledger, change->target_digest);
    json_t *before = json_object_get(now, "admin");
    json_t *after = json_object_get(target, "admin");
    bool is_same =
        before == after || (before != NULL && after != NULL && json_equal(before, after));

    json_decref(now);
    json_decref(target);
    return !is_same;
}

/* By the policy that agreed to it: the one that ran before. */
static void pending_fill(struct ledger *ledger, const struct change *change, uint64_t previous_rev,
                         struct pending_confirm *pending)
{
    const struct conf_policy *policy = &ledger_running_conf(ledger)->policy;
    uint64_t deadline_ms = larger(change->confirm_deadline_ms, policy->confirm_deadline_ms);
    uint64_t min_bake_ms = larger(change->confirm_min_bake_ms, policy->confirm_min_bake_ms);

    (void)snprintf(pending->change, sizeof(pending->change), "%s", change->id);
    pending->is_set = true;
    pending->rev = change->rev;
    pending->previous_rev = previous_rev;
    pending->applied_wall_ms = ledger_wall_ms(ledger);
    pending->applied_boot_ms = ledger_boot_ms(ledger);
    pending->deadline_wall_ms = pending->applied_wall_ms + (int64_t)deadline_ms;
    pending->deadline_boot_ms = pending->applied_boot_ms + deadline_ms;
    pending->min_bake_boot_ms = pending->applied_boot_ms + min_bake_ms;
    pending->is_auto = change->confirm_is_auto && !changes_admin(ledger, change);
    pending->is_confirmed = false;
    canary_fill(ledger, change, pending);
}

void pending_count_from_now(struct ledger *ledger, struct pending_confirm *pending)
{
    uint64_t passed_ms = ledger_boot_ms(ledger) - pending->applied_boot_ms;

    pending->applied_boot_ms += passed_ms;
    pending->deadline_boot_ms += passed_ms;
    pending->min_bake_boot_ms += passed_ms;
    pending->deadline_wall_ms += ledger_wall_ms(ledger) - pending->applied_wall_ms;
    pending->applied_wall_ms = ledger_wall_ms(ledger);
}

/* ---- what fails before anything is exposed ---- */

static void set_text(char **at, const char *text)
{
    xfree(*at);
    *at = text != NULL ? xstrdup(text) : NULL;
}

bool apply_undo_intent(struct ledger *ledger, const struct actor *actor, struct change *change,
                       const char *why, bool counts, struct refusal *refusal)
{
    bool is_forced = change->is_forced;
    json_t *data = json_pack("{s:s, s:I}", "why", why, "rev", (json_int_t)change->rev);
    struct step step;

    step_begin(&step, ledger, actor);
    set_text(&change->last_error, why);
    change->failures += counts;
    change->rev = 0;
    change->is_forced = false;
    set_text(&change->session, NULL);
    set_text(&change->applied_by, NULL);
    if (change->failures >= FAILURES_MAX)
        change_move(&step, change, CHANGE_FAILED, "change.failed", data);
    else
        change_move(&step, change, is_forced ? CHANGE_PENDING : CHANGE_APPROVED,
                    "change.apply-failed", data);
    return step_commit(&step, refusal);
}

void apply_end_unexposed(struct activity *activity, struct refusal *refusal, bool counts)
{
    struct ledger *ledger = activity->ledger;
    struct change *change = ledger_open_change(ledger, activity->change);

    if (change != NULL && change->state == CHANGE_APPLYING)
        (void)apply_undo_intent(ledger, &activity->actor, change, refusal->detail, counts,
                                NULL); /* else apply_tick() tries again */
    activity_end(activity, NULL, refusal);
    refusal_clear(refusal);
}

/* ---- the end of an apply ---- */

/* The exact call that confirms, for the one who has applied. */
static void tell_how_to_confirm(struct ledger *ledger, const struct change *change, json_t *answer)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    char when[CLOCK_RFC3339_TEXT];
    char url[CONFIG_URL_TEXT];
    char command[COMMAND_TEXT];

    (void)snprintf(command, sizeof(command),
                   "curl -X POST -H \"Authorization: Bearer $TWOKEY_TOKEN\" "
                   "\"%s/v1/changes/%s/confirm?wait=2m\"",
                   config_admin_url(conf, url), change->id);
    json_object_set_new(answer, "deadline",
                        json_string(clock_rfc3339(ledger->pending.deadline_wall_ms, when)));
    json_object_set_new(answer, "command", json_string(command));
}

json_t *applied_answer(struct ledger *ledger, const struct change *change, uint64_t generation)
{
    json_t *answer = change_shown(ledger, change);

    json_object_set_new(answer, "rev", json_integer((json_int_t)change->rev));
    if (generation > 0)
        json_object_set_new(answer, "generation", json_integer((json_int_t)generation));
    tell_how_to_confirm(ledger, change, answer);
    return answer;
}

/* Nobody could be told the truth about it: back. */
static void end_unrecorded(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;

    activity_end(activity, NULL, refusal);
    refusal_clear(refusal);
    if (ledger->activity == NULL && ledger->pending.is_set) {
        struct actor system = actor_system("apply");

        restore_begin(ledger, &system, "it could not be recorded", NULL, NULL);
    }
}

void apply_begin_record(struct activity *activity, struct change *change, struct step *step,
                        const struct pending_confirm *pending)
{
    step_begin(step, activity->ledger, &activity->actor);
    change->applied_ms = pending->applied_wall_ms;
    pending_put(step, pending);
}

bool apply_record(struct activity *activity, struct change *change, struct step *step,
                  const struct pending_confirm *pending, uint64_t generation)
{
    struct ledger *ledger = activity->ledger;
    struct refusal refusal = {0};

    if (!step_commit(step, &refusal)) {
        end_unrecorded(activity, &refusal);
        return false;
    }
    ledger->pending = *pending;
    serving_reload(ledger);
    if (pending->trying.percent == 0) /* all connections have it */
        lkg_start(ledger);
    gate_start_change(ledger, generation, change);
    return true;
}

static void apply_published(void *context, uint64_t generation)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    struct change *change = ledger_open_change(ledger, activity->change);
    struct pending_confirm pending = ledger->pending;
    struct step step;

    CHECK(change != NULL && change->state == CHANGE_APPLYING);
    fault_point("apply.published");
    pending_count_from_now(ledger, &pending);
    apply_begin_record(activity, change, &step, &pending);
    override_apply_change(ledger, step.txn, change->overrides, activity->actor.person, change->id);
    change_move(&step, change, CHANGE_CONFIRMING, "change.confirming",
                json_pack("{s:I, s:I, s:I}", "rev", (json_int_t)change->rev, "generation",
                          (json_int_t)generation, "deadline_ms",
                          (json_int_t)pending.deadline_wall_ms));
    if (!apply_record(activity, change, &step, &pending, generation))
        return;
    fault_point("apply.active");
    activity_end(activity, applied_answer(ledger, change, generation), NULL);
}

/* ---- ARMED ---- */

bool apply_arm(struct activity *activity, struct change *change, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    struct pending_confirm pending = {.version = ledger->pending.version};
    json_t *people;
    char next[96];
    struct step step;

    if (ledger->running.rev != change->base_rev) {
        (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/rebase", change->id);
        return refuse(refusal, "base-stale", next,
                      "revision %llu runs by now; the change was made for revision %llu",
                      (unsigned long long)ledger->running.rev,
                      (unsigned long long)change->base_rev);
    }
    pending_fill(ledger, change, ledger->running.rev, &pending);
    people = json_array();
    for (size_t i = 0; i < change->decision_count; i++)
        json_array_append_new(people, json_string(change->decisions[i].person));
    step_begin(&step, ledger, &activity->actor);
    if (pending.trying.percent > 0)
        store_expect(step.txn, "running", ledger->running.version); /* runs until all have it */
    else
        pointer_put(&step, "running", &ledger->running, change->rev, change->target_digest);
    store_expect(step.txn, "boot", ledger->boot.version);
    pending_put(&step, &pending);
    step_audit(&step, "apply.armed", change->id, change->digest,
               json_pack("{s:I, s:I, s:s, s:I, s:I, s:o}", "rev", (json_int_t)change->rev, "boot",
                         (json_int_t)ledger->boot.rev, "target", change->target_digest,
                         "deadline_ms", (json_int_t)pending.deadline_wall_ms, "percent",
                         (json_int_t)(pending.trying.percent > 0 ? pending.trying.percent : 100),
                         "approvals_consumed", people));
    if (!step_commit(&step, refusal))
        return false;
    ledger->pending = pending;
    serving_reload(ledger);
    return true;
}

static void apply_prepared(void *context, struct prepared *prepared,
                           const struct findings *findings, const struct error *why)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    const struct runner *runner = ledger->options.runner;
    struct change *change = ledger_open_change(ledger, activity->change);
    struct refusal refusal = {0};
    char next[96];

    CHECK(change != NULL && change->state == CHANGE_APPLYING);
    if (prepared == NULL) {
        (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
        (void)refuse_with(&refusal, "state-conflict", next,
                          json_pack("{s:o}", "errors", findings_json(findings)),
                          "it could not be made to run, and nothing was exposed: %s", why->text);
        apply_end_unexposed(activity, &refusal,
                            why->code != ERROR_UNAVAILABLE); /* a stop is no failure */
        return;
    }
    if (rollout_steps(change) > 0) { /* it can be made to run, whole; but not at once */
        runner->drop(runner->process, prepared);
        canary_begin(activity, change);
        return;
    }
    fault_point("apply.built");
    if (!apply_arm(activity, change, &refusal)) {
        runner->drop(runner->process, prepared);
        apply_end_unexposed(activity, &refusal, false);
        return;
    }
    fault_point("apply.armed");
    runner->publish(runner->process, prepared, apply_published, activity);
}

/* ---- INTENT, PREPARED ---- */

static bool write_intent(struct activity *activity, struct change *change, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    bool is_forced = change->state == CHANGE_PENDING; /* change_move() says in which session */
    struct step step;

    step_begin(&step, ledger, &activity->actor);
    change->rev = activity->rev;
    set_text(&change->applied_by, activity->actor.person);
    set_text(&change->last_error, NULL);
    change_move(&step, change, CHANGE_APPLYING, is_forced ? "change.forced" : "change.applying",
                json_pack("{s:I, s:I, s:s}", "rev", (json_int_t)change->rev, "from",
                          (json_int_t)ledger->running.rev, "target", change->target_digest));
    if (!step_commit(&step, refusal))
        return false;
    ledger->newest_rev = activity->rev;
    fault_point("apply.intent");
    return true;
}

static bool write_revision(struct activity *activity, struct change *change,
                           struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    struct revision revision = {
        .rev = change->rev,
        .from = ledger->running.rev,
        .created_ms = ledger_wall_ms(ledger),
        .author = change->author,
        .event = (char[]){"change"},
        .files = change->files,
        .files_ms = change->submitted_ms,
    };
    struct step step;

    (void)snprintf(revision.digest, sizeof(revision.digest), "%s", change->target_digest);
    (void)snprintf(revision.change, sizeof(revision.change), "%s", change->id);
    step_begin(&step, ledger, &activity->actor);
    revision_write(&step, &revision);
    step_audit(&step, "apply.prepared", change->id, change->target_digest,
               json_pack("{s:I}", "rev", (json_int_t)change->rev));
    if (!step_commit(&step, refusal))
        return false;
    fault_point("apply.prepared");
    return true;
}

static void apply_begin(struct ledger *ledger, const struct actor *actor, struct change *change,
                        ledger_done_fn *done, void *context)
{
    struct activity *activity = activity_new(ledger, ACTIVITY_APPLY, actor);
    struct refusal refusal = {0};

    ledger->activity = activity;
    activity_wait(activity, done, context);
    activity->rev = ledger->newest_rev + 1;
    (void)snprintf(activity->change, sizeof(activity->change), "%s", change->id);
    (void)snprintf(activity->digest, sizeof(activity->digest), "%s", change->target_digest);
    if (!write_intent(activity, change, &refusal)) {
        activity_end(activity, NULL, &refusal);
        refusal_clear(&refusal);
    } else if (!write_revision(activity, change, &refusal)) {
        apply_end_unexposed(activity, &refusal, false);
    } else if (!activity_prepare(activity, apply_prepared, &refusal)) {
        apply_end_unexposed(activity, &refusal, true);
    }
}

/* ---- the call ---- */

static bool refuse_while_pending(struct ledger *ledger, struct refusal *refusal)
{
    char when[CLOCK_RFC3339_TEXT];
    char next[96];

    if (!ledger->pending.is_set)
        return true;
    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/confirm", ledger->pending.change);
    (void)clock_rfc3339(ledger->pending.deadline_wall_ms, when);
    return refuse_with(refusal, "confirm-pending", next,
                       json_pack("{s:s, s:s}", "change", ledger->pending.change, "deadline", when),
                       "change %s waits for its confirmation until %s", ledger->pending.change,
                       when);
}

static bool may_apply(struct ledger *ledger, const struct actor *actor, struct change *change,
                      const char *if_match, struct refusal *refusal)
{
    char next[96];

    (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
    if (if_match != NULL && strcmp(if_match, change->digest) != 0) {
        (void)refuse(refusal, "digest-mismatch", next, "the change's digest is %s",
                     change->digest[0] != '\0' ? change->digest : "not fixed yet");
        return ledger_denied(ledger, actor, "change.applying", change->id, refusal);
    }
    return activity_is_free(ledger, refusal) && ledger_may_write(ledger, actor, refusal) &&
           refuse_while_pending(ledger, refusal) &&
           change_guard_apply(ledger, actor, change, refusal);
}

/* Asked again (a client that saw no answer): the same apply.  False: there is none. */
static bool join(struct ledger *ledger, const char *id, ledger_done_fn *done, void *context)
{
    const struct change *change = ledger_open_change(ledger, id);

    if (ledger->activity != NULL && ledger->activity->kind == ACTIVITY_APPLY &&
        strcmp(ledger->activity->change, id) == 0) {
        activity_wait(ledger->activity, done, context);
        return true;
    }
    if (change == NULL || change->state != CHANGE_CONFIRMING || ledger->activity != NULL)
        return false;
    done(context, applied_answer(ledger, change, 0), NULL);
    return true;
}

void ledger_apply(struct ledger *ledger, const struct actor *actor, const char *id,
                  const char *if_match, ledger_done_fn *done, void *context)
{
    struct refusal refusal = {0};
    struct change *change;

    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    if (join(ledger, id, done, context))
        return;
    change = ledger_need_open(ledger, id, &refusal);
    if (change != NULL && may_apply(ledger, actor, change, if_match, &refusal)) {
        apply_begin(ledger, actor, change, done, context);
        return;
    }
    done(context, NULL, &refusal);
    refusal_clear(&refusal);
}

/* ---- each second ---- */

/* An intent that came to nothing, and could not be undone while the disk was full. */
static void undo_stuck(struct ledger *ledger)
{
    struct actor system = actor_system("apply");

    for (size_t i = ledger->open_count; i-- > 0;) {
        struct change *change = ledger->open[i];

        if (change->state != CHANGE_APPLYING)
            continue;
        if (!ledger->pending.is_set || strcmp(ledger->pending.change, change->id) != 0)
            (void)apply_undo_intent(ledger, &system, change, "it could not be recorded", false,
                                    NULL); /* the next second tries again */
        else if (ledger_boot_ms(ledger) >= ledger->serving.retry_boot_ms)
            restore_begin(ledger, &system, "it could not be recorded", NULL, NULL);
        return;
    }
}

static void scheduled_done(void *context, json_t *answer, const struct refusal *refusal)
{
    struct ledger *ledger = context;

    (void)refusal; /* a freeze, a window: asked again until the change expires */
    ledger->serving.retry_boot_ms = ledger_boot_ms(ledger) + SCHEDULE_RETRY_MS;
    json_decref(answer);
}

static void apply_scheduled(struct ledger *ledger)
{
    struct actor system = actor_system("schedule");
    int64_t now = ledger_wall_ms(ledger);

    for (size_t i = 0; i < ledger->open_count; i++) {
        struct change *change = ledger->open[i];
        char id[CHANGE_ID_TEXT];

        if (change->state != CHANGE_APPROVED || !change->is_auto_apply ||
            change->not_before_ms > now)
            continue;
        memcpy(id, change->id, sizeof(id));
        ledger_apply(ledger, &system, id, NULL, scheduled_done, ledger);
        return;
    }
}

static void record_undurable(struct ledger *ledger)
{
    struct activity *activity = ledger->serving.undurable;
    bool is_done = activity->kind == ACTIVITY_ROLLBACK ? rollback_record(activity, NULL)
                                                       : restore_record(activity, NULL);

    if (!is_done)
        return;
    ledger->serving.undurable = NULL;
    activity_free(&activity);
}

void apply_tick(struct ledger *ledger)
{
    struct actor system = actor_system("confirm");
    uint64_t now = ledger_boot_ms(ledger);

    if (ledger->activity != NULL)
        return;
    if (ledger->serving.undurable != NULL)
        record_undurable(ledger);
    else if (canary_is_running(ledger))
        canary_tick(ledger);
    else if (ledger->pending.is_set && ledger->pending.is_confirmed)
        (void)confirm_finish(ledger, &system, NULL); /* the next second tries again */
    else if (now >= ledger->serving.retry_boot_ms && ledger->pending.is_set &&
             now >= ledger->pending.deadline_boot_ms)
        confirm_deadline(ledger);
    if (ledger->activity == NULL)
        undo_stuck(ledger);
    if (ledger->activity == NULL && !ledger->pending.is_set && now >= ledger->serving.retry_boot_ms)
        apply_scheduled(ledger);
    lkg_tick(ledger);
}
