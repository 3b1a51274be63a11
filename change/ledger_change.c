/*
 * ledger_change - making changes, and making them anew: create, edit, reopen, rebase, withdraw.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  what decides the content of a change begins a new iteration, and approvals belong to
 *             one iteration: nobody's approval ever covers bytes that he has not seen
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/candidate.h"
#include "change/internal.h"
#include "change/merge.h"
#include "change/refusal.h"
#include "change/request.h"
#include "config/load.h"
#include "config/model.h"

enum { NEXT_TEXT = 96 };

/* ---- who ---- */

bool ledger_has_role(const struct actor *actor, unsigned roles, const char *words,
                     struct refusal *refusal)
{
    if ((actor->roles & roles) != 0 || strcmp(actor->auth, "system") == 0)
        return true;
    return refuse(refusal, "forbidden", "GET /v1/whoami", "%s does not have the role %s",
                  actor->person, words);
}

bool ledger_is_contributor(const struct change *change, const struct actor *actor,
                           struct refusal *refusal)
{
    char next[NEXT_TEXT];

    if (change_has_contributor(change, actor->person))
        return true;
    (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
    return refuse(refusal, "forbidden", next, "%s did not contribute to change %s", actor->person,
                  change->id);
}

bool ledger_may_act(struct ledger *ledger, const struct actor *actor, unsigned roles,
                    const char *words, struct refusal *refusal)
{
    char session[CHANGE_ID_TEXT];

    return breakglass_is_open(ledger, actor, session, sizeof(session)) ||
           ledger_has_role(actor, roles, words, refusal);
}

static void add_name(struct change *change, const char *person)
{
    if (change->contributors == NULL)
        change->contributors = json_array();
    if (person != NULL && !change_has_contributor(change, person))
        json_array_append_new(change->contributors, json_string(person));
}

void change_add_contributor(struct ledger *ledger, struct change *change, const struct actor *actor)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    const struct conf_person *person =
        conf != NULL ? config_find_person(conf, actor->person) : NULL;

    add_name(change, actor->person);
    add_name(change, actor->on_behalf_of);
    if (person != NULL)
        add_name(change, person->owner);
}

static unsigned open_of(const struct ledger *ledger, const char *person)
{
    unsigned count = 0;

    for (size_t i = 0; i < ledger->open_count; i++)
        count += strcmp(ledger->open[i]->author, person) == 0;
    return count;
}

/* ---- ids and etags ---- */

/* A ULID: 48 bits of time, 80 random ones. */
static void make_id(const struct ledger *ledger, char id_out[CHANGE_ID_TEXT])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t when = (uint64_t)ledger_wall_ms(ledger);
    uint64_t high = random_seed();
    uint64_t low = random_seed();
    char *at = id_out + 4;

    memcpy(id_out, "chg_", 4);
    for (int shift = 45; shift >= 0; shift -= 5)
        *at++ = digits[when >> shift & 31];
    for (int i = 0; i < 8; i++, high >>= 5)
        *at++ = digits[high & 31];
    for (int i = 0; i < 8; i++, low >>= 5)
        *at++ = digits[low & 31];
    *at = '\0';
}

void change_set_etag(struct change *change)
{
    json_t *content = change_encode(change);
    struct digest digest;
    size_t bytes;
    char *text;

    static const char *const moving[] = {
        "state",          "etag",   "findings",  "files", "class", "required", "required_factors",
        "policy_reasons", "digest", "bound_blob"};

    for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
        json_object_del(content, moving[i]);
    text = merge_canonical(content, &bytes);
    digest = digest_of(slice_of(text, bytes));
    digest_text(&digest, change->etag);
    xfree(text);
    json_decref(content);
}

void change_begin_iteration(struct change *change)
{
    change->iteration++;
    change_drop_decisions(change);
    change->digest[0] = '\0';
    change->bound_blob[0] = '\0';
    change->impact_digest[0] = '\0';
    change->diff_digest[0] = '\0';
    change->policy_digest[0] = '\0';
    change->failures = 0;
    xfree(TAKE_POINTER(&change->last_error));
    xfree(TAKE_POINTER(&change->session));
    json_decref(change->files);
    change->files = json_object();
}

