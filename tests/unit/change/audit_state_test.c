/*
 * A state directory held against itself: whatever byte is changed, removed or added, it is said
 * which.
 */
#include "change/audit_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/bound.h"
#include "change/store.h"

static const char change_key[] = "change/chg_1";
static const char decision_key[] = "change/chg_1/appr/000001/bob";
static const char revision_key[] = "rev/00000000000000000002";

static char directory[64];
static struct store *store;
static char said[4000]; /* the first problem: "PLACE: TEXT" */
static unsigned said_count;
static char target[DIGEST_TEXT];

static char *in_directory(const char *name)
{
    static char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void note_problem(void *context, const char *place, const char *text)
{
    (void)context;
    if (said_count++ == 0)
        (void)snprintf(said, sizeof(said), "%s: %s", place, text);
}

static unsigned check_with_head(const struct audit_head *head)
{
    struct error unreadable = {0};
    struct audit_report report = {note_problem, NULL, 0, &unreadable};
    struct chain *chain = xcalloc(1, sizeof(*chain));

    said[0] = '\0';
    said_count = 0;
    chain->report = &report;
    if (head != NULL) {
        chain->wanted = *head;
        chain->has_wanted_seq = chain->has_wanted_hash = true;
    }
    audit_check_state(directory, chain);
    chain_end(chain, "twokey.db");
    xfree(chain);
    if (unreadable.code != ERROR_NONE)
        fail_msg("%s", unreadable.text);
    return report.problems;
}

static unsigned check(void)
{
    return check_with_head(NULL);
}

static void assert_says(const char *what, const char *place, const char *text)
{
    if (check() == 0)
        fail_msg("%s: nothing is said", what);
    if (strstr(said, place) == NULL || strstr(said, text) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\" and \"%s\"", what, said, place, text);
}

/* ---- a small history ---- */

static void put(const char *key, struct slice value)
{
    struct store_txn *txn = store_begin(store);

    store_put(txn, key, value);
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
}

static void put_json(const char *key, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    put(key, slice_from(text));
    xfree(text);
    json_decref(value);
}

static char *put_blob(struct slice bytes, char digest_out[DIGEST_TEXT])
{
    struct digest digest = digest_of(bytes);
    char key[DIGEST_TEXT + 8];

    digest_text(&digest, digest_out);
    (void)snprintf(key, sizeof(key), "blob/%s", digest_out + 7);
    put(key, bytes);
    return digest_out;
}

static void record(struct audit *audit, const char *person, const char *event, const char *change,
                   const char *digest, json_t *data)
{
    struct actor actor = {.person = person, .uid = -1};
    struct store_txn *txn = store_begin(store);

    audit_add(audit, txn, &actor,
              &(struct audit_event){event, change, digest, .outcome = "ok", .data = data});
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
    audit_settle(audit, true);
}

/* What was refused is recorded too, and is no decision. */
static void denied(struct audit *audit, const char *person, const char *change, const char *digest)
{
    struct actor actor = {.person = person, .source = "10.0.0.9", .uid = -1};

    audit_attempt(audit, &actor,
                  &(struct audit_event){"change.approved", change, digest, .outcome = "denied",
                                        .data = json_pack("{s:i}", "iteration", 1)});
}

static void write_history(void)
{
    static const char one[] = "{\"pools\":{}}";
    static const char two[] = "{\"pools\":{\"shop\":{}}}";
    struct audit *audit = audit_open(store, directory, NULL);
    char first[DIGEST_TEXT], digest[DIGEST_TEXT], bound_blob[DIGEST_TEXT];
    char bound[200];

    put_blob(SLICE(one), first);
    put_blob(SLICE(two), target);
    (void)snprintf(bound, sizeof(bound), "{\"change\":\"chg_1\",\"target\":\"%s\"}", target);
    put_blob(slice_from(bound), bound_blob);
    bound_digest(slice_from(bound), digest);
    record(audit, "system", "revision.imported", NULL, first, json_pack("{s:i}", "rev", 1));
    record(audit, "bob", "change.approved", "chg_1", digest,
           json_pack("{s:s, s:i}", "state", "approved", "iteration", 1));
    denied(audit, "eve", "chg_1", digest);
    record(audit, "ann", "change.applying", "chg_1", digest,
           json_pack("{s:s, s:i, s:s}", "state", "applying", "rev", 2, "target", target));
    put_json("rev/00000000000000000001", json_pack("{s:i, s:s}", "rev", 1, "digest", first));
    put_json(revision_key, json_pack("{s:i, s:s, s:s, s:{s:s}}", "rev", 2, "digest", target,
                                     "change", "chg_1", "files", "a.pem", first));
    put_json(change_key, json_pack("{s:s, s:s, s:s, s:s}", "state", "applying", "digest", digest,
                                   "bound_blob", bound_blob, "target_digest", target));
    put_json(decision_key, json_pack("{s:s, s:s}", "decision", "approve", "digest", digest));
    put_json("running", json_pack("{s:i, s:s}", "rev", 2, "digest", target));
    put_json("boot", json_pack("{s:i, s:s}", "rev", 1, "digest", first));
    audit_close(&audit);
}

static int begin(void **state)
{
    struct error why = {0};

    (void)state;
    /* In memory, where there is one: a sync for each byte is slow elsewhere. */
    (void)snprintf(directory, sizeof(directory), "%s/audit-state-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL)
        return -1;
    store = store_open(directory, &why);
    if (store == NULL)
        return -1;
    write_history();
    if (check() == 0)
        return 0;
    print_error("%s\n", said);
    return -1;
}

static int end(void **state)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    (void)state;
    store_close(&store);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)unlink(in_directory(entry->d_name));
    if (dir != NULL)
        (void)closedir(dir);
    return rmdir(directory);
}

