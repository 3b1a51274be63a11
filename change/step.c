/*
 * step - state and evidence in one transaction, and the blobs that both refer to.
 *
 * Owner    the ledger.      Threads  control; a commit waits for the disk
 * Invariants  a change that was written in a step is, after it, in memory what the store has
 */
#include "change/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/merge.h"
#include "change/refusal.h"
#include "config/load.h"
#include "config/model.h"

enum { KEY_TEXT = 160 };

void step_begin(struct step *step, struct ledger *ledger, const struct actor *actor)
{
    *step = (struct step){.ledger = ledger, .txn = store_begin(ledger->store), .actor = actor};
}

void step_put_json(struct step *step, const char *key, const json_t *value)
{
    size_t bytes;
    char *text = merge_canonical(value, &bytes);

    store_put(step->txn, key, slice_of(text, bytes));
    xfree(text);
}

static void blob_key(const char *digest, char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "blob/%s", digest + strlen("sha256:"));
}

void step_put_blob(struct step *step, struct slice bytes, char digest_out[DIGEST_TEXT])
{
    struct digest digest = digest_of(bytes);
    char key[KEY_TEXT];

    digest_text(&digest, digest_out);
    blob_key(digest_out, key);
    if (!store_get(step->ledger->store, key, NULL, NULL))
        store_put(step->txn, key, bytes);
}

void step_audit(struct step *step, const char *event, const char *change, const char *digest,
                json_t *data)
{
    struct audit_event record = {
        .event = event, .change = change, .digest = digest, .outcome = "ok", .data = data};

    audit_add(step->ledger->audit, step->txn, step->actor, &record);
}

static void touch(struct step *step, struct change *change)
{
    for (size_t i = 0; i < step->touched_count; i++) {
        if (step->touched[i] == change)
            return;
    }
    if (step->touched_count == step->touched_room) {
        step->touched_room = step->touched_room * 2 + 4;
        step->touched = xrealloc(step->touched, step->touched_room * sizeof(struct change *));
    }
    step->touched[step->touched_count++] = change;
}

void change_write(struct step *step, struct change *change)
{
    char key[KEY_TEXT];
    char open_key[KEY_TEXT];
    json_t *stored = change_encode(change);
    bool is_first = true;

    for (size_t i = 0; i < step->touched_count; i++)
        is_first = is_first && step->touched[i] != change;
    (void)snprintf(key, sizeof(key), "change/%s", change->id);
    (void)snprintf(open_key, sizeof(open_key), "open/%s", change->id);
    if (is_first)
        store_expect(step->txn, key, change->version);
    step_put_json(step, key, stored);
    if (change_is_terminal(change->state))
        store_delete(step->txn, open_key);
    else if (change->version == 0 && is_first)
        store_put(step->txn, open_key, SLICE("{}"));
    touch(step, change);
    json_decref(stored);
}

static void finish(struct step *step, bool is_done)
{
    for (size_t i = 0; i < step->touched_count; i++) {
        if (is_done)
            ledger_settle_change(step->ledger, step->touched[i]);
        else
            change_reload(step->ledger, step->touched[i]);
    }
    xfree(step->touched);
    step->touched = NULL;
    step->touched_count = step->touched_room = 0;
}

bool step_commit(struct step *step, struct refusal *refusal)
{
    struct error why = {0};
    enum store_outcome outcome = store_commit(&step->txn, step->may_use_reserve, &why);

    audit_settle(step->ledger->audit, outcome == STORE_DONE);
    finish(step, outcome == STORE_DONE);
    if (outcome == STORE_CONFLICT)
        return refuse(refusal, "state-conflict", NULL,
                      "something else was written meanwhile: ask again");
    if (outcome == STORE_FAILED)
        return refuse(refusal, "audit-unavailable", "GET /v1/status",
                      "nothing was done, for it cannot be recorded: %s", why.text);
    return true;
}

void step_abandon(struct step *step)
{
    store_abandon(&step->txn);
    audit_settle(step->ledger->audit, false);
    finish(step, false);
}

/* ---- blobs ---- */

bool ledger_blob(struct ledger *ledger, const char *digest, struct buffer *out)
{
    char key[KEY_TEXT];
    char text[DIGEST_TEXT];
    struct digest found;

    if (strlen(digest) != DIGEST_TEXT - 1)
        return false;
    blob_key(digest, key);
    if (!store_get(ledger->store, key, out, NULL))
        return false;
    found = digest_of(buffer_slice(out));
    return strcmp(digest_text(&found, text), digest) == 0;
}

json_t *ledger_blob_json(struct ledger *ledger, const char *digest)
{
    struct buffer bytes;
    json_t *value = NULL;

    buffer_init(&bytes);
    if (ledger_blob(ledger, digest, &bytes))
        value = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    buffer_fini(&bytes);
    return value;
}

struct configuration *ledger_parse(struct slice bytes, const char *name, struct findings *findings)
{
    return config_load_documents(&name, &bytes, 1, findings);
}

json_t *ledger_running_json(const struct ledger *ledger)
{
    const struct configuration *conf = ledger_running_conf(ledger);

    return conf != NULL ? json_loadb(conf->canonical, conf->canonical_bytes, 0, NULL) : NULL;
}
