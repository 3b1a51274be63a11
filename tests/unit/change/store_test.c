/*
 * The store: transactions that compare first, order, crashes, full disks, damage.
 */
#include "change/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"

static char directory[64];

static char *in_directory(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/store-test-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int end(void **state)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    (void)state;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)unlink(in_directory(entry->d_name));
    if (dir != NULL)
        (void)closedir(dir);
    return rmdir(directory);
}

static struct store *open_it(void)
{
    struct error why = {0};
    struct store *store = store_open(directory, &why);

    if (store == NULL)
        fail_msg("%s", why.text);
    return store;
}

static enum store_outcome put_one(struct store *store, const char *key, const char *value)
{
    struct store_txn *txn = store_begin(store);

    store_put(txn, key, slice_from(value));
    return store_commit(&txn, false, NULL);
}

static void assert_value(struct store *store, const char *key, const char *value)
{
    struct buffer out;

    buffer_init(&out);
    assert_true(store_get(store, key, &out, NULL));
    assert_string_equal(buffer_text(&out), value);
    buffer_fini(&out);
}

static void what_is_committed_is_there_after_a_restart(void **state)
{
    struct store *store = open_it();
    struct stat status;

    (void)state;
    assert_int_equal(put_one(store, "meta", "{\"v\":1}"), STORE_DONE);
    assert_int_equal(put_one(store, "empty", ""), STORE_DONE);
    store_close(&store);
    assert_int_equal(stat(in_directory("twokey.db"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(in_directory("reserve"), &status), 0);
    assert_int_equal(status.st_size, 8 << 20);
    store = open_it();
    assert_value(store, "meta", "{\"v\":1}");
    assert_value(store, "empty", "");
    assert_false(store_get(store, "other", NULL, NULL));
    store_close(&store);
}

static void a_transaction_happens_whole_or_not_at_all(void **state)
{
    struct store *store = open_it();
    struct store_txn *txn;
    uint64_t first = 0, second = 0, third = 0;

    (void)state;
    assert_int_equal(put_one(store, "a", "1"), STORE_DONE);
    assert_true(store_get(store, "a", NULL, &first));
    txn = store_begin(store);
    store_expect(txn, "a", first);
    store_expect(txn, "b", 0);
    store_put(txn, "a", SLICE("2"));
    store_put(txn, "b", SLICE("2"));
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
    assert_null(txn);
    assert_true(store_get(store, "a", NULL, &second));
    assert_true(store_get(store, "b", NULL, &third));
    assert_true(second > first);
    assert_true(second == third); /* one transaction, one number */

    txn = store_begin(store); /* relies on what is over */
    store_put(txn, "c", SLICE("3"));
    store_expect(txn, "a", first);
    store_put(txn, "a", SLICE("3"));
    assert_int_equal(store_commit(&txn, false, NULL), STORE_CONFLICT);
    assert_value(store, "a", "2");
    assert_false(store_get(store, "c", NULL, NULL));

    txn = store_begin(store); /* is there though it must not be */
    store_expect(txn, "b", 0);
    store_delete(txn, "a");
    assert_int_equal(store_commit(&txn, false, NULL), STORE_CONFLICT);
    assert_value(store, "a", "2");

    txn = store_begin(store); /* is not there though it must be */
    store_expect(txn, "d", second);
    store_put(txn, "d", SLICE("4"));
    assert_int_equal(store_commit(&txn, false, NULL), STORE_CONFLICT);
    assert_false(store_get(store, "d", NULL, NULL));

    txn = store_begin(store);
    store_put(txn, "a", SLICE("5"));
    store_abandon(&txn);
    assert_value(store, "a", "2");
    store_close(&store);
}

static void a_key_that_comes_again_has_a_new_version(void **state)
{
    struct store *store = open_it();
    struct store_txn *txn;
    uint64_t before = 0, after = 0;

    (void)state;
    assert_int_equal(put_one(store, "a", "1"), STORE_DONE);
    assert_true(store_get(store, "a", NULL, &before));
    txn = store_begin(store);
    store_delete(txn, "a");
    assert_int_equal(store_commit(&txn, false, NULL), STORE_DONE);
    store_close(&store);
    store = open_it();
    assert_int_equal(put_one(store, "a", "1"), STORE_DONE);
    assert_true(store_get(store, "a", NULL, &after));
    assert_true(after > before + 1);
    store_close(&store);
}

struct listing {
    struct buffer text;
    unsigned left;
};

static bool note(void *context, const char *key, struct slice value, uint64_t version)
{
    struct listing *listing = context;

    assert_true(version > 0);
    buffer_printf(&listing->text, "%s=%.*s ", key, SLICE_ARGS(value));
    return --listing->left > 0;
}

static void assert_list(struct store *store, const char *prefix, const char *after,
                        bool is_descending, unsigned limit, const char *expected)
{
    struct listing listing = {.left = limit};

    buffer_init(&listing.text);
    store_list(store, prefix, after, is_descending, note, &listing);
    assert_string_equal(buffer_text(&listing.text), expected);
    buffer_fini(&listing.text);
}

static void keys_are_listed_in_order_and_in_pages(void **state)
{
    struct store *store = open_it();

    (void)state;
    assert_int_equal(put_one(store, "rev/3", "c"), STORE_DONE);
    assert_int_equal(put_one(store, "rev/1", "a"), STORE_DONE);
    assert_int_equal(put_one(store, "rev/2", "b"), STORE_DONE);
    assert_int_equal(put_one(store, "rev", "-"), STORE_DONE);
    assert_int_equal(put_one(store, "rev0", "-"), STORE_DONE);
    assert_int_equal(put_one(store, "zz", "-"), STORE_DONE);
    assert_list(store, "rev/", NULL, false, 9, "rev/1=a rev/2=b rev/3=c ");
    assert_list(store, "rev/", NULL, true, 9, "rev/3=c rev/2=b rev/1=a ");
    assert_list(store, "rev/", "rev/1", false, 9, "rev/2=b rev/3=c ");
    assert_list(store, "rev/", "rev/3", true, 9, "rev/2=b rev/1=a ");
    assert_list(store, "rev/", "rev/1", true, 9, "");
    assert_list(store, "rev/", "rev/3", false, 9, "");
    assert_list(store, "rev/", NULL, true, 2, "rev/3=c rev/2=b ");
    assert_list(store, "rev/", "a", false, 1, "rev/1=a ");
    assert_list(store, "rev/", "z", true, 1, "rev/3=c ");
    assert_list(store, "rev", NULL, false, 9, "rev=- rev/1=a rev/2=b rev/3=c rev0=- ");
    assert_list(store, "", NULL, false, 9, "rev=- rev/1=a rev/2=b rev/3=c rev0=- zz=- ");
    assert_list(store, "", "rev/3", true, 9, "rev/2=b rev/1=a rev=- ");
    assert_list(store, "no", NULL, false, 9, "");
    store_close(&store);
}

/* ---- crashes ---- */

static void a_child_that_writes_until_it_is_killed(int ready)
{
    struct store *store = open_it();
    char number[24];

    for (unsigned i = 1;; i++) {
        struct store_txn *txn = store_begin(store);

        (void)snprintf(number, sizeof(number), "%u", i);
        store_put(txn, "left", slice_from(number));
        store_put(txn, "right", slice_from(number));
        if (store_commit(&txn, false, NULL) != STORE_DONE)
            _exit(1);
        if (write(ready, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

static void a_kill_loses_nothing_that_was_answered(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        struct buffer left, right;
        struct store *store;
        unsigned told = 0;
        int ends[2];
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        child = fork();
        if (child == 0)
            a_child_that_writes_until_it_is_killed(ends[1]);
        (void)close(ends[1]);
        while (told < 5 + 7 * round)
            assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &told, sizeof(told)) == sizeof(told))
            continue;
        (void)close(ends[0]);
        store = open_it();
        assert_int_equal(store_condition(store, NULL), STORE_GOOD);
        buffer_init(&left);
        buffer_init(&right);
        assert_true(store_get(store, "left", &left, NULL));
        assert_true(store_get(store, "right", &right, NULL));
        assert_string_equal(buffer_text(&left), buffer_text(&right));
        assert_true(strtoul(buffer_text(&left), NULL, 10) >= told);
        buffer_fini(&left);
        buffer_fini(&right);
        store_close(&store);
    }
}

static void a_kill_while_the_file_is_made_stops_no_start(void **state)
{
    struct store *store;
    int file = open(in_directory("twokey.db"), O_CREAT | O_WRONLY, 0600);

    (void)state;
    assert_true(file >= 0);
    (void)close(file); /* made, and nothing in it */
    store = open_it();
    assert_int_equal(put_one(store, "a", "1"), STORE_DONE);
    store_close(&store);
}

/* ---- disks ---- */

/* In a child: how far a file may grow is a property of the process. */
static int in_child(int (*body)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};

    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static int fill_and_make_room(void)
{
    struct store *store = open_it();
    struct error why = {0};
    char large[20000];
    unsigned failed = 0;

    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    (void)put_one(store, "first", "1");
    limit_files(150000);
    for (unsigned i = 0; i < 20 && failed == 0; i++) {
        char key[24];

        (void)snprintf(key, sizeof(key), "large/%02u", i);
        failed = put_one(store, key, large) != STORE_DONE ? i : 0;
    }
    if (failed == 0 || store_condition(store, &why) != STORE_READ_ONLY ||
        strstr(why.text, "disk is full") == NULL)
        return 1;
    assert_value(store, "first", "1"); /* reading goes on */
    limit_files(RLIM_INFINITY);
    if (put_one(store, "last", "2") != STORE_DONE || store_condition(store, NULL) != STORE_GOOD)
        return 2;
    store_close(&store);
    return 0;
}

static void a_full_disk_refuses_and_is_forgotten_when_there_is_room(void **state)
{
    (void)state;
    assert_int_equal(in_child(fill_and_make_room), 0);
}

/* Writes until nothing goes any more; a commit that may takes the reserve. */
static int fill_small_disk(void)
{
    struct store *store = open_it();
    struct store_txn *txn;
    struct stat status;
    char block[4096] = {1};
    int file;

    if (put_one(store, "a", "1") != STORE_DONE || stat(in_directory("reserve"), &status) != 0)
        return 1;
    file = open(in_directory("filler"), O_CREAT | O_WRONLY, 0600);
    while (write(file, block, sizeof(block)) > 0)
        continue;
    (void)close(file);
    for (unsigned i = 0; i < 2000 && put_one(store, "b", "2") == STORE_DONE; i++)
        continue; /* the room that the log has already */
    if (store_condition(store, NULL) != STORE_READ_ONLY)
        return 2;
    txn = store_begin(store);
    store_put(txn, "a", SLICE("rolled back"));
    if (store_commit(&txn, true, NULL) != STORE_DONE ||
        store_condition(store, NULL) != STORE_GOOD || stat(in_directory("reserve"), &status) == 0)
        return 3;
    assert_value(store, "a", "rolled back");
    store_tick(store);
    if (stat(in_directory("reserve"), &status) == 0)
        return 4; /* there is no room yet */
    (void)unlink(in_directory("filler"));
    for (unsigned i = 0; i < 80 && stat(in_directory("reserve"), &status) != 0; i++) {
        (void)usleep(100000);
        store_tick(store);
    }
    if (stat(in_directory("reserve"), &status) != 0 || status.st_size != 8 << 20)
        return 5;
    store_close(&store);
    return 0;
}

static void a_rollback_may_take_the_reserve_of_a_full_disk(void **state)
{
    int code;

    (void)state;
    if (mount("none", directory, "tmpfs", 0, "size=24m") != 0) {
        print_message("no small disk can be mounted here: %s\n", strerror(errno));
        skip();
    }
    code = in_child(fill_small_disk);
    assert_int_equal(umount(directory), 0);
    assert_int_equal(code, 0);
}

/* ---- what is not as it should be ---- */

static void assert_refused(const char *expected)
{
    struct error why = {0};

    assert_null(store_open(directory, &why));
    if (strstr(why.text, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why.text, expected);
}

static void write_over(const char *name, off_t at, const char *bytes, size_t count)
{
    int file = open(in_directory(name), O_WRONLY | O_CREAT, 0600);

    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, count, at), count);
    (void)close(file);
}

static void make_some(void)
{
    struct store *store = open_it();
    char key[32];
    char value[600];

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof(key), "key/%03u", i);
        assert_int_equal(put_one(store, key, value), STORE_DONE);
    }
    store_close(&store);
}