/* ---- the base ---- */

bool ledger_base_holds(const struct ledger *ledger, const struct change *change)
{
    if (change->base_rev == ledger->running.rev)
        return strcmp(change->base_digest, ledger->running.digest) == 0;
    return ledger->pending.is_set && change->base_rev == ledger->pending.previous_rev;
}

bool ledger_base_stale(const struct change *change, struct refusal *refusal)
{
    char next[NEXT_TEXT];

    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/rebase", change->id);
    return refuse(refusal, "base-stale", next,
                  "change %s was made for revision %llu, which does not run any more", change->id,
                  (unsigned long long)change->base_rev);
}

static void take_base(struct ledger *ledger, struct change *change)
{
    change->base_rev = ledger->running.rev;
    memcpy(change->base_digest, ledger->running.digest, sizeof(change->base_digest));
}

static bool need_running(struct ledger *ledger, struct refusal *refusal)
{
    if (ledger_running_conf(ledger) != NULL && ledger->running.rev != 0)
        return true;
    return refuse(refusal, "not-running", "GET /v1/status", "no configuration runs yet");
}

/* ---- the content of a change ---- */

static void add_conflicts(struct candidate *candidate, const json_t *conflicts, const char *theirs)
{
    json_t *pointer;
    size_t i;

    json_array_foreach(conflicts, i, pointer)
        finding_add(&candidate->findings, FINDING_BLOCK, "conflict", NULL,
                    json_string_value(pointer), "was changed differently by %s, and stays as there",
                    theirs)
            ->fix = "say with PATCH or PUT what it is to be";
}

/* Makes the target of what was asked for, and describes it. */
static bool set_content(struct candidate *candidate, struct change *change, const json_t *config,
                        struct refusal *refusal)
{
    json_t *target;

    if (config != NULL)
        target = json_deep_copy(config);
    else if (change->patch != NULL)
        target = merge_patch(candidate->base_json, change->patch);
    else
        target = json_deep_copy(candidate->base_json);
    candidate_set(candidate, target, change);
    if (!merge_check_deletes(candidate->base_json, candidate->target_json, change->deletes,
                             refusal))
        return false;
    candidate_describe(candidate, change);
    return true;
}

static void put_target(struct step *step, const struct candidate *candidate)
{
    char digest[DIGEST_TEXT];

    step_put_blob(step, slice_of(candidate->bytes, candidate->byte_count), digest);
}

/* ---- create ---- */

static struct change *new_change(struct ledger *ledger, const struct actor *actor,
                                 const struct create_options *options)
{
    struct change *change = change_new();

    make_id(ledger, change->id);
    change->kind = options->kind;
    change->iteration = 1;
    change->author = xstrdup(actor->person);
    change->created_ms = ledger_wall_ms(ledger);
    change->files = json_object();
    change->least_class = options->least_class;
    if (options->import_digest != NULL)
        (void)snprintf(change->import_digest, sizeof(change->import_digest), "%s",
                       options->import_digest);
    change_add_contributor(ledger, change, actor);
    take_base(ledger, change);
    return change;
}

static bool may_create(struct ledger *ledger, const struct actor *actor,
                       const struct create_options *options, struct refusal *refusal)
{
    if (!ledger_may_write(ledger, actor, refusal) || !need_running(ledger, refusal) ||
        !ledger_may_act(ledger, actor, ROLE_AUTHOR, "author", refusal))
        return false;
    if (options->if_match != NULL && strcmp(options->if_match, ledger->running.digest) != 0)
        return refuse(refusal, "base-stale", "GET /v1/config",
                      "If-Match names a configuration that does not run (%s does)",
                      ledger->running.digest);
    if (!options->is_dry_run && open_of(ledger, actor->person) >= CHANGE_OPEN_MAX)
        return refuse(refusal, "too-many-open", "GET /v1/changes",
                      "%s has %d open changes: apply or withdraw some", actor->person,
                      CHANGE_OPEN_MAX);
    return true;
}

/* Takes the change: into the list of open ones, or away. */
static bool store_new(struct ledger *ledger, const struct actor *actor, struct change *change,
                      struct candidate *candidate, bool is_submitted, struct refusal *refusal)
{
    struct step step;
    bool is_good = true;

