/* headers: every known name is found in any case, and nothing else is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/http/headers.h"

static void test_each_known_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        char name[64];
        struct slice known = slice_from(header_name((enum header)i));

        assert_int_equal(header_find(known), i);
        slice_copy(known, name, sizeof(name));
        for (size_t c = 0; c < known.len; c++)
            if (name[c] >= 'a' && name[c] <= 'z')
                name[c] = (char)(name[c] - 'a' + 'A');
        assert_int_equal(header_find(slice_from(name)), i);
    }
}

static void test_a_known_name_with_one_byte_changed_is_another(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        struct slice known = slice_from(header_name((enum header)i));
        char name[64];

        slice_copy(known, name, sizeof(name));
        for (size_t at = 0; at < known.len; at++)
            for (int byte = 0; byte < 256; byte++) {
                name[at] = (char)byte;
                if (ascii_lower(name[at]) != known.at[at])
                    assert_int_not_equal(header_find(slice_of(name, known.len)), i);
                name[at] = known.at[at];
            }
    }
}

static void test_a_part_of_a_known_name_is_another(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        struct slice known = slice_from(header_name((enum header)i));

        for (size_t len = 0; len < known.len; len++) {
            assert_int_not_equal(header_find(slice_of(known.at, len)), i);
            assert_int_not_equal(header_find(slice_after(known, known.len - len)), i);
        }
    }
}

static void test_a_token_is_of_token_characters(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM"
                                "NOPQRSTUVWXYZ";

    (void)state;
    assert_true(is_token(SLICE(token)));
    assert_false(is_token(SLICE("")));
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool expected = memchr(token, byte, sizeof(token) - 1) != NULL;

        assert_int_equal(is_token(slice_of(&c, 1)), expected);
    }
}

static void test_a_field_value_has_no_control_characters_but_the_tab(void **state)
{
    char value[40];

    (void)state;
    memset(value, 'a', sizeof(value));
    for (size_t at = 0; at < sizeof(value); at++)
        for (int byte = 0; byte < 256; byte++) {
            value[at] = (char)byte;
            assert_int_equal(is_field_value(slice_of(value, sizeof(value))),
                             byte == '\t' || (byte >= 0x20 && byte != 0x7f));
            value[at] = 'a';
        }
    assert_true(is_field_value(SLICE("")));
}

static int setup(void **state)
{
    (void)state;
    headers_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_known_name_is_found_in_any_case),
        cmocka_unit_test(test_a_known_name_with_one_byte_changed_is_another),
        cmocka_unit_test(test_a_part_of_a_known_name_is_another),
        cmocka_unit_test(test_a_token_is_of_token_characters),
        cmocka_unit_test(test_a_field_value_has_no_control_characters_but_the_tab),
    };

    return cmocka_run_group_tests_name("headers", tests, setup, NULL);
}
