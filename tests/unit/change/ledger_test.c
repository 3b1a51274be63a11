/*
 * ledger_test - the life of a change until it may be applied: each move, what it shows, what it
 * refuses, and that the store and the memory say the same.
 *
 * Threads  the first
 */
#include "change/bound.h"
#include "tests/support/ledger_fixture.h"

#define WEIGHT  "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"
#define HOUR_MS (3600LL * 1000)

static void a_change_goes_from_draft_to_approved(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, false, id);
    assert_string_equal(state_of(id), "draft");
    assert_string_equal(call(ledger_submit, "ann", id), "");
    assert_string_equal(state_of(id), "pending");
    assert_int_equal(change_now(id)->class, 2);
    assert_int_equal(change_now(id)->required, 1);
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(may_apply("ann", id), "");
    assert_string_equal(may_apply("cat", id), "forbidden"); /* no operator */
}

static void what_is_stored_is_what_is_known(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *before;
    json_t *after;

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    before = change_shown(world.ledger, change_now(id));
    world_restart();
    after = change_shown(world.ledger, change_now(id));
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
}

static void a_full_disk_changes_nothing(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *before;
    json_t *after;

    (void)state;
    propose("ann", WEIGHT, true, id);
    before = change_shown(world.ledger, change_now(id));
    memory_fails = true;
    assert_string_equal(approve("bob", id), "audit-unavailable");
    assert_string_equal(call(ledger_reopen, "ann", id), "audit-unavailable");
    assert_string_equal(edit_as("ann", id, change_now(id)->etag, "{\"title\":\"x\"}"),
                        "audit-unavailable");
    (void)create_as(who("ann"), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT "}", true);
    assert_string_equal(problem(), "audit-unavailable");
    after = change_shown(world.ledger, change_now(id));
    assert_true(json_equal(before, after));
    assert_int_equal(world.ledger->open_count, 1);
    memory_fails = false;
    assert_string_equal(approve("bob", id), "");
    json_decref(before);
    json_decref(after);
}

