/* target: rise and fall, slow start, ejection with its cap, panic; time is given. */
#include "proxy/upstream/target.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/model.h"
#include "proxy/upstream/probe.h"
#include "proxy/upstream/server.h"

enum { SERVERS = 10 };

struct bench {
    struct conf_pool conf;
    struct pool_live live;
    struct server servers[SERVERS];
    struct target targets[SERVERS];
    struct target *list[SERVERS];
    struct target_pool pool;
};

static const struct probe_answer pass = {PROBE_PASSED, 200, NULL};
static const struct probe_answer failure = {PROBE_FAILED, 503,
                                            "the status is not the expected one"};
static const struct probe_answer nothing = {PROBE_NO_VERDICT, 0, "no file descriptor left here"};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->conf = (struct conf_pool){
        .name = "p",
        .health_check =
            {.is_on = true, .interval_ms = 5000, .fast_interval_ms = 1000, .fall = 3, .rise = 2},
        .ejection = {.consecutive_failures = 5,
                     .base_time_ms = 30000,
                     .max_time_ms = 100000,
                     .max_percent = 50},
        .slow_start_ms = 30000,
        .panic_percent = 50,
    };
    bench->live.name = "p";
    bench->pool = (struct target_pool){&bench->live, &bench->conf, bench->list, 0};
    for (int i = 0; i < SERVERS; i++) {
        struct server *server = &bench->servers[i];

        *server = (struct server){.tag = SERVER_TAG, .pool = &bench->live, .name = "s"};
        atomic_store(&server->live.weight_override, BALANCE_NO_OVERRIDE);
        target_init(&bench->targets[i], server);
        bench->targets[i].pool = &bench->pool;
        bench->targets[i].weight = 100;
        bench->list[i] = &bench->targets[i];
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void use(struct bench *bench, size_t count)
{
    bench->pool.count = count;
    for (size_t i = 0; i < count; i++)
        atomic_store(&bench->servers[i].live.health, HEALTH_UP);
}

static uint32_t health(struct bench *bench, int server)
{
    return atomic_load(&bench->servers[server].live.health);
}

static bool suspect(struct bench *bench, int server, uint64_t now_ms)
{
    atomic_store(&bench->servers[server].live.failures, 5);
    atomic_store(&bench->servers[server].is_suspected, 1);
    return target_suspect(&bench->targets[server], now_ms, 0);
}

static void an_unknown_server_is_up_after_one_success(void **state)
{
    struct bench *bench = *state;
    uint64_t epoch = atomic_load(&bench->live.epoch);

    use(bench, 0);
    target_judge(&bench->targets[0], &pass, 1000);
    assert_int_equal(health(bench, 0), HEALTH_UP);
    assert_true(atomic_load(&bench->live.epoch) > epoch);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 0);
    assert_int_equal(target_interval_ms(&bench->targets[0]), 5000);
}

static void an_unknown_server_is_down_after_fall_failures(void **state)
{
    struct bench *bench = *state;

    target_judge(&bench->targets[0], &failure, 1000);
    target_judge(&bench->targets[0], &failure, 1000);
    assert_int_equal(health(bench, 0), HEALTH_UNKNOWN);
    assert_int_equal(target_interval_ms(&bench->targets[0]), 1000);
    target_judge(&bench->targets[0], &failure, 1000);
    assert_int_equal(health(bench, 0), HEALTH_DOWN);
    assert_string_equal(atomic_load(&bench->servers[0].last_check), failure.why);
}

static void fall_and_rise_count_in_a_row(void **state)
{
    struct bench *bench = *state;
    struct target *target = &bench->targets[0];

    use(bench, 1);
    for (int i = 0; i < 10; i++) {
        target_judge(target, &failure, 1000);
        assert_int_equal(target_interval_ms(target), 1000);
        target_judge(target, &failure, 1000);
        target_judge(target, &nothing, 1000);
        target_judge(target, &pass, 1000);
        assert_int_equal(health(bench, 0), HEALTH_UP);
        assert_int_equal(target_interval_ms(target), 5000);
    }
    for (int i = 0; i < 3; i++)
        target_judge(target, &failure, 1000);
    assert_int_equal(health(bench, 0), HEALTH_DOWN);
    assert_int_equal(target_interval_ms(target), 5000);
    target_judge(target, &pass, 1000);
    assert_int_equal(health(bench, 0), HEALTH_DOWN);
    assert_int_equal(target_interval_ms(target), 1000);
    target_judge(target, &failure, 1000);
    target_judge(target, &pass, 1000);
    assert_int_equal(health(bench, 0), HEALTH_DOWN);
    target_judge(target, &pass, 2000);
    assert_int_equal(health(bench, 0), HEALTH_UP);
    assert_null(atomic_load(&bench->servers[0].last_check));
}

static void a_server_that_comes_up_starts_slowly(void **state)
{
    struct bench *bench = *state;
    struct target *target = &bench->targets[0];

    use(bench, 1);
    atomic_store(&bench->servers[0].live.health, HEALTH_DOWN);
    target_judge(target, &pass, 1000);
    target_judge(target, &pass, 2000);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 2000);
    assert_int_equal(target->phase_due_ms, 32000);
    target_phase_over(target, 32000);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 0);
    assert_int_equal(target->phase_due_ms, 0);
}

