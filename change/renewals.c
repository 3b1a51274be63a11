/*
 * renewals - see renewals.h.
 *
 * The key "renewals" of the store: [{certificate, from: {cert, key}, to: {cert, key}, at_ms}],
 * where `to` is always the newest.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/renewals.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/activity.h"
#include "change/files.h"
#include "change/ledger.h"
#include "change/refusal.h"
#include "config/model.h"

enum { MOST_KEPT = 16 }; /* of one certificate: those before them are years old */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static bool is_pair(const json_t *pair, const char *chain, const char *key)
{
    return strcmp(text_of(pair, "cert"), chain) == 0 && strcmp(text_of(pair, "key"), key) == 0;
}

/* ---- what is to run ---- */

static const json_t *find(const json_t *records, const char *chain, const char *key,
                          int64_t read_ms)
{
    const json_t *record;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)records, i, record)
    {
        if (is_pair(json_object_get(record, "from"), chain, key) &&
            json_integer_value(json_object_get(record, "at_ms")) > read_ms)
            return json_object_get(record, "to");
    }
    return NULL;
}

struct replacing {
    json_t *over;
    const json_t *map;
    const json_t *records;
    int64_t read_ms;
};

static void replace(const struct replacing *replacing, const char *cert_file, const char *key_file)
{
    const json_t *to = find(replacing->records, text_of(replacing->map, cert_file),
                            text_of(replacing->map, key_file), replacing->read_ms);

    if (to == NULL)
        return;
    json_object_set_new(replacing->over, cert_file, json_string(text_of(to, "cert")));
    json_object_set_new(replacing->over, key_file, json_string(text_of(to, "key")));
}

json_t *renewals_over(struct ledger *ledger, const json_t *map, int64_t read_ms,
                      const struct configuration *conf)
{
    json_t *over = json_copy((json_t *)(uintptr_t)map);
    json_t *records;

    if (over == NULL || !conf->policy.certificate_watch)
        return over;
    records = stored_json(ledger, "renewals", NULL);
    if (records != NULL) {
        struct replacing replacing = {over, map, records, read_ms};

        for (size_t i = 0; i < conf->certificate_count; i++)
            replace(&replacing, conf->certificates[i].cert_file, conf->certificates[i].key_file);
        if (conf->admin.has_tls)
            replace(&replacing, conf->admin.tls.cert_file, conf->admin.tls.key_file);
    }
    json_decref(records);
    return over;
}

/* ---- one more ---- */

/* What led to `from` leads to `to` now, and so does `from` itself. */
static void add_record(json_t *records, const char *name, json_t *from, json_t *to, int64_t now_ms)
{
    size_t of_this = 0;
    json_t *record;
    size_t i;

    json_array_foreach(records, i, record)
    {
        if (json_equal(json_object_get(record, "to"), from))
            json_object_set(record, "to", to);
    }
    json_array_append_new(records, json_pack("{s:s, s:O, s:O, s:I}", "certificate", name, "from",
                                             from, "to", to, "at_ms", (json_int_t)now_ms));
    for (i = json_array_size(records); i-- > 0;)
        if (strcmp(text_of(json_array_get(records, i), "certificate"), name) == 0 &&
            ++of_this > MOST_KEPT)
            json_array_remove(records, i);
}

static struct file_copy copy_of(const char *path, struct slice content, bool is_key)
{
    struct file_copy copy = {.path = xstrdup(path), .is_key = is_key, .is_read = true};
    struct digest digest = digest_of(content);

    digest_text(&digest, copy.digest);
    buffer_init(&copy.content);
    buffer_append(&copy.content, content.at, content.len);
    return copy;
}

static json_t *pair_of(struct slice chain, struct slice key)
{
    char chain_text[DIGEST_TEXT], key_text[DIGEST_TEXT];
    struct digest chain_digest = digest_of(chain), key_digest = digest_of(key);

    digest_text(&chain_digest, chain_text);
    digest_text(&key_digest, key_text);
    return json_pack("{s:s, s:s}", "cert", chain_text, "key", key_text);
}

static bool put_one(struct step *step, json_t *records, const struct ledger_renewal *one,
                    struct refusal *refusal)
{
    json_t *from = pair_of(one->old_chain, one->old_key);
    json_t *to = pair_of(one->chain, one->key);
    struct files files = {.items = xcalloc(2, sizeof(struct file_copy)), .count = 2};
    char until[CLOCK_RFC3339_TEXT];
    bool ok;

    files.items[0] = copy_of(one->cert_file, one->chain, false);
    files.items[1] = copy_of(one->key_file, one->key, true);
    ok = files_put(step, &files, refusal);
    if (ok) {
        add_record(records, one->name, from, to, ledger_wall_ms(step->ledger));
        step_audit(step, "certificate.renewed", NULL, NULL,
                   json_pack("{s:s, s:s, s:s, s:O, s:O, s:s}", "certificate", one->name,
                             "cert_file", one->cert_file, "key_file", one->key_file, "from", from,
                             "to", to, "not_after", clock_rfc3339(one->not_after_ms, until)));
    }
    files_fini(&files);
    json_decref(from);
    json_decref(to);
    return ok;
}

bool ledger_renew(struct ledger *ledger, const struct ledger_renewal *items, size_t count,
                  struct refusal *refusal)
{
    struct actor system = actor_system("certificate-watch");
    json_t *records = stored_json(ledger, "renewals", NULL);
    struct step step;
    bool ok = true;

    CHECK_OBJ(ledger, LEDGER_TAG);
    if (!json_is_array(records)) {
        json_decref(records);
        records = json_array();
    }
    step_begin(&step, ledger, &system);
    for (size_t i = 0; i < count && ok; i++)
        ok = put_one(&step, records, &items[i], refusal);
    step_put_json(&step, "renewals", records);
    json_decref(records);
    if (ok)
        return step_commit(&step, refusal);
    step_abandon(&step);
    return false;
}

bool ledger_may_renew(const struct ledger *ledger)
{
    return ledger->activity == NULL && !ledger->pending.is_set &&
           ledger->serving.undurable == NULL && !ledger->is_violated;
}
