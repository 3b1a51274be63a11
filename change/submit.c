/*
 * submit - from a draft to something that people may agree to: what exactly is fixed here.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  the bound bytes are written once, stored, and hashed as stored
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "change/actor.h"
#include "change/bound.h"
#include "change/candidate.h"
#include "change/files.h"
#include "change/internal.h"
#include "change/merge.h"
#include "change/refusal.h"
#include "change/rollout.h"
#include "config/load.h"
#include "config/model.h"

enum { NEXT_TEXT = 96, NONCE_TEXT = 33 };

static void put_json_blob(struct step *step, const json_t *value, char digest_out[DIGEST_TEXT])
{
    size_t bytes;
    char *text = merge_canonical(value, &bytes);

    step_put_blob(step, slice_of(text, bytes), digest_out);
    xfree(text);
}

/* The files of the target: read now, kept; findings where they cannot be. */
static void collect_files(struct candidate *candidate, const struct change *change,
                          struct files *files)
{
    struct ledger *ledger = candidate->ledger;
    struct revision base = {0};
    struct files_wanted wanted = {
        .base = candidate->base_json,
        .target = candidate->target_json,
        .roots = candidate->target != NULL ? &candidate->target->process.file_roots : NULL,
        .config_directory = ledger->options.config_directory,
        .read = candidate->target,
    };

    if (revision_read(ledger, change->base_rev, &base))
        wanted.kept = base.files;
    files_collect(&wanted, files, &candidate->findings);
    revision_fini(&base);
}

/* The pools and routes of the change with all else as it runs: a pool may name a certificate that
 * comes with the change. */
static bool check_tried(const struct candidate *candidate, const json_t *tried,
                        struct refusal *refusal)
{
    struct configuration *conf;
    struct findings findings;
    size_t bytes;
    char *text = merge_canonical(tried, &bytes);

    findings_init(&findings, candidate->arena);
    conf = ledger_parse(slice_of(text, bytes), "rollout", &findings);
    if (conf == NULL)
        (void)refuse_findings(refusal, "invalid-field", "PATCH /v1/changes/{id} {\"rollout\":null}",
                              &findings,
                              "a rollout tries pools and routes beside what runs otherwise, and "
                              "these do not go with that: all else changes only when every "
                              "connection has the change. Make the rest a change before this one, "
                              "or leave the rollout out");
    findings_fini(&findings);
    xfree(text);
    if (conf == NULL)
        return false;
    config_free(&conf);
    return true;
}

/* Told before anybody is asked to agree; apply looks again. */
static bool check_rollout(const struct candidate *candidate, const struct change *change,
                          struct refusal *refusal)
{
    json_t *tried;
    bool can_be;

    if (rollout_steps(change) == 0)
        return true;
    tried = rollout_tried(candidate->base_json, candidate->target_json, refusal);
    can_be = tried != NULL && check_tried(candidate, tried, refusal);
    json_decref(tried);
    return can_be;
}

/* An author's wishes may not undercut the policy of now; and whoever changes how twokey is reached
 * must show, by confirming, that it still can be (E-37). */
static void fix_confirm(const struct candidate *candidate, struct change *change)
{
    const struct conf_policy *policy = &candidate->base->policy;
    const json_t *before = json_object_get(candidate->base_json, "admin");
    const json_t *after = json_object_get(candidate->target_json, "admin");
    bool is_admin_same = before == after || (before != NULL && json_equal(before, after) == 1);

    if (change->confirm_deadline_ms < policy->confirm_deadline_ms)
        change->confirm_deadline_ms = policy->confirm_deadline_ms;
    if (change->confirm_min_bake_ms < policy->confirm_min_bake_ms)
        change->confirm_min_bake_ms = policy->confirm_min_bake_ms;
    if (policy->confirm_mode == CONFIRM_MANUAL || !is_admin_same)
        change->confirm_is_auto = false;
}

static void fix_policy(const struct candidate *candidate, struct change *change)
{
    const json_t *policy = json_object_get(candidate->base_json, "policy");
    json_t *told = policy != NULL ? json_deep_copy(policy) : json_object();
    struct digest digest;
    size_t bytes;
    char *text = merge_canonical(told, &bytes);

    digest = digest_of(slice_of(text, bytes));
    digest_text(&digest, change->policy_digest);
    xfree(text);
    json_decref(told);
}

