/*
 * status - what the ledger knows of how things are: pointers, what waits, what is wrong.
 *
 * Owner    answers are the caller's      Threads  control
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "change/activity.h"
#include "change/revoked.h"
#include "config/model.h"

static json_t *time_or_null(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms > 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

static json_t *pointer_shown(const struct revision_pointer *pointer)
{
    if (pointer->rev == 0)
        return json_null();
    return json_pack("{s:I, s:s}", "rev", (json_int_t)pointer->rev, "digest", pointer->digest);
}

static json_t *running_shown(struct ledger *ledger)
{
    json_t *shown = pointer_shown(&ledger->running);
    struct revision revision = {0};

    if (json_is_null(shown) || !revision_read(ledger, ledger->running.rev, &revision))
        return shown;
    json_object_set_new(
        shown, "since",
        time_or_null(revision.applied_ms != 0 ? revision.applied_ms : revision.created_ms));
    json_object_set_new(shown, "change",
                        revision.change[0] != '\0' ? json_string(revision.change) : json_null());
    revision_fini(&revision);
    return shown;
}

static json_t *pending_shown(struct ledger *ledger)
{
    const struct pending_confirm *pending = &ledger->pending;
    int64_t left = (int64_t)pending->deadline_boot_ms - (int64_t)ledger_boot_ms(ledger);
    char call[96];

    if (!pending->is_set)
        return json_null();
    (void)snprintf(call, sizeof(call), "POST /v1/changes/%s/confirm", pending->change);
    return json_pack(
        "{s:s, s:I, s:I, s:o, s:o, s:s, s:o, s:o, s:[s]}", "change", pending->change, "rev",
        (json_int_t)pending->rev, "previous_rev", (json_int_t)pending->previous_rev, "applied",
        time_or_null(pending->applied_wall_ms), "deadline",
        time_or_null(ledger_wall_ms(ledger) + left), "mode", pending->is_auto ? "auto" : "manual",
        "rollout", canary_shown(ledger), "gate", ledger_gate_shown(ledger), "next", call);
}

static const char *mode_word(const struct ledger *ledger)
{
    const struct configuration *conf = ledger_running_conf(ledger);

    if (conf == NULL || conf->policy.mode == POLICY_ENFORCED)
        return "enforced";
    return conf->policy.mode == POLICY_ADVISORY ? "advisory" : "off";
}

static json_t *open_counts(const struct ledger *ledger)
{
    json_t *counts = json_object();

    for (size_t i = 0; i < ledger->open_count; i++) {
        const char *word = change_state_word(ledger->open[i]->state);
        json_int_t before = json_integer_value(json_object_get(counts, word));

        json_object_set_new(counts, word, json_integer(before + 1));
    }
    return counts;
}

json_t *ledger_status(struct ledger *ledger)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o}", "running", running_shown(ledger),
        "boot", pointer_shown(&ledger->boot), "lkg", pointer_shown(&ledger->lkg), "previous",
        pointer_shown(&ledger->previous), "pending_confirm", pending_shown(ledger), "mode",
        mode_word(ledger), "integrity", ledger->is_violated ? "violated" : "ok", "cluster",
        ledger->cluster, "changes", open_counts(ledger), "freeze", ledger_freeze_shown(ledger));
}

const char *const rollback_cause_words[ROLLBACK_CAUSES] = {
    [ROLLBACK_GATE] = "gate",     [ROLLBACK_DEADLINE] = "deadline", [ROLLBACK_CANCEL] = "cancel",
    [ROLLBACK_CALL] = "rollback", [ROLLBACK_APPLY] = "apply",       [ROLLBACK_RESTART] = "restart",
};

struct ledger_numbers ledger_numbers(struct ledger *ledger)
{
    struct ledger_numbers numbers = {
        .running_rev = ledger->running.rev,
        .boot_rev = ledger->boot.rev,
        .is_pending = ledger->pending.is_set,
        .is_violated = ledger->is_violated,
        .is_undurable = ledger->serving.undurable != NULL,
        .reviews_overdue = ledger_reviews_overdue(ledger),
    };

    memcpy(numbers.rollbacks, ledger->serving.rollbacks, sizeof(numbers.rollbacks));
    for (size_t i = 0; i < ledger->open_count; i++)
        numbers.open[ledger->open[i]->state]++;
    return numbers;
}

/* ---- alerts ---- */

static void add_alert(json_t *list, const char *name, const char *severity, int64_t since_ms,
                      const char *summary, const char *description)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:s}", "name", name, "severity",
                                          severity, "since", time_or_null(since_ms), "summary",
                                          summary, "description", description));
}

static void add_store_alerts(struct ledger *ledger, json_t *list)
{
    struct error why = {0};

    if (ledger->is_violated)
        add_alert(list, "IntegrityViolated", "page", 0, "what is stored does not verify",
                  "Nothing may be changed but in a break-glass session. `twokey audit verify` says "
                  "which record or revision it is.");
    if (store_condition(ledger->store, &why) != STORE_GOOD)
        add_alert(list, "StoreUnwritable", "page", 0, "the state directory cannot be written",
                  why.text);
    if (!audit_mirror_is_whole(ledger->audit, &why))
        add_alert(list, "AuditMirrorBehind", "ticket", 0, "audit.jsonl cannot be written",
                  why.text);
    if (ledger->clock_jumped)
        add_alert(list, "ClockJump", "ticket", ledger->clock_jumped_ms,
                  "the wall clock jumped while twokey was stopped",
                  "Approvals from before the stop do not count; changes that waited have expired.");
}

