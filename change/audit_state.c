/*
 * audit_state - a state directory held against itself: what the database's chain says, against
 * audit.jsonl (audit_check_mirror.c), the revisions and the bytes that they name.
 *
 * The chain is read first; what it says of changes, decisions and revisions is evidence for the
 * rest: a change must be in the state that was recorded last, a decision must have been recorded,
 * and
 *
 *   an audited digest -> the bound object that hashes to it -> its target -> the revision's bytes
 *
 * Owner    the caller of audit_check_state().      Threads  any one
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "change/audit_check.h"
#include "change/audit_mirror.h"
#include "change/bound.h"
#include "change/files.h"
#include "change/store.h"

enum { PATH_TEXT = 4200, KEY_TEXT = 160, DECISION_TEXT = 260 };

struct state {
    struct audit_report *report;
    struct chain *chain;
    struct store *store;
    char database[PATH_TEXT];
    char mirror[PATH_TEXT];
    const char *directory;
    uint64_t next;     /* behind the last record of the database */
    uint64_t expected; /* the key that comes next */
    json_t *changes;   /* {"chg_…": its last record that names a state} */
    json_t *decisions; /* {"chg_… 2 ann": "approve sha256:…"}: those that were not voided */
    json_t *revisions; /* {"42": the digest of its bytes} */
    json_t *stored;    /* {"42": true}: revisions that must be there */
};

static void place_of(char *place_out, const struct state *state, const char *key)
{
    (void)snprintf(place_out, PATH_TEXT, "%.3900s %.200s", state->database, key);
}

static json_t *parse(struct slice text)
{
    return json_loadb(text.at, text.len, 0, NULL);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- the chain in the database ---- */

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool begins_with(const char *text, const char *prefix)
{
    return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}

static void note_decision(struct state *state, const char *id, const json_t *record,
                          const char *person, const char *decision)
{
    const json_t *data = json_object_get(record, "data");
    char key[DECISION_TEXT];
    char value[DECISION_TEXT];

    if (person == NULL)
        return;
    (void)snprintf(key, sizeof(key), "%.100s %lld %.100s", id,
                   (long long)json_integer_value(json_object_get(data, "iteration")), person);
    (void)snprintf(value, sizeof(value), "%s %.100s", decision != NULL ? decision : "",
                   text_of(record, "digest") != NULL ? text_of(record, "digest") : "");
    if (decision != NULL)
        (void)json_object_set_new(state->decisions, key, json_string(value));
    else
        (void)json_object_del(state->decisions, key);
}

static void note_decisions(struct state *state, const char *id, const json_t *record,
                           const char *decision)
{
    json_t *person;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(record, "data"), "people"), i, person)
        note_decision(state, id, record, json_string_value(person), decision);
}

static void take_change(struct state *state, const char *id, const char *event, json_t *record)
{
    const char *person = text_of(json_object_get(record, "actor"), "person");

    if (text_of(json_object_get(record, "data"), "state") != NULL)
        (void)json_object_set(state->changes, id, record);
    if (strcmp(event, "change.approved") == 0)
        note_decision(state, id, record, person, "approve");
    else if (strcmp(event, "change.vetoed") == 0)
        note_decision(state, id, record, person, "veto");
    else if (strcmp(event, "change.approval-withdrawn") == 0)
        note_decision(state, id, record, person, NULL);
    else if (strcmp(event, "change.approval-void") == 0)
        note_decisions(state, id, record, NULL);
    else if (strcmp(event, "change.carried") == 0)
        note_decisions(state, id, record, "approve");
}

static void take_revision(struct state *state, const char *number, const char *event,
                          const json_t *record)
{
    const char *target = text_of(json_object_get(record, "data"), "target");
    bool is_stored = begins_with(event, "revision.") || strcmp(event, "apply.prepared") == 0;

    if (target == NULL && is_stored)
        target = text_of(record, "digest");
    if (target != NULL)
        (void)json_object_set_new(state->revisions, number, json_string(target));
    if (is_stored)
        (void)json_object_set_new(state->stored, number, json_true());
}

static void take_evidence(struct state *state, struct slice line)
{
    json_t *record = parse(line);
    const char *event = text_of(record, "event");
    const char *change = text_of(record, "change");
    json_t *rev = json_object_get(json_object_get(record, "data"), "rev");
    char number[24];

    if (!is_same_text(text_of(record, "outcome"), "ok"))
        event = NULL; /* it did not happen */
    if (event != NULL && change != NULL)
        take_change(state, change, event, record);
    if (event != NULL && json_is_integer(rev)) {
        (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(rev));
        take_revision(state, number, event, record);
    }
    json_decref(record);
}

static bool take_record(void *context, const char *key, struct slice value, uint64_t version)
{
    struct state *state = context;
    char place[PATH_TEXT];
    uint64_t seq = 0;

    (void)version;
    place_of(place, state, key);
    if (!slice_to_u64(slice_from(key + strlen("audit/")), &seq)) {
        audit_problem(state->report, place, "is no key of a record");
        return true;
    }
    if (state->expected == 0 && seq > 0)
        audit_problem(state->report, place, "the records before record %llu are missing",
                      (unsigned long long)seq);
    if (chain_take(state->chain, place, value) && state->chain->verifier.next_seq != seq + 1)
        audit_problem(state->report, place, "holds record %llu",
                      (unsigned long long)state->chain->verifier.next_seq - 1);
    take_evidence(state, value);
    state->expected = state->next = seq + 1;
    return true;
}