static void fix_bound(struct step *step, struct change *change)
{
    char nonce[NONCE_TEXT];
    struct bound_facts facts = {
        .cluster = step->ledger->cluster,
        .nonce = nonce,
        .diff_digest = change->diff_digest,
        .impact_digest = change->impact_digest,
    };
    size_t bytes;
    char *text;

    ledger_random_hex(nonce, sizeof(nonce) - 1);
    text = bound_write(change, &facts, &bytes);
    step_put_blob(step, slice_of(text, bytes), change->bound_blob);
    bound_digest(slice_of(text, bytes), change->digest);
    xfree(text);
}

bool change_fix(struct step *step, struct change *change, struct candidate *candidate,
                struct refusal *refusal)
{
    struct files files;
    char session[CHANGE_ID_TEXT];
    bool in_session = breakglass_is_open(step->ledger, step->actor, session, sizeof(session));
    json_t *told;
    bool is_good;

    collect_files(candidate, change, &files);
    is_good = candidate_may_submit(candidate, change, in_session, refusal) &&
              check_rollout(candidate, change, refusal) && files_put(step, &files, refusal);
    if (is_good) {
        candidate_describe(candidate, change);
        fix_confirm(candidate, change);
        fix_policy(candidate, change);
        json_decref(change->files);
        change->files = files_map(&files);
        told = candidate_diff(candidate);
        put_json_blob(step, told, change->diff_digest);
        json_decref(told);
        told = candidate_impact(candidate, change);
        put_json_blob(step, told, change->impact_digest);
        json_decref(told);
        fix_bound(step, change);
    }
    files_fini(&files);
    return is_good;
}

void change_complete(struct step *step, struct change *change)
{
    const struct configuration *conf = ledger_running_conf(step->ledger);
    const struct actor *asked = step->actor;
    struct actor system = actor_system("policy");

    if (conf == NULL || !policy_is_approved(conf, change, NULL, NULL, NULL))
        return;
    step->actor = &system;
    change_move(step, change, CHANGE_APPROVED, "change.complete", NULL);
    step->actor = asked;
}

bool change_submit(struct step *step, struct change *change, struct candidate *candidate,
                   struct refusal *refusal)
{
    if (change->not_after_ms != 0 && change->not_after_ms <= ledger_wall_ms(step->ledger))
        return refuse(refusal, "invalid-field", NULL, "not_after is over already");
    if (!change_fix(step, change, candidate, refusal))
        return false;
    change_move(step, change, CHANGE_PENDING, "change.submitted",
                json_pack("{s:I, s:I}", "class", (json_int_t)change->class, "required",
                          (json_int_t)change->required));
    change_complete(step, change);
    return true;
}

static bool may_submit(struct ledger *ledger, const struct actor *actor,
                       const struct change *change, struct refusal *refusal)
{
    char next[NEXT_TEXT];

    (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
    if (!ledger_is_contributor(change, actor, refusal))
        return false;
    if (!change_may_move(change->state, CHANGE_PENDING, "change.submitted"))
        return refuse(refusal, "state-conflict", next, "change %s is %s: only a draft is submitted",
                      change->id, change_state_word(change->state));
    if (!ledger_base_holds(ledger, change))
        return ledger_base_stale(change, refusal);
    return true;
}

bool ledger_submit(struct ledger *ledger, const struct actor *actor, const char *id,
                   json_t **answer, struct refusal *refusal)
{
    struct change *change;
    struct candidate candidate;
    struct step step;
    bool is_good;

    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL || !may_submit(ledger, actor, change, refusal))
        return ledger_denied(ledger, actor, "change.submitted", id, refusal);
    if (!candidate_init(&candidate, ledger, change, refusal))
        return false;
    candidate.author = actor;
    is_good = candidate_set_stored(&candidate, change, refusal);
    if (is_good) {
        step_begin(&step, ledger, actor);
        is_good = change_submit(&step, change, &candidate, refusal);
        if (is_good)
            is_good = step_commit(&step, refusal);
        else
            step_abandon(&step);
    }
    candidate_fini(&candidate);
    if (is_good)
        *answer = change_shown(ledger, change);
    return is_good;
}
