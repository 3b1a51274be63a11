/*
 * gate_test - what the health gate's readings do: to what waits, to who confirms it, to mode auto.
 *
 * Readings are made up here; how they are taken is tested with watch/, how arms are compared in
 * gate_tests_test, what is known to be good in lkg_test.
 *
 * Threads  the first
 */
#include "change/activity.h"
#include "tests/unit/change/gate_readings.h"

static json_t *gate_of_status(void)
{
    json_t *status = ledger_status(world.ledger);
    json_t *gate = json_incref(json_object_get(json_object_get(status, "pending_confirm"), "gate"));

    json_decref(status);
    return gate;
}

static const char *word_of_status(void)
{
    static char word[32];
    json_t *gate = gate_of_status();
    const char *text = json_string_value(json_object_get(gate, "state"));

    (void)snprintf(word, sizeof(word), "%s", text != NULL ? text : "-");
    json_decref(gate);
    return word;
}

/* ---- three in a row ---- */

static void any_input_takes_it_back_after_three_failures(void **state)
{
    (void)state;
    for (unsigned input = 0; input < GATE_INPUTS; input++) {
        const char *word = gate_input_word((enum gate_input)input);
        char id[CHANGE_ID_TEXT];

        world_end();
        world_begin(CONFIGURATION(ENFORCED));
        confirming("", id);
        reading(but((enum gate_input)input, GATE_FAIL));
        reading(but((enum gate_input)input, GATE_FAIL));
        assert_string_equal(state_of(id), "confirming");
        reading(but((enum gate_input)input, GATE_FAIL));
        assert_string_equal(state_of(id), "rolled_back");
        assert_non_null(strstr(change_now(id)->ended_why, word));
        assert_non_null(strstr(change_now(id)->ended_why, "fail of a test"));
        assert_string_equal(change_now(id)->last_error, change_now(id)->ended_why);
        assert_int_equal(world.ledger->running.rev, 1);
        assert_int_equal(records_with("change.rolled-back", word), 1);
        assert_int_equal(ledger_numbers(world.ledger).rollbacks[ROLLBACK_GATE], 1);
    }
}

static void failures_that_are_not_in_a_row_take_nothing_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    for (unsigned i = 0; i < 8; i++) {
        reading(but(GATE_ERRORS, GATE_FAIL));
        reading(but(GATE_ERRORS, GATE_FAIL));
        reading(but(GATE_ERRORS, GATE_PASS));
    }
    assert_string_equal(state_of(id), "confirming");
}

/* What fails, pauses, and fails again has not become good in between. */
static void what_is_inconclusive_in_between_forgives_no_failure(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    for (unsigned i = 0; i < 2; i++) {
        reading(but(GATE_ERRORS, GATE_FAIL));
        reading(but(GATE_ERRORS, GATE_INCONCLUSIVE));
        assert_string_equal(state_of(id), "confirming");
    }
    reading(but(GATE_ERRORS, GATE_FAIL));
    assert_string_equal(state_of(id), "rolled_back");
}

static void failures_of_different_inputs_are_not_in_a_row(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    for (unsigned i = 0; i < 12; i++)
        reading(but((enum gate_input)(i % GATE_INPUTS), GATE_FAIL));
    assert_string_equal(state_of(id), "confirming");
    assert_string_equal(word_of_status(), "fail");
}

static void the_bake_does_not_hold_up_the_way_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("\"confirm\":{\"min_bake\":\"9m\"},", id);
    fail_three_times(GATE_ERRORS);
    assert_string_equal(state_of(id), "rolled_back");
}

static void an_extended_deadline_does_not_hold_up_the_way_back(void **state)
{
    struct actor bob;
    char id[CHANGE_ID_TEXT];

    (void)state;
    bob = who("bob");
    confirming("", id);
    readings_for(5 * MINUTE_MS, GATE_PASS);
    fresh_answer();
    assert_true(
        ledger_extend(world.ledger, &bob, id, 50 * MINUTE_MS, &world.answer, &world.refusal));
    readings_for(20 * MINUTE_MS, GATE_PASS);
    assert_string_equal(state_of(id), "confirming");
    fail_three_times(GATE_LATENCY);
    assert_string_equal(state_of(id), "rolled_back");
}

