/*
 * attacks_test - the rows of "Edge cases and attacks" that the ledger decides, by number; those of
 * a rebase are in rebase_test, those of force in breakglass_test.
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

#define OTHER_WEIGHT "{\"pools\":{\"shop\":{\"servers\":{\"s2\":{\"weight\":90}}}}}"
#define PEOPLE       "{\"people\":{\"bob\":{\"groups\":[\"netops\"]}}}"

static void e01_two_tokens_of_one_person_are_one_person(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor other_token;
    struct decision_request decision = {0};
    char digest[DIGEST_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    memcpy(digest, change_now(id)->digest, sizeof(digest));
    decision.digest = digest;
    other_token = who("ann");
    other_token.principal = "token:phone";
    fresh_answer();
    assert_false(
        ledger_decide(world.ledger, &other_token, id, &decision, &world.answer, &world.refusal));
    assert_string_equal(problem(), "self-approval");
    assert_string_equal(approve("bob", id), "");
    other_token = who("bob");
    other_token.principal = "token:phone";
    assert_string_equal(approve("bob", id), "already-decided");
    assert_int_equal(change_now(id)->decision_count, 1);
}

static void e01_making_a_person_is_of_class_3(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", PEOPLE, true, id);
    assert_int_equal(change_now(id)->class, 3);
    assert_int_equal(change_now(id)->required, 2);
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(state_of(id), "pending");
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(state_of(id), "approved");
}

static void e02_a_service_neither_approves_nor_vetoes(void **state)
{
    char id[CHANGE_ID_TEXT];
    char digest[DIGEST_TEXT];
    struct actor robot;
    struct decision_request decision = {.digest = digest};

    (void)state;
    propose("bob", WEIGHT, true, id);
    memcpy(digest, change_now(id)->digest, sizeof(digest));
    robot = who("ci");
    robot.roles |= ROLE_APPROVER; /* whatever roles it was given */
    fresh_answer();
    assert_false(ledger_decide(world.ledger, &robot, id, &decision, &world.answer, &world.refusal));
    assert_string_equal(problem(), "not-an-approver");
    decision.is_veto = true;
    decision.comment = "no";
    fresh_answer();
    assert_false(ledger_decide(world.ledger, &robot, id, &decision, &world.answer, &world.refusal));
    assert_string_equal(problem(), "not-an-approver");
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(may_apply("ci", id), ""); /* it may apply what people approved */
}

static void e03_the_owner_of_a_service_does_not_approve_its_change(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ci", WEIGHT, true, id);
    assert_true(change_has_contributor(change_now(id), "ci"));
    assert_true(change_has_contributor(change_now(id), "ann"));
    assert_string_equal(approve("ann", id), "self-approval");
    assert_string_equal(approve("bob", id), "");
}

static void e03_whom_a_service_acts_for_contributed(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor robot = who("ci");

    (void)state;
    robot.on_behalf_of = "cat";
    (void)snprintf(
        id, sizeof(id), "%s",
        create_as(robot, "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT "}", true));
    assert_string_equal(approve("cat", id), "self-approval");
    assert_string_equal(approve("dan", id), "");
}

static void e04_who_wrote_an_earlier_iteration_does_not_approve(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, false, id);
    assert_string_equal(edit_as("bob", id, change_now(id)->etag, "{\"patch\":" OTHER_WEIGHT "}"),
                        "");
    assert_int_equal(change_now(id)->iteration, 2);
    assert_string_equal(call(ledger_submit, "ann", id), "");
    assert_string_equal(approve("ann", id), "self-approval");
    assert_string_equal(approve("bob", id), "self-approval");
    assert_string_equal(approve("cat", id), "");
}

static void e05_an_approval_is_worth_nothing_elsewhere(void **state)
{
    char first[CHANGE_ID_TEXT];
    char second[CHANGE_ID_TEXT];
    char digest[DIGEST_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, first);
    propose("ann", WEIGHT, true, second); /* the same content */
    assert_string_not_equal(change_now(first)->digest, change_now(second)->digest);
    memcpy(digest, change_now(first)->digest, sizeof(digest));
    assert_string_equal(decide_with("bob", second, digest, false, NULL), "digest-mismatch");
    assert_string_equal(call(ledger_reopen, "ann", first), "");
    assert_string_equal(call(ledger_submit, "ann", first), "");
    assert_string_equal(decide_with("bob", first, digest, false, NULL), "digest-mismatch");
    assert_string_equal(state_of(first), "pending");
}

