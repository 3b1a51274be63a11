/*
 * guard_apply - everything that must hold at the moment of apply, asked again (SM-2).
 *
 * What was true when people agreed is not believed: base, bytes, files, class, approvals, freeze
 * and window are held against what is now.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/bound.h"
#include "change/candidate.h"
#include "change/files.h"
#include "change/policy.h"
#include "change/refusal.h"
#include "config/model.h"

enum { NEXT_TEXT = 96 };

struct guard {
    struct ledger *ledger;
    const struct actor *actor;
    struct change *change;
    struct refusal *refusal;
    bool in_session; /* of break-glass: approvals, freeze and window are not asked for */
    char show[NEXT_TEXT];
};

/* ---- states ---- */

static bool approvals_missing(struct guard *guard)
{
    const struct change *change = guard->change;
    json_t *missing = NULL;
    json_t *who_can = NULL;
    uint32_t have = 0;
    char next[NEXT_TEXT];

    (void)policy_is_approved(ledger_running_conf(guard->ledger), change, &have, &missing, &who_can);
    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/approvals", change->id);
    return refuse_with(guard->refusal, "approvals-missing", next,
                       json_pack("{s:I, s:I, s:o, s:o}", "have", (json_int_t)have, "need",
                                 (json_int_t)change->required, "missing", missing, "who_can",
                                 who_can),
                       "change %s has %u of %u approvals", change->id, have, change->required);
}

static bool state_allows(struct guard *guard)
{
    const struct change *change = guard->change;

    if (change->state == CHANGE_STALE)
        return ledger_base_stale(change, guard->refusal);
    if (change->state == CHANGE_APPROVED)
        return true;
    if (change->state == CHANGE_PENDING)
        return guard->in_session ? true : approvals_missing(guard);
    return refuse(guard->refusal, "state-conflict", guard->show,
                  "change %s is %s: only what is approved is applied", change->id,
                  change_state_word(change->state));
}

/* ---- what is now ---- */

