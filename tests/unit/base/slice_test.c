/* slice: text compared without case, cut into lists and read as numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/slice.h"

static void test_without_case_only_ascii_letters_are_the_same(void **state)
{
    char a[17];
    char b[17];

    (void)state;
    memset(a, 'x', sizeof(a));
    memset(b, 'X', sizeof(b));
    for (size_t at = 0; at < sizeof(a); at++) {
        for (int left = 0; left < 256; left++)
            for (int right = 0; right < 256; right++) {
                a[at] = (char)left;
                b[at] = (char)right;
                if (slice_equal_nocase(slice_of(a, 17), slice_of(b, 17)) !=
                    (ascii_lower((char)left) == ascii_lower((char)right)))
                    fail_msg("bytes %02x and %02x at %zu", left, right, at);
            }
        a[at] = 'x';
        b[at] = 'X';
    }
    assert_true(slice_equal_nocase(SLICE(""), SLICE("")));
    assert_false(slice_equal_nocase(SLICE("accept"), SLICE("accep")));
}

static void test_a_list_gives_its_empty_elements_too(void **state)
{
    static const char *const expected[] = {"a", "", "b c", ""};
    struct slice rest = SLICE("a,\t, b c ,");
    struct slice element;
    size_t count = 0;

    (void)state;
    while (slice_next_element(&rest, &element)) {
        assert_true(count < 4);
        assert_true(slice_equal(element, slice_from(expected[count++])));
    }
    assert_int_equal(count, 4);
}

static void test_a_number_is_digits_that_fit(void **state)
{
    static const struct {
        const char *text;
        bool is_number;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},    {"007", true, 7},  {"18446744073709551615", true, UINT64_MAX},
        {"", false, 0},    {"+1", false, 0},  {"18446744073709551616", false, 0},
        {"1 ", false, 0},  {"1_0", false, 0}, {"184467440737095516150", false, 0},
        {"0x5", false, 0}, {"-0", false, 0},  {"\xb2", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 12345;

        assert_int_equal(slice_to_u64(slice_from(rows[i].text), &value), rows[i].is_number);
        assert_int_equal(value, rows[i].is_number ? rows[i].value : 12345);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_case_only_ascii_letters_are_the_same),
        cmocka_unit_test(test_a_list_gives_its_empty_elements_too),
        cmocka_unit_test(test_a_number_is_digits_that_fit),
    };

    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