/* ---- blobs, changes, revisions ---- */

static bool check_blob(void *context, const char *key, struct slice value, uint64_t version)
{
    struct state *state = context;
    struct digest digest = digest_of(value);
    char text[DIGEST_TEXT];
    char place[PATH_TEXT];

    (void)version;
    if (strcmp(digest_text(&digest, text) + strlen("sha256:"), key + strlen("blob/")) != 0) {
        place_of(place, state, key);
        audit_problem(state->report, place, "its bytes were changed: they give %s", text);
    }
    return true;
}

/* The bytes of a digest; false: none, or others. */
static bool get_blob(struct state *state, const char *digest, struct buffer *out)
{
    char key[KEY_TEXT];
    char text[DIGEST_TEXT];
    struct digest found;

    if (digest == NULL || strlen(digest) != DIGEST_TEXT - 1)
        return false;
    (void)snprintf(key, sizeof(key), "blob/%s", digest + strlen("sha256:"));
    if (!store_get(state->store, key, out, NULL))
        return false;
    found = digest_of(buffer_slice(out));
    return strcmp(digest_text(&found, text), digest) == 0;
}

/* What was approved, as long as the change is as it was then: its bytes give the digest. */
static void check_bound(struct state *state, const char *place, const json_t *change)
{
    const char *digest = text_of(change, "digest");
    const char *target = text_of(change, "target_digest");
    char found[DIGEST_TEXT];
    struct buffer bytes;
    json_t *bound;

    if (digest == NULL || digest[0] == '\0')
        return;
    buffer_init(&bytes);
    if (!get_blob(state, text_of(change, "bound_blob"), &bytes)) {
        audit_problem(state->report, place, "what %s binds is missing, or its bytes were changed",
                      digest);
    } else if (strcmp(bound_digest(buffer_slice(&bytes), found), digest) != 0) {
        audit_problem(state->report, place, "its bound bytes give %s, and it says %s", found,
                      digest);
    } else {
        bound = parse(buffer_slice(&bytes));
        if (target == NULL || text_of(bound, "target") == NULL ||
            strcmp(text_of(bound, "target"), target) != 0)
            audit_problem(state->report, place, "its target is not the one that %s binds", digest);
        json_decref(bound);
    }
    buffer_fini(&bytes);
}

static void check_against_chain(struct state *state, const char *place, const char *id,
                                const json_t *change)
{
    const json_t *record = json_object_get(state->changes, id);
    const json_t *data = json_object_get(record, "data");

    if (record == NULL)
        audit_problem(state->report, place, "no record knows of it: it was inserted");
    else if (!is_same_text(text_of(change, "state"), text_of(data, "state")))
        audit_problem(state->report, place, "says that it is %s; the chain says %s",
                      text_of(change, "state"), text_of(data, "state"));
    else if (!is_same_text(text_of(change, "digest"), text_of(record, "digest")))
        audit_problem(state->report, place, "has the digest %s; the chain says %s",
                      text_of(change, "digest"), text_of(record, "digest"));
}

/* change/<id>/appr/<iteration>/<person>: one that counts must be the one that was recorded. */
static void check_decision(struct state *state, const char *place, const char *key,
                           const json_t *decision)
{
    const char *id = key + strlen("change/");
    const char *iteration = strstr(key, "/appr/");
    const char *person = strrchr(key, '/') + 1;
    char wanted[DECISION_TEXT];
    char stored[DECISION_TEXT];
    const char *recorded;

    if (text_of(decision, "void") != NULL)
        return;
    (void)snprintf(wanted, sizeof(wanted), "%.*s %ld %.100s", (int)strcspn(id, "/"), id,
                   iteration != NULL ? strtol(iteration + strlen("/appr/"), NULL, 10) : 0, person);
    (void)snprintf(stored, sizeof(stored), "%.20s %.100s",
                   text_of(decision, "decision") != NULL ? text_of(decision, "decision") : "",
                   text_of(decision, "digest") != NULL ? text_of(decision, "digest") : "");
    recorded = text_of(state->decisions, wanted);
    if (recorded == NULL)
        audit_problem(state->report, place, "no record says that %s decided: it was inserted",
                      person);
    else if (strcmp(recorded, stored) != 0)
        audit_problem(state->report, place, "%s decided \"%s\"; the chain says \"%s\"", person,
                      stored, recorded);
}

static bool check_change(void *context, const char *key, struct slice value, uint64_t version)
{
    struct state *state = context;
    const char *id = key + strlen("change/");
    json_t *change = parse(value);
    char place[PATH_TEXT];

    (void)version;
    place_of(place, state, key);
    if (change == NULL) {
        audit_problem(state->report, place, "is damaged: it cannot be read");
    } else if (strchr(id, '/') != NULL) {
        check_decision(state, place, key, change);
    } else {
        check_against_chain(state, place, id, change);
        check_bound(state, place, change);
        (void)json_object_set_new(state->changes, id, json_null()); /* it is there */
    }
    json_decref(change);
    return true;
}