static void an_approver_can_recompute_the_digest(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct buffer bytes;
    char digest[DIGEST_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    buffer_init(&bytes);
    fresh_answer();
    assert_true(ledger_bound_bytes(world.ledger, id, &bytes, &world.refusal));
    assert_string_equal(bound_digest(buffer_slice(&bytes), digest), change_now(id)->digest);
    buffer_fini(&bytes);
}

static void a_veto_ends_it_and_says_why(void **state)
{
    char id[CHANGE_ID_TEXT];
    char digest[DIGEST_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    memcpy(digest, change_now(id)->digest, sizeof(digest));
    assert_string_equal(decide_with("bob", id, digest, true, NULL), "invalid-field");
    assert_string_equal(decide_with("bob", id, digest, true, "not on a Friday"), "");
    assert_string_equal(state_of(id), "rejected");
    assert_string_equal(call(ledger_submit, "ann", id), "state-conflict");
    assert_int_equal(world.ledger->open_count, 0);
}

static void an_approval_is_taken_back_by_who_gave_it(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor bob = who("bob");
    struct actor cat = who("cat");

    (void)state;
    propose("ann", WEIGHT, true, id);
    assert_string_equal(approve("bob", id), "");
    fresh_answer();
    assert_false(ledger_retract(world.ledger, &cat, id, "bob", &world.answer, &world.refusal));
    assert_string_equal(problem(), "forbidden");
    fresh_answer();
    assert_true(ledger_retract(world.ledger, &bob, id, "bob", &world.answer, &world.refusal));
    assert_string_equal(state_of(id), "pending");
    world_restart();
    assert_int_equal(change_now(id)->decision_count, 0);
}

static void what_is_not_agreed_to_or_not_applied_in_time_expires(void **state)
{
    char pending[CHANGE_ID_TEXT];
    char approved[CHANGE_ID_TEXT];
    char draft[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, pending);
    propose("ann", WEIGHT, false, draft);
    pass_ms(22 * HOUR_MS);
    propose("ann", WEIGHT, true, approved);
    assert_string_equal(approve("bob", approved), "");
    pass_ms(2 * HOUR_MS);
    ledger_tick(world.ledger);
    assert_string_equal(state_of(pending), "expired"); /* 24 h */
    assert_string_equal(state_of(approved), "approved");
    pass_ms(2 * HOUR_MS);
    ledger_tick(world.ledger);
    assert_string_equal(state_of(approved), "expired"); /* 4 h */
    assert_string_equal(state_of(draft), "draft");
}

static void what_has_expired_is_not_approved_before_the_next_tick(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", WEIGHT, true, id);
    pass_ms(24 * HOUR_MS);
    assert_string_equal(approve("bob", id), "state-conflict");
    assert_string_equal(state_of(id), "expired");
}

static void not_after_ends_an_approved_change(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(id, sizeof(id), "%s",
                   create_as(who("ann"),
                             "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT
                             ",\"not_after\":\"2026-11-22T15:00:00Z\"}",
                             true));
    assert_string_equal(approve("bob", id), "");
    assert_int_equal(world.wall_ms, 1795341600000); /* 10:00 */
    pass_ms(5 * HOUR_MS - 1000);
    /* execution_expiry (4 h) comes first */
    assert_string_equal(may_apply("ann", id), "state-conflict");
    (void)create_as(who("ann"),
                    "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT
                    ",\"not_after\":\"2026-11-22T09:00:00Z\"}",
                    true);
    assert_string_equal(problem(), "invalid-field");
}

static void what_approvers_read_cannot_deceive_them(void **state)
{
    static const char *const bodies[] = {
        "{\"title\":\"a\\u202eb\",\"reason\":\"r\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\\nb\",\"reason\":\"r\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\",\"reason\":\"r\\u0000\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\",\"reason\":\"r\\u2066x\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\",\"reason\":\"r\\u200b\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\",\"reason\":\"\",\"patch\":" WEIGHT "}",
        "{\"title\":\"   \",\"reason\":\"r\",\"patch\":" WEIGHT "}",
        "{\"reason\":\"r\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\",\"reason\":\"r\",\"ticket\":\"\\u0007\",\"patch\":" WEIGHT "}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":{\"routes\":{\"all\":{\"path\":\"/"
        "\\u202ex\"}}}}",
        "{\"title\":\"a\",\"reason\":\"r\"}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":{},\"config\":{}}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":7}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":" WEIGHT ",\"deletes\":[1]}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":" WEIGHT
        ",\"overrides\":[{\"pool\":\"shop\"}]}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":" WEIGHT ",\"confirm\":{\"deadline\":\"1s\"}}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":" WEIGHT ",\"confirm\":{\"mode\":\"auto\"}}",
        "{\"title\":\"a\",\"reason\":\"r\",\"patch\":" WEIGHT
        ",\"confirm\":{\"min_bake\":\"10m\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        json_t *request = json_loads(bodies[i], JSON_ALLOW_NUL, NULL);
        struct create_options options = {0};
        struct actor ann = who("ann");

        assert_non_null(request);
        fresh_answer();
        if (ledger_create(world.ledger, &ann, request, &options, &world.answer, &world.refusal))
            fail_msg("accepted: %s", bodies[i]);
        assert_string_equal(problem(), "invalid-field");
        json_decref(request);
    }
    (void)create_as(who("ann"), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":{},\"tilte\":1}",
                    false);
    assert_string_equal(problem(), "unknown-field");
}

/* Those that stand in the way of submission. */
static size_t serious(const json_t *findings)
{
    const json_t *row;
    size_t count = 0;
    size_t i;

    json_array_foreach(findings, i, row)
    {
        const char *severity = json_string_value(json_object_get(row, "severity"));

        count += strcmp(severity, "error") == 0 || strcmp(severity, "block") == 0;
    }
    return count;
}

static void a_draft_may_have_findings_and_is_not_submitted_with_them(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    propose("ann", "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":70000}}}}}", false, id);
    assert_true(serious(change_now(id)->findings) > 0);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    assert_string_equal(edit_as("ann", id, change_now(id)->etag, "{\"patch\":" WEIGHT "}"), "");
    assert_int_equal(serious(change_now(id)->findings), 0);
    assert_string_equal(call(ledger_submit, "ann", id), "");
    (void)create_as(
        who("ann"),
        "{\"title\":\"t\",\"reason\":\"r\",\"patch\":{\"pools\":{\"shop\":{\"weight\":1}}}}", true);
    assert_string_equal(problem(), "findings-block");
    assert_int_equal(world.ledger->open_count, 1);
}

