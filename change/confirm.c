/*
 * confirm - what becomes of a change that runs and waits: confirmed, in two durable steps
 * (CONFIRMED, then `boot` moves), extended, or over its deadline.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/fault.h"
#include "change/import.h"
#include "change/refusal.h"
#include "config/model.h"
#include "config/text.h"

enum { EXTEND_MAX_MS = 60 * 60 * 1000 };

/* ---- who, and when ---- */

/* The change that waits under this id, or refuses. */
static struct change *need_waiting(struct ledger *ledger, const char *id, struct refusal *refusal)
{
    struct change *change = ledger_need_open(ledger, id, refusal);

    if (change == NULL)
        return NULL;
    if (change->state == CHANGE_CONFIRMING && ledger->pending.is_set &&
        strcmp(ledger->pending.change, id) == 0)
        return change;
    (void)refuse(refusal, "state-conflict", "GET /v1/status",
                 "change %s is %s: it does not wait for a confirmation", id,
                 change_state_word(change->state));
    return NULL;
}

static bool may_confirm(const struct actor *actor, const struct change *change,
                        struct refusal *refusal)
{
    if ((actor->roles & (ROLE_OPERATOR | ROLE_APPROVER)) != 0 ||
        change_has_contributor(change, actor->person) || strcmp(actor->auth, "system") == 0)
        return true;
    return refuse(refusal, "forbidden", "GET /v1/whoami",
                  "a change is confirmed by its author, an operator or an approver");
}

uint64_t ledger_confirm_wait_ms(struct ledger *ledger, const char *id)
{
    uint64_t now = ledger_boot_ms(ledger);

    if (!ledger->pending.is_set || strcmp(ledger->pending.change, id) != 0)
        return 0;
    if (canary_is_running(ledger))
        return canary_confirm_wait_ms(ledger);
    if (now >= ledger->pending.min_bake_boot_ms)
        return 0;
    return ledger->pending.min_bake_boot_ms - now;
}

static bool has_baked(struct ledger *ledger, const struct change *change, struct refusal *refusal)
{
    uint64_t wait_ms = ledger_confirm_wait_ms(ledger, change->id);
    char when[CLOCK_RFC3339_TEXT];
    char next[128];
    char duration[32];

    if (wait_ms == 0)
        return true;
    (void)clock_rfc3339(ledger_wall_ms(ledger) + (int64_t)wait_ms, when);
    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/confirm?wait=5m", change->id);
    (void)text_of_duration((wait_ms + 999) / 1000 * 1000, duration);
    if (canary_is_running(ledger))
        return refuse_with(refusal, "too-early", next,
                           json_pack("{s:s, s:I}", "at", when, "wait_ms", (json_int_t)wait_ms),
                           "%u %% of the connections have it; when all have, and it has run a "
                           "while, it can be confirmed: in %s at the earliest, at %s",
                           ledger->pending.trying.percent, duration, when);
    return refuse_with(refusal, "too-early", next,
                       json_pack("{s:s, s:I}", "at", when, "wait_ms", (json_int_t)wait_ms),
                       "it can be confirmed in %s, at %s", duration, when);
}

/* ---- CONFIRMED, then boot ---- */

static bool write_confirmed(struct ledger *ledger, const struct actor *actor,
                            const struct change *change, struct refusal *refusal)
{
    struct pending_confirm pending = ledger->pending;
    struct step step;

    pending.is_confirmed = true;
    step_begin(&step, ledger, actor);
    pending_put(&step, &pending);
    step_audit(&step, "apply.confirmed", change->id, change->digest,
               json_pack("{s:I}", "rev", (json_int_t)change->rev));
    if (!step_commit(&step, refusal))
        return false;
    serving_reload(ledger);
    fault_point("confirm.confirmed");
    return true;
}

static void mark_applied(struct step *step, uint64_t rev)
{
    struct ledger *ledger = step->ledger;
    struct revision revision = {0};

    if (!revision_read(ledger, rev, &revision))
        return; /* the start finds it, and says so */
    revision.applied_ms = ledger_wall_ms(ledger);
    revision_write(step, &revision);
    revision_fini(&revision);
}

bool confirm_finish(struct ledger *ledger, const struct actor *actor, struct refusal *refusal)
{
    struct change *change = ledger_open_change(ledger, ledger->pending.change);
    struct step step;

    step_begin(&step, ledger, actor);
    pointer_put(&step, "boot", &ledger->boot, ledger->pending.rev, ledger->running.digest);
    if (ledger->boot.rev != 0 && ledger->boot.rev != ledger->pending.rev)
        pointer_put(&step, "previous", &ledger->previous, ledger->boot.rev, ledger->boot.digest);
    mark_applied(&step, ledger->pending.rev);
    pending_delete(&step);
    if (change != NULL) {
        import_took_over(&step, change);
        if (!change->is_forced)
            store_delete(step.txn, "unreviewed"); /* one has gone the whole way */
        change_move(&step, change, CHANGE_APPLIED, "change.applied",
                    json_pack("{s:I, s:I}", "rev", (json_int_t)change->rev, "boot",
                              (json_int_t)change->rev));
        ledger_make_stale(ledger, &step, change->id);
    }
    if (!step_commit(&step, refusal))
        return false;
    serving_reload(ledger);
    fault_point("confirm.moved");
    return true;
}

