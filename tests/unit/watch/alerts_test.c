/*
 * alerts_test - what is new, what is over, what is only a moment; and which change is named.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "watch/alerts.h"

enum { SECOND = 1000 };

static struct alerts *alerts;
static int64_t wall_ms;
static uint64_t now_ms;

static int begin(void **state)
{
    (void)state;
    alerts = alerts_new();
    wall_ms = 1700000000000;
    now_ms = 1000000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    alerts_free(&alerts);
    return 0;
}

static void pass(uint64_t ms)
{
    wall_ms += (int64_t)ms;
    now_ms += ms;
}

static json_t *one(const char *name, const char *pool)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "name", name, "pool", pool, "summary", "s",
                     "description", "d");
}

/* A look at which this one thing is wrong; NULL: nothing is. */
static void look_at(json_t *told, const json_t *suspect)
{
    alerts_begin(alerts, wall_ms, now_ms);
    if (told != NULL)
        alerts_tell(alerts, told);
    alerts_end(alerts, suspect);
}

/* Looks each second for `ms`, all the time at the same. */
static void look_for(const char *name, uint64_t ms)
{
    for (uint64_t i = 0; i < ms / SECOND; i++) {
        pass(SECOND);
        look_at(name != NULL ? one(name, "shop") : NULL, NULL);
    }
}

static json_t *suspect_of(const char *change, int64_t applied_ms, const char *revert, int revision)
{
    return json_pack("{s:s, s:i, s:s, s:[s], s:I, s:s}", "change", change, "revision", revision,
                     "author", "ann", "approvers", "bob", "applied_ms", (json_int_t)applied_ms,
                     "revert", revert);
}

static const char *shown(size_t index, const char *key)
{
    static char text[200];
    json_t *list = alerts_shown(alerts, "https://wiki/");
    const char *value = json_string_value(json_object_get(json_array_get(list, index), key));

    (void)snprintf(text, sizeof(text), "%s", value != NULL ? value : "");
    json_decref(list);
    return text;
}

static size_t batch_size(const char *part)
{
    json_t *batch = alerts_batch(alerts, "");
    size_t size = json_array_size(json_object_get(batch, part));

    json_decref(batch);
    return size;
}

static void what_its_source_has_judged_stands_at_once(void **state)
{
    (void)state;
    look_at(one("Drift", "shop"), NULL);
    assert_int_equal(alerts_count(alerts), 1);
    assert_string_equal(shown(0, "severity"), "warning");
    assert_string_equal(shown(0, "since"), "2023-11-14T22:13:20.000Z");
    assert_string_equal(shown(0, "runbook"), "https://wiki/who-changed-what.md");
    pass(SECOND);
    look_at(NULL, NULL);
    assert_int_equal(alerts_count(alerts), 0);
}

static void a_moment_raises_nothing(void **state)
{
    (void)state;
    look_for("ServerDown", 14 * SECOND);
    assert_int_equal(alerts_count(alerts), 0);
    look_for(NULL, SECOND);
    look_for("ServerDown", 14 * SECOND);
    assert_int_equal(alerts_count(alerts), 0);
    assert_int_equal(alerts_seq(alerts), 0);
    look_for("ServerDown", 2 * SECOND);
    assert_int_equal(alerts_count(alerts), 1);
    /* since it began, not since it was raised */
    assert_string_equal(shown(0, "since"), "2023-11-14T22:13:36.000Z");
}

static void what_comes_and_goes_stays_raised(void **state)
{
    (void)state;
    look_for("ServerDown", 16 * SECOND);
    for (unsigned i = 0; i < 20; i++) {
        look_for(NULL, 50 * SECOND);
        look_for("ServerDown", 2 * SECOND);
    }
    assert_int_equal(alerts_count(alerts), 1);
    assert_int_equal(alerts_seq(alerts), 1);
    look_for(NULL, 61 * SECOND);
    assert_int_equal(alerts_count(alerts), 0);
    assert_int_equal(alerts_seq(alerts), 2);
}