/* ---- every byte ---- */

struct keys {
    char *names[40];
    size_t count;
};

static bool note_key(void *context, const char *key, struct slice value, uint64_t version)
{
    struct keys *keys = context;

    (void)value;
    (void)version;
    assert_true(keys->count < 40);
    keys->names[keys->count++] = xstrdup(key);
    return true;
}

static void free_keys(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        xfree(keys->names[i]);
}

static void flip_all(const char *key)
{
    struct buffer value;
    struct buffer changed;

    buffer_init(&value);
    buffer_init(&changed);
    assert_true(store_get(store, key, &value, NULL));
    for (size_t i = 0; i < buffer_length(&value); i++) {
        buffer_clear(&changed);
        buffer_append_slice(&changed, buffer_slice(&value));
        changed.data[i] = (char)(changed.data[i] ^ (1 << i % 8));
        put(key, buffer_slice(&changed));
        assert_says("a flipped bit", key, "");
    }
    buffer_clear(&changed);
    put(key, buffer_slice(&value));
    assert_int_equal(check(), 0);
    buffer_fini(&value);
    buffer_fini(&changed);
}

static void each_flipped_byte_of_records_and_blobs_is_named(void **state)
{
    struct keys keys = {0};

    (void)state;
    store_list(store, "audit/", NULL, false, note_key, &keys);
    store_list(store, "blob/", NULL, false, note_key, &keys);
    assert_int_equal(keys.count, 5 + 3);
    for (size_t i = 0; i < keys.count; i++)
        flip_all(keys.names[i]);
    free_keys(&keys);
}

static void read_mirror(struct buffer *out)
{
    FILE *file = fopen(in_directory("audit.jsonl"), "r");
    char block[4096];
    size_t bytes;

    buffer_clear(out);
    while ((bytes = fread(block, 1, sizeof(block), file)) > 0)
        buffer_append(out, block, bytes);
    (void)fclose(file);
}

