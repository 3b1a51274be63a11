/*
 * lkg_test - what it takes until a revision is known to be good, and what the gate says meanwhile.
 *
 * Threads  the first
 */
#include "change/activity.h"
#include "tests/unit/change/gate_readings.h"

static void lkg_takes_time_and_requests(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    pass(2 * HOUR_MS);
    ledger_count_requests(world.ledger, 999);
    pass(SECOND_MS);
    assert_int_equal(world.ledger->lkg.rev, 0);
    ledger_count_requests(world.ledger, 1);
    pass(SECOND_MS);
    assert_int_equal(world.ledger->lkg.rev, 2);
    assert_string_equal(rollback_as("ann", "lkg"), "state-conflict"); /* it runs */
    approved(WEIGHT_2, id);
    assert_string_equal(apply_as("ann", id), "");
    pass(5 * MINUTE_MS);
    assert_string_equal(rollback_as("ann", "lkg"), "");
    assert_int_equal(world.ledger->running.rev, 4);
}

static void what_waits_is_not_known_to_be_good(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(id, sizeof(id), "%s",
                   create_as(who("ann"),
                             "{\"title\":\"t\",\"reason\":\"r\",\"confirm\":{\"deadline\":\"50m\"},"
                             "\"patch\":" WEIGHT "}",
                             true));
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(apply_as("ann", id), "");
    ledger_count_requests(world.ledger, 5000);
    pass(40 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    assert_int_equal(world.ledger->lkg.rev, 0);
}

static void a_reading_that_fails_begins_the_soak_anew(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    ledger_count_requests(world.ledger, 5000);
    readings_for(29 * MINUTE_MS, GATE_PASS);
    reading(but(GATE_ERRORS, GATE_FAIL));
    readings_for(29 * MINUTE_MS, GATE_PASS);
    assert_int_equal(world.ledger->lkg.rev, 0);
    readings_for(2 * MINUTE_MS, GATE_PASS);
    assert_int_equal(world.ledger->lkg.rev, 0); /* its requests, too */
    ledger_count_requests(world.ledger, 1000);
    pass(SECOND_MS);
    assert_int_equal(world.ledger->lkg.rev, 2);
}

static void what_is_applied_and_fails_is_told_and_stays(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *alert;

    (void)state;
    applied(WEIGHT, id);
    fail_three_times(GATE_ERRORS);
    fail_three_times(GATE_ERRORS);
    assert_string_equal(state_of(id), "applied");
    assert_int_equal(world.ledger->running.rev, 2);
    alert = alert_of("GateFailing");
    assert_non_null(alert);
    assert_string_equal(json_string_value(json_object_get(alert, "severity")), "page");
    assert_string_equal(json_string_value(json_object_get(alert, "change")), id);
    json_decref(alert);
}

static void a_long_soak_that_flaps_writes_little(void **state)
{
    char id[CHANGE_ID_TEXT];
    unsigned before;

    (void)state;
    applied(WEIGHT, id);
    before = records_with("gate.changed", "");
    for (unsigned i = 0; i < 6 * 60; i++) /* an hour */
        reading(but(GATE_ERRORS, i % 2 == 0 ? GATE_FAIL : GATE_PASS));
    assert_true(records_with("gate.changed", "") - before <= 3);
    assert_true(records_with("gate.changed", "") > before);
}

static void the_three_before_are_kept(void **state)
{
    char id[CHANGE_ID_TEXT];
    char patch[128];
    json_t *earlier;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(patch, sizeof(patch),
                       "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":%u}}}}}", 90 + i);
        approved_with("", patch, id);
        assert_string_equal(apply_as("ann", id), "");
        pass(31 * SECOND_MS);
        assert_string_equal(call(ledger_confirm, "ann", id), "");
        ledger_count_requests(world.ledger, 1000);
        readings_for(31 * MINUTE_MS, GATE_PASS);
        assert_int_equal(world.ledger->lkg.rev, 2 + i);
    }
    earlier = lkg_earlier(world.ledger, NULL);
    assert_int_equal(json_array_size(earlier), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(earlier, 0), "rev")), 6);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(earlier, 2), "rev")), 4);
    json_decref(earlier);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lkg_takes_time_and_requests),
        TEST(what_waits_is_not_known_to_be_good),
        TEST(a_reading_that_fails_begins_the_soak_anew),
        TEST(what_is_applied_and_fails_is_told_and_stays),
        TEST(a_long_soak_that_flaps_writes_little),
        TEST(the_three_before_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