static void e06_an_edit_ends_all_approvals(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(edit_as("ann", id, change_now(id)->etag, "{\"title\":\"another\"}"), "");
    assert_string_equal(state_of(id), "draft");
    assert_int_equal(change_now(id)->decision_count, 0);
    assert_string_equal(change_now(id)->digest, "");
    assert_string_equal(may_apply("ann", id), "state-conflict");
    assert_string_equal(call(ledger_submit, "ann", id), "");
    assert_string_equal(may_apply("ann", id), "approvals-missing");
    assert_string_equal(approve("bob", id), "");
}

static void e06_stored_bytes_that_were_changed_are_not_applied(void **state)
{
    static const char *const parts[] = {"target", "bound"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char id[CHANGE_ID_TEXT];
        char key[96];
        const char *digest;
        struct memory_entry *blob;
        char kept;

        propose("ann", i == 0 ? WEIGHT : OTHER_WEIGHT, true, id);
        assert_string_equal(approve("bob", id), "");
        digest = strcmp(parts[i], "bound") == 0 ? change_now(id)->bound_blob
                                                : change_now(id)->target_digest;
        (void)snprintf(key, sizeof(key), "blob/%s", digest + strlen("sha256:"));
        blob = memory_find(key);
        assert_non_null(blob);
        kept = blob->bytes[blob->len / 2];
        blob->bytes[blob->len / 2] = (char)(kept ^ 1);
        assert_string_equal(may_apply("ann", id), "digest-mismatch");
        assert_string_equal(state_of(id), "approved");
        blob = memory_find(key);
        blob->bytes[blob->len / 2] = kept;
        assert_string_equal(may_apply("ann", id), "");
    }
}

static void e08_apply_takes_no_more_than_the_change(void **state)
{
    char id[CHANGE_ID_TEXT];
    char other[CHANGE_ID_TEXT];
    struct findings findings;
    struct arena *arena = arena_new(4096);
    struct configuration *target;

    (void)state;
    propose("ann", WEIGHT, true, id);
    propose("ann", OTHER_WEIGHT, true, other);
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(may_apply("ann", other), "approvals-missing");
    findings_init(&findings, arena);
    fresh_answer();
    target = ledger_target(world.ledger, id, &findings, &world.refusal);
    assert_non_null(target);
    assert_string_equal(target->digest, change_now(id)->target_digest);
    assert_int_equal(target->pools[config_find_pool(target, "shop")].servers[0].weight, 90);
    assert_int_equal(target->pools[config_find_pool(target, "shop")].servers[1].weight, 100);
    config_free(&target);
    findings_fini(&findings);
    arena_free(&arena);
}

#define WITHOUT_BOB                                                                                \
    HUMAN("ann", "a", "\"author\",\"operator\",\"approver\"")                                      \
    ",\"bob\":{\"roles\":[\"author\",\"operator\",\"approver\"],\"tokens\":[" TOKEN(               \
        "b") "]%s}," HUMAN("cat", "c", "\"author\",\"approver\"") "," HUMAN("dan", "d",            \
                                                                            "\"approver\"")

static void run_with_bob(const char *more)
{
    char text[8192];

    (void)snprintf(text, sizeof(text),
                   "{" POOLS "," ROUTES ",\"people\":{" WITHOUT_BOB "},\"policy\":{" ENFORCED "}}",
                   more);
    config_free(&world.running);
    world.running = world_parse(text);
}

static void e13_an_approver_without_the_role_counts_no_more(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    run_with_bob(",\"disabled\":true"); /* as a change under confirmation would */
    ledger_tick(world.ledger);
    assert_string_equal(state_of(id), "pending");
    assert_int_equal(change_now(id)->decision_count, 0);
    assert_string_equal(may_apply("ann", id), "approvals-missing");
    run_with_bob("");
    ledger_tick(world.ledger);
    assert_string_equal(state_of(id), "pending"); /* it does not come back by itself */
    world_restart();
    assert_int_equal(change_now(id)->decision_count, 0);
    assert_string_equal(approve("cat", id), "");
}

static void e13_the_guard_asks_even_where_nobody_has_looked_since(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    run_with_bob(",\"disabled\":true");
    assert_string_equal(may_apply("ann", id), "approvals-missing");
    assert_string_equal(state_of(id), "pending");
}

static void e14_a_revocation_since_then_voids_the_approval(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    run_with_bob(",\"revoked_since\":\"2026-01-01T00:00:00Z\"");
    ledger_tick(world.ledger);
    assert_string_equal(state_of(id), "pending");
    assert_string_equal(may_apply("ann", id), "approvals-missing");
}

static void e15_what_is_asked_for_at_apply_counts_where_it_is_more(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(ENFORCED ",\"approvals\":{\"normal\":2,\"high\":2}"));
    propose("ann", WEIGHT, true, id);
    ledger_open_change(world.ledger, id)->required = 1; /* as an older policy had asked for */
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(may_apply("ann", id), "approvals-missing");
    assert_string_equal(state_of(id), "pending");
    assert_int_equal(change_now(id)->required, 2);
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(may_apply("ann", id), "");
}

