/*
 * canary - a change that a growing share of the connections has, before all of them do.
 *
 *   ARMED     with the first share; `running` and `boot` are what ran         apply.armed
 *             every worker has it beside what runs
 *   ACTIVE    the change is confirming                                        change.confirming
 *   step      what was seen is well, so the next share                        canary.step
 *   waits     its time is over, and it is not known how it does               canary.waits
 *   WHOLE     `running` is it; published; all workers have it                 canary.whole
 *             from here on it waits for its confirmation like any other
 *
 * Going back is to stop trying: what ran has never left service.  It comes by the gate, /cancel, a
 * rollback, a restart, and where an hour is over.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/fault.h"
#include "change/merge.h"
#include "change/override.h"
#include "change/refusal.h"
#include "change/rollout.h"

enum { RETRY_MS = 5000 };

/* ---- its times ---- */

static void begin_step(struct ledger *ledger, const struct change *change, uint32_t step,
                       struct trying *trying)
{
    uint64_t length_ms = rollout_step_ms(change, step);

    trying->step = step;
    trying->percent = rollout_percent(change, step);
    trying->waits = false;
    trying->since_boot_ms = ledger_boot_ms(ledger);
    trying->until_boot_ms = trying->since_boot_ms + length_ms;
    trying->until_wall_ms = ledger_wall_ms(ledger) + (int64_t)length_ms;
}

/* The times of a change that all have are counted anew; until then its deadline is where the steps
 * and the time to confirm end. */
static void plan(const struct change *change, struct pending_confirm *pending)
{
    const struct trying *trying = &pending->trying;
    uint64_t more_ms = rollout_left_ms(change, trying->step + 1) + pending->confirm_ms;

    pending->deadline_boot_ms = trying->until_boot_ms + more_ms;
    pending->deadline_wall_ms = trying->until_wall_ms + (int64_t)more_ms;
}

static void begin_trying(struct ledger *ledger, const struct change *change,
                         struct pending_confirm *pending)
{
    uint64_t whole_ms = rollout_left_ms(change, 0);

    begin_step(ledger, change, 0, &pending->trying);
    /* A policy with a longer time to confirm takes nothing from the steps. */
    if (pending->confirm_ms + whole_ms < ROLLOUT_HOUR_MS)
        whole_ms = ROLLOUT_HOUR_MS - pending->confirm_ms;
    pending->trying.limit_boot_ms = pending->trying.since_boot_ms + whole_ms;
    plan(change, pending);
}

void canary_fill(struct ledger *ledger, const struct change *change,
                 struct pending_confirm *pending)
{
    pending->trying = (struct trying){0};
    if (rollout_steps(change) == 0)
        return;
    pending->confirm_ms = pending->deadline_boot_ms - pending->applied_boot_ms;
    begin_trying(ledger, change, pending);
}

uint64_t canary_confirm_wait_ms(struct ledger *ledger)
{
    const struct pending_confirm *pending = &ledger->pending;
    const struct change *change = ledger_open_change(ledger, pending->change);
    uint64_t now = ledger_boot_ms(ledger);
    uint64_t step_ms =
        pending->trying.until_boot_ms > now ? pending->trying.until_boot_ms - now : GATE_TICK_MS;

    return step_ms + (change != NULL ? rollout_left_ms(change, pending->trying.step + 1) : 0) +
           (pending->min_bake_boot_ms - pending->applied_boot_ms);
}

/* ---- as it is stored ---- */

json_t *canary_encode(const struct trying *trying)
{
    return json_pack("{s:I, s:I, s:I, s:b}", "step", (json_int_t)trying->step, "percent",
                     (json_int_t)trying->percent, "until_ms", (json_int_t)trying->until_wall_ms,
                     "waits", trying->waits);
}

void canary_decode(const json_t *stored, struct trying *trying)
{
    *trying = (struct trying){
        .percent = (uint32_t)json_integer_value(json_object_get(stored, "percent")),
        .step = (uint32_t)json_integer_value(json_object_get(stored, "step")),
        .waits = json_is_true(json_object_get(stored, "waits")),
        .until_wall_ms = json_integer_value(json_object_get(stored, "until_ms")),
    };
}