static void what_is_not_ours_is_refused_and_says_why(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_directory("twokey.db"), 0700), 0);
    assert_refused("not a regular file");
    assert_int_equal(rmdir(in_directory("twokey.db")), 0);
    make_some();
    write_over("twokey.db", 60, "\0\0\0\7", 4); /* user_version */
    assert_refused("written by a newer twokey (schema 7");
    write_over("twokey.db", 60, "\0\0\0\1", 4);
    write_over("twokey.db", 68, "\0\0\0\5", 4); /* application_id */
    assert_refused("not one of twokey");
    assert_int_equal(unlink(in_directory("twokey.db")), 0);
    assert_int_equal(symlink("/dev/null", in_directory("twokey.db")), 0);
    assert_refused("not a regular file");
}

static void another_owner_is_refused(void **state)
{
    (void)state;
    make_some();
    if (geteuid() != 0 || chown(in_directory("twokey.db"), 4242, 4242) != 0)
        skip();
    assert_refused("belongs to uid 4242, and twokey runs as uid 0");
}

static void what_is_no_database_is_damaged_and_opens(void **state)
{
    struct error why = {0};
    struct store *store;

    (void)state;
    write_over("twokey.db", 0, "this is not a database, whatever its name says", 46);
    for (unsigned i = 1; i < 100; i++)
        write_over("twokey.db", 100 * i, "this is not a database, whatever its name says", 46);
    store = open_it();
    assert_int_equal(store_condition(store, &why), STORE_DAMAGED);
    assert_non_null(strstr(why.text, "twokey.db: is damaged"));
    assert_false(store_get(store, "a", NULL, NULL));
    assert_list(store, "", NULL, false, 9, "");
    assert_int_equal(put_one(store, "a", "1"), STORE_FAILED);
    store_tick(store);
    assert_int_equal(put_one(store, "a", "1"), STORE_FAILED);
    store_close(&store);
}

