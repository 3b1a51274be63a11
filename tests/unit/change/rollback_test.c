/*
 * rollback_test - back to a revision of before: what it waits for, by what it is judged, and what
 * is suspected until then.
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

static void a_rollback_waits_for_an_apply_and_ends_it(void **state)
{
    char first[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    approved(WEIGHT, id);
    world.publish_holds = true;
    (void)apply_as("ann", id);
    (void)rollback_as("bob", "1");
    assert_int_equal(world.answered, 0);
    assert_string_equal(rollback_as("eve", "1"), "state-conflict");
    assert_int_equal(world.answered, 1);
    world_release();
    assert_int_equal(world.answered, 3);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(runs(), first);
    assert_int_equal(world.ledger->boot.rev, 3);
    assert_true(is_true_to_the_store());
}

static void reload_comes_between(void)
{
    struct actor system = actor_system("sighup");
    struct configuration *conf =
        world_parse("{" POOLS "," ROUTES ",\"process\":{\"max_connections\":77},"
                    "\"people\":{" EVERYBODY "},\"policy\":{\"mode\":\"advisory\"}}");

    world.on_prepare = NULL;
    assert_true(
        ledger_adopt(world.ledger, &system, conf, "revision.unreviewed-reload", &world.refusal));
    config_free(&world.running);
    world.running = conf;
}

static void a_rollback_is_by_what_runs_when_it_is_ready(void **state)
{
    char id[CHANGE_ID_TEXT];
    uint64_t reloaded;

    (void)state;
    applied(WEIGHT, id);
    reloaded = world.ledger->newest_rev + 1;
    world.on_prepare = reload_comes_between;
    assert_string_equal(rollback_as("ann", "1"), "");
    assert_int_equal(world.ledger->running.rev, reloaded + 1);
    assert_int_equal(json_integer_value(json_object_get(world.answer, "from")),
                     (json_int_t)reloaded);
    assert_true(is_true_to_the_store());
    assert_int_equal(world.running->policy.mode, POLICY_ADVISORY);
}

static void previous_of_yesterday_is_asked_of_others(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    pass(25 * HOUR_MS);
    assert_string_equal(rollback_as("ann", "previous"), "");
    assert_string_equal(said("state"), "pending");
    assert_int_equal(json_integer_value(json_object_get(world.answer, "class")), 3);
}

static bool suspects(const char *change, const char *revert)
{
    json_t *suspect = ledger_suspect(world.ledger);
    const char *command = json_string_value(json_object_get(suspect, "revert"));
    bool found = suspect != NULL && command != NULL && strstr(command, revert) != NULL &&
                 strcmp(json_string_value(json_object_get(suspect, "change")), change) == 0 &&
                 strcmp(json_string_value(json_object_get(suspect, "author")), "ann") == 0;

    json_decref(suspect);
    return found;
}

static void what_was_changed_last_is_suspected_for_a_day(void **state)
{
    char id[CHANGE_ID_TEXT];
    char cancel[96];
    json_t *suspect;

    (void)state;
    assert_null(ledger_suspect(world.ledger)); /* what it began with */
    approved(WEIGHT, id);
    assert_null(ledger_suspect(world.ledger));
    assert_string_equal(apply_as("ann", id), "");
    (void)snprintf(cancel, sizeof(cancel), "http://127.0.0.1:9901/v1/changes/%s/cancel", id);
    assert_true(suspects(id, cancel));
    suspect = ledger_suspect(world.ledger);
    assert_true(json_is_true(json_object_get(suspect, "is_waiting")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(suspect, "approvers"), 0)),
                        "bob");
    json_decref(suspect);
    pass(31 * SECOND_MS);
    assert_string_equal(call(ledger_confirm, "ann", id), "");
    assert_true(suspects(id, "/v1/rollback -d '{\"to\":\"previous\"}'"));
    pass(23 * HOUR_MS);
    assert_true(suspects(id, "/v1/rollback"));
    pass(2 * HOUR_MS);
    assert_null(ledger_suspect(world.ledger));
    applied(WEIGHT_2, id);
    assert_true(suspects(id, "/v1/rollback"));
    assert_string_equal(rollback_as("ann", "previous"), "");
    assert_null(ledger_suspect(world.ledger));
}

static void a_target_that_cannot_run_is_told_early(void **state)
{
    struct memory_entry *blob;
    char id[CHANGE_ID_TEXT];
    char key[128];

    (void)state;
    applied(WEIGHT, id);
    pass(SECOND_MS);
    assert_false(has_alert("RollbackTargetUnusable"));
    (void)snprintf(key, sizeof(key), "blob/%s", world.ledger->previous.digest + strlen("sha256:"));
    blob = memory_find(key);
    assert_non_null(blob);
    blob->bytes[0] = ' ';
    pass(25 * HOUR_MS);
    assert_true(has_alert("RollbackTargetUnusable"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rollback_waits_for_an_apply_and_ends_it),
        TEST(a_rollback_is_by_what_runs_when_it_is_ready),
        TEST(previous_of_yesterday_is_asked_of_others),
        TEST(what_was_changed_last_is_suspected_for_a_day),
        TEST(a_target_that_cannot_run_is_told_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