static void a_server_that_joins_starts_slowly_at_its_first_verdict(void **state)
{
    struct bench *bench = *state;

    bench->targets[0].is_joining = true;
    target_judge(&bench->targets[0], &pass, 5000);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 5000);
    bench->conf.slow_start_ms = 0;
    bench->targets[1].is_joining = true;
    target_needs_no_check(&bench->targets[1], 5000);
    assert_int_equal(health(bench, 1), HEALTH_UP);
    assert_int_equal(atomic_load(&bench->servers[1].live.ramp_from_ms), 0);
    assert_int_equal(bench->targets[1].phase_due_ms, 0);
}

struct watch {
    struct bench *bench;
    _Atomic int is_over;
    _Atomic int full_shares; /* times that it was up, and its slow start had not begun */
};

/* As a worker reads: what it has read holds if the epoch is still the one it began with. */
static void *watch_shares(void *context)
{
    struct watch *watch = context;
    struct bench *bench = watch->bench;

    while (!atomic_load(&watch->is_over)) {
        uint64_t epoch = atomic_load(&bench->live.epoch);
        bool is_up = health(bench, 0) == HEALTH_UP;
        bool is_ramping = atomic_load(&bench->servers[0].live.ramp_from_ms) != 0;

        if (is_up && !is_ramping && atomic_load(&bench->live.epoch) == epoch)
            atomic_fetch_add(&watch->full_shares, 1);
    }
    return NULL;
}

static void nobody_sees_it_up_before_its_slow_start_has_begun(void **state)
{
    struct bench *bench = *state;
    struct watch watch = {.bench = bench};
    struct balance_live *live = &bench->servers[0].live;
    pthread_t watcher;

    use(bench, 1);
    atomic_store(&live->health, HEALTH_DOWN);
    assert_int_equal(pthread_create(&watcher, NULL, watch_shares, &watch), 0);
    for (uint64_t now_ms = 1; now_ms <= 100000; now_ms++) {
        target_needs_no_check(&bench->targets[0], now_ms);
        atomic_store(&live->health, HEALTH_DOWN);
        atomic_fetch_add(&bench->live.epoch, 1);
        atomic_store(&live->ramp_from_ms, 0);
        bench->targets[0].phase = PHASE_NONE;
    }
    atomic_store(&watch.is_over, 1);
    assert_int_equal(pthread_join(watcher, NULL), 0);
    assert_int_equal(atomic_load(&watch.full_shares), 0);
}

static void a_server_in_maintenance_is_unknown_until_it_is_back(void **state)
{
    struct bench *bench = *state;
    struct target *target = &bench->targets[0];

    use(bench, 2);
    assert_false(target_is_paused(target));
    atomic_store(&bench->servers[0].live.admin, ADMIN_MAINT);
    assert_true(target_is_paused(target));
    target_pause(target);
    assert_int_equal(health(bench, 0), HEALTH_UNKNOWN);
    atomic_store(&bench->servers[0].live.admin, ADMIN_READY);
    assert_int_equal(target_interval_ms(target), 1000);
    target_judge(target, &pass, 7000);
    assert_int_equal(health(bench, 0), HEALTH_UP);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 7000);
}

static void a_suspect_is_ejected_returns_slowly_and_heals(void **state)
{
    struct bench *bench = *state;
    struct target *target = &bench->targets[0];
    struct server *server = &bench->servers[0];

    use(bench, 4);
    assert_true(suspect(bench, 0, 1000));
    assert_int_equal(atomic_load(&server->live.ejected), 1);
    assert_int_equal(atomic_load(&server->is_suspected), 1);
    assert_int_equal(target->phase_due_ms, 31000);
    target_judge(target, &pass, 2000);
    assert_int_equal(atomic_load(&server->live.ejected), 1);
    target_phase_over(target, 31000);
    assert_int_equal(atomic_load(&server->live.ejected), 0);
    assert_int_equal(atomic_load(&server->live.failures), 0);
    assert_int_equal(atomic_load(&server->is_suspected), 0);
    assert_int_equal(atomic_load(&server->live.ramp_from_ms), 31000);
    assert_int_equal(target->phase_due_ms, 61000);
    /* again: twice as long, then at most max_time */
    assert_true(suspect(bench, 0, 40000));
    assert_int_equal(target->phase_due_ms, 40000 + 60000);
    assert_int_equal(atomic_load(&server->live.ramp_from_ms), 0);
    target_phase_over(target, 100000);
    assert_true(suspect(bench, 0, 100000));
    target_phase_over(target, 190000);
    assert_true(suspect(bench, 0, 190000));
    assert_int_equal(target->phase_due_ms, 290000);
    assert_int_equal(atomic_load(&server->ejections_in_a_row), 4);
    /* returned: slow start, then one forgotten a base_time */
    target_phase_over(target, 290000);
    target_phase_over(target, 320000);
    for (int i = 3; i >= 0; i--) {
        assert_int_not_equal(target->phase_due_ms, 0);
        target_phase_over(target, target->phase_due_ms);
        assert_int_equal(atomic_load(&server->ejections_in_a_row), i);
    }
    assert_int_equal(target->phase_due_ms, 0);
}