static void e15_lowering_the_policy_is_of_class_3_under_the_old_one(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", "{\"policy\":{\"approvals\":{\"normal\":0,\"high\":0}}}", true, id);
    assert_int_equal(change_now(id)->class, 3);
    assert_int_equal(change_now(id)->required, 2);
}

static void e16_a_policy_that_nobody_could_satisfy_is_blocked(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", "{\"policy\":{\"approvals\":{\"high\":4}}}", false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(state_of(id), "draft");
    (void)create_as(
        who("ann"),
        "{\"title\":\"t\",\"reason\":\"r\",\"deletes\":[\"/people/cat\",\"/people/dan\"],"
        "\"patch\":{\"people\":{\"cat\":null,\"dan\":null}}}",
        true);
    assert_string_equal(problem(), "findings-block");
}

static void e17_a_clock_that_jumped_while_stopped_voids_approvals(void **state)
{
    static const int64_t jumps[] = {-2 * 60 * 1000, 25LL * HOUR_MS};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char id[CHANGE_ID_TEXT];
        char draft[CHANGE_ID_TEXT];

        propose("ann", WEIGHT, true, id);
        propose("ann", OTHER_WEIGHT, false, draft);
        assert_string_equal(approve("bob", id), "");
        world.wall_ms += jumps[i];
        world_restart();
        assert_string_equal(state_of(id), "expired");
        assert_string_equal(state_of(draft), "draft");
        assert_true(world.ledger->clock_jumped);
        assert_string_equal(call(ledger_submit, "ann", draft), "");
        assert_true(has_alert("ClockJump"));
    }
}

static void e17_a_clock_set_back_makes_no_approval_older(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    world.boot_ms += 3 * HOUR_MS;
    world.wall_ms -= 20 * HOUR_MS; /* somebody sets it back */
    ledger_tick(world.ledger);
    assert_string_equal(state_of(id), "approved");
    world.boot_ms += HOUR_MS + 1;
    ledger_tick(world.ledger);
    assert_string_equal(state_of(id), "expired");
}

static void e20_a_repeat_with_the_same_key_gets_the_same_answer(void **state)
{
    struct slice key = SLICE("k1");
    struct kept_answer kept = {.status = 201, .body = json_pack("{s:s}", "id", "chg_1")};
    struct kept_answer found = {0};

    (void)state;
    assert_int_equal(ledger_kept_find(world.ledger, "ann", key, SLICE("body"), &found), KEPT_NONE);
    ledger_kept_put(world.ledger, "ann", key, SLICE("body"), &kept);
    assert_int_equal(ledger_kept_find(world.ledger, "ann", key, SLICE("body"), &found), KEPT_SAME);
    assert_int_equal(found.status, 201);
    assert_true(json_equal(found.body, kept.body));
    json_decref(found.body);
    assert_int_equal(ledger_kept_find(world.ledger, "ann", key, SLICE("other"), &found),
                     KEPT_OTHER_BODY);
    assert_int_equal(ledger_kept_find(world.ledger, "bob", key, SLICE("body"), &found), KEPT_NONE);
    pass_ms(24LL * HOUR_MS);
    assert_int_equal(ledger_kept_find(world.ledger, "ann", key, SLICE("body"), &found), KEPT_NONE);
    ledger_tick(world.ledger);
    for (size_t i = 0; i < memory.count; i++)
        assert_int_not_equal(strncmp(memory.entries[i].key, "idem/", 5), 0);
    json_decref(kept.body);
}

static void e21_the_quota_counts_what_is_open(void **state)
{
    char ids[CHANGE_OPEN_MAX][CHANGE_ID_TEXT];
    struct actor ann = who("ann");

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CHANGE_OPEN_MAX; i++)
            propose("ann", WEIGHT, false, ids[i]);
        (void)create_as(who("ann"), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT "}",
                        false);
        assert_string_equal(problem(), "too-many-open");
        if (round == 1)
            world_restart();
        for (int i = 0; i < CHANGE_OPEN_MAX; i++) {
            fresh_answer();
            assert_true(ledger_withdraw(world.ledger, &ann, ids[i], "not needed", &world.answer,
                                        &world.refusal));
        }
    }
}

