/*
 * The audit chain: records in the transaction of what they witness, the mirror, and verification.
 */
#include "change/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/audit_mirror.h"
#include "change/store.h"

static char directory[64];
static struct store *store;
static struct audit *audit;

static char *in_directory(const char *name)
{
    static char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void open_both(void)
{
    struct error why = {0};

    store = store_open(directory, &why);
    if (store == NULL)
        fail_msg("%s", why.text);
    audit = audit_open(store, directory, &why);
    if (audit == NULL)
        fail_msg("%s", why.text);
}

static void close_both(void)
{
    audit_close(&audit);
    store_close(&store);
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/audit-test-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int end(void **state)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    (void)state;
    close_both();
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)unlink(in_directory(entry->d_name));
    if (dir != NULL)
        (void)closedir(dir);
    return rmdir(directory);
}

static const struct actor ann = {.person = "ann",
                                 .principal = "token:laptop",
                                 .auth = "token",
                                 .source = "127.0.0.1",
                                 .request = "r1",
                                 .uid = -1,
                                 .is_human = true};

static bool record(const char *event, const char *key, const char *value)
{
    struct store_txn *txn = store_begin(store);
    struct audit_event what = {.event = event,
                               .change = "chg_1",
                               .digest = "sha256:00",
                               .outcome = "ok",
                               .data = json_pack("{s:s}", "key", key)};
    bool is_done;

    store_put(txn, key, slice_from(value));
    audit_add(audit, txn, &ann, &what);
    is_done = store_commit(&txn, false, NULL) == STORE_DONE;
    audit_settle(audit, is_done);
    return is_done;
}

static void read_file(const char *name, struct buffer *out)
{
    FILE *file = fopen(in_directory(name), "r");
    char block[4096];
    size_t bytes;

    buffer_clear(out);
    assert_non_null(file);
    while ((bytes = fread(block, 1, sizeof(block), file)) > 0)
        buffer_append(out, block, bytes);
    (void)fclose(file);
}

