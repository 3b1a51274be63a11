/*
 * show - changes in the shapes of the admin API.
 *
 * Owner    answers are the caller's      Threads  control
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "change/candidate.h"
#include "change/internal.h"
#include "change/policy.h"
#include "change/refusal.h"
#include "config/model.h"
#include "config/text.h"

enum { LIST_MAX = 200, LIST_LOOKED_AT = 2000 };

/* ---- small things ---- */

static json_t *time_or_null(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms != 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *duration(uint64_t ms)
{
    char text[32];

    return json_string(text_of_duration(ms, text));
}

static json_t *copy_or_list(const json_t *value)
{
    return value != NULL ? json_deep_copy(value) : json_array();
}

static void add_call(json_t *calls, const char *method, const char *id, const char *rest)
{
    char call[128];

    (void)snprintf(call, sizeof(call), "%s /v1/changes/%s%s", method, id, rest);
    json_array_append_new(calls, json_string(call));
}

/* ---- one change ---- */

static json_t *next_calls(const struct change *change)
{
    static const struct {
        enum change_state state;
        const char *method;
        const char *rest;
    } calls[] = {
        {CHANGE_DRAFT, "POST", "/submit"},       {CHANGE_DRAFT, "PATCH", ""},
        {CHANGE_DRAFT, "POST", "/withdraw"},     {CHANGE_PENDING, "POST", "/approvals"},
        {CHANGE_PENDING, "POST", "/reopen"},     {CHANGE_PENDING, "POST", "/withdraw"},
        {CHANGE_APPROVED, "POST", "/apply"},     {CHANGE_APPROVED, "POST", "/reopen"},
        {CHANGE_APPROVED, "POST", "/withdraw"},  {CHANGE_APPLYING, "GET", ""},
        {CHANGE_CONFIRMING, "POST", "/confirm"}, {CHANGE_CONFIRMING, "POST", "/cancel"},
        {CHANGE_CONFIRMING, "POST", "/extend"},  {CHANGE_STALE, "POST", "/rebase"},
        {CHANGE_STALE, "POST", "/withdraw"},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].state == change->state)
            add_call(list, calls[i].method, change->id, calls[i].rest);
    }
    return list;
}

static json_t *given(const struct change *change)
{
    json_t *list = json_array();

    for (size_t i = 0; i < change->decision_count; i++) {
        const struct change_decision *decision = &change->decisions[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "person", decision->person,
                                              "decision", decision->is_veto ? "veto" : "approve",
                                              "at", time_or_null(decision->at_ms), "comment",
                                              text_or_null(decision->comment)));
    }
    return list;
}

static json_t *approvals(struct ledger *ledger, const struct change *change)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    json_t *missing = NULL;
    json_t *who_can = NULL;
    uint32_t have = 0;

    if (conf != NULL)
        (void)policy_is_approved(conf, change, &have, &missing, &who_can);
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "required", (json_int_t)change->required,
                     "have", (json_int_t)have, "given", given(change), "who_can",
                     who_can != NULL ? who_can : json_array(), "missing",
                     missing != NULL ? missing : json_array(), "factors",
                     copy_or_list(change->required_factors));
}

static json_t *expires(struct ledger *ledger, const struct change *change)
{
    int64_t left = ledger_expires_in_ms(ledger, change);

    return left != INT64_MAX ? time_or_null(ledger_wall_ms(ledger) + left) : json_null();
}

static void add_times(json_t *shown, struct ledger *ledger, const struct change *change)
{
    json_object_set_new(shown, "created", time_or_null(change->created_ms));
    json_object_set_new(shown, "submitted", time_or_null(change->submitted_ms));
    json_object_set_new(shown, "approved", time_or_null(change->approved_ms));
    json_object_set_new(shown, "applied", time_or_null(change->applied_ms));
    json_object_set_new(shown, "ended", time_or_null(change->ended_ms));
    json_object_set_new(shown, "expires", expires(ledger, change));
    json_object_set_new(shown, "not_before", time_or_null(change->not_before_ms));
    json_object_set_new(shown, "not_after", time_or_null(change->not_after_ms));
}

static void add_content(json_t *shown, const struct change *change)
{
    json_object_set_new(shown, "patch",
                        change->patch != NULL ? json_deep_copy(change->patch) : json_null());
    json_object_set_new(shown, "deletes", copy_or_list(change->deletes));
    json_object_set_new(shown, "override", copy_or_list(change->override));
    json_object_set_new(shown, "overrides", copy_or_list(change->overrides));
    json_object_set_new(shown, "files",
                        change->files != NULL ? json_deep_copy(change->files) : json_object());
    json_object_set_new(shown, "findings", copy_or_list(change->findings));
}

