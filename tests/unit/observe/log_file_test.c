/* log_file: standard output is shared with others, so it is neither waited for nor reconfigured. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "observe/log_file.h"

static int stdout_before;
static int ends[2]; /* of the pipe or socket that standard output is for a while */

static void take_stdout(void)
{
    stdout_before = dup(STDOUT_FILENO);
    assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
}

static void give_stdout_back(void)
{
    assert_true(dup2(stdout_before, STDOUT_FILENO) >= 0);
    close(stdout_before);
}

/* Bytes that go in before it says that it would wait. */
static size_t fill(struct log_file *file)
{
    static const char bytes[100000];
    size_t total = 0;
    ssize_t taken;

    while ((taken = log_file_write(file, bytes, sizeof(bytes))) > 0)
        total += (size_t)taken;
    assert_int_equal(taken, -EAGAIN);
    return total;
}

static size_t empty(void)
{
    static char bytes[65536];
    size_t total = 0;
    ssize_t got;

    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while ((got = read(ends[0], bytes, sizeof(bytes))) > 0)
        total += (size_t)got;
    return total;
}

static void check_never_waits(void)
{
    struct error why;
    struct log_file *file;
    size_t first, second;
    int flags;

    take_stdout();
    file = log_file_open("stdout", &why);
    first = fill(file);
    flags = fcntl(STDOUT_FILENO, F_GETFL);
    size_t got = empty();
    second = fill(file);
    assert_true(log_file_reopen(file, &why));
    log_file_close(&file);
    give_stdout_back();
    assert_true(first >= 4096 && second >= 4096);
    assert_int_equal(got, first);
    assert_int_equal(flags & O_NONBLOCK, 0);
}

static void test_a_full_pipe_takes_nothing_and_nobody_waits(void **state)
{
    (void)state;
    assert_int_equal(pipe(ends), 0);
    check_never_waits();
    close(ends[0]);
    close(ends[1]);
}

static void test_closing_leaves_standard_output_open(void **state)
{
    struct error why;
    struct log_file *file = log_file_open("stdout", &why);

    (void)state;
    log_file_close(&file);
    assert_null(file);
    assert_true(fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

static void test_a_pipe_without_reader_is_an_error_not_the_end(void **state)
{
    struct error why;
    struct log_file *file;
    ssize_t taken;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    take_stdout();
    file = log_file_open("stdout", &why);
    close(ends[0]);
    taken = log_file_write(file, "x", 1);
    log_file_close(&file);
    give_stdout_back();
    close(ends[1]);
    assert_int_equal(taken, -EPIPE);
}

static void test_a_folder_is_no_log(void **state)
{
    struct error why = {0};

    (void)state;
    assert_null(log_file_open("/tmp", &why));
    assert_non_null(strstr(why.text, "access log /tmp: Is a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_pipe_takes_nothing_and_nobody_waits),
        cmocka_unit_test(test_closing_leaves_standard_output_open),
        cmocka_unit_test(test_a_pipe_without_reader_is_an_error_not_the_end),
        cmocka_unit_test(test_a_folder_is_no_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
