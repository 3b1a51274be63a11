/*
 * breakglass_test - changes by force: who opens a session, how long it lasts, who looks at it
 * (E25).
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

#define PEOPLE "{\"people\":{\"bob\":{\"groups\":[\"netops\"]}}}"

static void open_session(struct actor actor)
{
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &actor, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
}

static const char *force(struct actor actor, const char *id)
{
    struct change *change = ledger_open_change(world.ledger, id);

    fresh_answer();
    (void)change_guard_apply(world.ledger, &actor, change, &world.refusal);
    return problem();
}

static void e25_breakglass_is_stopped_by_no_freeze(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor bob = who("bob");
    struct actor eve = on_socket("eve");

    (void)state;
    propose("eve", WEIGHT, true, id);
    fresh_answer();
    assert_true(ledger_freeze(world.ledger, &bob, "the big day", 0, &world.answer, &world.refusal));
    assert_string_equal(force(eve, id), "approvals-missing");
    open_session(eve);
    assert_string_equal(force(eve, id), "");
    assert_string_equal(force(who("eve"), id), "approvals-missing"); /* not over TCP */
    assert_string_equal(force(on_socket("bob"), id), "approvals-missing");
    pass_ms(30 * 60 * 1000);
    assert_string_equal(force(eve, id), "approvals-missing");
}

static void breakglass_makes_no_second_person(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor eve = on_socket("eve");

    (void)state;
    propose("eve", PEOPLE, true, id);
    open_session(eve);
    assert_string_equal(force(eve, id), "forbidden");
    assert_string_equal(state_of(id), "pending");
}

static void breakglass_is_opened_on_the_socket_by_its_role(void **state)
{
    struct actor actors[3];

    (void)state;
    actors[0] = who("eve");
    actors[1] = on_socket("bob");
    actors[2] = on_socket("ci");
    actors[2].roles |= ROLE_BREAKGLASS;
    for (size_t i = 0; i < 3; i++) {
        fresh_answer();
        assert_false(ledger_breakglass(world.ledger, &actors[i], "all is down", "INC-1",
                                       &world.answer, &world.refusal));
        assert_string_equal(problem(), "forbidden");
    }
}

static bool is_in_session(struct actor actor)
{
    char session[CHANGE_ID_TEXT];

    return breakglass_is_open(world.ledger, &actor, session, sizeof(session));
}

static void breakglass_goes_on_after_a_restart_for_its_half_hour(void **state)
{
    struct actor eve;

    (void)state;
    eve = on_socket("eve");
    open_session(eve);
    pass_ms(10 * MINUTE_MS);
    world_restart();
    assert_true(is_in_session(eve));
    assert_false(is_in_session(on_socket("bob")));
    pass_ms(19 * MINUTE_MS);
    ledger_tick(world.ledger);
    assert_true(is_in_session(eve));
    pass_ms(2 * MINUTE_MS);
    ledger_tick(world.ledger);
    assert_false(is_in_session(eve));
    world_restart();
    assert_false(is_in_session(eve));
}

static void breakglass_gains_no_time_by_the_clock(void **state)
{
    struct actor eve;

    (void)state;
    eve = on_socket("eve");
    open_session(eve);
    pass_ms(25 * MINUTE_MS);
    ledger_tick(world.ledger);
    world_close();
    world.wall_ms -= 26 * MINUTE_MS; /* to before it was opened */
    world_open();
    assert_false(is_in_session(eve));
}

/* A session of eve's with a change in it, whose review is overdue; its id. */
static void overdue_session(struct actor eve, char session_out[CHANGE_ID_TEXT])
{
    char id[CHANGE_ID_TEXT];
    struct step step;

    propose("eve", WEIGHT, true, id);
    open_session(eve);
    (void)snprintf(session_out, CHANGE_ID_TEXT, "%s", said("id"));
    step_begin(&step, world.ledger, &eve);
    change_move(&step, ledger_open_change(world.ledger, id), CHANGE_APPLYING, "change.forced",
                NULL);
    assert_true(step_commit(&step, NULL));
    pass_ms(3LL * 24 * HOUR_MS); /* Sunday; due by the end of Monday */
    ledger_tick(world.ledger);
    assert_int_equal(ledger_reviews_overdue(world.ledger), 1);
}

/* What others are to allow first. */
static void ask_once_more(struct actor eve, char asked_out[CHANGE_ID_TEXT])
{
    fresh_answer();
    assert_false(
        ledger_breakglass(world.ledger, &eve, "again", "INC-2", &world.answer, &world.refusal));
    assert_string_equal(problem(), "review-overdue");
    (void)snprintf(asked_out, CHANGE_ID_TEXT, "%s",
                   json_string_value(json_object_get(world.refusal.fields, "asked")));
}

