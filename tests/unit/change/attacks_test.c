/*
 * attacks_test - the rows of "Edge cases and attacks" that the ledger decides, by number.
 *
 * Threads  the first
 */
#include "tests/support/ledger_fixture.h"

#define WEIGHT       "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"
#define OTHER_WEIGHT "{\"pools\":{\"shop\":{\"servers\":{\"s2\":{\"weight\":90}}}}}"
#define PEOPLE       "{\"people\":{\"bob\":{\"groups\":[\"netops\"]}}}"
#define MINUTE_MS    (60 * 1000)
#define HOUR_MS      (60 * MINUTE_MS)

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

static bool has_alert(const json_t *alerts, const char *name)
{
    json_t *alert;
    size_t i;

    json_array_foreach(alerts, i, alert)
    {
        if (strcmp(json_string_value(json_object_get(alert, "name")), name) == 0)
            return true;
    }
    return false;
}

static void e17_a_clock_that_jumped_while_stopped_voids_approvals(void **state)
{
    static const int64_t jumps[] = {-2 * 60 * 1000, 25LL * HOUR_MS};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char id[CHANGE_ID_TEXT];
        char draft[CHANGE_ID_TEXT];
        json_t *alerts;

        propose("ann", WEIGHT, true, id);
        propose("ann", OTHER_WEIGHT, false, draft);
        assert_string_equal(approve("bob", id), "");
        world.wall_ms += jumps[i];
        world_restart();
        assert_string_equal(state_of(id), "expired");
        assert_string_equal(state_of(draft), "draft");
        assert_true(world.ledger->clock_jumped);
        assert_string_equal(call(ledger_submit, "ann", draft), "");
        alerts = ledger_alerts(world.ledger);
        assert_true(has_alert(alerts, "ClockJump"));
        json_decref(alerts);
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

static struct actor on_socket(const char *name)
{
    struct actor actor = who(name);

    actor.is_on_socket = true;
    actor.uid = 1000;
    return actor;
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
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
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
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
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
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
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
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
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
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
    (void)snprintf(session_out, CHANGE_ID_TEXT, "%s", said("id"));
    step_begin(&step, world.ledger, &eve);
    change_move(&step, ledger_open_change(world.ledger, id), CHANGE_APPLYING, "change.forced",
                NULL);
    assert_true(step_commit(&step, NULL));
    pass_ms(3LL * 24 * HOUR_MS); /* Sunday; due by the end of Monday */
    ledger_tick(world.ledger);
    assert_int_equal(ledger_reviews_overdue(world.ledger), 1);
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
    fresh_answer();
    assert_false(
        ledger_breakglass(world.ledger, &eve, "again", "INC-2", &world.answer, &world.refusal));
    assert_string_equal(problem(), "review-overdue");
    (void)snprintf(asked, sizeof(asked), "%s",
                   json_string_value(json_object_get(world.refusal.fields, "asked")));
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
    fresh_answer();
    assert_false(
        ledger_breakglass(world.ledger, &eve, "again", "INC-2", &world.answer, &world.refusal));
    (void)snprintf(asked, sizeof(asked), "%s",
                   json_string_value(json_object_get(world.refusal.fields, "asked")));
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
    fresh_answer();
    assert_true(ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                                  &world.refusal));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_enforced, end_enforced)

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
        TEST(e09_a_rebase_drops_approvals),
        TEST(e09_a_clean_rebase_carries_approvals_where_the_policy_says_so),
        TEST(e09_a_rebase_onto_what_it_touches_carries_nothing),
        TEST(e09_an_approval_of_somebody_who_left_is_not_carried),
        TEST(a_rebase_onto_the_same_value_is_a_conflict_that_blocks),
        TEST(e13_an_approver_without_the_role_counts_no_more),
        TEST(e13_the_guard_asks_even_where_nobody_has_looked_since),
        TEST(e14_a_revocation_since_then_voids_the_approval),
        TEST(e15_what_is_asked_for_at_apply_counts_where_it_is_more),
        TEST(e15_what_was_asked_for_at_submission_counts_where_it_was_more),
        TEST(e15_lowering_the_policy_is_of_class_3_under_the_old_one),
        TEST(e16_a_policy_that_nobody_could_satisfy_is_blocked),
        TEST(e17_a_clock_that_jumped_while_stopped_voids_approvals),
        TEST(e17_a_clock_set_back_makes_no_approval_older),
        TEST(e20_a_repeat_with_the_same_key_gets_the_same_answer),
        TEST(e21_the_quota_counts_what_is_open),
        TEST(e22_an_approval_names_the_digest),
        TEST(e24_a_freeze_that_begins_after_approval_holds),
        TEST(e25_breakglass_is_stopped_by_no_freeze),
        TEST(breakglass_makes_no_second_person),
        TEST(breakglass_is_opened_on_the_socket_by_its_role),
        TEST(breakglass_goes_on_after_a_restart_for_its_half_hour),
        TEST(breakglass_gains_no_time_by_the_clock),
        TEST(breakglass_with_a_review_overdue_takes_a_second_person),
        TEST(breakglass_that_nobody_allows_is_forgotten),
        TEST(breakglass_is_reviewed_by_an_approver_of_before),
        TEST(e27_what_goes_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
