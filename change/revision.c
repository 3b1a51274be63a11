/*
 * revision - what ran, and what was different from one to the next.
 *
 * Owner    the ledger; answers are the caller's      Threads  control
 */
#include "change/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/merge.h"
#include "change/refusal.h"

enum { KEY_TEXT = 40, LIST_MAX = 200 };

static void revision_key(uint64_t rev, char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "rev/%020llu", (unsigned long long)rev);
}

/* ---- the stored form ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static char *copy_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? xstrdup(text) : NULL;
}

static bool decode(const json_t *stored, struct revision *out)
{
    json_t *files = json_object_get(stored, "files");

    *out = (struct revision){0};
    out->rev = (uint64_t)json_integer_value(json_object_get(stored, "rev"));
    if (out->rev == 0 || strlen(text_of(stored, "digest")) != DIGEST_TEXT - 1)
        return false;
    memcpy(out->digest, text_of(stored, "digest"), DIGEST_TEXT);
    (void)snprintf(out->change, sizeof(out->change), "%s", text_of(stored, "change"));
    out->from = (uint64_t)json_integer_value(json_object_get(stored, "from"));
    out->created_ms = json_integer_value(json_object_get(stored, "created_ms"));
    out->applied_ms = json_integer_value(json_object_get(stored, "applied_ms"));
    out->files_ms = json_integer_value(json_object_get(stored, "files_ms"));
    if (out->files_ms == 0)
        out->files_ms = out->created_ms; /* one of before there was that */
    out->author = copy_of(stored, "author");
    out->event = copy_of(stored, "event");
    out->files = files != NULL ? json_deep_copy(files) : json_object();
    return true;
}

bool revision_read(struct ledger *ledger, uint64_t rev, struct revision *out)
{
    char key[KEY_TEXT];
    struct buffer bytes;
    json_t *stored = NULL;
    bool is_good;

    revision_key(rev, key);
    buffer_init(&bytes);
    if (rev != 0 && store_get(ledger->store, key, &bytes, NULL))
        stored = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    buffer_fini(&bytes);
    is_good = stored != NULL && decode(stored, out);
    json_decref(stored);
    return is_good;
}

void revision_write(struct step *step, const struct revision *revision)
{
    char key[KEY_TEXT];
    json_t *stored = json_pack(
        "{s:I, s:s, s:s?, s:I, s:I, s:I, s:I, s:s?, s:s?, s:o}", "rev", (json_int_t)revision->rev,
        "digest", revision->digest, "change", revision->change[0] != '\0' ? revision->change : NULL,
        "from", (json_int_t)revision->from, "created_ms", (json_int_t)revision->created_ms,
        "applied_ms", (json_int_t)revision->applied_ms, "files_ms",
        (json_int_t)(revision->files_ms != 0 ? revision->files_ms : revision->created_ms), "author",
        revision->author, "event", revision->event, "files",
        revision->files != NULL ? json_deep_copy(revision->files) : json_object());

    revision_key(revision->rev, key);
    step_put_json(step, key, stored);
    json_decref(stored);
}

void revision_fini(struct revision *revision)
{
    xfree(revision->author);
    xfree(revision->event);
    json_decref(revision->files);
    *revision = (struct revision){0};
}

uint64_t revision_named(const struct ledger *ledger, const char *name)
{
    uint64_t rev = 0;

    if (strcmp(name, "running") == 0)
        return ledger->running.rev;
    if (strcmp(name, "boot") == 0)
        return ledger->boot.rev;
    if (strcmp(name, "lkg") == 0)
        return ledger->lkg.rev;
    if (strcmp(name, "previous") == 0)
        return ledger->previous.rev;
    return slice_to_u64(slice_from(name), &rev) ? rev : 0;
}

/* ---- what is shown ---- */

static json_t *time_or_null(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms != 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *names_of(const struct ledger *ledger, uint64_t rev)
{
    static const char *const names[] = {"running", "boot", "lkg", "previous"};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (revision_named(ledger, names[i]) == rev)
            json_array_append_new(list, json_string(names[i]));
    }
    return list;
}

static json_t *shown(const struct ledger *ledger, const struct revision *revision)
{
    char config[64];

    (void)snprintf(config, sizeof(config), "GET /v1/revisions/%llu/config",
                   (unsigned long long)revision->rev);
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:o, s:[s]}", "rev",
                     (json_int_t)revision->rev, "digest", revision->digest, "change",
                     text_or_null(revision->change), "event", text_or_null(revision->event),
                     "author", text_or_null(revision->author), "from",
                     revision->from != 0 ? json_integer((json_int_t)revision->from) : json_null(),
                     "created", time_or_null(revision->created_ms), "applied",
                     time_or_null(revision->applied_ms), "files", revision->files, "names",
                     names_of(ledger, revision->rev), "next", config);
}