static bool count(void *context, const char *key, struct slice value, uint64_t version)
{
    (void)key;
    (void)version;
    assert_int_equal(value.len, 599);
    ++*(unsigned *)context;
    return true;
}

static void a_damaged_page_costs_what_is_on_it(void **state)
{
    struct stat status;
    char zeros[4096];
    unsigned readable = 0;
    unsigned damaged = 0;

    (void)state;
    memset(zeros, 0xee, sizeof(zeros));
    make_some();
    assert_int_equal(stat(in_directory("twokey.db"), &status), 0);
    for (off_t page = 1; page * 4096 < status.st_size; page++) {
        struct store *store;
        char kept[4096];
        int file = open(in_directory("twokey.db"), O_RDWR);
        unsigned found = 0;

        assert_int_equal(pread(file, kept, sizeof(kept), page * 4096), sizeof(kept));
        assert_int_equal(pwrite(file, zeros, sizeof(zeros), page * 4096), sizeof(zeros));
        store = open_it();
        damaged += store_condition(store, NULL) == STORE_DAMAGED;
        store_list(store, "key/", NULL, false, count, &found);
        readable += found > 80;
        assert_int_equal(put_one(store, "a", "1"), STORE_FAILED);
        store_close(&store);
        assert_int_equal(pwrite(file, kept, sizeof(kept), page * 4096), sizeof(kept));
        (void)close(file);
    }
    assert_int_equal(damaged, status.st_size / 4096 - 1);
    assert_true(readable > 10); /* all but the roots and the index */
}

