/* failure: what must hold for every row of failure.def. */
#include "proxy/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "observe/counters.h"

static void every_row_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < FAILURE_COUNT; i++) {
        const struct failure_row *row = &failure_rows[i];

        assert_non_null(row->word);
        assert_non_null(row->help);
        assert_true(row->help[0] != '\0');
        assert_true(row->status == 0 || (row->status >= 400 && row->status <= 599));
        assert_string_equal(failure_words[i], row->word);
        assert_true((row->word[0] == '\0') == (i == FAILURE_NONE));
    }
    assert_null(failure_words[FAILURE_COUNT]);
}

static void words_are_labels_and_unlike_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < FAILURE_COUNT; i++) {
        assert_int_equal(strspn(failure_words[i], "abcdefghijklmnopqrstuvwxyz-"),
                         strlen(failure_words[i]));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(failure_words[i], failure_words[k]);
    }
}

static void there_is_a_counter_for_each(void **state)
{
    (void)state;
    assert_in_range(FAILURE_COUNT, 1, COUNTERS_FAILURES);
}

static void a_client_never_blames_a_server(void **state)
{
    (void)state;
    for (int i = 0; i < FAILURE_COUNT; i++)
        if (failure_rows[i].status >= 400 && failure_rows[i].status < 500) {
            assert_false(failure_rows[i].blames_server);
            assert_int_equal(failure_rows[i].retry, FAILURE_RETRY_NO);
        }
}

static void only_what_no_server_has_looked_at_is_retried_for_any_method(void **state)
{
    (void)state;
    for (int i = 0; i < FAILURE_COUNT; i++)
        if (failure_rows[i].retry == FAILURE_RETRY_ANY && i != FAILURE_SERVER_TLS &&
            i != FAILURE_SERVER_PROTOCOL && i != FAILURE_STREAM_REFUSED)
            assert_int_equal(strncmp(failure_rows[i].word, "connect-", 8), 0);
    assert_int_equal(failure_rows[FAILURE_RESPONSE_TIMEOUT].retry, FAILURE_RETRY_NO);
    assert_int_equal(failure_rows[FAILURE_RESPONSE_BROKEN].retry, FAILURE_RETRY_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(words_are_labels_and_unlike_each_other),
        cmocka_unit_test(there_is_a_counter_for_each),
        cmocka_unit_test(a_client_never_blames_a_server),
        cmocka_unit_test(only_what_no_server_has_looked_at_is_retried_for_any_method),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