static void an_edit_needs_the_current_etag(void **state)
{
    char id[CHANGE_ID_TEXT];
    char etag[DIGEST_TEXT];

    (void)state;
    propose("ann", WEIGHT, false, id);
    memcpy(etag, change_now(id)->etag, sizeof(etag));
    assert_string_equal(edit_as("ann", id, NULL, "{\"title\":\"x\"}"), "precondition-required");
    assert_string_equal(edit_as("ann", id, etag, "{\"title\":\"x\"}"), "");
    assert_string_equal(edit_as("bob", id, etag, "{\"title\":\"y\"}"), "digest-mismatch");
    assert_string_equal(change_now(id)->title, "x");
    assert_string_equal(edit_as("dan", id, change_now(id)->etag, "{\"title\":\"y\"}"), "forbidden");
}

static void only_contributors_submit_and_withdraw(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct actor bob = who("bob");

    (void)state;
    propose("ann", WEIGHT, false, id);
    assert_string_equal(call(ledger_submit, "bob", id), "forbidden");
    fresh_answer();
    assert_false(ledger_withdraw(world.ledger, &bob, id, NULL, &world.answer, &world.refusal));
    assert_string_equal(problem(), "forbidden");
}

static void a_dry_run_leaves_nothing(void **state)
{
    struct create_options options = {.is_dry_run = true};
    struct actor ann = who("ann");
    json_t *request =
        json_loads("{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT "}", 0, NULL);
    size_t before = memory.count;

    (void)state;
    assert_true(
        ledger_create(world.ledger, &ann, request, &options, &world.answer, &world.refusal));
    assert_int_equal(json_integer_value(json_object_get(world.answer, "class")), 2);
    assert_int_equal(memory.count, before);
    assert_int_equal(world.ledger->open_count, 0);
    json_decref(request);
}

static void lists_are_newest_first_and_come_in_pages(void **state)
{
    char ids[5][CHANGE_ID_TEXT];
    char cursor[CHANGE_ID_TEXT] = "";
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        propose("ann", WEIGHT, i % 2 == 0, ids[i]);
        pass_ms(10);
    }
    do {
        json_t *rows;

        fresh_answer();
        assert_true(ledger_list(world.ledger, NULL, NULL, cursor[0] != '\0' ? cursor : NULL, 2,
                                &world.answer, cursor, &world.refusal));
        rows = json_object_get(world.answer, "changes");
        for (size_t i = 0; i < json_array_size(rows); i++)
            assert_string_equal(json_string_value(json_object_get(json_array_get(rows, i), "id")),
                                ids[4 - seen++]);
    } while (cursor[0] != '\0');
    assert_int_equal(seen, 5);
    fresh_answer();
    assert_true(ledger_list(world.ledger, "pending", "ann", NULL, 50, &world.answer, cursor,
                            &world.refusal));
    assert_int_equal(json_array_size(json_object_get(world.answer, "changes")), 3);
    fresh_answer();
    assert_false(ledger_list(world.ledger, "pendign", NULL, NULL, 50, &world.answer, cursor,
                             &world.refusal));
}

