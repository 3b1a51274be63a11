/*
 * decide - two people, never the author, bound to a digest.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  a person has one decision on an iteration; contributors and services have none
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "change/actor.h"
#include "change/internal.h"
#include "change/policy.h"
#include "change/refusal.h"
#include "change/request.h"
#include "config/model.h"

enum { NEXT_TEXT = 96, CLASS_HIGH = 3 };

static const char *show_call(const struct change *change, char next[NEXT_TEXT])
{
    (void)snprintf(next, NEXT_TEXT, "GET /v1/changes/%s", change->id);
    return next;
}

/* Somebody contributed, or a service that is his. */
static bool has_part(const struct configuration *conf, const struct change *change,
                     const char *person)
{
    if (change_has_contributor(change, person))
        return true;
    for (size_t i = 0; i < conf->person_count; i++) {
        if (conf->people[i].owner != NULL && strcmp(conf->people[i].owner, person) == 0 &&
            change_has_contributor(change, conf->people[i].name))
            return true;
    }
    return false;
}

static bool may_decide(struct ledger *ledger, const struct actor *actor,
                       const struct change *change, bool is_veto, struct refusal *refusal)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    char next[NEXT_TEXT];

    if (conf == NULL)
        return refuse(refusal, "not-running", "GET /v1/status", "no configuration runs yet");
    if (!actor->is_human)
        return refuse(refusal, "not-an-approver", "GET /v1/whoami",
                      "%s is a service: people approve", actor->person);
    if ((actor->roles & ROLE_APPROVER) == 0 || !policy_may_approve(conf, actor->person))
        return refuse(refusal, "not-an-approver", "GET /v1/whoami",
                      "%s does not have the role approver", actor->person);
    if (!is_veto && has_part(conf, change, actor->person))
        return refuse(refusal, "self-approval", show_call(change, next),
                      "%s contributed to change %s: somebody else approves it", actor->person,
                      change->id);
    return true;
}

static bool decision_fits(const struct change *change, const struct actor *actor,
                          const struct decision_request *decision, struct refusal *refusal)
{
    const char *bad = decision->comment != NULL
                          ? request_check_text(decision->comment, REQUEST_REASON_MAX)
                          : NULL;
    char next[NEXT_TEXT];

    (void)show_call(change, next);
    if (change->state != CHANGE_PENDING && change->state != CHANGE_APPROVED)
        return refuse(refusal, "state-conflict", next,
                      "change %s is %s: decisions are taken on what is pending", change->id,
                      change_state_word(change->state));
    if (decision->digest == NULL)
        return refuse(refusal, "invalid-field", next,
                      "digest is missing: it says what was looked at");
    if (strcmp(decision->digest, change->digest) != 0)
        return refuse(refusal, "digest-mismatch", next,
                      "the digest is not that of iteration %u: look at the change again",
                      change->iteration);
    if (change_decision_of(change, actor->person) != NULL)
        return refuse(refusal, "already-decided", next, "%s has decided on iteration %u already",
                      actor->person, change->iteration);
    if (bad != NULL)
        return refuse(refusal, "invalid-field", NULL, "comment %s", bad);
    if (decision->comment == NULL && (decision->is_veto || change->class >= CLASS_HIGH))
        return refuse(refusal, "invalid-field", NULL, "comment is missing: %s",
                      decision->is_veto ? "a veto says why"
                                        : "who approves a change of class 3 says what was checked");
    return true;
}

static bool put_decision(struct ledger *ledger, const struct actor *actor, struct change *change,
                         const struct decision_request *request, struct refusal *refusal)
{
    struct change_decision decision = {
        .person = (char *)(uintptr_t)actor->person,
        .is_veto = request->is_veto,
        .comment = (char *)(uintptr_t)request->comment,
        .principal = (char *)(uintptr_t)actor->principal,
        .at_ms = ledger_wall_ms(ledger),
    };
    enum change_state to = change->state;
    struct step step;

    memcpy(decision.digest, change->digest, sizeof(decision.digest));
    step_begin(&step, ledger, actor);
    ledger_put_decision(&step, change, &decision, NULL);
    (void)change_add_decision(change, &decision);
    if (request->is_veto)
        to = CHANGE_REJECTED;
    else if (policy_is_approved(ledger_running_conf(ledger), change, NULL, NULL, NULL))
        to = CHANGE_APPROVED;
    change_move(&step, change, to, request->is_veto ? "change.vetoed" : "change.approved",
                json_pack("{s:s?}", "comment", request->comment));
    return step_commit(&step, refusal);
}

bool ledger_decide(struct ledger *ledger, const struct actor *actor, const char *id,
                   const struct decision_request *decision, json_t **answer,
                   struct refusal *refusal)
{
    const char *event = decision->is_veto ? "change.vetoed" : "change.approved";
    struct change *change;

    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    ledger_expire(ledger, false); /* what is over is over, whether a second has passed or not */
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL || !may_decide(ledger, actor, change, decision->is_veto, refusal) ||
        !decision_fits(change, actor, decision, refusal))
        return ledger_denied(ledger, actor, event, id, refusal);
    if (!put_decision(ledger, actor, change, decision, refusal))
        return false;
    *answer = change_shown(ledger, change);
    return true;
}

bool ledger_retract(struct ledger *ledger, const struct actor *actor, const char *id,
                    const char *person, json_t **answer, struct refusal *refusal)
{
    struct change *change;
    struct change_decision *decision;
    enum change_state to;
    struct step step;
    char next[NEXT_TEXT];

    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL)
        return false;
    (void)show_call(change, next);
    decision = change_decision_of(change, person);
    if (strcmp(actor->person, person) != 0) {
        (void)refuse(refusal, "forbidden", next, "an approval is taken back by who gave it");
        return ledger_denied(ledger, actor, "change.approval-withdrawn", id, refusal);
    }
    if (decision == NULL)
        return refuse(refusal, "not-found", next, "%s has not decided on iteration %u", person,
                      change->iteration);
    if (change->state != CHANGE_PENDING && change->state != CHANGE_APPROVED)
        return refuse(refusal, "state-conflict", next, "change %s is %s already", change->id,
                      change_state_word(change->state));
    step_begin(&step, ledger, actor);
    ledger_put_decision(&step, change, decision, "taken back");
    change_remove_decision(change, decision);
    to = change->state == CHANGE_APPROVED &&
                 policy_is_approved(ledger_running_conf(ledger), change, NULL, NULL, NULL)
             ? CHANGE_APPROVED
             : CHANGE_PENDING;
    change_move(&step, change, to, "change.approval-withdrawn", NULL);
    if (!step_commit(&step, refusal))
        return false;
    *answer = change_shown(ledger, change);
    return true;
}