static void what_is_over_is_kept_a_while_to_be_told(void **state)
{
    json_t *batch;
    const json_t *over;

    (void)state;
    look_at(one("Drift", "shop"), NULL);
    assert_int_equal(batch_size("raised"), 1);
    pass(5 * SECOND);
    look_at(NULL, NULL);
    batch = alerts_batch(alerts, "");
    over = json_array_get(json_object_get(batch, "over"), 0);
    assert_string_equal(json_string_value(json_object_get(over, "ended")),
                        "2023-11-14T22:13:25.000Z");
    assert_int_equal(json_integer_value(json_object_get(over, "seq")), 2);
    json_decref(batch);
    pass(ALERTS_OVER_MS - SECOND);
    look_at(NULL, NULL);
    assert_int_equal(batch_size("over"), 1);
    pass(2 * SECOND);
    look_at(NULL, NULL);
    assert_int_equal(batch_size("over"), 0);
}

static void the_same_thing_is_known_by_what_it_is_about(void **state)
{
    (void)state;
    alerts_begin(alerts, wall_ms, now_ms);
    alerts_tell(alerts, one("Drift", "shop"));
    alerts_tell(alerts, one("Drift", "shop"));
    alerts_tell(alerts, one("Drift", "blog"));
    alerts_tell(alerts,
                json_pack("{s:s, s:s, s:s}", "name", "Drift", "pool", "shop", "server", "s1"));
    alerts_tell(alerts,
                json_pack("{s:s, s:s, s:s}", "name", "Drift", "pool", "shop", "ref", "capacity"));
    alerts_end(alerts, NULL);
    assert_int_equal(alerts_count(alerts), 4);
}

static void words_may_change_while_it_lasts(void **state)
{
    (void)state;
    look_at(one("Drift", "shop"), NULL);
    pass(SECOND);
    look_at(json_pack("{s:s, s:s, s:s, s:s}", "name", "Drift", "pool", "shop", "summary", "new",
                      "severity", "page"),
            NULL);
    assert_int_equal(alerts_seq(alerts), 1);
    assert_string_equal(shown(0, "summary"), "new");
    assert_string_equal(shown(0, "severity"), "page");
    assert_string_equal(shown(0, "since"), "2023-11-14T22:13:20.000Z");
}

static void traffic_names_what_was_changed_last(void **state)
{
    json_t *waiting = suspect_of("chg_1", wall_ms - 60 * SECOND, "cancel it", 7);
    json_t *applied = suspect_of("chg_1", wall_ms - 60 * SECOND, "roll it back", 7);
    json_t *other = suspect_of("chg_2", wall_ms + 60 * SECOND, "cancel the other", 8);

    (void)state;
    look_at(one("ServerEjected", "shop"), waiting);
    assert_string_equal(shown(0, "change"), "chg_1");
    assert_string_equal(shown(0, "author"), "ann");
    assert_string_equal(shown(0, "revert"), "cancel it");
    pass(SECOND);
    look_at(one("ServerEjected", "shop"), applied); /* it was confirmed meanwhile */
    assert_string_equal(shown(0, "revert"), "roll it back");
    pass(SECOND);
    look_at(one("ServerEjected", "shop"), other); /* another one came: that is not the cause */
    assert_string_equal(shown(0, "change"), "chg_1");
    assert_string_equal(shown(0, "revert"), "");
    pass(SECOND);
    look_at(one("ServerEjected", "shop"), NULL);
    assert_string_equal(shown(0, "change"), "chg_1");
    json_decref(waiting);
    json_decref(applied);
    json_decref(other);
}

static void a_change_that_came_later_is_not_named(void **state)
{
    json_t *later;

    (void)state;
    look_for("ServerDown", SECOND);
    pass(30 * SECOND);
    later = suspect_of("chg_1", wall_ms, "cancel it", 7);
    look_at(one("ServerDown", "shop"), later);
    assert_int_equal(alerts_count(alerts), 1);
    assert_string_equal(shown(0, "change"), "");
    assert_string_equal(shown(0, "revert"), "");
    json_decref(later);
}