static bool need(struct ledger *ledger, const char *name, struct revision *out,
                 struct refusal *refusal)
{
    uint64_t rev = revision_named(ledger, name);

    if (revision_read(ledger, rev, out))
        return true;
    return refuse(refusal, "not-found", "GET /v1/revisions",
                  "there is no revision %.40s (a number, running, boot, lkg, previous)", name);
}

bool ledger_revision(struct ledger *ledger, const char *name, json_t **answer,
                     struct refusal *refusal)
{
    struct revision revision;

    if (!need(ledger, name, &revision, refusal))
        return false;
    *answer = shown(ledger, &revision);
    revision_fini(&revision);
    return true;
}

bool ledger_revision_bytes(struct ledger *ledger, const char *name, struct buffer *out,
                           struct refusal *refusal)
{
    struct revision revision;
    bool is_good;

    if (!need(ledger, name, &revision, refusal))
        return false;
    is_good = ledger_blob(ledger, revision.digest, out);
    if (!is_good)
        (void)refuse(refusal, "digest-mismatch", "GET /v1/revisions",
                     "the stored bytes of revision %llu do not hash to %s",
                     (unsigned long long)revision.rev, revision.digest);
    revision_fini(&revision);
    return is_good;
}

struct listing {
    const struct ledger *ledger;
    json_t *rows;
    unsigned limit;
    char *more_out;
    uint64_t last;
};

static bool list_one(void *context, const char *key, struct slice value, uint64_t version)
{
    struct listing *listing = context;
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);
    struct revision revision;

    (void)key;
    (void)version;
    if (json_array_size(listing->rows) == listing->limit) {
        (void)snprintf(listing->more_out, CHANGE_ID_TEXT, "%llu",
                       (unsigned long long)listing->last);
        json_decref(stored);
        return false;
    }
    if (stored != NULL && decode(stored, &revision)) {
        listing->last = revision.rev;
        json_array_append_new(listing->rows, shown(listing->ledger, &revision));
        revision_fini(&revision);
    }
    json_decref(stored);
    return true;
}

bool ledger_revisions(struct ledger *ledger, const char *cursor, unsigned limit, json_t **answer,
                      char *more_out, struct refusal *refusal)
{
    struct listing listing = {.ledger = ledger, .rows = json_array(), .more_out = more_out};
    uint64_t rev = 0;
    char after[KEY_TEXT];

    listing.limit = limit == 0 || limit > LIST_MAX ? LIST_MAX : limit;
    if (cursor != NULL && !slice_to_u64(slice_from(cursor), &rev)) {
        json_decref(listing.rows);
        return refuse(refusal, "invalid-field", "GET /v1/revisions",
                      "the cursor \"%.40s\" is not a revision's number", cursor);
    }
    revision_key(rev, after);
    more_out[0] = '\0'; /* it may be where the cursor stands */
    store_list(ledger->store, "rev/", rev != 0 ? after : NULL, true, list_one, &listing);
    *answer = json_pack("{s:o}", "revisions", listing.rows);
    return true;
}

static json_t *content_of(struct ledger *ledger, const struct revision *revision,
                          struct refusal *refusal)
{
    json_t *content = ledger_blob_json(ledger, revision->digest);

    if (content == NULL)
        (void)refuse(refusal, "digest-mismatch", "GET /v1/revisions",
                     "the stored bytes of revision %llu do not hash to %s",
                     (unsigned long long)revision->rev, revision->digest);
    return content;
}

bool ledger_revision_diff(struct ledger *ledger, const char *a, const char *b, json_t **answer,
                          struct refusal *refusal)
{
    struct revision from = {0};
    struct revision to = {0};
    json_t *before = NULL;
    json_t *after = NULL;
    bool is_good;

    if (need(ledger, a, &from, refusal) && need(ledger, b, &to, refusal)) {
        before = content_of(ledger, &from, refusal);
        after = before != NULL ? content_of(ledger, &to, refusal) : NULL;
    }
    is_good = after != NULL;
    if (is_good)
        *answer = json_pack("{s:I, s:I, s:o}", "from", (json_int_t)from.rev, "to",
                            (json_int_t)to.rev, "diff", merge_diff(before, after));
    revision_fini(&from);
    revision_fini(&to);
    json_decref(before);
    json_decref(after);
    return is_good;
}
