/*
 * ledger_test - the life of a change until it may be applied, and each attack that the ledger
 * alone holds off (docs/threat-model.md, E-1 and on).
 *
 * Threads  the first
 */
#include "change/override.h"
#include "tests/support/ledger_fixture.h"

/* Until they are there. */
__attribute__((weak)) void apply_tick(struct ledger *ledger)
{
    (void)ledger;
}
__attribute__((weak)) void pending_load(struct ledger *ledger)
{
    (void)ledger;
}
__attribute__((weak)) void override_tick(struct ledger *ledger)
{
    (void)ledger;
}
__attribute__((weak)) void override_forget(struct ledger *ledger)
{
    (void)ledger;
}
__attribute__((weak)) json_t *override_list(struct ledger *ledger)
{
    (void)ledger;
    return json_array();
}

#define WEIGHT "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"
#define PEOPLE "{\"people\":{\"bob\":{\"groups\":[\"netops\"]}}}"

static int begin(void **state)
{
    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void a_change_goes_from_draft_to_approved(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, false, id);
    assert_string_equal(state_of(id), "draft");
    assert_string_equal(call(ledger_submit, "ann", id), "");
    assert_string_equal(state_of(id), "pending");
    assert_int_equal(change_now(id)->class, 2);
    assert_int_equal(change_now(id)->required, 1);
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(may_apply("ann", id), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_goes_from_draft_to_approved, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