static void what_is_not_about_traffic_names_no_change(void **state)
{
    json_t *suspect = suspect_of("chg_1", wall_ms - SECOND, "cancel it", 7);

    (void)state;
    look_at(one("Drift", "shop"), suspect);
    assert_string_equal(shown(0, "change"), "");
    json_decref(suspect);
}

static void what_is_about_a_change_names_that_one(void **state)
{
    json_t *suspect = suspect_of("chg_2", wall_ms - SECOND, "cancel it", 7);
    json_t *batch;

    (void)state;
    alerts_begin(alerts, wall_ms, now_ms);
    alerts_tell(alerts, json_pack("{s:s, s:s}", "name", "ConfirmationWaiting", "change", "chg_1"));
    alerts_tell(alerts, json_pack("{s:s, s:s}", "name", "ConfirmationWaiting", "change", "chg_2"));
    alerts_end(alerts, suspect);
    assert_string_equal(shown(0, "change"), "chg_2");
    assert_string_equal(shown(0, "revert"), "cancel it");
    assert_string_equal(shown(1, "change"), "chg_1");
    assert_string_equal(shown(1, "revert"), "");
    batch = alerts_batch(alerts, "");
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(batch, "raised"), 0), "about")),
                        "chg_1");
    json_decref(batch);
    json_decref(suspect);
}

static void too_many_are_counted_not_kept(void **state)
{
    char pool[32];

    (void)state;
    for (unsigned turn = 0; turn < 3; turn++) {
        pass(SECOND);
        alerts_begin(alerts, wall_ms, now_ms);
        for (unsigned i = 0; i < 3 * ALERTS_MAX; i++) {
            (void)snprintf(pool, sizeof(pool), "pool-%u", i);
            alerts_tell(alerts, one("Drift", pool));
        }
        alerts_end(alerts, NULL);
        assert_int_equal(alerts_count(alerts), ALERTS_MAX);
        assert_int_equal(alerts_seq(alerts), ALERTS_MAX); /* nothing flaps */
    }
    assert_string_equal(shown(0, "name"), "AlertsLeftOut");
    for (unsigned turn = 0; turn < 70; turn++) {
        pass(SECOND);
        look_at(NULL, NULL);
    }
    assert_int_equal(alerts_count(alerts), 0);
    assert_int_equal(batch_size("over"), ALERTS_OVER_MAX);
}

static void a_name_without_a_row_stands_at_once(void **state)
{
    (void)state;
    look_at(json_pack("{s:s, s:s}", "name", "Unheard", "severity", "page"), NULL);
    assert_string_equal(shown(0, "severity"), "page");
    assert_string_equal(shown(0, "name"), "Unheard");
}

static void each_row_is_whole(void **state)
{
    const struct alert_kind *kind;

    (void)state;
    for (size_t i = 0; (kind = alert_kind_at(i)) != NULL; i++) {
        assert_ptr_equal(alert_kind_named(kind->name), kind);
        assert_true(strcmp(kind->severity, "page") == 0 || strcmp(kind->severity, "ticket") == 0 ||
                    strcmp(kind->severity, "warning") == 0);
        assert_true(strlen(kind->runbook) > 3 && strlen(kind->meaning) > 10);
    }
    assert_null(alert_kind_named("Unheard"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_its_source_has_judged_stands_at_once),
        TEST(a_moment_raises_nothing),
        TEST(what_comes_and_goes_stays_raised),
        TEST(what_is_over_is_kept_a_while_to_be_told),
        TEST(the_same_thing_is_known_by_what_it_is_about),
        TEST(words_may_change_while_it_lasts),
        TEST(traffic_names_what_was_changed_last),
        TEST(a_change_that_came_later_is_not_named),
        TEST(what_is_not_about_traffic_names_no_change),
        TEST(what_is_about_a_change_names_that_one),
        TEST(too_many_are_counted_not_kept),
        TEST(a_name_without_a_row_stands_at_once),
        TEST(each_row_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