static json_t *step_told(const struct ledger *ledger, const struct change *change,
                         const struct pending_confirm *pending)
{
    const struct trying *trying = &pending->trying;
    json_t *told = canary_encode(trying);

    json_object_set_new(told, "steps", json_integer((json_int_t)rollout_steps(change)));
    json_object_set_new(told, "rev", json_integer((json_int_t)pending->rev));
    json_object_set_new(told, "base", json_integer((json_int_t)ledger->running.rev));
    return told;
}

/* ---- the first share ---- */

static void canary_tried(void *context, uint64_t generation)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    struct change *change = ledger_open_change(ledger, activity->change);
    struct pending_confirm pending = ledger->pending;
    struct step step;
    json_t *told;

    CHECK(change != NULL && change->state == CHANGE_APPLYING);
    fault_point("canary.tried");
    pending_count_from_now(ledger, &pending);
    begin_trying(ledger, change, &pending);
    apply_begin_record(activity, change, &step, &pending);
    told = step_told(ledger, change, &pending);
    json_object_set_new(told, "generation", json_integer((json_int_t)generation));
    change_move(&step, change, CHANGE_CONFIRMING, "change.confirming", told);
    if (!apply_record(activity, change, &step, &pending, generation))
        return;
    fault_point("canary.active");
    activity_end(activity, applied_answer(ledger, change, generation), NULL);
}

static void canary_prepared(void *context, struct prepared *prepared,
                            const struct findings *findings, const struct error *why)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    const struct runner *runner = ledger->options.runner;
    struct change *change = ledger_open_change(ledger, activity->change);
    struct refusal refusal = {0};

    CHECK(change != NULL && change->state == CHANGE_APPLYING);
    (void)findings;
    if (prepared == NULL) {
        (void)refuse(&refusal, "state-conflict", "GET /v1/status",
                     "it could not be made to run beside what runs, and nothing was exposed: %s",
                     why->text);
        apply_end_unexposed(activity, &refusal, why->code != ERROR_UNAVAILABLE);
        return;
    }
    fault_point("canary.built");
    if (!apply_arm(activity, change, &refusal)) {
        runner->drop(runner->process, prepared);
        apply_end_unexposed(activity, &refusal, false);
        return;
    }
    fault_point("canary.armed");
    runner->try(runner->process, prepared, ledger->pending.trying.percent, canary_tried, activity);
}

/* The bytes of what is tried: the target's pools and routes, and all else as it runs. */
static bool fill_tried(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    json_t *running = ledger_running_json(ledger);
    json_t *target = ledger_blob_json(ledger, activity->digest);
    json_t *tried = NULL;
    size_t bytes;
    char *text;

    if (running == NULL || target == NULL)
        (void)refuse(refusal, "digest-mismatch", "GET /v1/status",
                     "the stored bytes of change %s do not have its digest", activity->change);
    else
        tried = rollout_tried(running, target, refusal);
    if (tried != NULL) {
        text = merge_canonical(tried, &bytes);
        buffer_clear(&activity->bytes);
        buffer_append(&activity->bytes, text, bytes);
        xfree(text);
    }
    json_decref(running);
    json_decref(target);
    json_decref(tried);
    return tried != NULL;
}

void canary_begin(struct activity *activity, struct change *change)
{
    struct refusal refusal = {0};

    CHECK(rollout_steps(change) > 0);
    if (fill_tried(activity, &refusal) && activity_prepare(activity, canary_prepared, &refusal))
        return;
    apply_end_unexposed(activity, &refusal, true);
}

/* ---- all of them ---- */

static void canary_published(void *context, uint64_t generation)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    struct change *change = ledger_open_change(ledger, activity->change);
    struct pending_confirm pending = ledger->pending;
    struct step step;

    CHECK(change != NULL && change->state == CHANGE_CONFIRMING);
    fault_point("canary.published");
    pending_count_from_now(ledger, &pending);
    apply_begin_record(activity, change, &step, &pending);
    change_write(&step, change);
    override_apply_change(ledger, step.txn, change->overrides,
                          change->applied_by != NULL ? change->applied_by : change->author,
                          change->id);
    step_audit(&step, "canary.whole", change->id, change->digest,
               json_pack("{s:I, s:I, s:I}", "rev", (json_int_t)change->rev, "generation",
                         (json_int_t)generation, "deadline_ms",
                         (json_int_t)pending.deadline_wall_ms));
    if (!apply_record(activity, change, &step, &pending, generation))
        return;
    activity_end(activity, applied_answer(ledger, change, generation), NULL);
}