bool ledger_confirm(struct ledger *ledger, const struct actor *actor, const char *id,
                    json_t **answer, struct refusal *refusal)
{
    struct change *change;

    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    change = need_waiting(ledger, id, refusal);
    if (change == NULL || !activity_is_free(ledger, refusal) ||
        !may_confirm(actor, change, refusal) || !has_baked(ledger, change, refusal) ||
        !gate_allows(ledger, change, refusal))
        return ledger_denied(ledger, actor, "change.applied", id, refusal);
    if (!ledger->pending.is_confirmed && !write_confirmed(ledger, actor, change, refusal))
        return false;
    if (!confirm_finish(ledger, actor, refusal))
        return false;
    *answer = change_shown(ledger, ledger_find(ledger, id));
    json_object_set_new(*answer, "rev", json_integer((json_int_t)ledger->running.rev));
    return true;
}

/* ---- the deadline ---- */

bool ledger_extend(struct ledger *ledger, const struct actor *actor, const char *id,
                   uint64_t deadline_ms, json_t **answer, struct refusal *refusal)
{
    struct pending_confirm pending = ledger->pending;
    struct change *change;
    struct step step;

    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    change = need_waiting(ledger, id, refusal);
    if (change == NULL || !activity_is_free(ledger, refusal) ||
        !may_confirm(actor, change, refusal))
        return ledger_denied(ledger, actor, "change.extended", id, refusal);
    if (canary_is_running(ledger))
        return refuse(refusal, "too-early", "GET /v1/status",
                      "%u %% of the connections have it: the time to confirm begins when all have",
                      pending.trying.percent);
    if (deadline_ms > EXTEND_MAX_MS ||
        pending.applied_boot_ms + deadline_ms <= ledger_boot_ms(ledger))
        return refuse(
            refusal, "invalid-field", "POST /v1/changes/{id}/extend {\"deadline\":\"30m\"}",
            "deadline counts from when every worker ran it: at most 60m, and not over yet");
    pending.deadline_boot_ms = pending.applied_boot_ms + deadline_ms;
    pending.deadline_wall_ms = pending.applied_wall_ms + (int64_t)deadline_ms;
    step_begin(&step, ledger, actor);
    pending_put(&step, &pending);
    step_audit(&step, "change.extended", id, change->digest,
               json_pack("{s:I, s:I}", "before_ms", (json_int_t)ledger->pending.deadline_wall_ms,
                         "deadline_ms", (json_int_t)pending.deadline_wall_ms));
    if (!step_commit(&step, refusal))
        return false;
    ledger->pending = pending;
    serving_reload(ledger);
    *answer = change_shown(ledger, change);
    return true;
}

/* Mode auto: everything that is looked at is well, and has been looked at. */
static bool may_confirm_itself(const struct ledger *ledger)
{
    return ledger->pending.is_auto && gate_now(ledger) == GATE_PASS &&
           ledger_boot_ms(ledger) >= ledger->pending.min_bake_boot_ms;
}

/* True: it is not known how it does; it goes on waiting, for at most an hour from apply. */
static bool waits_to_be_known(const struct ledger *ledger)
{
    return ledger->pending.is_auto && gate_now(ledger) != GATE_FAIL &&
           ledger_boot_ms(ledger) < ledger->pending.applied_boot_ms + EXTEND_MAX_MS;
}

static void go_back(struct ledger *ledger)
{
    enum gate_word word = gate_now(ledger);
    struct actor system = actor_system("deadline");
    char text[GATE_TEXT];
    char why[GATE_TEXT + 64];

    if (word == GATE_PASS || !ledger->pending.is_auto) {
        restore_begin(ledger, &system, "deadline", NULL, NULL);
        return;
    }
    (void)snprintf(why, sizeof(why), "deadline, and the health gate %s: %s",
                   word == GATE_FAIL ? "fails" : "does not know", gate_why(ledger, word, text));
    gate_take_back(ledger, "deadline", why);
}

void confirm_deadline(struct ledger *ledger)
{
    struct actor system = actor_system("deadline");
    json_t *answer = NULL;
    char id[CHANGE_ID_TEXT];

    if (may_confirm_itself(ledger)) {
        memcpy(id, ledger->pending.change, sizeof(id));           /* which is gone afterwards */
        (void)ledger_confirm(ledger, &system, id, &answer, NULL); /* the next second tries again */
        json_decref(answer);
    } else if (waits_to_be_known(ledger)) {
        gate_note_holding(ledger);
    } else {
        go_back(ledger);
    }
}