static void check_bytes(struct state *state, const char *place, const char *number,
                        const json_t *revision)
{
    const char *digest = text_of(revision, "digest");
    const char *audited = text_of(state->revisions, number);
    const char *path;
    struct buffer bytes;
    json_t *file;

    buffer_init(&bytes);
    if (digest == NULL)
        audit_problem(state->report, place, "revision %s is damaged: it names no digest", number);
    else if (audited == NULL)
        audit_problem(state->report, place, "no record knows of revision %s: it was inserted",
                      number);
    else if (strcmp(audited, digest) != 0)
        audit_problem(state->report, place, "revision %s is %s; the chain says %s", number, digest,
                      audited);
    if (digest != NULL && !get_blob(state, digest, &bytes))
        audit_problem(state->report, place, "the bytes of revision %s (%s) are missing or changed",
                      number, digest);
    json_object_foreach(json_object_get(revision, "files"), path, file)
    {
        const char *of_file = json_string_value(file);

        if (!get_blob(state, of_file, &bytes) &&
            (of_file == NULL || strlen(of_file) != DIGEST_TEXT - 1 ||
             !files_key_is_kept(state->directory, of_file)))
            audit_problem(state->report, place, "the file %s of revision %s is missing or changed",
                          path, number);
    }
    buffer_fini(&bytes);
}

static bool check_revision(void *context, const char *key, struct slice value, uint64_t version)
{
    struct state *state = context;
    json_t *revision = parse(value);
    char place[PATH_TEXT];
    char number[24] = "?";
    uint64_t rev = 0;

    (void)version;
    place_of(place, state, key);
    if (slice_to_u64(slice_from(key + strlen("rev/")), &rev))
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)rev);
    check_bytes(state, place, number, revision);
    (void)json_object_del(state->stored, number);
    json_decref(revision);
    return true;
}

static void check_pointer(struct state *state, const char *name)
{
    struct buffer bytes;
    json_t *pointer = NULL;
    char place[PATH_TEXT];
    char number[24];
    const char *audited;

    place_of(place, state, name);
    buffer_init(&bytes);
    if (store_get(state->store, name, &bytes, NULL)) {
        pointer = parse(buffer_slice(&bytes));
        (void)snprintf(number, sizeof(number), "%lld",
                       (long long)json_integer_value(json_object_get(pointer, "rev")));
        audited = text_of(state->revisions, number);
        if (strcmp(number, "0") != 0 && !is_same_text(audited, text_of(pointer, "digest")))
            audit_problem(state->report, place, "names revision %s as %s; the chain says %s",
                          number, text_of(pointer, "digest"),
                          audited != NULL ? audited : "nothing");
    }
    json_decref(pointer);
    buffer_fini(&bytes);
}

/* What the chain knows and the database does not. */
static void check_none_is_missing(struct state *state)
{
    const char *name;
    json_t *record;

    json_object_foreach(state->stored, name, record)
    {
        audit_problem(state->report, state->database, "revision %s is missing; the chain has it",
                      name);
    }
    json_object_foreach(state->changes, name, record)
    {
        if (!json_is_null(record))
            audit_problem(state->report, state->database, "change %s is missing; the chain has it",
                          name);
    }
}

static void check_all(struct state *state)
{
    store_list(state->store, "audit/", NULL, false, take_record, state);
    audit_check_mirror(&(struct audit_mirror_check){.report = state->report,
                                                    .directory = state->directory,
                                                    .path = state->mirror,
                                                    .store = state->store,
                                                    .next = state->next});
    store_list(state->store, "blob/", NULL, false, check_blob, state);
    store_list(state->store, "change/", NULL, false, check_change, state);
    store_list(state->store, "rev/", NULL, false, check_revision, state);
    check_pointer(state, "running");
    check_pointer(state, "boot");
    check_pointer(state, "lkg");
    check_pointer(state, "previous");
    check_none_is_missing(state);
}

void audit_check_state(const char *directory, struct chain *chain)
{
    struct audit_report *report = chain->report;
    struct state state = {.report = report, .chain = chain, .directory = directory};
    struct error why = {0};

    (void)snprintf(state.database, sizeof(state.database), "%.4000s/twokey.db", directory);
    (void)snprintf(state.mirror, sizeof(state.mirror), "%.4000s/" MIRROR_FILE, directory);
    state.store = store_open_to_read(directory, &why);
    if (state.store == NULL) {
        *report->unreadable = why;
        return;
    }
    state.changes = json_object();
    state.decisions = json_object();
    state.revisions = json_object();
    state.stored = json_object();
    if (!store_is_sound(state.store, &why))
        audit_problem(report, "the database", "%s", why.text);
    check_all(&state);
    json_decref(state.changes);
    json_decref(state.decisions);
    json_decref(state.revisions);
    json_decref(state.stored);
    store_close(&state.store);
}
