/*
 * detectors_test - what the detectors find stands in the way of submission, and who may pass.
 *
 * Threads  the first
 */
#include "tests/support/ledger_fixture.h"

#define ALL_TO_ONE                                                                                 \
    "{\"pools\":{\"blog\":{\"servers\":{\"b1\":{\"weight\":256},\"b2\":{\"weight\":0}}}}}"
#define MANY_RETRIES "{\"pools\":{\"blog\":{\"retry\":{\"attempts\":5}}}}"
#define TWIN         "{\"routes\":{\"twin\":{\"path_prefix\":\"/blog\",\"pool\":\"shop\"}}}"

/* The severity of the rule's finding in a list of them, or "". */
static const char *severity_in(const json_t *findings, const char *rule)
{
    const json_t *row;
    size_t i;

    json_array_foreach(findings, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "rule")), rule) == 0)
            return json_string_value(json_object_get(row, "severity"));
    }
    return "";
}

static const char *refused_for(const char *rule)
{
    return severity_in(json_object_get(world.refusal.fields, "errors"), rule);
}

static void name_rules(const char *person, const char *id, const char *list)
{
    char body[128];

    (void)snprintf(body, sizeof(body), "{\"override\":%s}", list);
    assert_string_equal(edit_as(person, id, change_now(id)->etag, body), "");
}

static void a_draft_may_be_wrong_and_is_not_submitted(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    propose("ann", ALL_TO_ONE, false, id);
    assert_string_equal(severity_in(change_now(id)->findings, "D001"), "block");
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(refused_for("D001"), "block");
    assert_string_equal(state_of(id), "draft");

    name_rules("ann", id, "[\"D001\",\"X003\"]");
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(refused_for("D001"), "block");
    assert_string_equal(refused_for("X003"), "");
    world_end();
}

static void nothing_is_made_of_what_would_not_be_submitted(void **state)
{
    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    assert_string_equal(
        create_as(who("ann"), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" ALL_TO_ONE "}", true),
        "");
    assert_string_equal(problem(), "findings-block");
    world_end();
}

static void an_error_passes_when_it_is_named_and_needs_two(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    propose("ann", MANY_RETRIES, false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(refused_for("M004"), "error");
    name_rules("ann", id, "[\"M004\"]");
    assert_string_equal(call(ledger_submit, "ann", id), "");
    assert_int_equal(change_now(id)->class, 3);
    assert_int_equal(change_now(id)->required, 2);
    world_end();
}

static void a_warning_stands_in_nobodys_way(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    propose("ann", "{\"pools\":{\"blog\":{\"health_check\":{\"fall\":1}}}}", true, id);
    assert_string_equal(severity_in(change_now(id)->findings, "H004"), "warning");
    assert_string_equal(severity_in(change_now(id)->findings, "C001"), "info");
    assert_string_equal(state_of(id), "pending");
    assert_int_equal(change_now(id)->class, 2);
    world_end();
}

static struct actor at_the_socket(const char *person)
{
    struct actor actor = who(person);

    actor.is_on_socket = true;
    return actor;
}

static const char *submit_at_the_socket(const char *person, const char *id)
{
    struct actor actor = at_the_socket(person);

    fresh_answer();
    (void)ledger_submit(world.ledger, &actor, id, &world.answer, &world.refusal);
    return problem();
}

static void break_glass(const char *person)
{
    struct actor actor = at_the_socket(person);

    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &actor, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
}

static void in_an_emergency_an_effect_may_be_wanted(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    break_glass("eve");
    propose("eve", ALL_TO_ONE, false, id);
    assert_string_equal(submit_at_the_socket("eve", id), "findings-block");
    name_rules("eve", id, "[\"D001\",\"X003\"]");
    assert_string_equal(submit_at_the_socket("eve", id), "");
    assert_string_equal(state_of(id), "pending");
    world_end();
}

static void no_emergency_gives_sense_to_what_has_none(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    break_glass("eve");
    propose("eve", TWIN, false, id);
    name_rules("eve", id, "[\"R003\"]");
    assert_string_equal(submit_at_the_socket("eve", id), "findings-block");
    assert_string_equal(refused_for("R003"), "block");
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_may_be_wrong_and_is_not_submitted),
        cmocka_unit_test(nothing_is_made_of_what_would_not_be_submitted),
        cmocka_unit_test(an_error_passes_when_it_is_named_and_needs_two),
        cmocka_unit_test(a_warning_stands_in_nobodys_way),
        cmocka_unit_test(in_an_emergency_an_effect_may_be_wanted),
        cmocka_unit_test(no_emergency_gives_sense_to_what_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
