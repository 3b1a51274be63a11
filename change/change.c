/*
 * change - see change.h; its stored form is written and read by one table of fields.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/change.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

static const char *const state_words[CHANGE_STATE_COUNT] = {
    [CHANGE_DRAFT] = "draft",
    [CHANGE_PENDING] = "pending",
    [CHANGE_APPROVED] = "approved",
    [CHANGE_APPLYING] = "applying",
    [CHANGE_CONFIRMING] = "confirming",
    [CHANGE_APPLIED] = "applied",
    [CHANGE_ROLLED_BACK] = "rolled_back",
    [CHANGE_FAILED] = "failed",
    [CHANGE_REJECTED] = "rejected",
    [CHANGE_WITHDRAWN] = "withdrawn",
    [CHANGE_EXPIRED] = "expired",
    [CHANGE_STALE] = "stale",
};

const char *change_state_word(enum change_state state)
{
    CHECK(state < CHANGE_STATE_COUNT);
    return state_words[state];
}

bool change_state_parse(const char *word, enum change_state *state_out)
{
    for (size_t i = 0; i < CHANGE_STATE_COUNT; i++) {
        if (strcmp(word, state_words[i]) == 0) {
            *state_out = (enum change_state)i;
            return true;
        }
    }
    return false;
}

bool change_is_terminal(enum change_state state)
{
    return state == CHANGE_APPLIED || state == CHANGE_ROLLED_BACK || state == CHANGE_FAILED ||
           state == CHANGE_REJECTED || state == CHANGE_WITHDRAWN || state == CHANGE_EXPIRED;
}

/* ---- the stored form ---- */

enum field_kind {
    FIELD_TEXT,   /* char *, NULL allowed */
    FIELD_DIGEST, /* char[DIGEST_TEXT] */
    FIELD_JSON,   /* json_t *, NULL allowed */
    FIELD_U32,
    FIELD_64, /* int64_t, or uint64_t below 2^63 */
    FIELD_FLAG,
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
};

#define FIELD(kind, name)                                                                          \
    {                                                                                              \
#name, FIELD_##kind, offsetof(struct change, name)                                         \
    }

static const struct field fields[] = {
    FIELD(U32, iteration),
    FIELD(TEXT, title),
    FIELD(TEXT, reason),
    FIELD(TEXT, ticket),
    FIELD(TEXT, author),
    FIELD(JSON, contributors),
    FIELD(64, base_rev),
    FIELD(DIGEST, base_digest),
    FIELD(DIGEST, target_digest),
    FIELD(JSON, patch),
    FIELD(JSON, deletes),
    FIELD(JSON, override),
    FIELD(JSON, overrides),
    FIELD(JSON, files),
    FIELD(JSON, findings),
    FIELD(DIGEST, etag),
    FIELD(DIGEST, digest),
    FIELD(DIGEST, bound_blob),
    FIELD(DIGEST, impact_digest),
    FIELD(DIGEST, diff_digest),
    FIELD(U32, class),
    FIELD(U32, required),
    FIELD(JSON, required_factors),
    FIELD(JSON, policy_reasons),
    FIELD(DIGEST, policy_digest),
    FIELD(64, created_ms),
    FIELD(64, submitted_ms),
    FIELD(64, approved_ms),
    FIELD(64, applied_ms),
    FIELD(64, ended_ms),
    FIELD(64, not_before_ms),
    FIELD(64, not_after_ms),
    FIELD(FLAG, is_auto_apply),
    FIELD(FLAG, confirm_is_auto),
    FIELD(64, confirm_deadline_ms),
    FIELD(64, confirm_min_bake_ms),
    FIELD(JSON, rollout),
    FIELD(FLAG, is_forced),
    FIELD(TEXT, session),
    FIELD(U32, failures),
    FIELD(TEXT, last_error),
    FIELD(TEXT, ended_why),
    FIELD(64, rev),
    FIELD(TEXT, applied_by),
    FIELD(DIGEST, import_digest),
    FIELD(U32, least_class),
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static json_t *field_encode(const struct field *field, const void *at)
{
    switch (field->kind) {
    case FIELD_TEXT: return json_string(*(char *const *)at); /* NULL for NULL: left out */
    case FIELD_DIGEST: return *(const char *)at != '\0' ? json_string(at) : NULL;
    case FIELD_JSON: return json_deep_copy(*(json_t *const *)at);
    case FIELD_U32: return json_integer(*(const uint32_t *)at);
    case FIELD_64: return json_integer(*(const int64_t *)at);
    case FIELD_FLAG: return json_boolean(*(const bool *)at);
    }
    return NULL;
}

/* False where the stored value is none that was ever written. */
static bool field_decode(const struct field *field, const json_t *value, void *at)
{
    switch (field->kind) {
    case FIELD_TEXT:
        if (value != NULL)
            *(char **)at =
                xstrdup(json_string_value(value) != NULL ? json_string_value(value) : "");
        return value == NULL || json_is_string(value);
    case FIELD_DIGEST:
        if (value == NULL)
            return true;
        if (json_string_length(value) != DIGEST_TEXT - 1)
            return false;
        memcpy(at, json_string_value(value), DIGEST_TEXT);
        return true;
    case FIELD_JSON: *(json_t **)at = json_deep_copy(value); return true;
    case FIELD_U32:
        *(uint32_t *)at = (uint32_t)json_integer_value(value);
        return json_is_integer(value);
    case FIELD_64: *(int64_t *)at = json_integer_value(value); return json_is_integer(value);
    case FIELD_FLAG: *(bool *)at = json_is_true(value); return json_is_boolean(value);
    }
    return false;
}

json_t *change_encode(const struct change *change)
{
    json_t *stored = json_pack("{s:i, s:s, s:s, s:s}", "v", 1, "id", change->id, "state",
                               change_state_word(change->state), "kind",
                               change->kind == CHANGE_KIND_IMPORT ? "import" : "proposal");

    CHECK(stored != NULL);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        json_t *value = field_encode(&fields[i], (const char *)change + fields[i].offset);

        if (value != NULL)
            json_object_set_new(stored, fields[i].name, value);
    }
    return stored;
}

