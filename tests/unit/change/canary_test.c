/*
 * canary_test - a change that a growing share of the connections has: each step, what holds it up,
 * and every way back, with a runner that only notes and clocks that are moved.
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

#include <stdlib.h>

#include "change/gate.h"

#define STEPS "[{\"percent\":1,\"for\":\"30s\"},{\"percent\":10,\"for\":\"1m\"}]"

static char before[DIGEST_TEXT]; /* what ran */

static int begin(void **state)
{
    (void)begin_enforced(state);
    (void)snprintf(before, sizeof(before), "%s", world.running->digest);
    return 0;
}

static void approved_in_steps(const char *patch, const char *rest, char id_out[CHANGE_ID_TEXT])
{
    char body[1024];

    (void)snprintf(body, sizeof(body),
                   "{\"title\":\"t\",\"reason\":\"r\",\"patch\":%s,\"rollout\":" STEPS "%s}", patch,
                   rest);
    (void)snprintf(id_out, CHANGE_ID_TEXT, "%s", create_as(who("ann"), body, true));
    if (id_out[0] == '\0')
        fail_msg("refused: %s: %s", problem(), world.refusal.detail);
    assert_string_equal(approve("bob", id_out), "");
}

/* Under way with its first share. */
static void tried(char id_out[CHANGE_ID_TEXT])
{
    approved_in_steps(WEIGHT, "", id_out);
    if (apply_as("ann", id_out)[0] != '\0')
        fail_msg("refused: %s: %s", problem(), world.refusal.detail);
}

static void read_as(enum gate_word errors)
{
    struct gate_readings readings;

    memset(&readings, 0, sizeof(readings));
    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        readings.inputs[i].word = GATE_PASS;
        (void)snprintf(readings.inputs[i].why, GATE_WHY_TEXT, "well");
    }
    readings.inputs[GATE_ERRORS].word = errors;
    (void)snprintf(readings.inputs[GATE_ERRORS].why, GATE_WHY_TEXT, "3 of 7 failed");
    ledger_gate_tick(world.ledger, &readings);
}

/* Time goes by, with readings each ten seconds. */
static void run_for(int64_t ms, enum gate_word errors)
{
    for (; ms > 0; ms -= SECOND_MS) {
        pass(SECOND_MS);
        if (world.boot_ms / SECOND_MS % 10 == 0)
            read_as(errors);
    }
}

static json_t *rollout_now(void)
{
    static json_t *status;

    json_decref(status);
    status = ledger_status(world.ledger);
    return json_object_get(json_object_get(status, "pending_confirm"), "rollout");
}

static uint64_t stored_running(void)
{
    struct revision_pointer stored;

    pointer_load(world.ledger, "running", &stored);
    assert_int_equal(stored.rev, world.ledger->running.rev);
    return stored.rev;
}

static void assert_all_have_it(void)
{
    assert_null(world.tried);
    assert_string_not_equal(world.running->digest, before);
    assert_int_equal(stored_running(), 2);
}

/* Nothing of it is left: what ran before is all there is. */
static void assert_back(const char *id)
{
    assert_string_equal(state_of(id), "rolled_back");
    assert_null(world.tried);
    assert_string_equal(world.running->digest, before);
    assert_int_equal(world.published, 0);
    assert_int_equal(stored_running(), 1);
    assert_int_equal(world.ledger->boot.rev, 1);
    assert_false(world.ledger->pending.is_set);
}

/* ---- forward ---- */

static void the_first_share_begins_with_the_apply(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    assert_string_equal(said("state"), "confirming");
    assert_int_equal(world.percent, 1);
    assert_int_equal(world.published, 0);
    assert_string_equal(world.running->digest, before);
    assert_int_equal(stored_running(), 1);
    assert_int_equal(json_integer_value(json_object_get(rollout_now(), "percent")), 1);
    assert_int_equal(json_integer_value(json_object_get(rollout_now(), "steps")), 2);
    assert_false(json_is_true(json_object_get(rollout_now(), "waits")));
    assert_int_equal(records_of("apply.armed"), 1);
}