static void a_file_that_was_exchanged_takes_nothing_more(void **state)
{
    struct store *store = open_it();
    struct error why = {0};
    struct store_txn *txn;
    char moved[128];

    (void)state;
    assert_int_equal(put_one(store, "a", "1"), STORE_DONE);
    (void)snprintf(moved, sizeof(moved), "%s/elsewhere", directory);
    assert_int_equal(rename(in_directory("twokey.db"), moved), 0);
    txn = store_begin(store);
    store_put(txn, "a", SLICE("2"));
    assert_int_equal(store_commit(&txn, false, &why), STORE_FAILED);
    assert_non_null(strstr(why.text, "moved away"));
    assert_int_equal(rename(moved, in_directory("twokey.db")), 0);
    assert_int_equal(put_one(store, "a", "2"), STORE_DONE);
    store_close(&store);
}

/* As another user, whom permissions bind. */
static int read_only_directory(void)
{
    struct error why = {0};
    struct store *store;
    struct buffer out;

    if (geteuid() == 0 && (setgid(4242) != 0 || setuid(4242) != 0))
        return 10;
    (void)chmod(directory, 0500);
    store = store_open(directory, &why);
    if (store == NULL || store_condition(store, &why) != STORE_READ_ONLY)
        return 1;
    buffer_init(&out);
    if (!store_get(store, "key/050", &out, NULL) || buffer_length(&out) != 599 ||
        !store_get(store, "in the log", NULL, NULL))
        return 2;
    if (put_one(store, "a", "1") != STORE_FAILED)
        return 3;
    (void)chmod(directory, 0700);
    if (put_one(store, "a", "1") != STORE_DONE || store_condition(store, NULL) != STORE_GOOD)
        return 4;
    buffer_fini(&out);
    store_close(&store);
    return 0;
}

