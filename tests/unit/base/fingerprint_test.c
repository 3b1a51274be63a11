/*
 * fingerprint_test - a file that was touched, or replaced, is told from what it was.
 *
 * Threads  the first
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fingerprint.h"

static char folder[] = "/tmp/tk-fingerprint-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink("a");
    (void)unlink("b");
    (void)unlink("link");
    return rmdir(folder);
}

/* All files get the same time, but where a test says another. */
static void write_file(const char *name, const char *text, time_t seconds)
{
    struct timespec times[2] = {{seconds, 1}, {seconds, 1}};
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static void what_was_not_touched_is_the_same(void **state)
{
    (void)state;
    write_file("a", "one", 1000);
    assert_true(fingerprint_file("a") != 0);
    assert_true(fingerprint_file("a") == fingerprint_file("a"));
}

static void what_is_not_there_is_nothing(void **state)
{
    (void)state;
    assert_true(fingerprint_file("nowhere") == 0);
    assert_true(fingerprint_file("") == 0);
}

static void another_size_another_time_another_file_are_seen(void **state)
{
    uint64_t before;

    (void)state;
    write_file("a", "one", 1000);
    before = fingerprint_file("a");
    write_file("a", "three", 1000);
    assert_true(fingerprint_file("a") != before);
    write_file("a", "one", 1000);
    assert_true(fingerprint_file("a") == before);
    write_file("a", "two", 1001);
    assert_true(fingerprint_file("a") != before);
    write_file("b", "two", 1000);
    assert_int_equal(rename("b", "a"), 0);
    assert_true(fingerprint_file("a") != before);
}

static void a_link_that_moves_is_seen(void **state)
{
    uint64_t before;

    (void)state;
    write_file("a", "one", 1000);
    write_file("b", "two", 1000);
    assert_int_equal(symlink("a", "link"), 0);
    before = fingerprint_file("link");
    assert_true(before == fingerprint_file("a"));
    assert_int_equal(unlink("link"), 0);
    assert_int_equal(symlink("b", "link"), 0);
    assert_true(fingerprint_file("link") != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_touched_is_the_same),
        cmocka_unit_test(what_is_not_there_is_nothing),
        cmocka_unit_test(another_size_another_time_another_file_are_seen),
        cmocka_unit_test(a_link_that_moves_is_seen),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