struct change *change_decode(const json_t *stored)
{
    const char *id = json_string_value(json_object_get(stored, "id"));
    const char *state = json_string_value(json_object_get(stored, "state"));
    const char *kind = json_string_value(json_object_get(stored, "kind"));
    struct change *change = change_new();
    bool is_good = id != NULL && strlen(id) < sizeof(change->id) && state != NULL && kind != NULL &&
                   change_state_parse(state, &change->state);

    for (size_t i = 0; is_good && i < FIELD_COUNT; i++)
        is_good = field_decode(&fields[i], json_object_get(stored, fields[i].name),
                               (char *)change + fields[i].offset);
    if (!is_good || change->title == NULL || change->reason == NULL || change->author == NULL) {
        change_free(&change);
        return NULL;
    }
    (void)snprintf(change->id, sizeof(change->id), "%s", id);
    change->kind = strcmp(kind, "import") == 0 ? CHANGE_KIND_IMPORT : CHANGE_KIND_PROPOSAL;
    return change;
}

/* ---- its life ---- */

struct change *change_new(void)
{
    return xcalloc(1, sizeof(struct change));
}

void change_drop_decisions(struct change *change)
{
    for (size_t i = 0; i < change->decision_count; i++) {
        xfree(change->decisions[i].person);
        xfree(change->decisions[i].comment);
        xfree(change->decisions[i].principal);
    }
    xfree(change->decisions);
    change->decisions = NULL;
    change->decision_count = 0;
}

void change_fini(struct change *change)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        char *at = (char *)change + fields[i].offset;

        if (fields[i].kind == FIELD_TEXT)
            xfree(*(char **)at);
        else if (fields[i].kind == FIELD_JSON)
            json_decref(*(json_t **)at);
    }
    change_drop_decisions(change);
    *change = (struct change){0};
}

void change_free(struct change **holder)
{
    struct change *change = TAKE_POINTER(holder);

    if (change == NULL)
        return;
    change_fini(change);
    xfree(change);
}

bool change_has_contributor(const struct change *change, const char *person)
{
    json_t *name;
    size_t i;

    json_array_foreach(change->contributors, i, name)
    {
        if (strcmp(json_string_value(name), person) == 0)
            return true;
    }
    return false;
}

struct change_decision *change_decision_of(const struct change *change, const char *person)
{
    for (size_t i = 0; i < change->decision_count; i++) {
        if (strcmp(change->decisions[i].person, person) == 0)
            return &change->decisions[i];
    }
    return NULL;
}
