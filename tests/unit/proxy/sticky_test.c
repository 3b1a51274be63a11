/* sticky: the key on disk, and cookies that hold, are forged, or belong elsewhere. */
#include "proxy/sticky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static char directory[] = "/tmp/sticky-test-XXXXXX";
static struct sticky_key *key;

static int setup(void **state)
{
    struct error why = {0};

    (void)state;
    assert_non_null(mkdtemp(directory));
    key = sticky_key_open(directory, &why);
    assert_non_null(key);
    return 0;
}

static void path_of_key(char path[256])
{
    snprintf(path, 256, "%s/keys/sticky.key", directory);
}

static int teardown(void **state)
{
    char path[256];

    (void)state;
    sticky_key_free(&key);
    path_of_key(path);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(directory);
    return 0;
}

/* The value of the cookie that is set, without what follows it. */
static struct slice value_for(const char *server, char memory[512])
{
    struct writer w = writer_over(memory, 512);
    struct slice found;

    sticky_write(key, &w, "tk", "pool", server, 3600000, false);
    assert_false(w.overflow);
    assert_true(sticky_find_cookie(writer_slice(&w), SLICE("tk"), &found));
    return found;
}

static void what_was_written_is_read(void **state)
{
    char memory[512];
    struct slice server;

    (void)state;
    assert_true(sticky_read(key, "pool", value_for("s1", memory), &server));
    assert_true(slice_equal(server, SLICE("s1")));
}

static void the_longest_name_fits(void **state)
{
    char name[64], memory[512];
    struct slice server;

    (void)state;
    memset(name, 'n', 63);
    name[63] = '\0';
    assert_true(sticky_read(key, "pool", value_for(name, memory), &server));
    assert_int_equal(server.len, 63);
}

static void every_changed_byte_breaks_it(void **state)
{
    char memory[512];
    struct slice value = value_for("server-one", memory);
    struct slice server;

    (void)state;
    for (size_t i = 0; i < value.len; i++) {
        char *byte = memory + (value.at - memory) + i;
        char before = *byte;

        *byte = before == 'x' ? 'y' : 'x';
        assert_false(sticky_read(key, "pool", value, &server));
        *byte = before;
    }
    assert_true(sticky_read(key, "pool", value, &server));
    for (size_t len = 0; len < value.len; len++)
        assert_false(sticky_read(key, "pool", slice_of(value.at, len), &server));
}

static void another_pool_or_key_does_not_take_it(void **state)
{
    char memory[512];
    char other[] = "/tmp/sticky-test-XXXXXX";
    char path[256];
    struct error why = {0};
    struct slice server;
    struct sticky_key *theirs;

    (void)state;
    assert_false(sticky_read(key, "poo", value_for("s1", memory), &server));
    assert_non_null(mkdtemp(other));
    theirs = sticky_key_open(other, &why);
    assert_non_null(theirs);
    assert_false(sticky_read(theirs, "pool", value_for("s1", memory), &server));
    sticky_key_free(&theirs);
    snprintf(path, sizeof(path), "%s/keys/sticky.key", other);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(other);
}

static void the_key_is_read_again(void **state)
{
    char memory[512];
    struct error why = {0};
    struct slice server;
    struct sticky_key *again = sticky_key_open(directory, &why);

    (void)state;
    assert_non_null(again);
    assert_true(sticky_read(again, "pool", value_for("s1", memory), &server));
    sticky_key_free(&again);
}

static void a_key_cut_short_is_refused_and_kept(void **state)
{
    char path[256];
    struct stat status;
    struct error why = {0};

    (void)state;
    path_of_key(path);
    assert_int_equal(truncate(path, 31), 0);
    assert_null(sticky_key_open(directory, &why));
    assert_non_null(strstr(why.text, "sticky.key"));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 31);
}

static void the_attributes_say_what_they_should(void **state)
{
    char memory[512];
    struct writer w = writer_over(memory, sizeof(memory));
    struct slice text;

    (void)state;
    sticky_write(key, &w, "tk", "pool", "s1", 90000, true);
    write_char(&w, '\0');
    text = writer_slice(&w);
    assert_non_null(strstr(text.at, "; Path=/; HttpOnly; SameSite=Lax; Max-Age=90; Secure"));
    w = writer_over(memory, sizeof(memory));
    sticky_write(key, &w, "tk", "pool", "s1", 0, false);
    write_char(&w, '\0');
    assert_null(strstr(memory, "Max-Age"));
    assert_null(strstr(memory, "Secure"));
}

static void cookies_are_found_by_their_whole_name(void **state)
{
    static const struct {
        const char *cookies, *value; /* NULL: not there */
    } rows[] = {
        {"tk=1", "1"},        {"a=b; tk=1; c=d", "1"},
        {"a=b;tk=1", "1"},    {"xtk=2; tk=1", "1"},
        {"tkx=2; tk=1", "1"}, {"tk=", ""},
        {"tk", NULL},         {"", NULL},
        {"a=tk=1", NULL},     {"TK=1", NULL},
        {"tk=1; tk=2", "1"},  {";;; tk=1 ", "1"},
        {"tk =1", NULL},      {"\"tk=1\"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice value;
        bool found = sticky_find_cookie(slice_from(rows[i].cookies), SLICE("tk"), &value);

        assert_int_equal(found, rows[i].value != NULL);
        if (found)
            assert_true(slice_equal(value, slice_from(rows[i].value)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(every_changed_byte_breaks_it),
        cmocka_unit_test(another_pool_or_key_does_not_take_it),
        cmocka_unit_test(the_key_is_read_again),
        cmocka_unit_test(the_attributes_say_what_they_should),
        cmocka_unit_test(cookies_are_found_by_their_whole_name),
        cmocka_unit_test(a_key_cut_short_is_refused_and_kept),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