static int leave_a_log(void)
{
    struct store *store = open_it();

    (void)put_one(store, "in the log", "1");
    _exit(0); /* not closed: the log stays, as after a crash */
}

static void a_directory_that_cannot_be_written_is_read(void **state)
{
    (void)state;
    make_some();
    assert_int_equal(in_child(leave_a_log), 0);
    (void)unlink(in_directory("twokey.db-shm"));
    if (geteuid() == 0) {
        assert_int_equal(chown(directory, 4242, 4242), 0);
        assert_int_equal(chown(in_directory("twokey.db"), 4242, 4242), 0);
        assert_int_equal(chown(in_directory("twokey.db-wal"), 4242, 4242), 0);
    }
    assert_int_equal(in_child(read_only_directory), 0);
}

static void it_can_be_read_while_another_writes(void **state)
{
    struct error why = {0};
    struct store *store = open_it();
    struct store *reader;

    (void)state;
    assert_int_equal(put_one(store, "a", "1"), STORE_DONE);
    reader = store_open_to_read(directory, &why);
    assert_non_null(reader);
    assert_int_equal(put_one(store, "a", "2"), STORE_DONE);
    assert_value(reader, "a", "1"); /* as it was when it was opened */
    assert_value(store, "a", "2");
    store_close(&reader);
    reader = store_open_to_read(directory, &why);
    assert_value(reader, "a", "2");
    store_close(&reader);
    store_close(&store);
    assert_int_equal(unlink(in_directory("twokey.db")), 0);
    assert_null(store_open_to_read(directory, &why));
    assert_int_equal(why.code, ERROR_NOT_FOUND);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_committed_is_there_after_a_restart),
        STORE_TEST(a_transaction_happens_whole_or_not_at_all),
        STORE_TEST(a_key_that_comes_again_has_a_new_version),
        STORE_TEST(keys_are_listed_in_order_and_in_pages),
        STORE_TEST(a_kill_loses_nothing_that_was_answered),
        STORE_TEST(a_kill_while_the_file_is_made_stops_no_start),
        STORE_TEST(a_full_disk_refuses_and_is_forgotten_when_there_is_room),
        STORE_TEST(a_rollback_may_take_the_reserve_of_a_full_disk),
        STORE_TEST(what_is_not_ours_is_refused_and_says_why),
        STORE_TEST(another_owner_is_refused),
        STORE_TEST(what_is_no_database_is_damaged_and_opens),
        STORE_TEST(a_damaged_page_costs_what_is_on_it),
        STORE_TEST(a_file_that_was_exchanged_takes_nothing_more),
        STORE_TEST(a_directory_that_cannot_be_written_is_read),
        STORE_TEST(it_can_be_read_while_another_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