static void write_mirror(struct slice content)
{
    FILE *file = fopen(in_directory("audit.jsonl"), "w");

    assert_int_equal(fwrite(content.at, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

static void each_flipped_byte_of_the_mirror_is_named(void **state)
{
    struct buffer text;
    unsigned line = 1;
    char place[40];

    (void)state;
    buffer_init(&text);
    read_mirror(&text);
    for (size_t i = 0; i < buffer_length(&text); i++) {
        char kept = text.data[i];

        (void)snprintf(place, sizeof(place), "audit.jsonl:%u", line);
        text.data[i] = (char)(kept ^ (1 << i % 8));
        write_mirror(buffer_slice(&text));
        assert_says("a flipped bit", place, "");
        text.data[i] = kept;
        line += kept == '\n';
    }
    write_mirror(buffer_slice(&text));
    assert_int_equal(check(), 0);
    buffer_fini(&text);
}

static void a_mirror_that_was_cut_anywhere_is_told(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text);
    read_mirror(&text);
    for (size_t bytes = 1; bytes < buffer_length(&text); bytes++) {
        write_mirror(slice_of(text.data, bytes));
        assert_says("a cut end", "audit.jsonl", "ends before record");
        write_mirror(slice_of(text.data + bytes, buffer_length(&text) - bytes));
        assert_says("a cut beginning", "audit.jsonl", "");
    }
    (void)unlink(in_directory("audit.jsonl"));
    assert_says("no mirror", "audit.jsonl", "is not there; the records 0 to 4");
    buffer_fini(&text);
}

/* ---- whole records ---- */

static void each_deleted_key_is_named(void **state)
{
    struct keys keys = {0};
    struct buffer value;

    (void)state;
    buffer_init(&value);
    store_list(store, "", NULL, false, note_key, &keys);
    for (size_t i = 0; i < keys.count; i++) {
        struct store_txn *txn = store_begin(store);
        const char *key = keys.names[i];
        bool is_state = strncmp(key, "change/", 7) != 0 && strncmp(key, "rev/", 4) != 0 &&
                        strncmp(key, "audit/", 6) != 0 && strncmp(key, "blob/", 5) != 0;

        assert_true(store_get(store, key, &value, NULL));
        store_delete(txn, key);
        assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
        if (check() == 0 && !is_state && strcmp(key, decision_key) != 0 &&
            strcmp(key, revision_key) != 0)
            fail_msg("%s was deleted, and nothing is said", key);
        put(key, buffer_slice(&value));
        assert_int_equal(check(), 0);
    }
    free_keys(&keys);
    buffer_fini(&value);
}

static void delete_key(const char *key)
{
    struct store_txn *txn = store_begin(store);

    store_delete(txn, key);
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
}

static void a_database_whose_end_was_cut_is_told_by_the_mirror_and_the_head(void **state)
{
    struct audit_head head = {4, {{0}}};
    struct buffer text;

    (void)state;
    delete_key("audit/00000000000000000004");
    assert_says("a cut end", "audit.jsonl:5", "record 4 is not in the database");
    buffer_init(&text);
    read_mirror(&text);
    write_mirror(
        slice_of(text.data,
                 (size_t)((char *)memrchr(text.data, '\n', buffer_length(&text) - 1) - text.data) +
                     1)); /* both: only a head kept elsewhere, or what it
                             witnessed, tells */
    assert_true(check_with_head(&head) > 0);
    delete_key("audit/00000000000000000003");
    delete_key("audit/00000000000000000002");
    assert_true(check_with_head(&head) > 0);
    buffer_fini(&text);
}

static void an_exchange_of_bytes_and_digests_together_is_told(void **state)
{
    char other[DIGEST_TEXT];

    (void)state;
    put_blob(SLICE("{\"pools\":{\"evil\":{}}}"), other);
    assert_int_equal(check(), 0); /* bytes that nobody names harm nobody */
    put_json(revision_key, json_pack("{s:i, s:s}", "rev", 2, "digest", other));
    assert_says("another revision", revision_key, "the chain says sha256:");
    put_json(revision_key, json_pack("{s:i, s:s}", "rev", 2, "digest", target));
    put_json("boot", json_pack("{s:i, s:s}", "rev", 2, "digest", other));
    assert_says("another boot", "twokey.db boot", "names revision 2 as sha256:");
    put_json("boot", json_pack("{s:i, s:s}", "rev", 9, "digest", other));
    assert_says("an invented revision", "twokey.db boot", "the chain says nothing");
}

static void what_was_inserted_is_named(void **state)
{
    char other[DIGEST_TEXT];

    (void)state;
    put_blob(SLICE("{}"), other);
    put_json("rev/00000000000000000007", json_pack("{s:i, s:s}", "rev", 7, "digest", other));
    assert_says("a revision", "rev/00000000000000000007", "no record knows of revision 7");
    delete_key("rev/00000000000000000007");
    put_json("change/chg_1/appr/000001/eve",
             json_pack("{s:s, s:s}", "decision", "approve", "digest", other));
    assert_says("a decision", "appr/000001/eve", "no record says that eve decided");
    delete_key("change/chg_1/appr/000001/eve");
    put_json("change/chg_1/appr/000002/bob",
             json_pack("{s:s, s:s}", "decision", "approve", "digest", other));
    assert_says("an old decision", "appr/000002/bob", "no record says that bob decided");
    delete_key("change/chg_1/appr/000002/bob");
    put_json("change/chg_2", json_pack("{s:s}", "state", "approved"));
    assert_says("a change", "change/chg_2", "no record knows of it");
    delete_key("change/chg_2");
    put("audit/00000000000000000009", SLICE("{\"seq\":9,}"));
    assert_says("a record", "audit/00000000000000000009", "record 5 is damaged");
    delete_key("audit/00000000000000000009");
    assert_int_equal(check(), 0);
}

static void a_decision_that_was_turned_is_named(void **state)
{
    (void)state;
    put_json("change/chg_1/appr/000001/bob",
             json_pack("{s:s, s:s}", "decision", "veto", "digest", target));
    assert_says("another decision", "appr/000001/bob", "bob decided \"veto sha256:");
}

static void a_state_that_was_not_recorded_is_named(void **state)
{
    struct buffer value;
    json_t *change;

    (void)state;
    buffer_init(&value);
    assert_true(store_get(store, change_key, &value, NULL));
    change = json_loadb(value.data, buffer_length(&value), 0, NULL);
    json_object_set_new(change, "state", json_string("applied"));
    put_json(change_key, json_incref(change));
    assert_says("another state", change_key, "says that it is applied; the chain says applying");
    json_object_set_new(change, "state", json_string("applying"));
    json_object_set_new(change, "target_digest", json_string("sha256:00"));
    put_json(change_key, json_incref(change));
    assert_says("another target", change_key, "its target is not the one that");
    json_decref(change);
    buffer_fini(&value);
}

#define STATE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATE_TEST(each_flipped_byte_of_records_and_blobs_is_named),
        STATE_TEST(each_flipped_byte_of_the_mirror_is_named),
        STATE_TEST(a_mirror_that_was_cut_anywhere_is_told),
        STATE_TEST(each_deleted_key_is_named),
        STATE_TEST(a_database_whose_end_was_cut_is_told_by_the_mirror_and_the_head),
        STATE_TEST(an_exchange_of_bytes_and_digests_together_is_told),
        STATE_TEST(what_was_inserted_is_named),
        STATE_TEST(a_decision_that_was_turned_is_named),
        STATE_TEST(a_state_that_was_not_recorded_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
