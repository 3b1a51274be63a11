/* gate_changed: which pools a change touches, and against which of before they are held. */
#include "change/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char *changed_by(const char *base, const char *target, const char *overrides)
{
    static char text[256];
    json_t *before = json_loads(base, 0, NULL);
    json_t *after = json_loads(target, 0, NULL);
    json_t *orders = overrides != NULL ? json_loads(overrides, 0, NULL) : NULL;
    json_t *changed;
    char *dumped;

    assert_non_null(before);
    assert_non_null(after);
    changed = gate_changed_pools(before, after, orders);
    dumped = json_dumps(changed, JSON_COMPACT | JSON_SORT_KEYS);
    (void)snprintf(text, sizeof(text), "%s", dumped);
    free(dumped);
    json_decref(changed);
    json_decref(before);
    json_decref(after);
    json_decref(orders);
    return text;
}

#define TWO_POOLS "\"pools\":{\"a\":{\"x\":1},\"b\":{\"x\":1}}"
#define A_AND_B   "\"routes\":{\"r\":{\"pool\":\"a\"},\"s\":{\"pool\":\"b\"}}"
#define THE_BASE  "{" TWO_POOLS "," A_AND_B "}"

static void a_pool_is_changed_by_its_section_its_routes_and_orders(void **state)
{
    (void)state;
    assert_string_equal(changed_by(THE_BASE, THE_BASE, NULL), "{}");
    assert_string_equal(
        changed_by(THE_BASE, "{\"pools\":{\"a\":{\"x\":2},\"b\":{\"x\":1}}," A_AND_B "}", NULL),
        "{\"a\":[]}");
    assert_string_equal(changed_by(THE_BASE,
                                   "{" TWO_POOLS ",\"routes\":{\"r\":{\"pool\":\"a\",\"host\":1},"
                                   "\"s\":{\"pool\":\"b\"}}}",
                                   NULL),
                        "{\"a\":[]}");
    assert_string_equal(
        changed_by(THE_BASE, "{" TWO_POOLS ",\"routes\":{\"r\":{\"pool\":\"a\"}}}", NULL),
        "{\"b\":[]}");
    assert_string_equal(changed_by(THE_BASE, THE_BASE, "[{\"pool\":\"b\",\"server\":\"s\"}]"),
                        "{\"b\":[]}");
}

static void what_nobody_notices_changes_no_pool(void **state)
{
    (void)state;
    assert_string_equal(changed_by(THE_BASE,
                                   "{" TWO_POOLS "," A_AND_B
                                   ",\"people\":{},\"policy\":{},\"admin\":{},\"observe\":{}}",
                                   NULL),
                        "{}");
}

static void what_is_common_to_all_changes_all(void **state)
{
    (void)state;
    assert_string_equal(
        changed_by(THE_BASE, "{" TWO_POOLS "," A_AND_B ",\"listeners\":{\"w\":{}}}", NULL),
        "{\"a\":[],\"b\":[]}");
    assert_string_equal(
        changed_by("{" TWO_POOLS "," A_AND_B ",\"process\":{\"workers\":2}}", THE_BASE, NULL),
        "{\"a\":[],\"b\":[]}");
}

static void a_pool_that_takes_over_is_held_against_the_one_before(void **state)
{
    (void)state;
    assert_string_equal(
        changed_by(THE_BASE,
                   "{\"pools\":{\"b\":{\"x\":1},\"c\":{\"x\":1}},"
                   "\"routes\":{\"r\":{\"split\":{\"b\":5,\"c\":95}},\"s\":{\"pool\":\"b\"}}}",
                   NULL),
        "{\"b\":[\"a\"],\"c\":[\"a\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_is_changed_by_its_section_its_routes_and_orders),
        cmocka_unit_test(what_nobody_notices_changes_no_pool),
        cmocka_unit_test(what_is_common_to_all_changes_all),
        cmocka_unit_test(a_pool_that_takes_over_is_held_against_the_one_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