static void add_outcome(json_t *shown, const struct change *change)
{
    json_object_set_new(shown, "auto_apply", json_boolean(change->is_auto_apply));
    json_object_set_new(shown, "confirm",
                        json_pack("{s:s, s:o, s:o}", "mode",
                                  change->confirm_is_auto ? "auto" : "manual", "deadline",
                                  duration(change->confirm_deadline_ms), "min_bake",
                                  duration(change->confirm_min_bake_ms)));
    json_object_set_new(shown, "rollout", copy_or_list(change->rollout));
    json_object_set_new(shown, "forced", json_boolean(change->is_forced));
    json_object_set_new(shown, "session", text_or_null(change->session));
    json_object_set_new(shown, "last_error", text_or_null(change->last_error));
    json_object_set_new(shown, "ended_why", text_or_null(change->ended_why));
    json_object_set_new(shown, "rev",
                        change->rev != 0 ? json_integer((json_int_t)change->rev) : json_null());
    json_object_set_new(shown, "applied_by", text_or_null(change->applied_by));
}

json_t *change_shown(struct ledger *ledger, const struct change *change)
{
    json_t *shown = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:s, s:o, s:s, s:o, s:{s:I, s:s}, s:s, s:o, s:s, s:o, s:o}",
        "id", change->id, "state", change_state_word(change->state), "kind",
        change->kind == CHANGE_KIND_IMPORT ? "import" : "proposal", "iteration",
        (json_int_t)change->iteration, "title", change->title, "reason", change->reason, "ticket",
        text_or_null(change->ticket), "author", change->author, "contributors",
        copy_or_list(change->contributors), "base", "rev", (json_int_t)change->base_rev, "digest",
        change->base_digest, "etag", change->etag, "digest", text_or_null(change->digest), "target",
        change->target_digest, "class",
        change->class != 0 ? json_integer((json_int_t)change->class) : json_null(), "class_reasons",
        copy_or_list(change->policy_reasons));

    add_times(shown, ledger, change);
    add_content(shown, change);
    json_object_set_new(shown, "approvals", approvals(ledger, change));
    add_outcome(shown, change);
    if (ledger->pending.is_set && strcmp(ledger->pending.change, change->id) == 0) {
        json_object_set_new(shown, "deadline", time_or_null(ledger->pending.deadline_wall_ms));
        json_object_set_new(shown, "gate", ledger_gate_shown(ledger));
    }
    json_object_set_new(shown, "next", next_calls(change));
    return shown;
}

static const struct change *need(struct ledger *ledger, const char *id, struct refusal *refusal)
{
    const struct change *change;

    ledger_enter(ledger);
    change = ledger_find(ledger, id);
    if (change == NULL)
        (void)refuse(refusal, "not-found", "GET /v1/changes", "there is no change %.40s", id);
    return change;
}

bool ledger_show(struct ledger *ledger, const char *id, json_t **answer, struct refusal *refusal)
{
    const struct change *change = need(ledger, id, refusal);

    if (change == NULL)
        return false;
    *answer = change_shown(ledger, change);
    return true;
}

/* ---- the list ---- */

struct listing {
    struct ledger *ledger;
    const char *state;
    const char *author;
    unsigned limit;
    unsigned looked_at; /* so that who asks for what is rare does not hold up everybody else */
    json_t *rows;
    char *more_out;
    char last[CHANGE_ID_TEXT];
};

static json_t *row_of(struct ledger *ledger, const struct change *change)
{
    json_t *row = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:o, s:I, s:o, s:o, s:b}", "id", change->id, "state",
        change_state_word(change->state), "iteration", (json_int_t)change->iteration, "title",
        change->title, "author", change->author, "class",
        change->class != 0 ? json_integer((json_int_t)change->class) : json_null(), "base_rev",
        (json_int_t)change->base_rev, "created", time_or_null(change->created_ms), "ended",
        time_or_null(change->ended_ms), "forced", (int)change->is_forced);

    json_object_set_new(row, "digest", text_or_null(change->digest));
    json_object_set_new(row, "approvals", approvals(ledger, change));
    json_object_set_new(row, "expires", expires(ledger, change));
    json_object_set_new(row, "next", next_calls(change));
    return row;
}

static bool list_one(void *context, const char *key, struct slice value, uint64_t version)
{
    struct listing *listing = context;
    const char *id = key + strlen("change/");
    const struct change *open;
    struct change *stored = NULL;
    json_t *json;

    (void)version;
    if (strchr(id, '/') != NULL)
        return true; /* a decision */
    open = ledger_open_change(listing->ledger, id);
    if (open == NULL) {
        json = json_loadb(value.at, value.len, 0, NULL);
        stored = json != NULL ? change_decode(json) : NULL;
        json_decref(json);
        open = stored;
    }
    if (open != NULL &&
        (listing->state == NULL || strcmp(listing->state, change_state_word(open->state)) == 0) &&
        (listing->author == NULL || strcmp(listing->author, open->author) == 0)) {
        if (json_array_size(listing->rows) == listing->limit) {
            memcpy(listing->more_out, listing->last, CHANGE_ID_TEXT);
            change_free(&stored);
            return false;
        }
        (void)snprintf(listing->last, sizeof(listing->last), "%s", open->id);
        json_array_append_new(listing->rows, row_of(listing->ledger, open));
    }
    change_free(&stored);
    if (++listing->looked_at < LIST_LOOKED_AT)
        return true;
    (void)snprintf(listing->more_out, CHANGE_ID_TEXT, "%s", id);
    return false;
}

