/*
 * rollback - a new revision with the traffic sections of an old one and the people, policy and
 * admin of now: it never revives a revoked token or a weaker policy.
 *
 * `previous` and `lkg` need no approval and no confirmation; any other revision becomes a change of
 * class 3, submitted.  What was pending is ended.  As on the other way back, the record comes
 * before the workers, and nothing that the disk does keeps it from happening.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/fault.h"
#include "change/merge.h"
#include "change/override.h"
#include "change/refusal.h"
#include "config/model.h"

enum { PREVIOUS_MAX_AGE_MS = 24 * 3600 * 1000, CLASS_HIGH = 3 };

/* ---- what is to run ---- */

/* Sections that a rollback does not bring back. */
static const char *const kept[] = {"people", "policy", "admin"};

/* The stored configuration of a revision, verified; NULL and refused. */
static json_t *content_of(struct ledger *ledger, uint64_t rev, struct refusal *refusal)
{
    struct revision revision = {0};
    json_t *content = NULL;

    if (!revision_read(ledger, rev, &revision)) {
        (void)refuse(refusal, "not-found", "GET /v1/revisions", "there is no revision %llu",
                     (unsigned long long)rev);
        return NULL;
    }
    content = ledger_blob_json(ledger, revision.digest);
    if (content == NULL)
        (void)refuse(refusal, "state-conflict", "GET /v1/revisions",
                     "the stored bytes of revision %llu do not have its digest",
                     (unsigned long long)rev);
    revision_fini(&revision);
    return content;
}

/* What a change that is still pending did to people, policy and admin goes with it. */
static json_t *content_of_now(struct ledger *ledger)
{
    json_t *before =
        ledger->pending.is_set ? content_of(ledger, ledger->pending.previous_rev, NULL) : NULL;

    return before != NULL ? before : ledger_running_json(ledger);
}

static void keep_member(json_t *content, const json_t *now, const char *key)
{
    json_t *value = json_object_get(now, key);

    if (value != NULL)
        json_object_set(content, key, value);
    else
        json_object_del(content, key);
}

static void keep_alerts(json_t *content, const json_t *now)
{
    json_t *alerts = json_object_get(json_object_get(now, "observe"), "alerts");
    json_t *observe = json_object_get(content, "observe");

    if (observe == NULL && alerts != NULL) {
        observe = json_object();
        json_object_set_new(content, "observe", observe);
    }
    if (observe != NULL)
        keep_member(observe, json_object_get(now, "observe"), "alerts");
}

static json_t *rolled_back_content(struct ledger *ledger, uint64_t rev, struct refusal *refusal)
{
    json_t *content = content_of(ledger, rev, refusal);
    json_t *now = content != NULL ? content_of_now(ledger) : NULL;

    for (size_t i = 0; now != NULL && i < sizeof(kept) / sizeof(kept[0]); i++)
        keep_member(content, now, kept[i]);
    if (now != NULL)
        keep_alerts(content, now);
    json_decref(now);
    return content;
}

/* ---- the record ---- */

static void write_revision(struct step *step, struct activity *activity)
{
    struct ledger *ledger = step->ledger;
    struct revision old = {0};
    struct revision revision = {
        .rev = activity->rev,
        .from = activity->from_rev,
        .created_ms = ledger_wall_ms(ledger),
        .applied_ms = ledger_wall_ms(ledger),
        .author = (char *)(uintptr_t)activity->actor.person,
        .event = (char[]){"rollback"},
    };

    if (revision_read(ledger, activity->to_rev, &old)) {
        revision.files = old.files;
        revision.files_ms = old.files_ms;
        pointer_put(step, "previous", &ledger->previous, old.rev, old.digest);
    }
    memcpy(revision.digest, activity->digest, sizeof(revision.digest));
    revision_write(step, &revision);
    revision_fini(&old);
}

bool rollback_record(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    struct change *change = ledger_open_change(ledger, activity->change);
    char digest[DIGEST_TEXT];
    struct step step;

    step_begin(&step, ledger, &activity->actor);
    step.may_use_reserve = true;
    step_put_blob(&step, buffer_slice(&activity->bytes), digest);
    CHECK(strcmp(digest, activity->digest) == 0);
    write_revision(&step, activity);
    pointer_put(&step, "running", &ledger->running, activity->rev, activity->digest);
    pointer_put(&step, "boot", &ledger->boot, activity->rev, activity->digest);
    ledger->running.rev = activity->rev; /* others are held against it; the commit reads it anew */
    if (ledger->pending.version != 0)
        pending_delete(&step);
    if (change != NULL) {
        xfree(change->ended_why);
        change->ended_why = xstrdup(activity->why);
        change_move(
            &step, change, CHANGE_ROLLED_BACK, "change.rolled-back",
            json_pack("{s:s, s:I}", "why", activity->why, "rev", (json_int_t)activity->rev));
    }
    ledger_make_stale(ledger, &step, NULL);
    step_audit(&step, "revision.rolled-back", activity->change[0] != '\0' ? activity->change : NULL,
               activity->digest,
               json_pack("{s:I, s:I, s:I, s:s, s:b}", "rev", (json_int_t)activity->rev, "to",
                         (json_int_t)activity->to_rev, "from", (json_int_t)activity->from_rev,
                         "reason", activity->why, "recorded_late", activity->is_undurable));
    if (!step_commit(&step, refusal)) {
        ledger->running.rev = activity->is_undurable ? activity->rev : activity->from_rev;
        return false;
    }
    ledger->newest_rev = activity->rev;
    serving_reload(ledger);
    return true;
}

