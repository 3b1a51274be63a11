/*
 * boot_test - what a start makes of what was left: by crashes, by clocks, by damaged bytes.
 *
 * Threads  the first
 */
#include "tests/support/apply_fixture.h"

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

static void soak(void)
{
    pass(29 * MINUTE_MS);
    ledger_count_requests(world.ledger, 2000);
    ledger_tick(world.ledger);
    assert_int_not_equal(world.ledger->lkg.rev, world.ledger->running.rev);
    pass(2 * MINUTE_MS);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_enforced, end_enforced)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_before_it_is_recorded_starts_with_what_ran),
        TEST(three_crashes_of_a_young_revision_start_lkg),
        TEST(orderly_stops_are_no_crashes),
        TEST(an_old_revision_is_not_blamed_for_crashes),
        TEST(a_jump_of_the_clock_ends_what_was_approved),
        TEST(armed_is_rolled_back_by_a_start),
        TEST(intent_is_approved_again_or_expired),
        TEST(damaged_bytes_are_not_run),
        TEST(without_a_revision_it_is_the_first_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