static const char *review_as(struct actor actor, const char *session, const char *verdict)
{
    fresh_answer();
    (void)ledger_review(world.ledger, &actor, session, verdict, NULL, &world.answer,
                        &world.refusal);
    return problem();
}

static void breakglass_with_a_review_overdue_takes_a_second_person(void **state)
{
    char overdue[CHANGE_ID_TEXT];
    char asked[CHANGE_ID_TEXT];
    struct actor eve;

    (void)state;
    eve = on_socket("eve");
    overdue_session(eve, overdue);
    ask_once_more(eve, asked);
    assert_false(is_in_session(eve));
    assert_string_equal(review_as(eve, asked, "allow"), "self-approval");
    assert_string_equal(review_as(who("ci"), asked, "allow"), "not-an-approver");
    assert_string_equal(review_as(who("bob"), asked, "accept"), "state-conflict");
    assert_string_equal(review_as(who("bob"), overdue, "allow"), "invalid-field");
    assert_false(is_in_session(eve));
    assert_string_equal(review_as(who("bob"), asked, "allow"), "");
    assert_string_equal(said("person"), "eve");
    assert_true(is_in_session(eve));
    assert_false(is_in_session(on_socket("bob")));
    assert_string_equal(review_as(who("bob"), asked, "allow"), "not-found"); /* once */
    assert_int_equal(ledger_reviews_overdue(world.ledger), 1);
}

static void breakglass_that_nobody_allows_is_forgotten(void **state)
{
    char overdue[CHANGE_ID_TEXT];
    char asked[CHANGE_ID_TEXT];
    struct actor eve;

    (void)state;
    eve = on_socket("eve");
    overdue_session(eve, overdue);
    ask_once_more(eve, asked);
    world_restart();
    pass_ms(31 * MINUTE_MS);
    assert_string_equal(review_as(who("bob"), asked, "allow"), "not-found");
    assert_false(is_in_session(eve));
}

static void breakglass_is_reviewed_by_an_approver_of_before(void **state)
{
    char id[CHANGE_ID_TEXT];
    char session[CHANGE_ID_TEXT];
    struct actor eve = on_socket("eve");
    struct actor bob = who("bob");
    struct actor ci = who("ci");
    struct step step;

    (void)state;
    propose("eve", WEIGHT, true, id);
    open_session(eve);
    (void)snprintf(session, sizeof(session), "%s", said("id"));
    step_begin(&step, world.ledger, &eve);
    change_move(&step, ledger_open_change(world.ledger, id), CHANGE_APPLYING, "change.forced",
                NULL);
    assert_true(step_commit(&step, NULL));
    assert_true(change_now(id)->is_forced);
    assert_string_equal(change_now(id)->session, session);
    fresh_answer();
    assert_false(
        ledger_review(world.ledger, &eve, session, "accept", NULL, &world.answer, &world.refusal));
    assert_string_equal(problem(), "self-approval");
    fresh_answer();
    assert_false(
        ledger_review(world.ledger, &ci, session, "accept", NULL, &world.answer, &world.refusal));
    assert_string_equal(problem(), "not-an-approver");
    assert_int_equal(ledger_reviews_overdue(world.ledger), 0);
    pass_ms(3LL * 24 * HOUR_MS); /* Sunday; due by the end of Monday */
    assert_int_equal(ledger_reviews_overdue(world.ledger), 1);
    fresh_answer();
    assert_false(
        ledger_breakglass(world.ledger, &eve, "again", "INC-2", &world.answer, &world.refusal));
    assert_string_equal(problem(), "review-overdue");
    fresh_answer();
    assert_true(ledger_review(world.ledger, &bob, session, "accept", "seen", &world.answer,
                              &world.refusal));
    assert_int_equal(ledger_reviews_overdue(world.ledger), 0);
    fresh_answer();
    assert_true(
        ledger_breakglass(world.ledger, &eve, "again", "INC-2", &world.answer, &world.refusal));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(e25_breakglass_is_stopped_by_no_freeze),
        TEST(breakglass_makes_no_second_person),
        TEST(breakglass_is_opened_on_the_socket_by_its_role),
        TEST(breakglass_goes_on_after_a_restart_for_its_half_hour),
        TEST(breakglass_gains_no_time_by_the_clock),
        TEST(breakglass_with_a_review_overdue_takes_a_second_person),
        TEST(breakglass_that_nobody_allows_is_forgotten),
        TEST(breakglass_is_reviewed_by_an_approver_of_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
