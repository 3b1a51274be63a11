/*
 * judge_test - what a call of the person was good for, and when the last seconds were well.
 */
#include "cli/drill/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "cli/drill/drill.h"

static const struct drill drill = {
    .looks = {"/v1/pools*", "/v1/alerts*"},
    .right = {"POST /v1/rollback*", "PUT /v1/pools/demo/servers/s2/state*"},
};

static enum judge_verdict verdict(const char *method, const char *path, unsigned status)
{
    struct site_note note = {.status = status};

    (void)snprintf(note.method, sizeof(note.method), "%s", method);
    (void)snprintf(note.path, sizeof(note.path), "%s", path);
    return judge_note(&drill, &note);
}

static void a_look_counts_when_it_shows_what_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(verdict("GET", "/v1/pools", 200), JUDGE_LOOK);
    assert_int_equal(verdict("GET", "/v1/pools/demo/servers/s1", 200), JUDGE_LOOK);
    assert_int_equal(verdict("GET", "/v1/pools/demo", 401), JUDGE_OTHER);
    assert_int_equal(verdict("GET", "/v1/whoami", 200), JUDGE_OTHER);
}

static void a_step_is_right_when_it_may_mend_it_and_was_accepted(void **state)
{
    (void)state;
    assert_int_equal(verdict("POST", "/v1/rollback", 200), JUDGE_RIGHT);
    assert_int_equal(verdict("PUT", "/v1/pools/demo/servers/s2/state?wait=30s", 200), JUDGE_RIGHT);
    assert_int_equal(verdict("PUT", "/v1/pools/demo/servers/s1/state", 200), JUDGE_WRONG);
    assert_int_equal(verdict("POST", "/v1/rollback", 409), JUDGE_WRONG);
    assert_int_equal(verdict("PUT", "/v1/pools/demo/servers/s2/state", 401), JUDGE_WRONG);
}

static void questions_that_are_posted_are_no_steps(void **state)
{
    (void)state;
    assert_int_equal(verdict("POST", "/v1/explain", 200), JUDGE_OTHER);
    assert_int_equal(verdict("POST", "/v1/changes?dry_run=true", 200), JUDGE_OTHER);
    assert_int_equal(verdict("POST", "/v1/changes?dry_run=true", 422), JUDGE_OTHER);
}

/* A window in which each server serves so many, and so many fail, between its first and last tick.
 */
static struct judge_window window_of(uint64_t failed, const uint64_t served[SITE_SERVERS])
{
    struct judge_window window = {0};
    struct site_counts counts = {.made = 1000, .failed = 500, .served = {7, 7, 7, 7}};

    for (unsigned tick = 0; tick < JUDGE_TICKS; tick++) {
        if (tick == JUDGE_TICKS - 1) {
            counts.failed += failed;
            counts.made += failed;
            for (unsigned i = 0; i < SITE_SERVERS; i++) {
                counts.made += served[i];
                counts.served[i] += served[i];
            }
        }
        judge_tick(&window, &counts);
    }
    return window;
}

static void a_window_is_well_within_its_limits(void **state)
{
    static const struct {
        uint64_t failed, served[SITE_SERVERS];
        struct drill_goal goal;
        bool is_well;
    } cases[] = {
        {0, {25, 25, 25, 25}, {.failed_percent = 1, .servers = 4}, true},
        {1, {25, 25, 25, 24}, {.failed_percent = 1, .servers = 4}, true},
        {2, {25, 25, 25, 23}, {.failed_percent = 1, .servers = 4}, false},
        {0, {50, 50, 0, 0}, {.failed_percent = 1, .servers = 2}, true},
        {0, {50, 50, 0, 0}, {.failed_percent = 1, .servers = 3}, false},
        {0, {50, 20, 20, 10}, {.failed_percent = 1, .share_percent = 50, .servers = 4}, true},
        {0, {51, 20, 20, 9}, {.failed_percent = 1, .share_percent = 50, .servers = 4}, false},
        {0, {97, 1, 1, 1}, {.failed_percent = 1, .servers = 4}, true},
        {100, {0, 0, 0, 0}, {.failed_percent = 1}, false},
        {0, {0, 0, 0, 0}, {.failed_percent = 1}, false}, /* nobody asked: nothing is known */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct judge_window window = window_of(cases[i].failed, cases[i].served);

        assert_int_equal(judge_is_well(&window, &cases[i].goal), cases[i].is_well);
    }
}

static void a_window_that_is_not_full_is_not_well(void **state)
{
    static const struct drill_goal goal = {.failed_percent = 1};
    struct judge_window window = {0};
    struct site_counts counts = {0};

    (void)state;
    for (unsigned tick = 1; tick <= 2 * JUDGE_TICKS; tick++) {
        counts.made += 10;
        counts.served[0] += 10;
        judge_tick(&window, &counts);
        assert_int_equal(judge_is_well(&window, &goal), tick >= JUDGE_TICKS);
    }
}

static void what_was_before_the_window_is_forgotten(void **state)
{
    static const struct drill_goal goal = {.failed_percent = 1};
    struct judge_window window = {0};
    struct site_counts counts = {.made = 1000, .failed = 1000};

    (void)state;
    judge_tick(&window, &(struct site_counts){0});
    for (unsigned tick = 0; tick < JUDGE_TICKS; tick++) {
        assert_false(judge_is_well(&window, &goal));
        counts.made += 10;
        counts.served[0] += 10;
        judge_tick(&window, &counts);
    }
    assert_true(judge_is_well(&window, &goal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_counts_when_it_shows_what_is_wrong),
        cmocka_unit_test(a_step_is_right_when_it_may_mend_it_and_was_accepted),
        cmocka_unit_test(questions_that_are_posted_are_no_steps),
        cmocka_unit_test(a_window_is_well_within_its_limits),
        cmocka_unit_test(a_window_that_is_not_full_is_not_well),
        cmocka_unit_test(what_was_before_the_window_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
