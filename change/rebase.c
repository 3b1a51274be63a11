/*
 * rebase - a change made for what ran once, made for what runs now.
 *
 * Approvals are dropped, but where the policy says keep_on_clean_rebase and nothing that an
 * approver looked at is different (E-9).
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "change/actor.h"
#include "change/candidate.h"
#include "change/internal.h"
#include "change/merge.h"
#include "change/refusal.h"
#include "config/model.h"

enum { NEXT_TEXT = 96, POINTER_TEXT = 256 };

/* What approvers saw before, to hold the rebased change against. */
struct before {
    bool may_carry;
    char diff_digest[DIGEST_TEXT];
    uint32_t class;
    uint32_t required;
    int64_t submitted_ms, submitted_boot_ms;
    int64_t approved_ms, approved_boot_ms;
    json_t *findings;
    json_t *base;
    struct change_decision *decisions;
    size_t decision_count;
};

/* /section/name: the named object that a pointer lies in. */
static void object_of(const char *pointer, char out[POINTER_TEXT])
{
    const char *second = pointer[0] == '/' ? strchr(pointer + 1, '/') : NULL;
    const char *third = second != NULL ? strchr(second + 1, '/') : NULL;
    size_t len = third != NULL ? (size_t)(third - pointer) : strlen(pointer);

    if (len >= POINTER_TEXT)
        len = POINTER_TEXT - 1;
    memcpy(out, pointer, len);
    out[len] = '\0';
}