static void each_step_waits_for_its_time_and_for_traffic_that_is_well(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(29 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 1);
    run_for(2 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    assert_int_equal(records_of("canary.step"), 1);
    run_for(58 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    run_for(5 * SECOND_MS, GATE_PASS);
    assert_all_have_it();
    assert_int_equal(world.published, 1);
    assert_string_equal(state_of(id), "confirming");
    assert_int_equal(records_of("canary.whole"), 1);
    assert_true(json_is_null(rollout_now()));
}

static void the_time_to_confirm_counts_from_when_all_have_it(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    assert_string_equal(call(ledger_confirm, "ann", id), "too-early");
    assert_non_null(strstr(world.refusal.detail, "1 % of the connections"));
    assert_in_range(ledger_confirm_wait_ms(world.ledger, id), 119 * SECOND_MS, 121 * SECOND_MS);
    run_for(92 * SECOND_MS, GATE_PASS);
    assert_all_have_it();
    assert_string_equal(call(ledger_confirm, "ann", id), "too-early");
    run_for(31 * SECOND_MS, GATE_PASS);
    assert_string_equal(call(ledger_confirm, "ann", id), "");
    assert_string_equal(state_of(id), "applied");
    assert_int_equal(world.ledger->boot.rev, 2);
}

static void a_deadline_is_counted_from_there_too(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(92 * SECOND_MS, GATE_PASS);
    assert_all_have_it();
    run_for(590 * SECOND_MS, GATE_PASS);
    assert_string_equal(state_of(id), "confirming");
    run_for(12 * SECOND_MS, GATE_PASS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(world.running->digest, before);
}

static void what_is_tried_is_the_target_with_the_listeners_that_run(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved_in_steps(
        "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8090\"}},\"pools\":{\"shop\":{"
        "\"servers\":{\"s1\":{\"weight\":90}}}}}",
        ",\"override\":[\"D011\",\"X004\"]", id);
    if (strcmp(state_of(id), "pending") == 0)
        assert_string_equal(approve("cat", id), "");
    assert_string_equal(apply_as("ann", id), "");
    assert_string_equal(world.tried->listeners[0].address.text, "127.0.0.1:8080");
    run_for(92 * SECOND_MS, GATE_PASS);
    assert_null(world.tried);
    assert_string_equal(world.running->listeners[0].address.text, "127.0.0.1:8090");
}

static void orders_that_come_with_it_wait_for_all_connections(void **state)
{
    char id[CHANGE_ID_TEXT];
    size_t count = 0;

    (void)state;
    approved_in_steps(
        WEIGHT, ",\"overrides\":[{\"pool\":\"shop\",\"server\":\"s2\",\"state\":\"drain\"}]", id);
    if (strcmp(state_of(id), "pending") == 0)
        assert_string_equal(approve("cat", id), "");
    assert_string_equal(apply_as("ann", id), "");
    assert_int_equal(world.ledger->override_count, count);
    run_for(92 * SECOND_MS, GATE_PASS);
    assert_all_have_it();
    assert_int_equal(world.ledger->override_count, count + 1);
}

/* ---- what is not known ---- */

static void without_traffic_it_stays_at_its_step(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(10 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_int_equal(world.percent, 1);
    assert_true(json_is_true(json_object_get(rollout_now(), "waits")));
    assert_int_equal(records_of("canary.waits"), 1);
    run_for(11 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    assert_false(json_is_true(json_object_get(rollout_now(), "waits")));
}

static void without_traffic_for_an_hour_it_goes_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(49 * MINUTE_MS, GATE_INCONCLUSIVE);
    assert_string_equal(state_of(id), "confirming");
    run_for(70 * SECOND_MS, GATE_INCONCLUSIVE);
    assert_back(id);
    assert_non_null(strstr(change_now(id)->ended_why, "3 of 7 failed"));
}

static void without_any_reading_it_does_not_go_on(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    for (int i = 0; i < 120; i++)
        pass(SECOND_MS);
    assert_int_equal(world.percent, 1);
}

static void a_reading_of_the_step_before_is_none_of_this_one(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(31 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    for (int i = 0; i < 70; i++)
        pass(SECOND_MS);
    assert_int_equal(world.percent, 10);
    read_as(GATE_PASS);
    pass(SECOND_MS);
    assert_all_have_it();
}

static void somebody_is_told_that_it_waits(void **state)
{
    json_t *alerts;
    json_t *alert;
    bool found = false;
    char id[CHANGE_ID_TEXT];
    size_t i;

    (void)state;
    tried(id);
    run_for(41 * SECOND_MS, GATE_INCONCLUSIVE);
    alerts = ledger_alerts(world.ledger);
    json_array_foreach(alerts, i, alert)
    {
        found =
            found || strcmp(json_string_value(json_object_get(alert, "name")), "CanaryWaits") == 0;
    }
    json_decref(alerts);
    assert_true(found);
}

static void what_fails_is_told_by_its_own_revision(void **state)
{
    json_t *alerts;
    char *text;
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    read_as(GATE_FAIL);
    alerts = ledger_alerts(world.ledger);
    text = json_dumps(alerts, JSON_COMPACT);
    assert_non_null(strstr(text, "the health gate fails for revision 2"));
    free(text);
    json_decref(alerts);
}

/* ---- back ---- */

static void three_failures_in_a_row_take_it_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    read_as(GATE_FAIL);
    read_as(GATE_FAIL);
    assert_string_equal(state_of(id), "confirming");
    read_as(GATE_FAIL);
    assert_back(id);
    assert_int_equal(world.taken_back, 1);
    assert_non_null(strstr(change_now(id)->ended_why, "3 of 7 failed"));
}

static void what_fails_does_not_go_on(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(25 * SECOND_MS, GATE_PASS);
    read_as(GATE_FAIL);
    for (int i = 0; i < 8; i++)
        pass(SECOND_MS);
    assert_int_equal(world.percent, 1);
    read_as(GATE_PASS);
    pass(SECOND_MS);
    assert_int_equal(world.percent, 10);
}

static void the_second_step_is_taken_back_too(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(31 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    run_for(31 * SECOND_MS, GATE_FAIL);
    assert_back(id);
}

static void an_operator_cancels_at_any_step(void **state)
{
    struct actor bob = who("bob");
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(31 * SECOND_MS, GATE_PASS);
    ledger_cancel(world.ledger, &bob, id, "no", done, NULL);
    assert_string_equal(problem(), "");
    assert_back(id);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(world.answer, "running"), "rev")), 1);
}

static void a_rollback_ends_it(void **state)
{
    struct actor bob = who("bob");
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    ledger_rollback(world.ledger, &bob, "previous", "no", done, NULL);
    assert_string_equal(problem(), "");
    assert_string_equal(state_of(id), "rolled_back");
    assert_null(world.tried);
    assert_string_equal(world.running->digest, before);
    assert_int_equal(stored_running(), 3);
    assert_false(world.ledger->pending.is_set);
}

static void a_restart_takes_it_back_at_any_step(void **state)
{
    const int64_t moments[] = {0, 31 * SECOND_MS};
    struct ledger_boot boot;
    struct error why = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char id[CHANGE_ID_TEXT];

        if (i > 0) {
            assert_int_equal(end_enforced(state), 0);
            assert_int_equal(begin(state), 0);
        }
        tried(id);
        run_for(moments[i], GATE_PASS);
        world_restart();
        assert_true(ledger_choose_boot(world.ledger, &boot, &why));
        assert_int_equal(boot.rev, 1);
        assert_back(id);
        assert_string_equal(change_now(id)->ended_why, "restart");
    }
}

static void killed_while_all_get_it_what_ran_before_is_started(void **state)
{
    struct ledger_boot boot;
    struct error why = {0};
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    world.publish_holds = true;
    run_for(92 * SECOND_MS, GATE_PASS);
    assert_int_equal(stored_running(), 2); /* and the workers are getting it */
    world_restart();
    assert_true(ledger_choose_boot(world.ledger, &boot, &why));
    assert_int_equal(boot.rev, 1);
    assert_string_equal(state_of(id), "rolled_back");
    assert_int_equal(stored_running(), 1);
}

static void what_cannot_run_for_all_is_taken_back(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(85 * SECOND_MS, GATE_PASS);
    world.prepare_fails = true;
    run_for(10 * SECOND_MS, GATE_PASS);
    assert_back(id);
    assert_non_null(strstr(change_now(id)->ended_why, "the address is taken"));
}

static void what_does_not_build_is_not_exposed(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved_in_steps(WEIGHT, "", id);
    world.prepare_fails = true;
    assert_string_equal(apply_as("ann", id), "state-conflict");
    assert_string_equal(state_of(id), "approved");
    assert_int_equal(world.percent, 0);
}

/* ---- a disk that fails ---- */

static void a_step_that_cannot_be_recorded_is_not_taken(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(29 * SECOND_MS, GATE_PASS);
    memory_fails = true;
    run_for(4 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 1);
    memory_fails = false;
    run_for(8 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
}

static void going_back_needs_no_disk(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    memory_fails = true;
    for (int i = 0; i < 3; i++)
        read_as(GATE_FAIL);
    assert_null(world.tried);
    assert_int_equal(world.percent, 0);
    memory_fails = false;
    run_for(2 * SECOND_MS, GATE_PASS);
    assert_back(id);
}

static void all_get_it_only_when_that_is_recorded(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    run_for(85 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    memory_fails = true;
    run_for(10 * SECOND_MS, GATE_PASS);
    assert_int_equal(world.percent, 10);
    assert_int_equal(world.published, 0);
    memory_fails = false;
    run_for(12 * SECOND_MS, GATE_PASS);
    assert_all_have_it();
}

/* ---- what else is asked meanwhile ---- */

static void nothing_else_is_applied_or_extended_meanwhile(void **state)
{
    struct actor ann = who("ann");
    char id[CHANGE_ID_TEXT];
    char other[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    fresh_answer();
    assert_false(
        ledger_extend(world.ledger, &ann, id, 30 * MINUTE_MS, &world.answer, &world.refusal));
    assert_string_equal(problem(), "too-early");
    propose("cat", WEIGHT, true, other);
    assert_string_equal(approve("bob", other), "");
    assert_string_equal(apply_as("ann", other), "confirm-pending");
    assert_string_equal(apply_as("ann", id), ""); /* asked again: the same apply */
    assert_int_equal(world.percent, 1);
}

static void the_gate_is_asked_about_the_share(void **state)
{
    struct gate_subject subject;
    char id[CHANGE_ID_TEXT];

    (void)state;
    tried(id);
    assert_true(ledger_gate_subject(world.ledger, &subject));
    assert_int_equal(subject.percent, 1);
    assert_int_equal(subject.rev, 2);
    assert_non_null(json_object_get(subject.changed, "shop"));
    assert_null(json_object_get(subject.changed, "blog"));
    run_for(31 * SECOND_MS, GATE_PASS);
    assert_true(ledger_gate_subject(world.ledger, &subject));
    assert_int_equal(subject.percent, 10);
    run_for(61 * SECOND_MS, GATE_PASS);
    assert_true(ledger_gate_subject(world.ledger, &subject));
    assert_int_equal(subject.percent, 0);
    assert_non_null(json_object_get(subject.changed, "shop"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_share_begins_with_the_apply),
        TEST(each_step_waits_for_its_time_and_for_traffic_that_is_well),
        TEST(the_time_to_confirm_counts_from_when_all_have_it),
        TEST(a_deadline_is_counted_from_there_too),
        TEST(what_is_tried_is_the_target_with_the_listeners_that_run),
        TEST(orders_that_come_with_it_wait_for_all_connections),
        TEST(without_traffic_it_stays_at_its_step),
        TEST(without_traffic_for_an_hour_it_goes_back),
        TEST(without_any_reading_it_does_not_go_on),
        TEST(a_reading_of_the_step_before_is_none_of_this_one),
        TEST(somebody_is_told_that_it_waits),
        TEST(what_fails_is_told_by_its_own_revision),
        TEST(three_failures_in_a_row_take_it_back),
        TEST(what_fails_does_not_go_on),
        TEST(the_second_step_is_taken_back_too),
        TEST(an_operator_cancels_at_any_step),
        TEST(a_rollback_ends_it),
        TEST(a_restart_takes_it_back_at_any_step),
        TEST(killed_while_all_get_it_what_ran_before_is_started),
        TEST(what_cannot_run_for_all_is_taken_back),
        TEST(what_does_not_build_is_not_exposed),
        TEST(a_step_that_cannot_be_recorded_is_not_taken),
        TEST(going_back_needs_no_disk),
        TEST(all_get_it_only_when_that_is_recorded),
        TEST(nothing_else_is_applied_or_extended_meanwhile),
        TEST(the_gate_is_asked_about_the_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
