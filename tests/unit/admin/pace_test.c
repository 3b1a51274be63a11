/*
 * How often one person may call something that changes things.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/pace.h"

static const uint64_t second_ns = 1000000000;

static struct pace pace;

static int begin(void **state)
{
    (void)state;
    memset(&pace, 0, sizeof(pace));
    return 0;
}

static unsigned granted(const char *person, unsigned calls, uint64_t now_ns)
{
    unsigned count = 0;

    for (unsigned i = 0; i < calls; i++)
        count += pace_take(&pace, person, now_ns) == 0;
    return count;
}

static void a_burst_is_granted_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(granted("ann", 2 * PACE_BURST, second_ns), PACE_BURST);
    assert_true(pace_take(&pace, "ann", second_ns) >= 1);
}

static void what_was_waited_for_is_granted(void **state)
{
    (void)state;
    (void)granted("ann", 2 * PACE_BURST, second_ns);
    assert_int_equal(granted("ann", 2 * PACE_BURST, 2 * second_ns), PACE_A_SECOND);
    assert_int_equal(granted("ann", 2 * PACE_BURST, 1000 * second_ns), PACE_BURST);
}

static void who_waits_as_told_is_let_in(void **state)
{
    (void)state;
    (void)granted("ann", 2 * PACE_BURST, second_ns);
    unsigned wait_s = pace_take(&pace, "ann", second_ns);
    assert_int_equal(pace_take(&pace, "ann", (1 + wait_s) * second_ns), 0);
}

static void a_steady_pace_is_never_slowed(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(pace_take(&pace, "ann", second_ns + i * (second_ns / PACE_A_SECOND)), 0);
}

static void one_person_does_not_slow_another(void **state)
{
    (void)state;
    (void)granted("ann", 2 * PACE_BURST, second_ns);
    assert_int_equal(granted("bob", PACE_BURST, second_ns), PACE_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_burst_is_granted_and_no_more, begin),
        cmocka_unit_test_setup(what_was_waited_for_is_granted, begin),
        cmocka_unit_test_setup(who_waits_as_told_is_let_in, begin),
        cmocka_unit_test_setup(a_steady_pace_is_never_slowed, begin),
        cmocka_unit_test_setup(one_person_does_not_slow_another, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