static void note_undurable(struct activity *activity, const struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;

    activity->is_undurable = true;
    ledger->newest_rev = activity->rev;
    ledger->running.rev = activity->rev;
    memcpy(ledger->running.digest, activity->digest, sizeof(ledger->running.digest));
    ledger->pending.is_set = false;
    log_event(EV_ROLLBACK_UNDURABLE, LOG_NUMBER("rev", activity->rev),
              LOG_TEXT("why", refusal->detail));
}

/* ---- the steps ---- */

static void rollback_published(void *context, uint64_t generation)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    json_t *answer;

    fault_point("rollback.published");
    lkg_start(ledger);
    gate_start(ledger, generation);
    ledger->serving.rollbacks[ROLLBACK_CALL]++;
    answer = json_pack(
        "{s:I, s:s, s:I, s:I, s:I, s:s?, s:s, s:b, s:o, s:s}", "rev", (json_int_t)activity->rev,
        "digest", activity->digest, "generation", (json_int_t)generation, "to",
        (json_int_t)activity->to_rev, "from", (json_int_t)activity->from_rev, "ended",
        activity->change[0] != '\0' ? activity->change : NULL, "reason", activity->why, "undurable",
        activity->is_undurable, "overrides", override_list(ledger), "next", "GET /v1/status");
    CHECK(answer != NULL);
    activity_end(activity, answer, NULL);
}

static void rollback_prepared(void *context, struct prepared *prepared,
                              const struct findings *findings, const struct error *why)
{
    struct activity *activity = context;
    struct ledger *ledger = activity->ledger;
    const struct runner *runner = ledger->options.runner;
    struct activity *before;
    struct refusal refusal = {0};

    (void)findings;
    if (prepared == NULL) {
        (void)refuse(&refusal, "state-conflict", "GET /v1/revisions",
                     "revision %llu cannot be made to run: %s",
                     (unsigned long long)activity->to_rev, why->text);
        activity_end(activity, NULL, &refusal);
        refusal_clear(&refusal);
        return;
    }
    if (ledger->running.rev != activity->from_rev) { /* a reload came between: by what runs now */
        runner->drop(runner->process, prepared);
        rollback_begin(activity);
        return;
    }
    fault_point("rollback.built");
    before = TAKE_POINTER(&ledger->serving.undurable);
    if (before != NULL && activity->change[0] == '\0') /* this record stands for both */
        memcpy(activity->change, before->change, sizeof(activity->change));
    activity_free(&before);
    if (!rollback_record(activity, &refusal)) {
        note_undurable(activity, &refusal);
        refusal_clear(&refusal);
    }
    fault_point("rollback.recorded");
    runner->publish(runner->process, prepared, rollback_published, activity);
}

static bool is_what_runs(const struct ledger *ledger, const struct activity *activity)
{
    return !ledger->pending.is_set && strcmp(activity->digest, ledger->running.digest) == 0;
}

static bool fill_content(struct activity *activity, struct refusal *refusal)
{
    struct ledger *ledger = activity->ledger;
    json_t *content = rolled_back_content(ledger, activity->to_rev, refusal);
    struct digest digest;
    size_t bytes;
    char *text;

    if (content == NULL)
        return false;
    text = merge_canonical(content, &bytes);
    json_decref(content);
    buffer_clear(&activity->bytes);
    buffer_append(&activity->bytes, text, bytes);
    digest = digest_of(slice_of(text, bytes));
    (void)digest_text(&digest, activity->digest);
    xfree(text);
    if (is_what_runs(ledger, activity))
        return refuse(refusal, "state-conflict", "GET /v1/revisions",
                      "the traffic sections of revision %llu are what runs already",
                      (unsigned long long)activity->to_rev);
    return true;
}