static bool place_allows(struct guard *guard)
{
    struct ledger *ledger = guard->ledger;
    struct error why = {0};
    char next[NEXT_TEXT];

    if (store_condition(ledger->store, &why) != STORE_GOOD)
        return refuse(guard->refusal, "audit-unavailable", "GET /v1/status",
                      "nothing can be recorded: %s", why.text);
    if (ledger->pending.is_set) {
        (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/confirm", ledger->pending.change);
        return refuse(guard->refusal, "confirm-pending", next,
                      "change %s waits for its confirmation", ledger->pending.change);
    }
    if (guard->change->base_rev != ledger->running.rev ||
        strcmp(guard->change->base_digest, ledger->running.digest) != 0)
        return ledger_base_stale(guard->change, guard->refusal);
    return true;
}

static bool time_allows(struct guard *guard)
{
    const struct conf_policy *policy = &ledger_running_conf(guard->ledger)->policy;
    int64_t now = ledger_wall_ms(guard->ledger);
    const struct conf_freeze *freeze = policy_frozen(policy, now);
    int64_t next_ms = 0;
    char when[CLOCK_RFC3339_TEXT];

    if (guard->change->not_before_ms > now)
        return refuse(guard->refusal, "too-early", guard->show,
                      "change %s is not to be applied before %s", guard->change->id,
                      clock_rfc3339(guard->change->not_before_ms, when));
    if (guard->in_session)
        return true;
    if (freeze != NULL)
        return refuse(guard->refusal, "frozen", "GET /v1/policy", "changes are frozen until %s: %s",
                      clock_rfc3339(freeze->to_ms, when),
                      freeze->reason != NULL ? freeze->reason : "by the policy");
    if (!freeze_allows(guard->ledger, guard->refusal))
        return false;
    if (policy_in_window(policy, now, &next_ms))
        return true;
    return refuse(guard->refusal, "window-closed", "GET /v1/policy",
                  "no change window is open; the next one begins %s",
                  next_ms != 0 ? clock_rfc3339(next_ms, when) : "never");
}

/* ---- the bytes ---- */

static bool bytes_hold(struct guard *guard)
{
    const struct change *change = guard->change;
    struct buffer bytes;
    char digest[DIGEST_TEXT] = "";
    bool is_good;

    buffer_init(&bytes);
    is_good = ledger_blob(guard->ledger, change->bound_blob, &bytes) &&
              strcmp(bound_digest(buffer_slice(&bytes), digest), change->digest) == 0 &&
              ledger_blob(guard->ledger, change->target_digest, &bytes);
    buffer_fini(&bytes);
    if (!is_good)
        return refuse(guard->refusal, "digest-mismatch", guard->show,
                      "what is stored of change %s is not what was approved", change->id);
    return files_verify(guard->ledger, change->files, guard->refusal);
}

/* ---- the class ---- */

static bool raise_class(struct guard *guard, uint32_t class)
{
    struct change *change = guard->change;
    struct actor system = actor_system("policy");
    uint32_t old = change->class;
    struct step step;
    char next[NEXT_TEXT];

    if (change->state != CHANGE_APPROVED)
        return true; /* in a session: nobody had agreed to the lower one */
    step_begin(&step, guard->ledger, &system);
    change_begin_iteration(change);
    change_set_etag(change);
    change->class = class;
    change_move(&step, change, CHANGE_DRAFT, "change.class-raised",
                json_pack("{s:I, s:I}", "was", (json_int_t)old, "class", (json_int_t) class));
    if (!step_commit(&step, guard->refusal))
        return false;
    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/submit", change->id);
    return refuse(guard->refusal, "state-conflict", next,
                  "change %s is of class %u now, and was approved as %u: it is a draft again",
                  change->id, class, old);
}

/* The stricter of what was asked for then and what is asked for now (E-15). */
static bool take_verdict(struct guard *guard, struct candidate *candidate)
{
    struct change *change = guard->change;
    struct policy_verdict verdict = {
        .class = change->class,
        .required = change->required,
        .factors = json_deep_copy(change->required_factors),
        .reasons = json_deep_copy(change->policy_reasons),
    };
    bool is_raised = candidate->verdict.class > change->class;

    policy_stricter(&verdict, &candidate->verdict);
    change->required = verdict.required;
    json_decref(change->required_factors);
    change->required_factors = json_incref(verdict.factors);
    if (is_raised) {
        uint32_t class = verdict.class;

        policy_verdict_clear(&verdict);
        return raise_class(guard, class);
    }
    policy_verdict_clear(&verdict);
    return true;
}

static bool class_holds(struct guard *guard)
{
    struct candidate candidate;
    bool is_good;

    if (!candidate_init(&candidate, guard->ledger, guard->change, guard->refusal))
        return false;
    is_good = candidate_set_stored(&candidate, guard->change, guard->refusal) &&
              candidate_may_submit(&candidate, guard->change, guard->in_session, guard->refusal) &&
              take_verdict(guard, &candidate);
    candidate_fini(&candidate);
    return is_good;
}

/* ---- the approvals ---- */

static bool approvals_hold(struct guard *guard)
{
    struct actor system = actor_system("policy");
    struct change *change = guard->change;
    struct step step;

    if (guard->in_session)
        return breakglass_allows(guard->ledger, change, guard->refusal);
    if (policy_is_approved(ledger_running_conf(guard->ledger), change, NULL, NULL, NULL))
        return true;
    (void)approvals_missing(guard);
    step_begin(&step, guard->ledger, &system);
    change_move(&step, change, CHANGE_PENDING, "change.approval-void", NULL);
    (void)step_commit(&step, NULL); /* it is refused whether or not that can be written */
    return false;
}

bool change_guard_apply(struct ledger *ledger, const struct actor *actor, struct change *change,
                        struct refusal *refusal)
{
    struct guard guard = {.ledger = ledger, .actor = actor, .change = change, .refusal = refusal};
    char session[CHANGE_ID_TEXT];

    (void)snprintf(guard.show, sizeof(guard.show), "GET /v1/changes/%s", change->id);
    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    ledger_reconsider(ledger);
    if (ledger_expires_in_ms(ledger, change) <= 0)
        ledger_expire(ledger, false);
    guard.in_session = change->state == CHANGE_PENDING &&
                       breakglass_is_open(ledger, actor, session, sizeof(session));
    if (!ledger_has_role(actor, guard.in_session ? ROLE_BREAKGLASS : ROLE_OPERATOR,
                         guard.in_session ? "breakglass" : "operator", refusal) ||
        !state_allows(&guard) || !place_allows(&guard) || !time_allows(&guard) ||
        !bytes_hold(&guard) || !class_holds(&guard) || !approvals_hold(&guard))
        return ledger_denied(ledger, actor, "change.applying", change->id, refusal);
    return true;
}