static void a_forced_change_is_looked_at_like_any_other(void **state)
{
    struct actor eve;
    char id[CHANGE_ID_TEXT];

    (void)state;
    eve = on_socket("eve");
    propose("ann", WEIGHT, true, id);
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
    fresh_answer();
    ledger_apply(world.ledger, &eve, id, NULL, done, NULL);
    assert_string_equal(problem(), "");
    assert_true(change_now(id)->is_forced);
    pass(31 * SECOND_MS);
    reading(but(GATE_ERRORS, GATE_FAIL));
    fresh_answer();
    assert_false(ledger_confirm(world.ledger, &eve, id, &world.answer, &world.refusal));
    assert_string_equal(problem(), "gate-failing");
    reading(but(GATE_ERRORS, GATE_FAIL));
    reading(but(GATE_ERRORS, GATE_FAIL));
    assert_string_equal(state_of(id), "rolled_back");
}

static void a_full_disk_does_not_hold_up_the_way_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    memory_fails = true;
    fail_three_times(GATE_ERRORS);
    memory_fails = false;
    assert_string_equal(world.running->digest, world.ledger->running.digest);
    assert_int_equal(world.ledger->running.rev, 1);
    assert_true(has_alert("RollbackUndurable"));
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_int_equal(records_with("change.rolled-back", "errors"), 1);
}

static void what_cannot_be_built_again_is_tried_again(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    world.prepare_fails = true;
    fail_three_times(GATE_ERRORS);
    assert_string_equal(state_of(id), "confirming");
    assert_null(change_now(id)->last_error);
    world.prepare_fails = false;
    reading(but(GATE_ERRORS, GATE_FAIL));
    assert_string_equal(state_of(id), "rolled_back");
}

static void a_rollback_is_not_looked_at(void **state)
{
    char id[CHANGE_ID_TEXT];
    uint64_t rev;

    (void)state;
    confirming("", id);
    assert_string_equal(rollback_as("ann", "previous"), "");
    rev = world.ledger->running.rev;
    fail_three_times(GATE_ERRORS);
    fail_three_times(GATE_HEALTH);
    assert_int_equal(world.ledger->running.rev, rev);
}

static void a_restart_forgets_the_readings_and_takes_back_anyhow(void **state)
{
    struct ledger_boot boot;
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    reading(but(GATE_ERRORS, GATE_FAIL));
    reading(but(GATE_ERRORS, GATE_FAIL));
    world_restart();
    assert_true(ledger_choose_boot(world.ledger, &boot, NULL));
    assert_int_equal(boot.rev, 1);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(change_now(id)->ended_why, "restart");
    assert_int_equal(ledger_numbers(world.ledger).rollbacks[ROLLBACK_RESTART], 1);
}

/* ---- who confirms ---- */

static void nobody_confirms_what_fails(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *inputs;

    (void)state;
    confirming("", id);
    pass(31 * SECOND_MS);
    reading(but(GATE_HEALTH, GATE_FAIL));
    assert_string_equal(call(ledger_confirm, "ann", id), "gate-failing");
    inputs = json_object_get(world.refusal.fields, "inputs");
    assert_int_equal(json_array_size(inputs), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(inputs, 0), "name")),
                        "health");
    assert_non_null(strstr(world.refusal.detail, "health: fail of a test"));
    assert_non_null(strstr(world.refusal.next, "/cancel"));
    reading(all(GATE_PASS));
    assert_string_equal(call(ledger_confirm, "ann", id), "");
}

static void a_person_may_confirm_what_is_not_known(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    pass(31 * SECOND_MS);
    reading(all(GATE_INCONCLUSIVE));
    assert_string_equal(call(ledger_confirm, "ann", id), "");
}

static void an_old_reading_says_nothing(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    pass(31 * SECOND_MS);
    reading(all(GATE_PASS));
    assert_string_equal(word_of_status(), "pass");
    pass(31 * SECOND_MS);
    assert_string_equal(word_of_status(), "inconclusive");
}