static void the_time_of_an_ejection_has_jitter(void **state)
{
    struct bench *bench = *state;

    use(bench, 2);
    atomic_store(&bench->servers[0].live.failures, 5);
    assert_true(target_suspect(&bench->targets[0], 1000, 3000));
    assert_int_equal(bench->targets[0].phase_due_ms, 34000);
}

static void no_more_are_ejected_than_the_cap_allows(void **state)
{
    struct bench *bench = *state;
    int ejected = 0;

    use(bench, 10);
    for (int i = 0; i < 10; i++)
        ejected += suspect(bench, i, 1000);
    assert_int_equal(ejected, 5);
    /* refused: may be suspected again */
    assert_int_equal(atomic_load(&bench->servers[9].is_suspected), 0);
    assert_int_equal(atomic_load(&bench->servers[9].live.failures), 0);
}

static void one_may_always_be_ejected_but_never_the_last(void **state)
{
    struct bench *bench = *state;

    bench->conf.ejection.max_percent = 10;
    use(bench, 3);
    assert_true(suspect(bench, 0, 1000));
    assert_false(suspect(bench, 1, 1000));
    target_phase_over(&bench->targets[0], 40000);
    atomic_store(&bench->servers[1].live.health, HEALTH_DOWN);
    atomic_store(&bench->servers[2].live.admin, ADMIN_DRAIN);
    assert_false(suspect(bench, 0, 50000));
    atomic_store(&bench->servers[2].live.admin, ADMIN_READY);
    bench->targets[2].weight = 0;
    assert_false(suspect(bench, 0, 50000));
    atomic_store(&bench->servers[2].live.weight_override, 5);
    assert_true(suspect(bench, 0, 50000));
}

static void a_suspect_that_succeeded_since_stays(void **state)
{
    struct bench *bench = *state;

    use(bench, 4);
    atomic_store(&bench->servers[0].live.failures, 0);
    assert_false(target_suspect(&bench->targets[0], 1000, 0));
    bench->conf.ejection.consecutive_failures = 0;
    assert_false(suspect(bench, 0, 1000));
}

static void a_server_that_is_down_when_its_ejection_ends_waits_for_its_check(void **state)
{
    struct bench *bench = *state;
    struct target *target = &bench->targets[0];

    use(bench, 4);
    suspect(bench, 0, 1000);
    for (int i = 0; i < 3; i++)
        target_judge(target, &failure, 2000);
    target_phase_over(target, 31000);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 0);
    target_judge(target, &pass, 40000);
    target_judge(target, &pass, 41000);
    assert_int_equal(atomic_load(&bench->servers[0].live.ramp_from_ms), 41000);
}

static void panic_begins_below_the_share_and_ends(void **state)
{
    struct bench *bench = *state;

    use(bench, 4);
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 0);
    atomic_store(&bench->servers[0].live.health, HEALTH_DOWN);
    atomic_store(&bench->servers[1].live.ejected, 1);
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 0);
    atomic_store(&bench->servers[2].live.health, HEALTH_DOWN);
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 1);
    atomic_store(&bench->servers[0].live.admin, ADMIN_MAINT);
    atomic_store(&bench->servers[2].live.admin, ADMIN_MAINT);
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 0);
}

static void healthy_backups_take_over_without_panic(void **state)
{
    struct bench *bench = *state;

    use(bench, 2);
    bench->targets[1].is_backup = true;
    atomic_store(&bench->servers[0].live.health, HEALTH_DOWN);
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 0);
    atomic_store(&bench->servers[1].live.health, HEALTH_DOWN);
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 1);
    bench->conf.panic_percent = 0;
    target_pool_judge(&bench->pool);
    assert_int_equal(atomic_load(&bench->live.is_panic), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_server_is_up_after_one_success),
        TEST(an_unknown_server_is_down_after_fall_failures),
        TEST(fall_and_rise_count_in_a_row),
        TEST(a_server_that_comes_up_starts_slowly),
        TEST(a_server_that_joins_starts_slowly_at_its_first_verdict),
        TEST(nobody_sees_it_up_before_its_slow_start_has_begun),
        TEST(a_server_in_maintenance_is_unknown_until_it_is_back),
        TEST(a_suspect_is_ejected_returns_slowly_and_heals),
        TEST(the_time_of_an_ejection_has_jitter),
        TEST(no_more_are_ejected_than_the_cap_allows),
        TEST(one_may_always_be_ejected_but_never_the_last),
        TEST(a_suspect_that_succeeded_since_stays),
        TEST(a_server_that_is_down_when_its_ejection_ends_waits_for_its_check),
        TEST(panic_begins_below_the_share_and_ends),
        TEST(healthy_backups_take_over_without_panic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