static void write_file(const char *name, struct slice content)
{
    FILE *file = fopen(in_directory(name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content.at, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

/* How many lines verify; `why` of the first that does not. */
static unsigned verify(struct slice text, struct error *why)
{
    struct audit_verifier verifier = {0};
    unsigned good = 0;

    while (text.len > 0) {
        const char *newline = memchr(text.at, '\n', text.len);
        size_t len = newline != NULL ? (size_t)(newline - text.at) : text.len;

        if (!audit_verify_line(&verifier, slice_of(text.at, len), why))
            return good;
        good++;
        text = slice_after(text, newline != NULL ? len + 1 : len);
    }
    return good;
}

static void assert_mirror(const char *name, unsigned lines)
{
    struct buffer text;
    struct error why = {0};

    buffer_init(&text);
    read_file(name, &text);
    if (verify(buffer_slice(&text), &why) != lines)
        fail_msg("%s: %u good lines, not %u: %s", name, verify(buffer_slice(&text), &why), lines,
                 why.text);
    assert_string_equal(why.text, "");
    assert_true(buffer_text(&text)[buffer_length(&text) - 1] == '\n');
    buffer_fini(&text);
}

static void each_record_continues_the_one_before(void **state)
{
    struct stat status;

    (void)state;
    open_both();
    assert_true(record("change.created", "change/1", "1"));
    assert_true(record("change.approved", "change/1", "2"));
    assert_int_equal(audit_head(audit).seq, 2);
    close_both();
    assert_mirror("audit.jsonl", 3);
    assert_int_equal(stat(in_directory("audit.jsonl"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    open_both();
    assert_true(audit_is_whole(audit, NULL));
    assert_true(audit_last_wall_ms(audit) > 1600000000000);
    assert_true(record("change.applied", "change/1", "3"));
    assert_mirror("audit.jsonl", 4);
}

static void a_line_has_its_members_in_their_order(void **state)
{
    static const char *const members[] = {
        "{\"seq\":1,\"t\":\"20", "Z\",\"boot\":\"", "\",\"mono_ns\":",
        ",\"actor\":{\"person\":\"ann\",\"principal\":\"token:laptop\",\"auth\":\"token\","
        "\"src\":\"127.0.0.1\"},\"event\":\"change.created\",\"change\":\"chg_1\","
        "\"digest\":\"sha256:00\",\"outcome\":\"ok\",\"req\":\"r1\",\"data\":{\"key\":\"k\"},"
        "\"prev\":\"",
        "\",\"h\":\""};
    struct buffer line;
    const char *rest;

    (void)state;
    open_both();
    assert_true(record("change.created", "k", "1"));
    buffer_init(&line);
    assert_true(store_get(store, "audit/00000000000000000001", &line, NULL));
    rest = buffer_text(&line);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        rest = strstr(rest, members[i]);
        if (rest == NULL)
            fail_msg("%s lacks, or has too early, %s", buffer_text(&line), members[i]);
        rest += strlen(members[i]);
    }
    assert_int_equal(strlen(rest), 66);
    buffer_fini(&line);
}

static void a_record_of_what_did_not_happen_did_not_happen(void **state)
{
    struct audit_head before;
    struct store_txn *txn;

    (void)state;
    open_both();
    before = audit_head(audit);
    txn = store_begin(store);
    store_expect(txn, "meta", 77);
    audit_add(audit, txn, &ann, &(struct audit_event){.event = "change.edited", .outcome = "ok"});
    audit_add(audit, txn, &ann, &(struct audit_event){.event = "change.stale", .outcome = "ok"});
    assert_int_equal(store_commit(&txn, false, NULL), STORE_CONFLICT);
    audit_settle(audit, false);
    assert_int_equal(audit_head(audit).seq, before.seq);
    assert_memory_equal(audit_head(audit).hash.bytes, before.hash.bytes, DIGEST_BYTES);
    assert_true(record("change.created", "a", "1"));
    assert_mirror("audit.jsonl", 2);
}

static void several_records_may_share_a_transaction(void **state)
{
    struct store_txn *txn;

    (void)state;
    open_both();
    txn = store_begin(store);
    for (unsigned i = 0; i < 5; i++)
        audit_add(audit, txn, &ann,
                  &(struct audit_event){.event = "change.stale", .outcome = "ok"});
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
    audit_settle(audit, true);
    assert_int_equal(audit_head(audit).seq, 5);
    assert_mirror("audit.jsonl", 6);
}

static void bytes_that_are_no_text_become_some(void **state)
{
    struct actor odd = {.person = "\xff\xfe\"", .principal = "a\nb", .source = "\x80", .uid = -1};
    struct store_txn *txn;

    (void)state;
    open_both();
    txn = store_begin(store);
    audit_add(audit, txn, &odd,
              &(struct audit_event){.event = "call.forbidden", .outcome = "denied"});
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
    audit_settle(audit, true);
    assert_mirror("audit.jsonl", 2);
}

/* ---- the mirror ---- */

static void cut(const char *name, off_t bytes)
{
    struct stat status;

    assert_int_equal(stat(in_directory(name), &status), 0);
    assert_int_equal(truncate(in_directory(name), status.st_size - bytes), 0);
}

static void what_a_crash_kept_from_the_mirror_is_appended(void **state)
{
    struct stat status;

    (void)state;
    open_both();
    for (unsigned i = 0; i < 4; i++)
        assert_true(record("change.edited", "a", "1"));
    close_both();
    assert_int_equal(stat(in_directory("audit.jsonl"), &status), 0);
    for (off_t bytes = 1; bytes < status.st_size; bytes++) { /* wherever the crash cut it */
        cut("audit.jsonl", bytes);
        open_both();
        assert_true(audit_mirror_is_whole(audit, NULL));
        assert_int_equal(audit_head(audit).seq, 4);
        close_both();
        assert_mirror("audit.jsonl", 5);
    }
}

static void a_rotated_mirror_goes_on_where_the_old_one_ended(void **state)
{
    struct buffer both, part;
    char moved[400];

    (void)state;
    open_both();
    assert_true(record("change.created", "a", "1"));
    (void)snprintf(moved, sizeof(moved), "%s/audit.jsonl.1", directory);
    assert_int_equal(rename(in_directory("audit.jsonl"), moved), 0);
    audit_tick(audit);
    assert_true(record("change.edited", "a", "2"));
    assert_mirror("audit.jsonl.1", 2);
    assert_mirror("audit.jsonl", 1);
    close_both();
    (void)snprintf(moved, sizeof(moved), "%s/audit.jsonl.2", directory);
    assert_int_equal(rename(in_directory("audit.jsonl"), moved), 0);
    open_both(); /* rotated while nothing ran */
    assert_true(record("change.edited", "a", "3"));
    assert_mirror("audit.jsonl", 1);
    buffer_init(&both);
    buffer_init(&part);
    read_file("audit.jsonl.1", &both);
    read_file("audit.jsonl.2", &part);
    buffer_append_slice(&both, buffer_slice(&part));
    read_file("audit.jsonl", &part);
    buffer_append_slice(&both, buffer_slice(&part));
    assert_int_equal(verify(buffer_slice(&both), NULL), 4);
    buffer_fini(&both);
    buffer_fini(&part);
}

static void a_mirror_that_cannot_be_written_blocks_nothing(void **state)
{
    struct error why = {0};

    (void)state;
    assert_int_equal(mkdir(in_directory("audit.jsonl"), 0700), 0);
    open_both();
    assert_false(audit_mirror_is_whole(audit, &why));
    assert_non_null(strstr(why.text, "audit.jsonl"));
    assert_true(record("change.created", "a", "1"));
    audit_tick(audit);
    assert_false(audit_mirror_is_whole(audit, NULL));
    assert_int_equal(rmdir(in_directory("audit.jsonl")), 0);
    audit_tick(audit);
    assert_true(audit_mirror_is_whole(audit, NULL));
    assert_mirror("audit.jsonl", 2);
}

static void a_mirror_on_a_full_disk_catches_up(void **state)
{
    struct rlimit before, limit;
    struct stat status;

    (void)state;
    open_both();
    for (unsigned i = 0; i < 400; i++) /* longer than the database's log will be */
        assert_true(record("change.created", "a", "1"));
    close_both();
    open_both();
    assert_int_equal(stat(in_directory("audit.jsonl"), &status), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)status.st_size + 700; /* a line and a half */
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(record("change.edited", "a", "2"));
    assert_false(audit_mirror_is_whole(audit, NULL));
    audit_tick(audit);
    assert_false(audit_mirror_is_whole(audit, NULL));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    audit_tick(audit);
    assert_true(audit_mirror_is_whole(audit, NULL));
    assert_mirror("audit.jsonl", 404);
}

static void a_mirror_that_says_other_things_is_kept_and_written_again(void **state)
{
    struct buffer text;
    DIR *dir;
    struct dirent *entry;
    unsigned kept = 0;

    (void)state;
    open_both();
    assert_true(record("change.created", "a", "1"));
    close_both();
    buffer_init(&text);
    read_file("audit.jsonl", &text);
    *strstr((char *)(uintptr_t)buffer_text(&text), "ann") = 'A';
    write_file("audit.jsonl", buffer_slice(&text));
    open_both();
    assert_mirror("audit.jsonl", 3); /* and the record about it */
    assert_int_equal(audit_head(audit).seq, 2);
    dir = opendir(directory);
    while ((entry = readdir(dir)) != NULL)
        kept += strncmp(entry->d_name, "audit.jsonl.differs-", 20) == 0;
    (void)closedir(dir);
    assert_int_equal(kept, 1);
    buffer_fini(&text);
}

/* ---- attempts ---- */

static void repeated_attempts_become_one_record(void **state)
{
    struct actor other = {.source = "10.0.0.1", .uid = -1};
    struct audit_event attempt = {.event = "call.unauthenticated", .outcome = "denied"};
    struct buffer line;

    (void)state;
    open_both();
    for (unsigned i = 0; i < 1000; i++)
        audit_attempt(audit, &ann, &attempt);
    audit_attempt(audit, &other, &attempt);
    assert_int_equal(audit_head(audit).seq, 2);
    close_both(); /* what was counted is not lost at a stop */
    open_both();
    assert_int_equal(audit_head(audit).seq, 3);
    buffer_init(&line);
    assert_true(store_get(store, "audit/00000000000000000003", &line, NULL));
    assert_non_null(strstr(buffer_text(&line), "\"count\":999"));
    buffer_fini(&line);
}

static void attempts_from_everywhere_are_bounded(void **state)
{
    struct audit_event attempt = {.event = "call.unauthenticated", .outcome = "denied"};
    char source[32];
    struct actor actor = {.source = source, .uid = -1};

    (void)state;
    open_both();
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(source, sizeof(source), "10.0.%u.%u", i / 250, i % 250);
        audit_attempt(audit, &actor, &attempt);
    }
    assert_in_range(audit_head(audit).seq, 60, 70);
}

/* ---- verification ---- */

static void each_flipped_byte_is_found_where_it_is(void **state)
{
    struct buffer text;
    struct error why;
    char *bytes;
    unsigned line = 0;

    (void)state;
    open_both();
    assert_true(record("change.created", "a", "1"));
    assert_true(record("change.approved", "a", "2"));
    close_both();
    buffer_init(&text);
    read_file("audit.jsonl", &text);
    bytes = (char *)(uintptr_t)buffer_text(&text);
    for (size_t i = 0; i < buffer_length(&text) - 1; i++) {
        char kept = bytes[i];
        char expected[24];

        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(kept ^ (1 << bit));
            why = (struct error){0};
            (void)snprintf(expected, sizeof(expected), "%u", line);
            /* which number the first one should have, nobody knows but its reader */
            if (verify(buffer_slice(&text), &why) != line ||
                (line > 0 && strstr(why.text, expected) == NULL))
                fail_msg("byte %zu bit %u of record %u: %s", i, bit, line, why.text);
        }
        bytes[i] = kept;
        line += kept == '\n';
    }
    assert_int_equal(verify(buffer_slice(&text), &why), 3);
    buffer_fini(&text);
}

static void assert_found(struct slice first, struct slice second, struct slice third, unsigned good,
                         const char *expected)
{
    struct error why = {0};
    struct buffer text;

    buffer_init(&text);
    buffer_append_slice(&text, first);
    buffer_append_slice(&text, second);
    buffer_append_slice(&text, third);
    if (verify(buffer_slice(&text), &why) != good || strstr(why.text, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why.text, expected);
    buffer_fini(&text);
}

static void what_is_missing_or_too_much_is_named(void **state)
{
    struct slice line[4];
    struct buffer text;
    char *other;
    char *rest;

    (void)state;
    open_both();
    for (unsigned i = 0; i < 3; i++)
        assert_true(record("change.edited", "a", "1"));
    buffer_init(&text);
    read_file("audit.jsonl", &text);
    rest = (char *)(uintptr_t)buffer_text(&text);
    for (unsigned i = 0; i < 4; i++) {
        size_t bytes = (size_t)(strchr(rest, '\n') - rest) + 1;

        line[i] = slice_of(rest, bytes);
        rest += bytes;
    }
    assert_found(line[0], line[2], line[3], 1, "record 1 is missing: record 2");
    assert_found(line[0], line[3], SLICE(""), 1, "records from 1 on are missing: record 3");
    assert_found(line[0], line[1], line[1], 2, "record 1 was inserted, or comes a second time");
    assert_found(line[1], line[3], line[2], 1, "record 2 is missing");
    assert_found(line[1], line[0], line[2], 1, "record 0 was inserted");
    assert_found(line[0], SLICE("{}\n"), line[1], 1,
                 "record 1 is damaged: this is not a record: {}");
    other = xstrdup(buffer_text(&text));
    other[strcspn(other, "\n") + 1] = '\0';
    assert_found(slice_from(other), line[1], line[2], 3, "");
    xfree(other);
    buffer_fini(&text);
}

static void a_chain_of_another_genesis_does_not_fit(void **state)
{
    struct buffer first, second;
    char *end_of_line;

    (void)state;
    buffer_init(&first);
    buffer_init(&second);
    open_both();
    assert_true(record("change.edited", "a", "1"));
    read_file("audit.jsonl", &first);
    close_both();
    (void)unlink(in_directory("audit.jsonl"));
    (void)unlink(in_directory("twokey.db"));
    open_both();
    assert_true(record("change.edited", "a", "1"));
    read_file("audit.jsonl", &second);
    end_of_line = strchr(buffer_text(&first), '\n') + 1;
    assert_found(slice_of(buffer_text(&first), (size_t)(end_of_line - buffer_text(&first))),
                 slice_from(strchr(buffer_text(&second), '\n') + 1), SLICE(""), 1,
                 "record 1 does not continue the record 0 that stands before it");
    buffer_fini(&first);
    buffer_fini(&second);
}

static void a_chain_that_was_changed_in_the_store_is_not_whole(void **state)
{
    struct error why = {0};
    struct store_txn *txn;
    struct buffer line;

    (void)state;
    open_both();
    for (unsigned i = 0; i < 3; i++)
        assert_true(record("change.edited", "a", "1"));
    buffer_init(&line);
    assert_true(store_get(store, "audit/00000000000000000002", &line, NULL));
    *strstr((char *)(uintptr_t)buffer_text(&line), "ann") = 'A';
    txn = store_begin(store);
    store_put(txn, "audit/00000000000000000002", buffer_slice(&line));
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
    close_both();
    open_both();
    assert_false(audit_is_whole(audit, &why));
    assert_non_null(strstr(why.text, "record 2 was changed"));
    assert_int_equal(audit_head(audit).seq, 4); /* it goes on, and says so */
    assert_true(store_get(store, "audit/00000000000000000004", &line, NULL));
    assert_non_null(strstr(buffer_text(&line), "chain.continued"));
    assert_non_null(strstr(buffer_text(&line), "record 2 was changed"));
    buffer_fini(&line);
}

#define AUDIT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(each_record_continues_the_one_before),
        AUDIT_TEST(a_line_has_its_members_in_their_order),
        AUDIT_TEST(a_record_of_what_did_not_happen_did_not_happen),
        AUDIT_TEST(several_records_may_share_a_transaction),
        AUDIT_TEST(bytes_that_are_no_text_become_some),
        AUDIT_TEST(what_a_crash_kept_from_the_mirror_is_appended),
        AUDIT_TEST(a_rotated_mirror_goes_on_where_the_old_one_ended),
        AUDIT_TEST(a_mirror_that_cannot_be_written_blocks_nothing),
        AUDIT_TEST(a_mirror_on_a_full_disk_catches_up),
        AUDIT_TEST(a_mirror_that_says_other_things_is_kept_and_written_again),
        AUDIT_TEST(repeated_attempts_become_one_record),
        AUDIT_TEST(attempts_from_everywhere_are_bounded),
        AUDIT_TEST(each_flipped_byte_is_found_where_it_is),
        AUDIT_TEST(what_is_missing_or_too_much_is_named),
        AUDIT_TEST(a_chain_of_another_genesis_does_not_fit),
        AUDIT_TEST(a_chain_that_was_changed_in_the_store_is_not_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