static void manual_mode_goes_back_at_its_deadline_whatever_the_gate_says(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    readings_for(10 * MINUTE_MS + 10 * SECOND_MS, GATE_PASS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(change_now(id)->ended_why, "deadline");
    assert_int_equal(ledger_numbers(world.ledger).rollbacks[ROLLBACK_DEADLINE], 1);
}

static void without_traffic_manual_mode_waits_until_its_deadline(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    readings_for(9 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_string_equal(state_of(id), "confirming");
    readings_for(2 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_string_equal(state_of(id), "rolled_back");
}

/* ---- mode auto ---- */

static void auto_confirms_at_the_deadline_what_passes(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming_by_itself(id);
    readings_for(10 * MINUTE_MS - 10 * SECOND_MS, GATE_PASS);
    assert_string_equal(state_of(id), "confirming");
    reading(all(GATE_PASS));
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "applied");
    assert_int_equal(records_with("change.applied", "deadline"), 1);
}

static void auto_confirms_nothing_without_readings(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming_by_itself(id);
    ledger_count_requests(world.ledger, 100000);
    pass(59 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    pass(2 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
}

static void auto_holds_an_hour_what_is_not_known(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *alert;

    (void)state;
    confirming_by_itself(id);
    readings_for(10 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_false(has_alert("ChangeTakenBack"));
    readings_for(MINUTE_MS, GATE_INCONCLUSIVE);
    alert = alert_of("GateInconclusive");
    assert_non_null(alert);
    assert_string_equal(json_string_value(json_object_get(alert, "change")), id);
    assert_string_equal(json_string_value(json_object_get(alert, "author")), "ann");
    json_decref(alert);
    readings_for(48 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_string_equal(state_of(id), "confirming");
    assert_int_equal(records_with("gate.holds", "inconclusive"), 1);
    readings_for(2 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_string_equal(state_of(id), "rolled_back");
    assert_non_null(strstr(change_now(id)->ended_why, "does not know"));
    assert_true(has_alert("ChangeTakenBack"));
}

static void one_input_that_is_not_known_is_enough_to_hold(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming_by_itself(id);
    for (unsigned i = 0; i < 70; i++)
        reading(but(GATE_LATENCY, GATE_INCONCLUSIVE));
    assert_string_equal(state_of(id), "confirming");
}

static void traffic_that_comes_late_still_confirms(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming_by_itself(id);
    readings_for(40 * MINUTE_MS, GATE_INCONCLUSIVE);
    reading(all(GATE_PASS));
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "applied");
}

static void a_breach_while_auto_holds_takes_it_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming_by_itself(id);
    readings_for(30 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_string_equal(state_of(id), "confirming");
    reading(but(GATE_ERRORS, GATE_FAIL));
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_non_null(strstr(change_now(id)->ended_why, "errors"));
}

static void auto_at_the_deadline_goes_back_from_what_fails(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming_by_itself(id);
    readings_for(10 * MINUTE_MS - 20 * SECOND_MS, GATE_PASS);
    reading(but(GATE_LATENCY, GATE_FAIL));
    assert_string_equal(state_of(id), "confirming");
    pass(11 * SECOND_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_non_null(strstr(change_now(id)->ended_why, "latency"));
}

/* ---- what is told ---- */

static void each_new_word_is_an_event_and_no_other(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    confirming("", id);
    reading(all(GATE_INCONCLUSIVE)); /* as before the first */
    assert_int_equal(records_with("gate.changed", ""), 0);
    reading(all(GATE_PASS));
    reading(all(GATE_PASS));
    assert_int_equal(records_with("gate.changed", "\"gate\":\"pass\""), 1);
    reading(but(GATE_REFUSALS, GATE_FAIL));
    assert_int_equal(records_with("gate.changed", "\"name\":\"refusals\""), 1);
    assert_int_equal(records_with("gate.changed", ""), 2);
}

static void status_and_change_show_the_gate_while_it_waits(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *shown;
    json_t *gate;

    (void)state;
    assert_true(json_is_null(shown = ledger_gate_shown(world.ledger)));
    confirming("", id);
    assert_string_equal(word_of_status(), "inconclusive");
    reading(but(GATE_HEALTH, GATE_FAIL));
    reading(but(GATE_HEALTH, GATE_FAIL));
    assert_string_equal(word_of_status(), "fail");
    assert_true(ledger_show(world.ledger, id, &shown, &world.refusal));
    gate = json_object_get(shown, "gate");
    assert_int_equal(json_integer_value(json_object_get(gate, "fails")), 2);
    assert_int_equal(json_array_size(json_object_get(gate, "inputs")), GATE_INPUTS);
    json_decref(shown);
    assert_true(has_alert("GateFailing"));
    reading(all(GATE_PASS));
    assert_false(has_alert("GateFailing"));
    pass(SECOND_MS);
    assert_string_equal(call(ledger_confirm, "ann", id), "");
    assert_string_equal(word_of_status(), "-");
}

static void who_was_taken_back_is_told_for_an_hour(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *alert;

    (void)state;
    confirming("", id);
    fail_three_times(GATE_ERRORS);
    alert = alert_of("ChangeTakenBack");
    assert_non_null(alert);
    assert_string_equal(json_string_value(json_object_get(alert, "severity")), "page");
    assert_string_equal(json_string_value(json_object_get(alert, "change")), id);
    assert_non_null(
        strstr(json_string_value(json_object_get(alert, "description")), "fail of a test"));
    assert_int_equal(json_array_size(json_object_get(alert, "approvers")), 1);
    json_decref(alert);
    pass(61 * MINUTE_MS);
    assert_false(has_alert("ChangeTakenBack"));
}

/* ---- who takes readings ---- */

static void the_subject_says_what_is_changed(void **state)
{
    struct gate_subject subject;
    char id[CHANGE_ID_TEXT];

    (void)state;
    assert_false(ledger_gate_subject(world.ledger, &subject));
    confirming("", id);
    assert_true(ledger_gate_subject(world.ledger, &subject));
    assert_string_equal(subject.change, id);
    assert_int_equal(subject.rev, 2);
    assert_int_equal(subject.generation, world.generation);
    assert_int_equal(subject.applied_boot_ms, world.boot_ms);
    assert_false(subject.is_soaking);
    assert_int_equal(json_object_size(subject.changed), 1);
    assert_non_null(json_object_get(subject.changed, "shop"));
    assert_non_null(json_object_get(subject.prediction, "pools"));
    pass(31 * SECOND_MS);
    assert_string_equal(call(ledger_confirm, "ann", id), "");
    assert_true(ledger_gate_subject(world.ledger, &subject));
    assert_true(subject.is_soaking);
    assert_string_equal(subject.change, id);
    assert_non_null(json_object_get(subject.changed, "shop"));
}

static void nothing_is_looked_at_before_all_workers_have_it(void **state)
{
    struct gate_subject subject;
    struct gate_readings readings = all(GATE_FAIL);
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved_with("", WEIGHT, id);
    world.publish_holds = true;
    assert_string_equal(apply_as("ann", id), "");
    for (unsigned i = 0; i < 5; i++) {
        assert_false(ledger_gate_subject(world.ledger, &subject));
        ledger_gate_tick(world.ledger, &readings);
    }
    world_release();
    assert_string_equal(state_of(id), "confirming");
    assert_true(ledger_gate_subject(world.ledger, &subject));
    assert_string_equal(word_of_status(), "inconclusive");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_input_takes_it_back_after_three_failures),
        TEST(failures_that_are_not_in_a_row_take_nothing_back),
        TEST(what_is_inconclusive_in_between_forgives_no_failure),
        TEST(failures_of_different_inputs_are_not_in_a_row),
        TEST(the_bake_does_not_hold_up_the_way_back),
        TEST(an_extended_deadline_does_not_hold_up_the_way_back),
        TEST(a_forced_change_is_looked_at_like_any_other),
        TEST(a_full_disk_does_not_hold_up_the_way_back),
        TEST(what_cannot_be_built_again_is_tried_again),
        TEST(a_rollback_is_not_looked_at),
        TEST(a_restart_forgets_the_readings_and_takes_back_anyhow),
        TEST(nobody_confirms_what_fails),
        TEST(a_person_may_confirm_what_is_not_known),
        TEST(an_old_reading_says_nothing),
        TEST(manual_mode_goes_back_at_its_deadline_whatever_the_gate_says),
        TEST(without_traffic_manual_mode_waits_until_its_deadline),
        TEST(auto_confirms_at_the_deadline_what_passes),
        TEST(auto_confirms_nothing_without_readings),
        TEST(auto_holds_an_hour_what_is_not_known),
        TEST(one_input_that_is_not_known_is_enough_to_hold),
        TEST(traffic_that_comes_late_still_confirms),
        TEST(a_breach_while_auto_holds_takes_it_back),
        TEST(auto_at_the_deadline_goes_back_from_what_fails),
        TEST(each_new_word_is_an_event_and_no_other),
        TEST(status_and_change_show_the_gate_while_it_waits),
        TEST(who_was_taken_back_is_told_for_an_hour),
        TEST(the_subject_says_what_is_changed),
        TEST(nothing_is_looked_at_before_all_workers_have_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