    step_begin(&step, ledger, actor);
    put_target(&step, candidate);
    change_move_new(&step, change, json_pack("{s:s}", "title", change->title));
    if (is_submitted)
        is_good = change_submit(&step, change, candidate, refusal);
    if (!is_good)
        step_abandon(&step);
    else
        is_good = step_commit(&step, refusal);
    if (is_good)
        ledger_add_open(ledger, change);
    else
        change_free(&change);
    return is_good;
}

static bool create_from(struct ledger *ledger, const json_t *request,
                        const struct create_options *options, struct change *change,
                        struct candidate *candidate, struct refusal *refusal)
{
    struct request_context context = {.policy = &ledger_running_conf(ledger)->policy,
                                      .now_ms = ledger_wall_ms(ledger),
                                      .is_whole = true};
    const json_t *config;

    if (!request_read(request, &context, change, &config, refusal))
        return false;
    add_conflicts(candidate, options->conflicts, "what runs");
    if (!set_content(candidate, change, config, refusal))
        return false;
    change_set_etag(change);
    return true;
}

bool ledger_create(struct ledger *ledger, const struct actor *actor, const json_t *request,
                   const struct create_options *options, json_t **answer, struct refusal *refusal)
{
    struct candidate candidate;
    struct change *change;
    bool is_good;

    if (!may_create(ledger, actor, options, refusal))
        return false;
    change = new_change(ledger, actor, options);
    if (!candidate_init(&candidate, ledger, change, refusal)) {
        change_free(&change);
        return false;
    }
    candidate.author = actor;
    is_good = create_from(ledger, request, options, change, &candidate, refusal);
    if (!is_good || options->is_dry_run) {
        if (is_good)
            *answer = change_shown(ledger, change);
        change_free(&change);
    } else {
        is_good = store_new(ledger, actor, change, &candidate, options->is_submitted, refusal);
        if (is_good)
            *answer = change_shown(ledger, change);
    }
    candidate_fini(&candidate);
    return is_good;
}

/* ---- edit ---- */

static bool may_edit(struct ledger *ledger, const struct actor *actor, const struct change *change,
                     const char *if_match, struct refusal *refusal)
{
    char next[NEXT_TEXT];

    (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
    if (!ledger_may_act(ledger, actor, ROLE_AUTHOR, "author", refusal))
        return false;
    if (if_match == NULL)
        return refuse(refusal, "precondition-required", next,
                      "the call needs If-Match with the change's etag");
    if (strcmp(if_match, change->etag) != 0)
        return refuse(refusal, "digest-mismatch", next,
                      "somebody edited change %s meanwhile: its etag is %s", change->id,
                      change->etag);
    if (!change_may_move(change->state, CHANGE_DRAFT, "change.edited"))
        return refuse(refusal, "state-conflict", next, "change %s is %s: it cannot be edited",
                      change->id, change_state_word(change->state));
    return true;
}

static bool edit_into(struct ledger *ledger, const json_t *request, bool replaces,
                      struct change *change, struct candidate *candidate, struct refusal *refusal)
{
    struct request_context context = {.policy = &ledger_running_conf(ledger)->policy,
                                      .now_ms = ledger_wall_ms(ledger),
                                      .is_whole = replaces};
    bool was_whole = change->patch == NULL;
    const json_t *config;
    json_t *kept = NULL;
    bool is_good;

    if (!request_read(request, &context, change, &config, refusal))
        return false;
    if (config == NULL && was_whole && change->patch == NULL && !replaces) {
        kept = ledger_blob_json(ledger, change->target_digest); /* the whole that was given stays */
        config = kept;
    }
    if (json_object_get(request, "patch") == NULL && json_object_get(request, "config") == NULL)
        candidate_keep_conflicts(candidate, change);
    change_begin_iteration(change);
    is_good = set_content(candidate, change, config, refusal);
    json_decref(kept);
    return is_good;
}

/* The old one stays as it is until the store has the new one. */
static struct change *copy_of(const struct change *change)
{
    json_t *encoded = change_encode(change);
    struct change *copy = change_decode(encoded);

    CHECK(copy != NULL);
    copy->version = change->version;
    json_decref(encoded);
    return copy;
}

static void swap(struct change *a, struct change *b)
{
    struct change kept = *a;

    *a = *b;
    *b = kept;
}

static bool store_edited(struct ledger *ledger, const struct actor *actor, struct change *change,
                         struct candidate *candidate, const char *event, struct refusal *refusal)
{
    struct step step;

    change_add_contributor(ledger, change, actor);
    change_set_etag(change);
    step_begin(&step, ledger, actor);
    put_target(&step, candidate);
    change_move(&step, change, CHANGE_DRAFT, event, json_pack("{s:s}", "etag", change->etag));
    return step_commit(&step, refusal);
}

bool ledger_edit(struct ledger *ledger, const struct actor *actor, const char *id,
                 const json_t *request, bool replaces, const char *if_match, json_t **answer,
                 struct refusal *refusal)
{
    struct change *change;
    struct change *edited;
    struct candidate candidate;
    bool is_good;

    if (!ledger_may_write(ledger, actor, refusal) || !need_running(ledger, refusal))
        return false;
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL || !may_edit(ledger, actor, change, if_match, refusal) ||
        !candidate_init(&candidate, ledger, change, refusal))
        return false;
    candidate.author = actor;
    edited = copy_of(change);
    is_good = edit_into(ledger, request, replaces, edited, &candidate, refusal);
    if (is_good) {
        swap(change, edited);
        is_good = store_edited(ledger, actor, change, &candidate, "change.edited", refusal);
    }
    change_free(&edited);
    candidate_fini(&candidate);
    if (is_good)
        *answer = change_shown(ledger, change);
    return is_good;
}

