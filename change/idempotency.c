/*
 * idempotency - answers kept for a repeat of the same call, 24 hours, a person.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

enum { KEY_TEXT = 256, SWEPT_AT_ONCE = 1000 };
static const int64_t kept_ms = 24LL * 3600 * 1000;
static const int64_t sweep_every_ms = 600 * 1000;

/* What the caller chose may hold anything, so its hash is the key. */
static void kept_key(const char *person, struct slice key, char out[KEY_TEXT])
{
    struct digest digest = digest_of(key);
    char text[DIGEST_TEXT];

    (void)snprintf(out, KEY_TEXT, "idem/%.120s/%s", person,
                   digest_text(&digest, text) + strlen("sha256:"));
}

static bool is_old(const struct ledger *ledger, const json_t *stored)
{
    int64_t age = ledger_wall_ms(ledger) - json_integer_value(json_object_get(stored, "at_ms"));

    return age >= kept_ms || age <= -kept_ms;
}

static char *copy_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? xstrdup(text) : NULL;
}

enum kept_found ledger_kept_find(struct ledger *ledger, const char *person, struct slice key,
                                 struct slice request, struct kept_answer *kept_out)
{
    char at[KEY_TEXT];
    char asked[DIGEST_TEXT];
    struct digest digest = digest_of(request);
    struct buffer bytes;
    json_t *stored = NULL;
    const char *before;
    enum kept_found found = KEPT_NONE;

    kept_key(person, key, at);
    buffer_init(&bytes);
    if (store_get(ledger->store, at, &bytes, NULL))
        stored = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), JSON_DECODE_ANY, NULL);
    buffer_fini(&bytes);
    before = json_string_value(json_object_get(stored, "request"));
    if (before != NULL && !is_old(ledger, stored)) {
        found = strcmp(before, digest_text(&digest, asked)) == 0 ? KEPT_SAME : KEPT_OTHER_BODY;
        if (found == KEPT_SAME)
            *kept_out = (struct kept_answer){
                .status = (unsigned)json_integer_value(json_object_get(stored, "status")),
                .body = json_incref(json_object_get(stored, "body")),
                .location = copy_of(stored, "location"),
                .etag = copy_of(stored, "etag"),
            };
    }
    json_decref(stored);
    return found;
}

void ledger_kept_put(struct ledger *ledger, const char *person, struct slice key,
                     struct slice request, const struct kept_answer *kept)
{
    char at[KEY_TEXT];
    char asked[DIGEST_TEXT];
    struct digest digest = digest_of(request);
    struct store_txn *txn = store_begin(ledger->store);
    json_t *stored =
        json_pack("{s:s, s:I, s:I, s:O, s:s?, s:s?}", "request", digest_text(&digest, asked),
                  "at_ms", (json_int_t)ledger_wall_ms(ledger), "status", (json_int_t)kept->status,
                  "body", kept->body, "location", kept->location, "etag", kept->etag);
    char *text;

    CHECK(stored != NULL);
    text = json_dumps(stored, JSON_COMPACT);
    kept_key(person, key, at);
    store_put(txn, at, slice_from(text));
    /* What was asked is done and recorded; without this a repeat is only answered otherwise. */
    (void)store_commit(&txn, false, NULL);
    xfree(text);
    json_decref(stored);
}

struct sweep {
    const struct ledger *ledger;
    char keys[SWEPT_AT_ONCE][KEY_TEXT];
    size_t count;
};

static bool find_old(void *context, const char *key, struct slice value, uint64_t version)
{
    struct sweep *sweep = context;
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);

    (void)version;
    if (stored == NULL || is_old(sweep->ledger, stored))
        (void)snprintf(sweep->keys[sweep->count++], KEY_TEXT, "%s", key);
    json_decref(stored);
    return sweep->count < SWEPT_AT_ONCE;
}

void kept_tick(struct ledger *ledger)
{
    int64_t now = ledger_wall_ms(ledger);
    struct sweep *sweep;
    struct store_txn *txn;

    if (ledger->swept_ms != 0 && now >= ledger->swept_ms && now < ledger->swept_ms + sweep_every_ms)
        return;
    ledger->swept_ms = now;
    sweep = xcalloc(1, sizeof(*sweep));
    sweep->ledger = ledger;
    store_list(ledger->store, "idem/", NULL, false, find_old, sweep);
    if (sweep->count > 0) {
        txn = store_begin(ledger->store);
        for (size_t i = 0; i < sweep->count; i++)
            store_delete(txn, sweep->keys[i]);
        (void)store_commit(&txn, false, NULL); /* ten minutes on it is tried again */
    }
    xfree(sweep);
}