/* From here on `running` is the change's revision, as with any other. */
static bool arm_whole(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    struct pending_confirm pending = ledger->pending;
    struct step step;

    pending.trying = (struct trying){0};
    pending.deadline_boot_ms = pending.applied_boot_ms + pending.confirm_ms;
    pending.deadline_wall_ms = pending.applied_wall_ms + (int64_t)pending.confirm_ms;
    step_begin(&step, ledger, &activity->actor);
    pointer_put(&step, "running", &ledger->running, activity->rev, activity->digest);
    pending_put(&step, &pending);
    step_audit(
        &step, "canary.step", activity->change, activity->digest,
        json_pack("{s:I, s:I}", "percent", (json_int_t)100, "rev", (json_int_t)activity->rev));
    if (!step_commit(&step, refusal))
        return false;
    ledger->pending = pending;
    serving_reload(ledger);
    return true;
}

static void go_back(struct ledger *ledger, const char *principal, const char *why)
{
    if (ledger->activity == NULL && ledger->pending.is_set)
        gate_take_back(ledger, principal, why);
}

static void canary_whole_prepared(void *context, struct prepared *prepared,
                                  const struct findings *findings, const struct error *why)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    const struct runner *runner = ledger->options.runner;
    struct refusal refusal = {0};
    char text[256];

    (void)findings;
    if (prepared == NULL) {
        (void)snprintf(text, sizeof(text),
                       "it could not be made to run for all connections: %.160s", why->text);
        (void)refuse(&refusal, "state-conflict", "GET /v1/status", "%s", text);
        activity_end(activity, NULL, &refusal);
        refusal_clear(&refusal);
        if (why->code != ERROR_UNAVAILABLE) /* a stop: the start goes back */
            go_back(ledger, "apply", text);
        return;
    }
    fault_point("canary.whole-built");
    if (!arm_whole(activity, &refusal)) {
        runner->drop(runner->process, prepared);
        ledger->serving.retry_boot_ms = ledger_boot_ms(ledger) + RETRY_MS;
        activity_end(activity, NULL, &refusal); /* the steps wait until it can be recorded */
        refusal_clear(&refusal);
        return;
    }
    fault_point("canary.whole-armed");
    runner->publish(runner->process, prepared, canary_published, activity);
}

static void begin_whole(struct ledger *ledger, const struct change *change)
{
    struct actor system = actor_system("rollout");
    struct activity *activity = activity_new(ledger, ACTIVITY_APPLY, &system);
    struct refusal refusal = {0};

    ledger->activity = activity;
    activity->rev = change->rev;
    memcpy(activity->change, change->id, sizeof(activity->change));
    memcpy(activity->digest, change->target_digest, sizeof(activity->digest));
    if (activity_prepare(activity, canary_whole_prepared, &refusal))
        return;
    activity_end(activity, NULL, &refusal);
    go_back(ledger, "apply", "its stored configuration could not be read any more");
    refusal_clear(&refusal);
}

/* ---- each second ---- */

static bool record_step(struct ledger *ledger, const struct change *change, const char *event,
                        struct pending_confirm *pending)
{
    struct actor system = actor_system("rollout");
    json_t *told = step_told(ledger, change, pending);
    struct step step;

    json_object_set_new(told, "gate", ledger_gate_shown(ledger));
    step_begin(&step, ledger, &system);
    pending_put(&step, pending);
    step_audit(&step, event, change->id, change->digest, told);
    if (!step_commit(&step, NULL)) {
        ledger->serving.retry_boot_ms = ledger_boot_ms(ledger) + RETRY_MS;
        return false;
    }
    ledger->pending = *pending;
    serving_reload(ledger);
    return true;
}