/* ---- reopen, withdraw ---- */

static bool may_move_by_contributor(struct ledger *ledger, const struct actor *actor,
                                    const struct change *change, enum change_state to,
                                    const char *event, struct refusal *refusal)
{
    char next[NEXT_TEXT];

    (void)ledger;
    if (!ledger_is_contributor(change, actor, refusal))
        return false;
    if (change_may_move(change->state, to, event))
        return true;
    (void)snprintf(next, sizeof(next), "GET /v1/changes/%s", change->id);
    return refuse(refusal, "state-conflict", next, "change %s is %s", change->id,
                  change_state_word(change->state));
}

bool ledger_reopen(struct ledger *ledger, const struct actor *actor, const char *id,
                   json_t **answer, struct refusal *refusal)
{
    struct change *change;
    struct step step;

    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL ||
        !may_move_by_contributor(ledger, actor, change, CHANGE_DRAFT, "change.reopened", refusal))
        return ledger_denied(ledger, actor, "change.reopened", id, refusal);
    step_begin(&step, ledger, actor);
    change_begin_iteration(change);
    change_set_etag(change);
    change_move(&step, change, CHANGE_DRAFT, "change.reopened", NULL);
    if (!step_commit(&step, refusal))
        return false;
    *answer = change_shown(ledger, change);
    return true;
}

bool ledger_withdraw(struct ledger *ledger, const struct actor *actor, const char *id,
                     const char *reason, json_t **answer, struct refusal *refusal)
{
    struct change *change;
    struct step step;
    const char *bad = reason != NULL ? request_check_text(reason, REQUEST_REASON_MAX) : NULL;

    if (bad != NULL)
        return refuse(refusal, "invalid-field", NULL, "reason: %s", bad);
    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    change = ledger_need_open(ledger, id, refusal);
    if (change == NULL || !may_move_by_contributor(ledger, actor, change, CHANGE_WITHDRAWN,
                                                   "change.withdrawn", refusal))
        return ledger_denied(ledger, actor, "change.withdrawn", id, refusal);
    step_begin(&step, ledger, actor);
    xfree(change->ended_why);
    change->ended_why = reason != NULL ? xstrdup(reason) : NULL;
    ledger_void_decisions(&step, change, "withdrawn");
    change_move(&step, change, CHANGE_WITHDRAWN, "change.withdrawn",
                json_pack("{s:s?}", "reason", reason));
    if (!step_commit(&step, refusal))
        return false;
    *answer = change_shown(ledger, change);
    return true;
}