/* Mode advisory: what runs is something else than what was agreed to. */
static void add_unreviewed_reload(struct ledger *ledger, json_t *list)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    struct revision running = {0};
    struct revision before = {0};

    if (conf == NULL || conf->policy.mode != POLICY_ADVISORY ||
        !revision_read(ledger, ledger->running.rev, &running))
        return;
    if (running.change[0] == '\0' && strcmp(running.event, "import") == 0 &&
        revision_read(ledger, running.from, &before) && strcmp(running.digest, before.digest) != 0)
        add_alert(list, "UnreviewedReload", "ticket", running.applied_ms,
                  "what runs was read from conf.d, and nobody has approved it",
                  "Mode advisory: the audit says revision.unreviewed-reload. It ends with the next "
                  "change that is applied.");
    revision_fini(&running);
    revision_fini(&before);
}

static void add_start_alerts(struct ledger *ledger, json_t *list)
{
    char text[96];

    if (ledger->serving.undurable != NULL)
        add_alert(list, "RollbackUndurable", "page", 0,
                  "a rollback runs that could not be recorded yet",
                  "It is recorded as soon as the state directory can be written. A restart before "
                  "that runs what ran before.");
    if (ledger->serving.unusable_rev != 0) {
        (void)snprintf(text, sizeof(text), "revision %llu cannot be rolled back to any more",
                       (unsigned long long)ledger->serving.unusable_rev);
        add_alert(
            list, "RollbackTargetUnusable", "page", 0, text,
            "It does not have the digest that it was stored with, or does not build with this "
            "program. It is looked at at the start and once a day.");
    }
    if (store_get(ledger->store, "unreviewed", NULL, NULL))
        add_alert(list, "UnreviewedConfiguration", "ticket", 0,
                  "what runs began with a configuration that nobody has reviewed",
                  "This ends when one change has gone the whole way: submitted, approved, applied, "
                  "confirmed.");
    if (ledger->serving.alerts != NULL)
        json_array_extend(list, ledger->serving.alerts);
}

static void add_change_alerts(struct ledger *ledger, json_t *list)
{
    unsigned overdue = ledger_reviews_overdue(ledger);
    char text[256];

    if (overdue > 0) {
        (void)snprintf(text, sizeof(text), "%u break-glass session%s wait%s for a review", overdue,
                       overdue == 1 ? "" : "s", overdue == 1 ? "s" : "");
        add_alert(list, "BreakglassReviewOverdue", "ticket", 0, text,
                  "GET /v1/breakglass lists them; a person who was an approver before closes one.");
    }
    if (ledger->session[0] != '\0') {
        (void)snprintf(text, sizeof(text), "break-glass session %s of %s", ledger->session,
                       ledger->session_person);
        add_alert(list, "BreakglassOpen", "page", 0, text,
                  "Approvals, freezes and windows are not asked for until it ends.");
    }
    for (size_t i = 0; i < ledger->open_count; i++) {
        const struct change *change = ledger->open[i];

        if (!change->is_forced || change->state != CHANGE_CONFIRMING)
            continue;
        (void)snprintf(text, sizeof(text), "change %s was applied by break-glass", change->id);
        add_alert(list, "ChangeForced", "page", change->applied_ms, text, change->reason);
    }
}

/* Nobody has confirmed, and more than half of the time for it is over. */
static void add_waiting(struct ledger *ledger, json_t *list)
{
    const struct pending_confirm *pending = &ledger->pending;
    uint64_t now = ledger_boot_ms(ledger);
    uint64_t half = pending->applied_boot_ms / 2 + pending->deadline_boot_ms / 2;
    char summary[128], description[256], when[CLOCK_RFC3339_TEXT];

    if (!pending->is_set || pending->is_auto || pending->is_confirmed ||
        pending->trying.percent > 0 || now < half || now < pending->min_bake_boot_ms)
        return;
    clock_rfc3339(ledger_wall_ms(ledger) + (int64_t)pending->deadline_boot_ms - (int64_t)now, when);
    (void)snprintf(summary, sizeof(summary), "change %s waits for its confirmation",
                   pending->change);
    (void)snprintf(description, sizeof(description),
                   "It is rolled back at %s. Until then nothing else can be applied. POST "
                   "/v1/changes/%s/confirm keeps it, /cancel takes it back now.",
                   when, pending->change);
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", "ConfirmationWaiting",
                                    "severity", "warning", "change", pending->change, "summary",
                                    summary, "description", description));
}

enum { OLD_DAYS = 90 };

/* Certificates, servers and people have changed in that time: what runs is rarely still what
 * everybody thinks it is. */
static void add_age(struct ledger *ledger, json_t *list)
{
    struct revision running = {0};
    int64_t since_ms, days;
    char text[96];

    if (ledger->running.rev == 0 || !revision_read(ledger, ledger->running.rev, &running))
        return;
    since_ms = running.applied_ms != 0 ? running.applied_ms : running.created_ms;
    days = (ledger_wall_ms(ledger) - since_ms) / (24 * 3600 * INT64_C(1000));
    revision_fini(&running);
    if (days < OLD_DAYS)
        return;
    (void)snprintf(text, sizeof(text), "what runs has not been changed for %lld days",
                   (long long)days);
    add_alert(
        list, "ConfigurationOld", "warning", since_ms, text,
        "GET /v1/config shows it; `twokey check` says what is wrong with it by today's rules. "
        "It ends with the next change that is applied.");
}

json_t *ledger_alerts(struct ledger *ledger)
{
    json_t *list = json_array();

    add_store_alerts(ledger, list);
    add_change_alerts(ledger, list);
    gate_add_alerts(ledger, list);
    canary_add_alerts(ledger, list);
    add_start_alerts(ledger, list);
    add_unreviewed_reload(ledger, list);
    add_age(ledger, list);
    revoked_add_alerts(ledger, list);
    add_waiting(ledger, list);
    return list;
}