static void the_impact_tells_shares_before_and_after(void **state)
{
    char id[CHANGE_ID_TEXT];
    json_t *pool;
    json_t *share;

    (void)state;
    propose("ann", "{\"pools\":{\"shop\":{\"servers\":{\"s5\":{\"address\":\"10.0.0.5:80\"}}}}}",
            true, id);
    fresh_answer();
    assert_true(ledger_impact(world.ledger, id, &world.answer, &world.refusal));
    pool = json_array_get(json_object_get(world.answer, "pools"), 0);
    assert_string_equal(json_string_value(json_object_get(pool, "pool")), "shop");
    share = json_object_get(json_array_get(json_object_get(pool, "servers"), 0), "share");
    assert_true(json_real_value(json_object_get(share, "before")) == 0.25);
    assert_true(json_real_value(json_object_get(share, "after")) == 0.2);
    fresh_answer();
    assert_true(ledger_diff(world.ledger, id, &world.answer, &world.refusal));
    assert_int_equal(json_array_size(json_object_get(world.answer, "diff")), 1);
}

static void overrides_come_with_a_change(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(id, sizeof(id), "%s",
                   create_as(who("ann"),
                             "{\"title\":\"t\",\"reason\":\"r\",\"overrides\":[{\"pool\":\"shop\","
                             "\"server\":\"s1\",\"state\":\"drain\"}]}",
                             true));
    assert_string_equal(state_of(id), "pending");
    assert_string_equal(change_now(id)->target_digest, change_now(id)->base_digest);
    (void)create_as(who("ann"),
                    "{\"title\":\"t\",\"reason\":\"r\",\"overrides\":[{\"pool\":\"shop\","
                    "\"server\":\"s9\",\"state\":\"drain\"}]}",
                    true);
    assert_string_equal(problem(), "findings-block");
}

static void in_mode_off_nobody_need_agree(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION("\"mode\":\"off\""));
    propose("ann", WEIGHT, true, id);
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(may_apply("ann", id), "");
}

static void revisions_are_listed_and_compared(void **state)
{
    char more[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION("\"mode\":\"off\""));
    fresh_answer();
    assert_true(ledger_revisions(world.ledger, NULL, 1, &world.answer, more, &world.refusal));
    assert_string_equal(more, "2");
    fresh_answer();
    assert_true(ledger_revisions(world.ledger, more, 1, &world.answer, more, &world.refusal));
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(json_object_get(world.answer, "revisions"), 0), "rev")),
                     1);
    fresh_answer();
    assert_true(ledger_revision_diff(world.ledger, "1", "running", &world.answer, &world.refusal));
    assert_int_equal(json_array_size(json_object_get(world.answer, "diff")), 1);
    fresh_answer();
    assert_false(ledger_revision(world.ledger, "lkg", &world.answer, &world.refusal));
    assert_string_equal(problem(), "not-found");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_goes_from_draft_to_approved),
        TEST(what_is_stored_is_what_is_known),
        TEST(a_full_disk_changes_nothing),
        TEST(an_approver_can_recompute_the_digest),
        TEST(a_veto_ends_it_and_says_why),
        TEST(an_approval_is_taken_back_by_who_gave_it),
        TEST(what_is_not_agreed_to_or_not_applied_in_time_expires),
        TEST(what_has_expired_is_not_approved_before_the_next_tick),
        TEST(not_after_ends_an_approved_change),
        TEST(what_approvers_read_cannot_deceive_them),
        TEST(a_draft_may_have_findings_and_is_not_submitted_with_them),
        TEST(an_edit_needs_the_current_etag),
        TEST(only_contributors_submit_and_withdraw),
        TEST(a_dry_run_leaves_nothing),
        TEST(lists_are_newest_first_and_come_in_pages),
        TEST(the_impact_tells_shares_before_and_after),
        TEST(overrides_come_with_a_change),
        TEST(in_mode_off_nobody_need_agree),
        TEST(revisions_are_listed_and_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
