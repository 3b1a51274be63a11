/*
 * apply_test - from approved to applied and all the ways back, with a disk that fails where it
 * hurts and clocks that are moved; and what a start makes of what was left.
 *
 * Threads  the first
 */
#include "tests/support/ledger_fixture.h"

#define WEIGHT    "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"
#define WEIGHT_2  "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":95}}}}}"
#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)

static unsigned answered;

static int begin(void **state)
{
    (void)state;
    answered = 0;
    world_begin(CONFIGURATION(ENFORCED));
    return 0;
}

static int end(void **state)
{
    (void)state;
    memory_fails = false;
    world_end();
    return 0;
}

static void disk_fills(void)
{
    memory_fails = true;
}

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
    answered++;
}

static const char *apply_as(const char *person, const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_apply(world.ledger, &actor, id, NULL, done, NULL);
    return problem();
}

static const char *cancel_as(const char *person, const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_cancel(world.ledger, &actor, id, NULL, done, NULL);
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

static void approved(const char *patch, char id_out[CHANGE_ID_TEXT])
{
    propose("ann", patch, true, id_out);
    assert_string_equal(approve("bob", id_out), "");
    assert_string_equal(state_of(id_out), "approved");
}

static void applied(const char *patch, char id_out[CHANGE_ID_TEXT])
{
    approved(patch, id_out);
    assert_string_equal(apply_as("ann", id_out), "");
    pass(31 * SECOND_MS);
    assert_string_equal(call(ledger_confirm, "ann", id_out), "");
    assert_string_equal(state_of(id_out), "applied");
}

static const char *runs(void)
{
    return world.running->digest;
}

/* Both say the same: what runs, and what the store says runs. */
static bool is_true_to_the_store(void)
{
    struct revision_pointer stored;

    pointer_load(world.ledger, "running", &stored);
    return strcmp(stored.digest, runs()) == 0 && stored.rev == world.ledger->running.rev;
}

static unsigned records_of(const char *event)
{
    char needle[64];
    unsigned count = 0;

    (void)snprintf(needle, sizeof(needle), "\"event\":\"%s\"", event);
    for (size_t i = 0; i < memory.count; i++)
        count += strncmp(memory.entries[i].key, "audit/", 6) == 0 &&
                 strstr(memory.entries[i].bytes, needle) != NULL;
    return count;
}

static bool has_alert(const char *name)
{
    json_t *alerts = ledger_alerts(world.ledger);
    bool found = false;
    json_t *alert;
    size_t i;

    json_array_foreach(alerts, i, alert)
    {
        found = found || strcmp(json_string_value(json_object_get(alert, "name")), name) == 0;
    }
    json_decref(alerts);
    return found;
}

/* ---- confirmation ---- */

static void each_step_is_in_the_audit(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    assert_int_equal(records_of("change.applying"), 1);
    assert_int_equal(records_of("apply.prepared"), 1);
    assert_int_equal(records_of("apply.armed"), 1);
    assert_int_equal(records_of("change.confirming"), 1);
    assert_int_equal(records_of("apply.confirmed"), 1);
    assert_int_equal(records_of("change.applied"), 1);
    assert_true(is_true_to_the_store());
    assert_int_equal(world.ledger->boot.rev, 2);
    assert_int_equal(world.ledger->previous.rev, 1);
}

static void a_deadline_is_not_of_the_wall_clock(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    assert_string_equal(apply_as("ann", id), "");
    world.wall_ms += 5 * HOUR_MS;
    pass(9 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    world.wall_ms -= 10 * HOUR_MS;
    pass(2 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_true(is_true_to_the_store());
    assert_string_equal(change_now(id)->ended_why, "deadline");
}

static void min_bake_counts_from_when_all_workers_have_it(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    world.publish_holds = true;
    (void)apply_as("ann", id);
    assert_int_equal(answered, 0);
    assert_string_equal(state_of(id), "applying");
    pass(2 * MINUTE_MS);
    world_release();
    assert_int_equal(answered, 1);
    assert_string_equal(call(ledger_confirm, "ann", id), "too-early");
    pass(9 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    assert_string_equal(call(ledger_confirm, "ann", id), "");
}

static void extend_goes_to_an_hour_from_apply(void **state)
{
    struct actor bob;
    char id[CHANGE_ID_TEXT];

    (void)state;
    bob = who("bob");
    approved(WEIGHT, id);
    assert_string_equal(apply_as("ann", id), "");
    pass(5 * MINUTE_MS);
    fresh_answer();
    assert_false(ledger_extend(world.ledger, &bob, id, (uint64_t)(61 * MINUTE_MS), &world.answer,
                               &world.refusal));
    assert_false(ledger_extend(world.ledger, &bob, id, (uint64_t)(4 * MINUTE_MS), &world.answer,
                               &world.refusal));
    assert_true(ledger_extend(world.ledger, &bob, id, (uint64_t)(60 * MINUTE_MS), &world.answer,
                              &world.refusal));
    pass(54 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    pass(2 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
}

/* ---- a disk that is full ---- */

static void nothing_is_exposed_that_cannot_be_armed(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    world.on_prepare = disk_fills;
    assert_string_equal(apply_as("ann", id), "audit-unavailable");
    assert_int_equal(world.published, 0);
    assert_int_equal(world.ledger->running.rev, 1);
    world.on_prepare = NULL;
    memory_fails = false;
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "approved");
    assert_string_equal(apply_as("ann", id), "");
    assert_int_equal(change_now(id)->rev, 3);
}

static void what_cannot_be_recorded_goes_back(void **state)
{
    char before[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    (void)snprintf(before, sizeof(before), "%s", runs());
    world.on_publish = disk_fills;
    assert_string_equal(apply_as("ann", id), "audit-unavailable");
    assert_string_equal(runs(), before);
    assert_true(has_alert("RollbackUndurable"));
    world.on_publish = NULL;
    pass(SECOND_MS);
    assert_true(has_alert("RollbackUndurable"));
    memory_fails = false;
    pass(SECOND_MS);
    assert_false(has_alert("RollbackUndurable"));
    assert_string_equal(state_of(id), "rolled_back");
    assert_true(is_true_to_the_store());
    assert_int_equal(world.published, 2);
}

static void a_rollback_happens_whatever_the_disk_does(void **state)
{
    char first[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    applied(WEIGHT, id);
    memory_fails = true;
    assert_string_equal(rollback_as("ann", "previous"), "");
    assert_true(json_is_true(json_object_get(world.answer, "undurable")));
    assert_string_equal(runs(), first);
    assert_true(has_alert("RollbackUndurable"));
}

static void a_cancel_happens_whatever_the_disk_does(void **state)
{
    char first[DIGEST_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    approved(WEIGHT, id);
    assert_string_equal(apply_as("ann", id), "");
    memory_fails = true;
    assert_string_equal(cancel_as("bob", id), "");
    assert_string_equal(runs(), first);
    pass(SECOND_MS);
    memory_fails = false;
    pass(SECOND_MS);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(change_now(id)->ended_why, "cancelled by bob");
    assert_true(is_true_to_the_store());
}

static void until_then_nothing_else_is_done(void **state)
{
    char first[DIGEST_TEXT];
    char other[CHANGE_ID_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", runs());
    applied(WEIGHT, id);
    approved(WEIGHT_2, other);
    memory_fails = true;
    assert_string_equal(rollback_as("ann", "previous"), "");
    assert_true(json_is_true(json_object_get(world.answer, "undurable")));
    assert_string_equal(runs(), first);
    memory_fails = false;
    assert_string_equal(apply_as("ann", other), "audit-unavailable");
    pass(SECOND_MS);
    assert_true(is_true_to_the_store());
    assert_int_equal(world.ledger->boot.rev, 3);
    assert_int_equal(records_of("revision.rolled-back"), 1);
    assert_string_equal(state_of(other), "stale");
}

/* ---- rollback ---- */

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
    assert_int_equal(answered, 0);
    assert_string_equal(rollback_as("eve", "1"), "state-conflict");
    assert_int_equal(answered, 1);
    world_release();
    assert_int_equal(answered, 3);
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

/* ---- what is known to be good ---- */

static void soak(void)
{
    pass(29 * MINUTE_MS);
    ledger_count_requests(world.ledger, 2000);
    ledger_tick(world.ledger);
    assert_int_not_equal(world.ledger->lkg.rev, world.ledger->running.rev);
    pass(2 * MINUTE_MS);
}

static void lkg_takes_time_and_requests(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    pass(2 * HOUR_MS);
    ledger_count_requests(world.ledger, 999);
    pass(SECOND_MS);
    assert_int_equal(world.ledger->lkg.rev, 0);
    ledger_count_requests(world.ledger, 1);
    pass(SECOND_MS);
    assert_int_equal(world.ledger->lkg.rev, 2);
    assert_string_equal(rollback_as("ann", "lkg"), "state-conflict"); /* it runs */
    approved(WEIGHT_2, id);
    assert_string_equal(apply_as("ann", id), "");
    pass(5 * MINUTE_MS);
    assert_string_equal(rollback_as("ann", "lkg"), "");
    assert_int_equal(world.ledger->running.rev, 4);
}

static void what_waits_is_not_known_to_be_good(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    (void)snprintf(id, sizeof(id), "%s",
                   create_as(who("ann"),
                             "{\"title\":\"t\",\"reason\":\"r\",\"confirm\":{\"deadline\":\"50m\"},"
                             "\"patch\":" WEIGHT "}",
                             true));
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(apply_as("ann", id), "");
    ledger_count_requests(world.ledger, 5000);
    pass(40 * MINUTE_MS);
    assert_string_equal(state_of(id), "confirming");
    assert_int_equal(world.ledger->lkg.rev, 0);
}

/* ---- a start ---- */

/* kill -9, and a start that runs what it should. */
static uint64_t start(void)
{
    struct ledger_boot boot;
    struct error why = {0};
    struct buffer bytes;

    world_close();
    config_free(&world.running);
    world_open();
    if (!ledger_choose_boot(world.ledger, &boot, &why))
        fail_msg("%s", why.text);
    buffer_init(&bytes);
    buffer_append_slice(&bytes, boot.bytes);
    world.running = world_parse(buffer_text(&bytes));
    buffer_fini(&bytes);
    ledger_started(world.ledger, boot.rev);
    return boot.rev;
}

static void a_crash_before_it_is_recorded_starts_with_what_ran(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    memory_fails = true;
    assert_string_equal(rollback_as("ann", "previous"), "");
    memory_fails = false;
    assert_int_equal(start(), 2);
    assert_true(is_true_to_the_store());
    assert_int_equal(records_of("revision.rolled-back"), 0);
}

static void three_crashes_of_a_young_revision_start_lkg(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    soak();
    assert_int_equal(world.ledger->lkg.rev, 2);
    applied(WEIGHT_2, id);
    assert_int_equal(start(), 3);
    pass(20 * SECOND_MS);
    assert_int_equal(start(), 3);
    pass(20 * SECOND_MS);
    assert_int_equal(start(), 2);
    assert_true(has_alert("CrashLoop"));
    assert_true(is_true_to_the_store());
    assert_int_equal(world.ledger->boot.rev, 2);
}

static void orderly_stops_are_no_crashes(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    soak();
    applied(WEIGHT_2, id);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(start(), 3);
        ledger_stopping(world.ledger);
    }
}

static void an_old_revision_is_not_blamed_for_crashes(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    soak();
    applied(WEIGHT_2, id);
    pass(2 * HOUR_MS);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(start(), 3);
}

static void a_jump_of_the_clock_ends_what_was_approved(void **state)
{
    char other[CHANGE_ID_TEXT];
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    approved(WEIGHT_2, other);
    assert_string_equal(apply_as("ann", id), "");
    world.wall_ms -= 2 * HOUR_MS;
    assert_int_equal(start(), 1);
    assert_string_equal(state_of(other), "expired");
    assert_string_equal(state_of(id), "rolled_back");
    assert_true(has_alert("ClockJump"));
}

static struct memory_image at_publish;

static void take_image(void)
{
    at_publish = memory_save();
}

/* The moment between ARMED and ACTIVE, and then a long time. */
static void armed_is_rolled_back_by_a_start(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    approved(WEIGHT, id);
    world.on_publish = take_image;
    assert_string_equal(apply_as("ann", id), "");
    world_close();
    memory_restore(&at_publish);
    world.on_publish = NULL;
    assert_int_equal(start(), 1);
    assert_string_equal(state_of(id), "rolled_back");
    assert_string_equal(change_now(id)->ended_why, "restart");
    assert_true(is_true_to_the_store());
}

/* The moment between PREPARED and ARMED. */
static void intent_is_approved_again_or_expired(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        approved(late ? WEIGHT_2 : WEIGHT, id);
        world.on_prepare = take_image;
        assert_string_equal(apply_as("ann", id), "");
        world_close();
        memory_restore(&at_publish);
        world.on_prepare = NULL;
        pass_ms(late ? 5 * HOUR_MS : MINUTE_MS);
        assert_int_equal(start(), 1);
        assert_string_equal(state_of(id), late ? "expired" : "approved");
    }
}

static void damaged_bytes_are_not_run(void **state)
{
    struct memory_entry *blob;
    char id[CHANGE_ID_TEXT];
    char key[128];

    (void)state;
    applied(WEIGHT, id);
    applied(WEIGHT_2, id);
    (void)snprintf(key, sizeof(key), "blob/%s", runs() + strlen("sha256:"));
    blob = memory_find(key);
    assert_non_null(blob);
    *strstr(blob->bytes, "95") = '8';
    assert_int_equal(start(), 2);
    assert_true(world.ledger->is_violated);
    assert_true(has_alert("IntegrityViolated"));
    (void)create_as(who("ann"), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":" WEIGHT_2 "}", true);
    assert_string_equal(problem(), "audit-unavailable");
}

static void who_changes_the_way_in_confirms_over_it(void **state)
{
    char id[CHANGE_ID_TEXT];

    (void)state;
    run_configuration(CONFIGURATION(ENFORCED ",\"confirm\":{\"mode\":\"auto\"}"));
    (void)snprintf(id, sizeof(id), "%s",
                   create_as(who("ann"),
                             "{\"title\":\"t\",\"reason\":\"r\",\"override\":[\"X007\"],"
                             "\"confirm\":{\"mode\":\"auto\"},"
                             "\"patch\":{\"admin\":{\"listen\":\"127.0.0.1:9911\"}}}",
                             true));
    assert_string_equal(approve("bob", id), "");
    assert_string_equal(approve("cat", id), "");
    assert_string_equal(apply_as("ann", id), "");
    ledger_count_requests(world.ledger, 5000);
    pass(11 * MINUTE_MS);
    assert_string_equal(state_of(id), "rolled_back");
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

static void what_was_not_changed_for_90_days_is_told(void **state)
{
    const int64_t days_ms = 90 * 24 * (int64_t)HOUR_MS;
    char id[CHANGE_ID_TEXT];

    (void)state;
    applied(WEIGHT, id);
    world.wall_ms += days_ms - (int64_t)SECOND_MS;
    assert_false(has_alert("ConfigurationOld"));
    world.wall_ms += (int64_t)SECOND_MS;
    assert_true(has_alert("ConfigurationOld"));
    applied(WEIGHT_2, id);
    assert_false(has_alert("ConfigurationOld"));
}

static void without_a_revision_it_is_the_first_start(void **state)
{
    struct ledger_boot boot;

    (void)state;
    world_close();
    memory_clear(&memory);
    world_open();
    assert_true(ledger_choose_boot(world.ledger, &boot, NULL));
    assert_true(boot.is_first);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_step_is_in_the_audit),
        TEST(a_deadline_is_not_of_the_wall_clock),
        TEST(min_bake_counts_from_when_all_workers_have_it),
        TEST(extend_goes_to_an_hour_from_apply),
        TEST(nothing_is_exposed_that_cannot_be_armed),
        TEST(what_cannot_be_recorded_goes_back),
        TEST(a_rollback_happens_whatever_the_disk_does),
        TEST(a_cancel_happens_whatever_the_disk_does),
        TEST(until_then_nothing_else_is_done),
        TEST(a_rollback_waits_for_an_apply_and_ends_it),
        TEST(a_rollback_is_by_what_runs_when_it_is_ready),
        TEST(previous_of_yesterday_is_asked_of_others),
        TEST(what_was_changed_last_is_suspected_for_a_day),
        TEST(lkg_takes_time_and_requests),
        TEST(what_waits_is_not_known_to_be_good),
        TEST(a_crash_before_it_is_recorded_starts_with_what_ran),
        TEST(three_crashes_of_a_young_revision_start_lkg),
        TEST(orderly_stops_are_no_crashes),
        TEST(an_old_revision_is_not_blamed_for_crashes),
        TEST(a_jump_of_the_clock_ends_what_was_approved),
        TEST(armed_is_rolled_back_by_a_start),
        TEST(intent_is_approved_again_or_expired),
        TEST(damaged_bytes_are_not_run),
        TEST(who_changes_the_way_in_confirms_over_it),
        TEST(a_target_that_cannot_run_is_told_early),
        TEST(what_was_not_changed_for_90_days_is_told),
        TEST(without_a_revision_it_is_the_first_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