bool ledger_list(struct ledger *ledger, const char *state, const char *author, const char *cursor,
                 unsigned limit, json_t **answer, char *more_out, struct refusal *refusal)
{
    struct listing listing = {.ledger = ledger, .state = state, .author = author};
    enum change_state known;
    char after[64];
    bool is_first;

    if (state != NULL && !change_state_parse(state, &known))
        return refuse(refusal, "invalid-field", "GET /v1/changes",
                      "state: \"%.40s\" is not a state (draft, pending, approved, applying, "
                      "confirming, applied, rolled_back, failed, rejected, withdrawn, expired, "
                      "stale)",
                      state);
    ledger_enter(ledger);
    listing.more_out = more_out;
    listing.limit = limit == 0 || limit > LIST_MAX ? LIST_MAX : limit;
    listing.rows = json_array();
    (void)snprintf(after, sizeof(after), "change/%s", cursor != NULL ? cursor : "");
    is_first = cursor == NULL;
    more_out[0] = '\0'; /* it may be where the cursor stands */
    store_list(ledger->store, "change/", is_first ? NULL : after, true, list_one, &listing);
    *answer = json_pack("{s:o}", "changes", listing.rows);
    return true;
}

/* ---- its parts ---- */

bool ledger_bound_bytes(struct ledger *ledger, const char *id, struct buffer *out,
                        struct refusal *refusal)
{
    const struct change *change = need(ledger, id, refusal);
    char next[96];

    if (change == NULL)
        return false;
    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/submit", change->id);
    if (change->bound_blob[0] == '\0')
        return refuse(refusal, "state-conflict", next,
                      "change %s is a draft: what approvals bind is fixed when it is submitted",
                      change->id);
    if (!ledger_blob(ledger, change->bound_blob, out))
        return refuse(refusal, "digest-mismatch", NULL,
                      "the stored bytes of change %s do not hash to their digest", change->id);
    return true;
}

static bool made_again(struct ledger *ledger, const struct change *change,
                       struct candidate *candidate, struct refusal *refusal)
{
    if (!candidate_init(candidate, ledger, change, refusal))
        return false;
    if (candidate_set_stored(candidate, change, refusal))
        return true;
    candidate_fini(candidate);
    return false;
}

bool ledger_diff(struct ledger *ledger, const char *id, json_t **answer, struct refusal *refusal)
{
    const struct change *change = need(ledger, id, refusal);
    struct candidate candidate;

    if (change == NULL || !made_again(ledger, change, &candidate, refusal))
        return false;
    *answer = json_pack("{s:s, s:{s:I, s:s}, s:s, s:o}", "change", change->id, "base", "rev",
                        (json_int_t)change->base_rev, "digest", change->base_digest, "target",
                        change->target_digest, "diff", candidate_diff(&candidate));
    candidate_fini(&candidate);
    return true;
}

bool ledger_findings(struct ledger *ledger, const char *id, json_t **answer,
                     struct refusal *refusal)
{
    const struct change *change = need(ledger, id, refusal);

    if (change == NULL)
        return false;
    *answer = json_pack("{s:s, s:I, s:o}", "change", change->id, "iteration",
                        (json_int_t)change->iteration, "findings", copy_or_list(change->findings));
    return true;
}

bool ledger_impact(struct ledger *ledger, const char *id, json_t **answer, struct refusal *refusal)
{
    const struct change *change = need(ledger, id, refusal);
    struct candidate candidate;

    if (change == NULL)
        return false;
    *answer =
        change->impact_digest[0] != '\0' ? ledger_blob_json(ledger, change->impact_digest) : NULL;
    if (*answer != NULL)
        return true;
    if (!made_again(ledger, change, &candidate, refusal))
        return false;
    *answer = candidate_impact(&candidate, change);
    candidate_fini(&candidate);
    return true;
}

struct configuration *ledger_target(struct ledger *ledger, const char *id,
                                    struct findings *findings, struct refusal *refusal)
{
    const struct change *change = need(ledger, id, refusal);
    struct configuration *target = NULL;
    struct buffer bytes;

    if (change == NULL)
        return NULL;
    buffer_init(&bytes);
    if (ledger_blob(ledger, change->target_digest, &bytes))
        target = ledger_parse(buffer_slice(&bytes), "change", findings);
    buffer_fini(&bytes);
    if (target == NULL)
        (void)refuse_findings(refusal, "findings-block", NULL, findings,
                              "what change %s would make does not build", change->id);
    return target;
}