static bool is_within(const char *outer, const char *inner)
{
    size_t len = strlen(outer);

    return strncmp(outer, inner, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

/* No object is touched by both. */
static bool are_disjoint(const json_t *mine, const json_t *theirs)
{
    json_t *row;
    json_t *other;
    size_t i;
    size_t n;

    json_array_foreach(mine, i, row)
    {
        char object[POINTER_TEXT];

        object_of(json_string_value(json_object_get(row, "pointer")), object);
        json_array_foreach(theirs, n, other)
        {
            char touched[POINTER_TEXT];

            object_of(json_string_value(json_object_get(other, "pointer")), touched);
            if (is_within(object, touched) || is_within(touched, object))
                return false;
        }
    }
    return true;
}

/* Deletions that are done already need not be listed any more. */
static void keep_deletes(struct change *change, const struct candidate *candidate)
{
    json_t *gone = merge_deletions(candidate->base_json, candidate->target_json);
    json_t *kept = json_array();
    json_t *entry;
    json_t *deletion;
    size_t i;
    size_t n;

    json_array_foreach(change->deletes, i, entry)
    {
        bool is_needed = false;

        json_array_foreach(gone, n, deletion) is_needed =
            is_needed || is_within(json_string_value(entry), json_string_value(deletion));
        if (is_needed)
            json_array_append(kept, entry);
    }
    json_decref(gone);
    json_decref(change->deletes);
    change->deletes = kept;
}

/* Onto what runs.  The candidate is that of the new base afterwards. */
static bool merge_onto_running(struct ledger *ledger, struct change *change,
                               struct candidate *candidate, json_t **old_base_out,
                               struct refusal *refusal)
{
    struct candidate old;
    json_t *conflicts = NULL;
    json_t *target;
    json_t *pointer;
    size_t i;

    if (!candidate_init(&old, ledger, change, refusal))
        return false;
    if (!candidate_set_stored(&old, change, refusal)) {
        candidate_fini(&old);
        return false;
    }
    change->base_rev = ledger->running.rev;
    memcpy(change->base_digest, ledger->running.digest, sizeof(change->base_digest));
    if (!candidate_init(candidate, ledger, change, refusal)) {
        candidate_fini(&old);
        return false;
    }
    target = merge_three_way(old.base_json, old.target_json, candidate->base_json, &conflicts);
    json_array_foreach(conflicts, i, pointer)
        finding_add(&candidate->findings, FINDING_BLOCK, "conflict", NULL,
                    json_string_value(pointer),
                    "was changed differently by what runs now, and stays as there")
            ->fix = "say with PATCH or PUT what it is to be";
    candidate_set(candidate, target, change);
    keep_deletes(change, candidate);
    json_decref(change->patch);
    change->patch = merge_patch_between(candidate->base_json, candidate->target_json);
    json_decref(conflicts);
    *old_base_out = json_incref(old.base_json);
    candidate_fini(&old);
    return true;
}

static void remember(const struct ledger *ledger, struct change *change, struct before *before)
{
    const struct configuration *conf = ledger_running_conf(ledger);

    *before = (struct before){0};
    before->may_carry = conf != NULL && conf->policy.keep_on_clean_rebase &&
                        change->decision_count > 0 && change->digest[0] != '\0';
    memcpy(before->diff_digest, change->diff_digest, sizeof(before->diff_digest));
    before->class = change->class;
    before->required = change->required;
    before->submitted_ms = change->submitted_ms;
    before->submitted_boot_ms = change->submitted_boot_ms;
    before->approved_ms = change->approved_ms;
    before->approved_boot_ms = change->approved_boot_ms;
    before->findings = json_incref(change->findings);
    before->decisions = change->decisions; /* taken: the new iteration begins without */
    before->decision_count = change->decision_count;
    change->decisions = NULL;
    change->decision_count = 0;
}

static void forget(struct before *before)
{
    struct change holder = {.decisions = before->decisions,
                            .decision_count = before->decision_count};

    change_drop_decisions(&holder);
    json_decref(before->findings);
    json_decref(before->base);
}

static bool is_clean(const struct before *before, const struct candidate *candidate,
                     const struct change *change)
{
    json_t *mine = candidate_diff(candidate);
    json_t *theirs = merge_diff(before->base, candidate->base_json);
    size_t bytes;
    char *text = merge_canonical(mine, &bytes);
    struct digest digest = digest_of(slice_of(text, bytes));
    char diff_digest[DIGEST_TEXT];
    bool clean = strcmp(digest_text(&digest, diff_digest), before->diff_digest) == 0 &&
                 are_disjoint(mine, theirs) && change->class <= before->class &&
                 json_equal(change->findings, before->findings) == 1;

    xfree(text);
    json_decref(mine);
    json_decref(theirs);
    return clean;
}

/* The approvals go on for as long as they would have: a rebase makes nobody's agreement younger. */
static void carry(struct step *step, struct change *change, const struct before *before)
{
    json_t *people = json_array();

    for (size_t i = 0; i < before->decision_count; i++) {
        struct change_decision *carried = change_add_decision(change, &before->decisions[i]);

        memcpy(carried->digest, change->digest, sizeof(carried->digest));
        if (!ledger_decision_counts(ledger_running_conf(step->ledger), change, carried)) {
            change_remove_decision(change, carried);
            continue;
        }
        ledger_put_decision(step, change, carried, NULL);
        json_array_append_new(people, json_string(carried->person));
    }
    change_move(step, change, CHANGE_PENDING, "change.carried",
                json_pack("{s:o}", "people", people));
    change->submitted_ms = before->submitted_ms;
    change->submitted_boot_ms = before->submitted_boot_ms;
    change_complete(step, change);
    if (change->state == CHANGE_APPROVED && before->approved_ms != 0) {
        change->approved_ms = before->approved_ms;
        change->approved_boot_ms = before->approved_boot_ms;
    }
    change_write(step, change);
}

static bool rebase_in_step(struct step *step, struct change *change, struct candidate *candidate,
                           const struct before *before, struct refusal *refusal)
{
    char digest[DIGEST_TEXT];

    change_begin_iteration(change);
    candidate_describe(candidate, change);
    change_add_contributor(step->ledger, change, step->actor);
    change_set_etag(change);
    step_put_blob(step, slice_of(candidate->bytes, candidate->byte_count), digest);
    change_move(step, change, CHANGE_DRAFT, "change.rebased",
                json_pack("{s:I}", "base", (json_int_t)change->base_rev));
    if (!before->may_carry || !is_clean(before, candidate, change) ||
        !candidate_may_submit(candidate, change, false, NULL))
        return true;
    if (candidate->verdict.required < before->required)
        candidate->verdict.required = before->required; /* never less than was asked for */
    if (!change_fix(step, change, candidate, refusal))
        return false;
    carry(step, change, before);
    return true;
}

static bool may_rebase(struct ledger *ledger, const struct actor *actor,
                       const struct change *change, struct refusal *refusal)
{
    char next[NEXT_TEXT];

    (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
    if (!ledger_is_contributor(change, actor, refusal))
        return false;
    if (!change_may_move(change->state, CHANGE_DRAFT, "change.rebased"))
        return refuse(refusal, "state-conflict", next, "change %s is %s", change->id,
                      change_state_word(change->state));
    if (change->base_rev == ledger->running.rev && change->state != CHANGE_STALE)
        return refuse(refusal, "state-conflict", next,
                      "change %s stands on what runs: there is nothing to rebase", change->id);
    return true;
}

bool ledger_rebase(struct ledger *ledger, const struct actor *actor, const char *id,
                   json_t **answer, struct refusal *refusal)
{
    struct change *change;
    struct candidate candidate;
    struct before before;
    struct step step;
    bool is_good;

    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL || !may_rebase(ledger, actor, change, refusal))
        return ledger_denied(ledger, actor, "change.rebased", id, refusal);
    remember(ledger, change, &before);
    if (!merge_onto_running(ledger, change, &candidate, &before.base, refusal)) {
        forget(&before);
        change_reload(ledger, change);
        return false;
    }
    step_begin(&step, ledger, actor);
    is_good = rebase_in_step(&step, change, &candidate, &before, refusal);
    if (is_good)
        is_good = step_commit(&step, refusal);
    else
        step_abandon(&step);
    candidate_fini(&candidate);
    forget(&before);
    if (is_good)
        *answer = change_shown(ledger, change);
    return is_good;
}
