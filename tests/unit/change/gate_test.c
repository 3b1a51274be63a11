/*
 * gate_test - what the health gate's readings do: to what waits, to who confirms it, to mode auto,
 * to what is on its way to being known as good.
 *
 * Readings are made up here; how they are taken is tested with watch/, how arms are compared in
 * gate_tests_test.
 *
 * Threads  the first
 */
#include "change/activity.h"
#include "change/gate.h"
#include "tests/support/ledger_fixture.h"

#define WEIGHT    "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"
#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)

/* ---- calls ---- */

static void done(void *context, json_t *answer, const struct refusal *refusal)
{
    (void)context;
    fresh_answer();
    world.answer = answer;
    if (refusal != NULL) {
        world.refusal = *refusal;
        world.refusal.fields = NULL; /* borrowed */
    }
}

static void approved_with(const char *more, const char *patch, char id_out[CHANGE_ID_TEXT])
{
    char body[512];

    (void)snprintf(body, sizeof(body), "{\"title\":\"t\",\"reason\":\"r\",%s\"patch\":%s}", more,
                   patch);
    (void)snprintf(id_out, CHANGE_ID_TEXT, "%s", create_as(who("ann"), body, true));
    assert_string_equal(problem(), "");
    assert_string_equal(approve("bob", id_out), "");
}

static const char *apply_as(const char *person, const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_apply(world.ledger, &actor, id, NULL, done, NULL);
    return problem();
}

static const char *rollback_as(const char *person, const char *to)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_rollback(world.ledger, &actor, to, "a test", done, NULL);
    return problem();
}

static void pass(int64_t ms)
{
    pass_ms(ms);
    ledger_tick(world.ledger);
}

static void confirming(const char *more, char id_out[CHANGE_ID_TEXT])
{
    approved_with(more, WEIGHT, id_out);
    assert_string_equal(apply_as("ann", id_out), "");
    assert_string_equal(state_of(id_out), "confirming");
}

/* By a policy that allows it. */
static void confirming_by_itself(char id_out[CHANGE_ID_TEXT])
{
    run_configuration(CONFIGURATION(ENFORCED ",\"confirm\":{\"mode\":\"auto\"}"));
    confirming("\"confirm\":{\"mode\":\"auto\"},", id_out);
}

/* ---- readings ---- */

static struct gate_readings all(enum gate_word word)
{
    struct gate_readings readings;

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        readings.inputs[i].word = word;
        (void)snprintf(readings.inputs[i].why, GATE_WHY_TEXT, "%s of a test", gate_word_word(word));
    }
    return readings;
}

/* All pass but one. */
static struct gate_readings but(enum gate_input input, enum gate_word word)
{
    struct gate_readings readings = all(GATE_PASS);

    readings.inputs[input] = all(word).inputs[input];
    return readings;
}

/* Ten seconds, and then these. */
static void reading(struct gate_readings readings)
{
    pass(GATE_TICK_MS);
    ledger_gate_tick(world.ledger, &readings);
}

static void readings_for(int64_t ms, enum gate_word word)
{
    for (int64_t passed = 0; passed < ms; passed += GATE_TICK_MS)
        reading(all(word));
}

static void fail_three_times(enum gate_input input)
{
    for (unsigned i = 0; i < GATE_FAILS; i++)
        reading(but(input, GATE_FAIL));
}

/* ---- what is told ---- */

static unsigned records_of(const char *event, const char *with)
{
    char needle[64];
    unsigned count = 0;

    (void)snprintf(needle, sizeof(needle), "\"event\":\"%s\"", event);
    for (size_t i = 0; i < memory.count; i++)
        count += strncmp(memory.entries[i].key, "audit/", 6) == 0 &&
                 strstr(memory.entries[i].bytes, needle) != NULL &&
                 strstr(memory.entries[i].bytes, with) != NULL;
    return count;
}

static json_t *alert_of(const char *name)
{
    json_t *alerts = ledger_alerts(world.ledger);
    json_t *found = NULL;
    json_t *alert;
    size_t i;

    json_array_foreach(alerts, i, alert)
    {
        if (strcmp(json_string_value(json_object_get(alert, "name")), name) == 0)
            found = json_incref(alert);
    }
    json_decref(alerts);
    return found;
}

static bool has_alert(const char *name)
{
    json_t *alert = alert_of(name);
    bool has = alert != NULL;

    json_decref(alert);
    return has;
}

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
        assert_int_equal(records_of("change.rolled-back", word), 1);
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
    eve = who("eve");
    eve.is_on_socket = true;
    eve.uid = 1000;
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
    assert_int_equal(records_of("change.rolled-back", "errors"), 1);
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
    assert_int_equal(records_of("change.applied", "deadline"), 1);
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
    assert_int_equal(records_of("gate.holds", "inconclusive"), 1);
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
    assert_int_equal(records_of("gate.changed", ""), 0);
    reading(all(GATE_PASS));
    reading(all(GATE_PASS));
    assert_int_equal(records_of("gate.changed", "\"gate\":\"pass\""), 1);
    reading(but(GATE_REFUSALS, GATE_FAIL));
    assert_int_equal(records_of("gate.changed", "\"name\":\"refusals\""), 1);
    assert_int_equal(records_of("gate.changed", ""), 2);
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

/* ---- which pools ---- */

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

/* ---- known to be good ---- */

static void applied(char id_out[CHANGE_ID_TEXT])
{
    confirming("", id_out);
    pass(31 * SECOND_MS);
    assert_string_equal(call(ledger_confirm, "ann", id_out), "");
}

static void a_reading_that_fails_begins_the_soak_anew(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(id);
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
    applied(id);
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
    applied(id);
    before = records_of("gate.changed", "");
    for (unsigned i = 0; i < 6 * 60; i++) /* an hour */
        reading(but(GATE_ERRORS, i % 2 == 0 ? GATE_FAIL : GATE_PASS));
    assert_true(records_of("gate.changed", "") - before <= 3);
    assert_true(records_of("gate.changed", "") > before);
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
        TEST(a_pool_is_changed_by_its_section_its_routes_and_orders),
        TEST(what_nobody_notices_changes_no_pool),
        TEST(what_is_common_to_all_changes_all),
        TEST(a_pool_that_takes_over_is_held_against_the_one_before),
        TEST(a_reading_that_fails_begins_the_soak_anew),
        TEST(what_is_applied_and_fails_is_told_and_stays),
        TEST(a_long_soak_that_flaps_writes_little),
        TEST(the_three_before_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