static void e22_an_approval_names_the_digest(void **state)
{
    char id[CHANGE_ID_TEXT];
    char digest[DIGEST_TEXT];

    (void)state;
    propose("ann", PEOPLE, true, id);
    assert_string_equal(decide_with("bob", id, NULL, false, "ok"), "invalid-field");
    assert_string_equal(decide_with("bob", id, "sha256:0", false, "ok"), "digest-mismatch");
    memcpy(digest, change_now(id)->digest, sizeof(digest));
    assert_string_equal(decide_with("bob", id, digest, false, NULL), "invalid-field");
    assert_string_equal(decide_with("bob", id, digest, false, "read every line"), "");
}

static void e24_a_freeze_that_begins_after_approval_holds(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor bob = who("bob");
    struct actor ann = who("ann");
    struct actor eve = who("eve");

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    fresh_answer();
    assert_true(ledger_freeze(world.ledger, &bob, "the big day", world.wall_ms + HOUR_MS,
                              &world.answer, &world.refusal));
    assert_string_equal(may_apply("ann", id), "frozen");
    world_restart();
    assert_string_equal(may_apply("ann", id), "frozen");
    fresh_answer();
    assert_true(ledger_thaw(world.ledger, &ann, &world.answer, &world.refusal));
    assert_string_equal(may_apply("ann", id), "frozen"); /* one is not enough */
    fresh_answer();
    assert_true(ledger_thaw(world.ledger, &ann, &world.answer, &world.refusal));
    assert_string_equal(may_apply("ann", id), "frozen"); /* nor the same twice */
    fresh_answer();
    assert_true(ledger_thaw(world.ledger, &eve, &world.answer, &world.refusal));
    assert_string_equal(may_apply("ann", id), "");
    fresh_answer();
    assert_true(ledger_freeze(world.ledger, &bob, "once more", 0, &world.answer, &world.refusal));
    assert_string_equal(may_apply("ann", id), "frozen");
    fresh_answer();
    assert_true(ledger_thaw(world.ledger, &bob, &world.answer, &world.refusal));
    assert_string_equal(may_apply("ann", id), ""); /* who set it lifts it */
}

static void e27_what_goes_is_listed(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)create_as(who("ann"),
                    "{\"title\":\"t\",\"reason\":\"r\",\"patch\":{\"pools\":{\"shop\":{\"servers\":"
                    "{\"s4\":null}}}}}",
                    false);
    assert_string_equal(problem(), "unlisted-delete");
    (void)create_as(who("ann"), "{\"title\":\"t\",\"reason\":\"r\",\"config\":{" POOLS "}}", false);
    assert_string_equal(problem(), "unlisted-delete");
    (void)create_as(who("ann"),
                    "{\"title\":\"t\",\"reason\":\"r\",\"deletes\":[\"/pools/shop/servers/s9\"],"
                    "\"patch\":" WEIGHT "}",
                    false);
    assert_string_equal(problem(), "invalid-field");
    (void)snprintf(
        id, sizeof(id), "%s",
        create_as(who("ann"),
                  "{\"title\":\"t\",\"reason\":\"r\",\"deletes\":[\"/pools/shop/servers/s4\"],"
                  "\"patch\":{\"pools\":{\"shop\":{\"servers\":{\"s4\":null}}}}}",
                  true));
    assert_string_equal(state_of(id), "pending");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(e01_two_tokens_of_one_person_are_one_person),
        TEST(e01_making_a_person_is_of_class_3),
        TEST(e02_a_service_neither_approves_nor_vetoes),
        TEST(e03_the_owner_of_a_service_does_not_approve_its_change),
        TEST(e03_whom_a_service_acts_for_contributed),
        TEST(e04_who_wrote_an_earlier_iteration_does_not_approve),
        TEST(e05_an_approval_is_worth_nothing_elsewhere),
        TEST(e06_an_edit_ends_all_approvals),
        TEST(e06_stored_bytes_that_were_changed_are_not_applied),
        TEST(e08_apply_takes_no_more_than_the_change),
        TEST(e13_an_approver_without_the_role_counts_no_more),
        TEST(e13_the_guard_asks_even_where_nobody_has_looked_since),
        TEST(e14_a_revocation_since_then_voids_the_approval),
        TEST(e15_what_is_asked_for_at_apply_counts_where_it_is_more),
        TEST(e15_lowering_the_policy_is_of_class_3_under_the_old_one),
        TEST(e16_a_policy_that_nobody_could_satisfy_is_blocked),
        TEST(e17_a_clock_that_jumped_while_stopped_voids_approvals),
        TEST(e17_a_clock_set_back_makes_no_approval_older),
        TEST(e20_a_repeat_with_the_same_key_gets_the_same_answer),
        TEST(e21_the_quota_counts_what_is_open),
        TEST(e22_an_approval_names_the_digest),
        TEST(e24_a_freeze_that_begins_after_approval_holds),
        TEST(e27_what_goes_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
