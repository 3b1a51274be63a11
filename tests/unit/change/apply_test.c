/*
 * apply_test - from approved to applied and back, with a disk that fails where it hurts and clocks
 * that are moved.
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

static void disk_fills(void)
{
    memory_fails = true;
}

/* ---- confirmation ---- */

static void each_step_is_in_the_audit(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    assert_int_equal(records_of("change.applying"), 1);
    assert_int_equal(records_of("apply.prepared"), 1);
    assert_int_equal(records_of("apply.armed"), 1);
    assert_int_equal(records_of("change.confirming"), 1);
    assert_int_equal(records_of("apply.confirmed"), 1);
    assert_int_equal(records_of("change.applied"), 1);
    assert_true(is_true_to_the_store());
    assert_int_equal(world.ledger->boot.rev, 2);
    assert_int_equal(world.ledger->previous.rev, 1);
}

static void a_deadline_is_not_of_the_wall_clock(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    assert_string_equal(apply_as("ann", id), "");
    world.wall_ms += 5 * HOUR_MS;
    pass(9 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    world.wall_ms -= 10 * HOUR_MS;
    pass(2 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_true(is_true_to_the_store());
    assert_string_equal(change_now(id)->ended_why, "deadline");
}

static void min_bake_counts_from_when_all_workers_have_it(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    world.publish_holds = true;
    (void)apply_as("ann", id);
    assert_int_equal(world.answered, 0);
    assert_string_equal(state_of(id), "applying");
    pass(2 * MINUTE_MS);
    world_release();
    assert_int_equal(world.answered, 1);
    assert_string_equal(call(ledger_confirm, "ann", id), "too-early");
    pass(9 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    assert_string_equal(call(ledger_confirm, "ann", id), "");
}

static void extend_goes_to_an_hour_from_apply(void **state)
{
    struct actor bob;
    char id[CHANGE_ID_TEXT];

    (void)state;
    bob = who("bob");
    approved(WEIGHT, id);
    assert_string_equal(apply_as("ann", id), "");
    pass(5 * MINUTE_MS);
    fresh_answer();
    assert_false(ledger_extend(world.ledger, &bob, id, (uint64_t)(61 * MINUTE_MS), &world.answer,
                               &world.refusal));
    assert_false(ledger_extend(world.ledger, &bob, id, (uint64_t)(4 * MINUTE_MS), &world.answer,
                               &world.refusal));
    assert_true(ledger_extend(world.ledger, &bob, id, (uint64_t)(60 * MINUTE_MS), &world.answer,
                              &world.refusal));
    pass(54 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    pass(2 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
}

static void who_changes_the_way_in_confirms_over_it(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(ENFORCED ",\"confirm\":{\"mode\":\"auto\"}"));
    (void)snprintf(id, sizeof(id), "%s",
                   create_as(who("ann"),
                             "{\"title\":\"t\",\"reason\":\"r\",\"override\":[\"X007\"],"
                             "\"confirm\":{\"mode\":\"auto\"},"
                             "\"patch\":{\"admin\":{\"listen\":\"127.0.0.1:9911\"}}}",
                             true));
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(apply_as("ann", id), "");
    ledger_count_requests(world.ledger, 5000);
    pass(11 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
}

static void what_was_not_changed_for_90_days_is_told(void **state)
{
    const int64_t days_ms = 90 * 24 * (int64_t)HOUR_MS;
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    world.wall_ms += days_ms - (int64_t)SECOND_MS;
    assert_false(has_alert("ConfigurationOld"));
    world.wall_ms += (int64_t)SECOND_MS;
    assert_true(has_alert("ConfigurationOld"));
    applied(WEIGHT_2, id);
    assert_false(has_alert("ConfigurationOld"));
}

/* ---- a disk that is full ---- */

static void nothing_is_exposed_that_cannot_be_armed(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    world.on_prepare = disk_fills;
    assert_string_equal(apply_as("ann", id), "audit-unavailable");
    assert_int_equal(world.published, 0);
    assert_int_equal(world.ledger->running.rev, 1);
    world.on_prepare = NULL;
    memory_fails = false;
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(apply_as("ann", id), "");
    assert_int_equal(change_now(id)->rev, 3);
}

static void what_cannot_be_recorded_goes_back(void **state)
{
    char before[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    (void)snprintf(before, sizeof(before), "%s", runs());
    world.on_publish = disk_fills;
    assert_string_equal(apply_as("ann", id), "audit-unavailable");
    assert_string_equal(runs(), before);
    assert_true(has_alert("RollbackUndurable"));
    world.on_publish = NULL;
    pass(SECOND_MS);
    assert_true(has_alert("RollbackUndurable"));
    memory_fails = false;
    pass(SECOND_MS);
    assert_false(has_alert("RollbackUndurable"));
    assert_string_equal(state_of(id), "rolled_back");
    assert_true(is_true_to_the_store());
    assert_int_equal(world.published, 2);
}

static void a_rollback_happens_whatever_the_disk_does(void **state)
{
    char first[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    applied(WEIGHT, id);
    memory_fails = true;
    assert_string_equal(rollback_as("ann", "previous"), "");
    assert_true(json_is_true(json_object_get(world.answer, "undurable")));
    assert_string_equal(runs(), first);
    assert_true(has_alert("RollbackUndurable"));
}

static void a_cancel_happens_whatever_the_disk_does(void **state)
{
    char first[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    approved(WEIGHT, id);
    assert_string_equal(apply_as("ann", id), "");
    memory_fails = true;
    assert_string_equal(cancel_as("bob", id), "");
    assert_string_equal(runs(), first);
    pass(SECOND_MS);
    memory_fails = false;
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(change_now(id)->ended_why, "cancelled by bob");
    assert_true(is_true_to_the_store());
}

static void until_then_nothing_else_is_done(void **state)
{
    char first[DIGEST_TEXT];
    char other[CHANGE_ID_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    applied(WEIGHT, id);
    approved(WEIGHT_2, other);
    memory_fails = true;
    assert_string_equal(rollback_as("ann", "previous"), "");
    assert_true(json_is_true(json_object_get(world.answer, "undurable")));
    assert_string_equal(runs(), first);
    memory_fails = false;
    assert_string_equal(apply_as("ann", other), "audit-unavailable");
    pass(SECOND_MS);
    assert_true(is_true_to_the_store());
    assert_int_equal(world.ledger->boot.rev, 3);
    assert_int_equal(records_of("revision.rolled-back"), 1);
    assert_string_equal(state_of(other), "stale");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_step_is_in_the_audit),
        TEST(a_deadline_is_not_of_the_wall_clock),
        TEST(min_bake_counts_from_when_all_workers_have_it),
        TEST(extend_goes_to_an_hour_from_apply),
        TEST(who_changes_the_way_in_confirms_over_it),
        TEST(what_was_not_changed_for_90_days_is_told),
        TEST(nothing_is_exposed_that_cannot_be_armed),
        TEST(what_cannot_be_recorded_goes_back),
        TEST(a_rollback_happens_whatever_the_disk_does),
        TEST(a_cancel_happens_whatever_the_disk_does),
        TEST(until_then_nothing_else_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
