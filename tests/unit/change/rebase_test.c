/*
 * rebase_test - what becomes of approvals and conflicts when something else was applied (E9, E15).
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

/* Another change becomes applied: what runs is `text` now. */
static void apply_another(const char *text)
{
    struct actor system = actor_system("test");
    struct step step;

    run_configuration(text);
    step_begin(&step, world.ledger, &system);
    ledger_make_stale(world.ledger, &step, "chg_other");
    step_audit(&step, "change.applied", NULL, NULL, NULL);
    assert_true(step_commit(&step, &world.refusal));
    ledger_tick(world.ledger);
}

#define ANOTHER_BLOG                                                                               \
    "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\"},"                     \
    "\"s2\":{\"address\":\"10.0.0.2:80\"},\"s3\":{\"address\":\"10.0.0.3:80\"},"                   \
    "\"s4\":{\"address\":\"10.0.0.4:80\"}},\"health_check\":{}},"                                  \
    "\"blog\":{\"servers\":{\"b1\":{\"address\":\"10.0.1.1:80\",\"weight\":70},"                   \
    "\"b2\":{\"address\":\"10.0.1.2:80\"}},\"health_check\":{}}}," ROUTES                          \
    ",\"people\":{" EVERYBODY "},\"policy\":{" ENFORCED KEEP "}}"

#define KEEP ""
static const char another_blog[] = ANOTHER_BLOG;
#undef KEEP
#define KEEP ",\"keep_on_clean_rebase\":true"
static const char another_blog_keep[] = ANOTHER_BLOG;

static void e09_a_rebase_drops_approvals(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    apply_another(another_blog);
    assert_string_equal(state_of(id), "stale");
    assert_int_equal(change_now(id)->decision_count, 0);
    assert_string_equal(may_apply("ann", id), "base-stale");
    assert_string_equal(state_of(id), "stale");
    assert_string_equal(call(ledger_rebase, "bob", id), "forbidden");
    assert_string_equal(call(ledger_rebase, "ann", id), "");
    assert_string_equal(state_of(id), "draft");
    assert_int_equal(change_now(id)->base_rev, 2);
    assert_string_equal(call(ledger_submit, "ann", id), "");
    assert_string_equal(may_apply("ann", id), "approvals-missing");
}

static void e09_a_clean_rebase_carries_approvals_where_the_policy_says_so(void **state)
{
    char id[CHANGE_ID_TEXT];
    char before[DIGEST_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(ENFORCED ",\"keep_on_clean_rebase\":true"));
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    memcpy(before, change_now(id)->digest, sizeof(before));
    apply_another(another_blog_keep);
    assert_string_equal(state_of(id), "stale");
    assert_string_equal(call(ledger_rebase, "ann", id), "");
    assert_string_equal(state_of(id), "approved");
    assert_int_equal(change_now(id)->iteration, 2);
    assert_string_not_equal(change_now(id)->digest, before);
    assert_string_equal(change_now(id)->decisions[0].person, "bob");
    assert_string_equal(may_apply("ann", id), "");
    world_restart();
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(may_apply("ann", id), "");
}

static void e09_a_rebase_onto_what_it_touches_carries_nothing(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(ENFORCED ",\"keep_on_clean_rebase\":true"));
    propose("ann", "{\"pools\":{\"blog\":{\"servers\":{\"b2\":{\"weight\":50}}}}}", true, id);
    assert_string_equal(approve("bob", id), "");
    if (change_now(id)->class == 3)
        assert_string_equal(approve("cat", id), "");
    assert_string_equal(state_of(id), "approved");
    apply_another(another_blog_keep); /* b1 of the same pool */
    assert_string_equal(call(ledger_rebase, "ann", id), "");
    assert_string_equal(state_of(id), "draft");
    assert_int_equal(change_now(id)->decision_count, 0);
}

#define WITHOUT_BOB_KEEP                                                                           \
    "{" POOLS "," ROUTES                                                                           \
    ",\"people\":{" HUMAN("ann", "a", "\"author\",\"operator\",\"approver\"") "," HUMAN(           \
        "cat", "c",                                                                                \
        "\"approver\"") "," HUMAN("dan", "d",                                                      \
                                  "\"approver\"") "," HUMAN("fay", "9",                            \
                                                            "\"approver\"") "},\"policy\":"        \
                                                                            "{" ENFORCED           \
                                                                            ",\"keep_on_clean_"    \
                                                                            "rebase\":true}}"

static void e09_an_approval_of_somebody_who_left_is_not_carried(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(ENFORCED ",\"keep_on_clean_rebase\":true"));
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    apply_another(WITHOUT_BOB_KEEP);
    assert_string_equal(call(ledger_rebase, "ann", id), "");
    assert_string_equal(state_of(id), "pending");
    assert_string_equal(may_apply("ann", id), "approvals-missing");
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(may_apply("ann", id), "");
}

static void a_rebase_onto_the_same_value_is_a_conflict_that_blocks(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", "{\"pools\":{\"blog\":{\"servers\":{\"b1\":{\"weight\":50}}}}}", true, id);
    apply_another(another_blog);
    assert_string_equal(call(ledger_rebase, "ann", id), "");
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(edit_as("ann", id, change_now(id)->etag, "{\"title\":\"again\"}"), "");
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(
        edit_as("ann", id, change_now(id)->etag,
                "{\"patch\":{\"pools\":{\"blog\":{\"servers\":{\"b1\":{\"weight\":50}}}}}}"),
        "");
    assert_string_equal(call(ledger_submit, "ann", id), "");
}

static void e15_what_was_asked_for_at_submission_counts_where_it_was_more(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(
        ENFORCED ",\"keep_on_clean_rebase\":true,\"approvals\":{\"normal\":2,\"high\":2}"));
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    apply_another(CONFIGURATION(
        ENFORCED ",\"keep_on_clean_rebase\":true,\"approvals\":{\"normal\":1,\"high\":2}"));
    assert_string_equal(call(ledger_rebase, "ann", id), "");
    assert_string_equal(state_of(id), "pending");
    assert_int_equal(change_now(id)->required, 2);
    assert_string_equal(may_apply("ann", id), "approvals-missing");
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(may_apply("ann", id), "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(e09_a_rebase_drops_approvals),
        TEST(e09_a_clean_rebase_carries_approvals_where_the_policy_says_so),
        TEST(e09_a_rebase_onto_what_it_touches_carries_nothing),
        TEST(e09_an_approval_of_somebody_who_left_is_not_carried),
        TEST(a_rebase_onto_the_same_value_is_a_conflict_that_blocks),
        TEST(e15_what_was_asked_for_at_submission_counts_where_it_was_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