/* Recorded first: whoever reads the evidence finds no share that is not in it. */
static void widen(struct ledger *ledger, const struct change *change)
{
    const struct runner *runner = ledger->options.runner;
    struct pending_confirm pending = ledger->pending;

    begin_step(ledger, change, pending.trying.step + 1, &pending.trying);
    plan(change, &pending);
    if (!record_step(ledger, change, "canary.step", &pending))
        return;
    fault_point("canary.step");
    runner->widen(runner->process, pending.trying.percent);
}

/* It goes on as soon as it is known to do well; the deadline is where the hour ends. */
static void wait_to_know(struct ledger *ledger, const struct change *change)
{
    struct pending_confirm pending = ledger->pending;
    uint64_t left_ms;

    if (pending.trying.waits)
        return;
    pending.trying.waits = true;
    pending.deadline_boot_ms = pending.trying.limit_boot_ms + pending.confirm_ms;
    left_ms = pending.deadline_boot_ms - ledger_boot_ms(ledger);
    pending.deadline_wall_ms = ledger_wall_ms(ledger) + (int64_t)left_ms;
    (void)record_step(ledger, change, "canary.waits", &pending);
}

static void give_up(struct ledger *ledger)
{
    enum gate_word word = gate_now(ledger);
    char text[GATE_TEXT];
    char why[GATE_TEXT + 96];

    (void)snprintf(why, sizeof(why), "%u %% of the connections had it, and its time was over: %s",
                   ledger->pending.trying.percent, gate_why(ledger, word, text));
    go_back(ledger, "deadline", why);
}

/* The arm had traffic in this step, and nothing that was looked at in it fails. */
static bool is_known_to_do_well(const struct ledger *ledger)
{
    const struct gate *gate = &ledger->gate;

    return gate->has_reading && gate->read_boot_ms > ledger->pending.trying.since_boot_ms &&
           gate->word != GATE_FAIL && gate->inputs[GATE_ERRORS].reading.word == GATE_PASS;
}

void canary_tick(struct ledger *ledger)
{
    const struct change *change = ledger_open_change(ledger, ledger->pending.change);
    const struct trying *trying = &ledger->pending.trying;
    uint64_t now = ledger_boot_ms(ledger);

    if (change == NULL || change->state != CHANGE_CONFIRMING || now < ledger->serving.retry_boot_ms)
        return;
    if (now >= trying->limit_boot_ms)
        give_up(ledger);
    else if (now < trying->until_boot_ms)
        return;
    else if (!is_known_to_do_well(ledger))
        wait_to_know(ledger, change);
    else if (trying->step + 1 < rollout_steps(change))
        widen(ledger, change);
    else
        begin_whole(ledger, change);
}

/* ---- what is told ---- */

json_t *canary_shown(const struct ledger *ledger)
{
    const struct trying *trying = &ledger->pending.trying;
    const struct change *change =
        ledger_open_change((struct ledger *)(uintptr_t)ledger, ledger->pending.change);
    uint64_t now = ledger_boot_ms(ledger);
    int64_t limit_ms = ledger_wall_ms(ledger) + (int64_t)(trying->limit_boot_ms - now);
    char until[CLOCK_RFC3339_TEXT];
    char limit[CLOCK_RFC3339_TEXT];

    if (!canary_is_running(ledger) || change == NULL)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:s, s:b, s:s}", "step", (json_int_t)trying->step + 1,
                     "steps", (json_int_t)rollout_steps(change), "percent",
                     (json_int_t)trying->percent, "until",
                     clock_rfc3339(trying->until_wall_ms, until), "waits", trying->waits, "limit",
                     clock_rfc3339(limit_ms, limit));
}

void canary_add_alerts(struct ledger *ledger, json_t *list)
{
    const struct trying *trying = &ledger->pending.trying;
    const struct change *change = ledger_open_change(ledger, ledger->pending.change);
    char since[CLOCK_RFC3339_TEXT];
    char summary[128];
    char why[GATE_TEXT];

    if (!canary_is_running(ledger) || !trying->waits || change == NULL)
        return;
    (void)snprintf(summary, sizeof(summary), "change %s stays at %u %% of the connections",
                   change->id, trying->percent);
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", "CanaryWaits", "severity",
                        "ticket", "since", clock_rfc3339(trying->until_wall_ms, since), "summary",
                        summary, "description", gate_why(ledger, gate_now(ledger), why), "change",
                        change->id, "author", change->author));
}