void rollback_begin(struct activity *activity)
{
    struct ledger *ledger = activity->ledger;
    struct refusal refusal = {0};

    activity->rev = ledger->newest_rev + 1;
    activity->from_rev = ledger->running.rev;
    if (ledger->pending.is_set)
        memcpy(activity->change, ledger->pending.change, sizeof(activity->change));
    if (fill_content(activity, &refusal) && activity_prepare(activity, rollback_prepared, &refusal))
        return;
    activity_end(activity, NULL, &refusal);
    refusal_clear(&refusal);
}

/* ---- the call ---- */

/* While a confirmation is pending, what ran before is one step back. */
static uint64_t previous_of(const struct ledger *ledger)
{
    return ledger->pending.is_set ? ledger->pending.previous_rev : ledger->previous.rev;
}

/* Since when what runs now has replaced the one before. */
static bool is_recent(struct ledger *ledger)
{
    struct revision running = {0};
    int64_t since_ms = 0;

    if (ledger->pending.is_set)
        return true;
    if (revision_read(ledger, ledger->running.rev, &running)) {
        since_ms = running.applied_ms;
        revision_fini(&running);
    }
    return ledger_wall_ms(ledger) - since_ms <= PREVIOUS_MAX_AGE_MS;
}

static bool is_immediate(struct ledger *ledger, uint64_t rev)
{
    return (rev == ledger->lkg.rev && rev != 0) ||
           (rev == previous_of(ledger) && is_recent(ledger));
}

static uint64_t find_target(struct ledger *ledger, const char *to, struct refusal *refusal)
{
    uint64_t rev = strcmp(to, "previous") == 0 ? previous_of(ledger) : revision_named(ledger, to);

    if (rev == 0)
        (void)refuse(refusal, "not-found", "GET /v1/revisions",
                     strcmp(to, "lkg") == 0
                         ? "no revision is known to be good yet: it takes 30 minutes and 1000 "
                           "requests after its confirmation"
                         : "there is no such revision (\"previous\", \"lkg\", or a number)");
    return rev;
}

/* Older than what one person may go back to: others are asked. */
static void propose(struct ledger *ledger, const struct actor *actor, uint64_t rev,
                    const char *reason, ledger_done_fn *done, void *context)
{
    struct create_options options = {.is_submitted = true, .least_class = CLASS_HIGH};
    struct refusal refusal = {0};
    json_t *answer = NULL;
    json_t *content = rolled_back_content(ledger, rev, &refusal);
    json_t *running = ledger_running_json(ledger);
    json_t *request;
    char title[64];

    if (content == NULL || running == NULL) {
        done(context, NULL, &refusal);
    } else {
        (void)snprintf(title, sizeof(title), "roll back to revision %llu", (unsigned long long)rev);
        request = json_pack("{s:s, s:s, s:O, s:o}", "title", title, "reason",
                            reason != NULL ? reason : title, "config", content, "deletes",
                            merge_deletions(running, content));
        if (ledger_create(ledger, actor, request, &options, &answer, &refusal))
            done(context, answer, NULL);
        else
            done(context, NULL, &refusal);
        json_decref(request);
    }
    json_decref(content);
    json_decref(running);
    refusal_clear(&refusal);
}

/* An apply under way ends first; a second rollback is refused. */
static bool may_queue(const struct ledger *ledger, struct refusal *refusal)
{
    if (ledger->activity == NULL)
        return true;
    if (ledger->activity->kind == ACTIVITY_APPLY && ledger->serving.queued == NULL)
        return true;
    return refuse(refusal, "state-conflict", "GET /v1/status",
                  "a way back is under way already; ask again when it is over");
}

void ledger_rollback(struct ledger *ledger, const struct actor *actor, const char *to,
                     const char *reason, ledger_done_fn *done, void *context)
{
    struct refusal refusal = {0};
    struct activity *activity;
    uint64_t rev;

    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    rev = find_target(ledger, to, &refusal);
    if (rev == 0 || !ledger_may_act(ledger, actor, ROLE_OPERATOR, "operator", &refusal) ||
        !may_queue(ledger, &refusal)) {
        (void)ledger_denied(ledger, actor, "revision.rolled-back", NULL, &refusal);
        done(context, NULL, &refusal);
        refusal_clear(&refusal);
        return;
    }
    if (!is_immediate(ledger, rev)) {
        propose(ledger, actor, rev, reason, done, context);
        return;
    }
    activity = activity_new(ledger, ACTIVITY_ROLLBACK, actor);
    activity->to_rev = rev;
    activity->why = xstrdup(reason != NULL ? reason : "rollback");
    activity_wait(activity, done, context);
    if (ledger->activity != NULL) {
        ledger->serving.queued = activity;
        return;
    }
    ledger->activity = activity;
    rollback_begin(activity);
}
