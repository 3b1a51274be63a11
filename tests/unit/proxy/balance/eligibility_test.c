/*
 * eligibility_test - who may be picked at all, whatever the method.
 *
 * Threads  one
 */
#include "pool.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const enum balance_method all_methods[] = {METHOD_ROUND_ROBIN, METHOD_LEAST_REQUESTS,
                                                  METHOD_RANDOM, METHOD_PEAK_EWMA, METHOD_MAGLEV};

/* Which of the servers 100 picks reach, as bits. */
static uint32_t reached(struct test_pool *test)
{
    uint32_t bits = 0;

    test_changed(test);
    for (uint64_t i = 0; i < 200; i++) {
        struct balance_choice choice = test_choice(1000);

        choice.has_hash = true;
        choice.hash = hash_mix(i + 1);
        int server = balance_pick(test->view, &choice);
        if (server >= 0)
            bits |= 1u << server;
    }
    return bits;
}

static void a_server_that_may_not_serve_is_never_picked(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(all_methods); m++) {
        struct test_pool *test = test_pool_ready(test_pool_new(all_methods[m], 8));

        test->live[0].health = HEALTH_DOWN;
        test->live[1].ejected = 1;
        test->live[2].admin = ADMIN_DRAIN;
        test->live[3].admin = ADMIN_MAINT;
        test->live[4].weight_override = 0;
        test->live[5].health = HEALTH_UNKNOWN;
        assert_int_equal(reached(test), 1u << 6 | 1u << 7);
        assert_int_equal(balance_standing(test->view, 0, 0), STANDING_DOWN);
        assert_int_equal(balance_standing(test->view, 1, 0), STANDING_EJECTED);
        assert_int_equal(balance_standing(test->view, 2, 0), STANDING_DRAINED);
        assert_int_equal(balance_standing(test->view, 3, 0), STANDING_MAINT);
        assert_int_equal(balance_standing(test->view, 4, 0), STANDING_WEIGHT_0);
        assert_int_equal(balance_standing(test->view, 5, 0), STANDING_UNKNOWN);
        assert_int_equal(balance_standing(test->view, 6, 0), STANDING_ELIGIBLE);
        assert_int_equal(balance_effective_weight(test->view, 0, 0), 0);
        assert_int_equal(balance_effective_weight(test->view, 6, 0), 100 * BALANCE_WEIGHT_SCALE);
        test_pool_free(test);
    }
}

static void unchecked_servers_serve_while_none_is_known_to_be_up(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_ROUND_ROBIN, 4));

    for (int i = 0; i < 4; i++)
        test->live[i].health = HEALTH_UNKNOWN;
    assert_int_equal(reached(test), 0xf);
    assert_int_equal(balance_standing(test->view, 0, 0), STANDING_ELIGIBLE);
    test->live[0].health = HEALTH_DOWN;
    assert_int_equal(reached(test), 0xe);
    test->live[1].health = HEALTH_UP;
    assert_int_equal(reached(test), 0x2);
    test_pool_free(test);
}

static void backups_serve_only_when_no_primary_can(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_ROUND_ROBIN, 4));

    test->pool.panic_percent = 50;
    test->servers[2].is_backup = test->servers[3].is_backup = true;
    assert_int_equal(reached(test), 0x3);
    assert_int_equal(balance_standing(test->view, 2, 0), STANDING_BACKUP);
    test->live[0].health = HEALTH_DOWN;
    test->live[1].ejected = 1;
    assert_int_equal(reached(test), 0xc);
    assert_false(balance_is_panic(test->view, 0));
    struct balance_choice choice = test_choice(0);
    assert_true(balance_pick(test->view, &choice) >= 2);
    assert_int_equal(choice.reason, REASON_SPILL);

    test->live[0].admin = test->live[1].admin = ADMIN_DRAIN;
    assert_int_equal(reached(test), 0xc);
    test_pool_free(test);
}

static void too_few_healthy_servers_are_a_panic(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_ROUND_ROBIN, 4));
    struct balance_choice choice = test_choice(0);

    test->pool.panic_percent = 50;
    test->live[0].health = test->live[1].health = HEALTH_DOWN;
    assert_int_equal(reached(test), 0xc); /* exactly half is enough */
    test->live[2].ejected = 1;
    assert_int_equal(reached(test), 0xf);
    assert_true(balance_is_panic(test->view, 0));
    balance_pick(test->view, &choice);
    assert_int_equal(choice.reason, REASON_PANIC);

    test->live[3].admin = ADMIN_MAINT; /* not even in panic */
    assert_int_equal(reached(test), 0x7);

    test->pool.panic_fails = true;
    assert_int_equal(reached(test), 0);
    assert_int_equal(balance_pick(test->view, &choice), BALANCE_NO_SERVER);
    assert_int_equal(choice.refusal, REFUSAL_NO_SERVER);

    test->pool.panic_percent = 0; /* never */
    assert_int_equal(reached(test), 0);
    test->live[3].admin = ADMIN_READY;
    assert_int_equal(reached(test), 0x8);
    balance_pick(test->view, &choice);
    assert_int_equal(choice.reason, REASON_ONLY_ONE_LEFT);
    test_pool_free(test);
}

static void tried_servers_are_avoided_while_another_is_there(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(all_methods); m++) {
        struct test_pool *test = test_pool_ready(test_pool_new(all_methods[m], 3));

        for (uint64_t i = 0; i < 100; i++) {
            struct balance_choice choice = test_choice(0);

            choice.hash = hash_mix(i);
            choice.has_hash = true;
            choice.tried[0] = 0;
            choice.tried[1] = 2;
            choice.tried_count = 2;
            assert_int_equal(balance_pick(test->view, &choice), 1);
            assert_int_equal(choice.reason, REASON_RETRY);
            choice.tried[2] = 1;
            choice.tried_count = 3;
            assert_true(balance_pick(test->view, &choice) >= 0);
        }
        test_pool_free(test);
    }
}

static void full_servers_are_passed_over_until_all_are_full(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(all_methods); m++) {
        struct test_pool *test = test_pool_new(all_methods[m], 3);
        struct balance_choice choice = test_choice(0);

        for (int i = 0; i < 3; i++)
            test->servers[i].max_connections = 10;
        test_pool_ready(test);
        test->live[0].active = test->live[1].active = 10; /* no epoch moves for this */
        assert_int_equal(reached(test), 0x4);
        assert_int_equal(balance_standing(test->view, 0, 0), STANDING_FULL);
        test->live[2].active = 11;
        assert_int_equal(balance_pick(test->view, &choice), BALANCE_NO_SERVER);
        assert_int_equal(choice.refusal, REFUSAL_FULL);
        test->live[1].active = 9;
        assert_int_equal(balance_pick(test->view, &choice), 1);
        assert_int_equal(choice.refusal, REFUSAL_NONE);
        test_pool_free(test);
    }
}

static void a_slow_start_grows_the_weight_from_a_tenth(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_new(METHOD_ROUND_ROBIN, 2);
    uint32_t full = 100 * BALANCE_WEIGHT_SCALE;

    test->pool.slow_start_ms = 30000;
    test_pool_ready(test);
    test->live[0].ramp_from_ms = 1000;
    test_changed(test);
    assert_int_equal(balance_effective_weight(test->view, 0, 1000), full / 10);
    assert_int_equal(balance_effective_weight(test->view, 0, 1050), full / 10);
    assert_int_equal(balance_effective_weight(test->view, 0, 16000), full / 2);
    assert_int_equal(balance_effective_weight(test->view, 1, 16000), full);
    assert_int_equal(balance_effective_weight(test->view, 0, 31000), full);
    assert_int_equal(balance_ramp_percent(&test->live[0], 30000, 500), 10);
    assert_int_equal(balance_ramp_percent(&test->live[0], 0, 500), 100);
    test_pool_free(test);
}

static void an_override_counts_for_all_addresses_of_a_server(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_ROUND_ROBIN, 2));

    test->servers[0].weight_share = 4;
    test->live[0].weight_override = 50;
    test_changed(test);
    assert_int_equal(balance_effective_weight(test->view, 0, 0), 50 * BALANCE_WEIGHT_SCALE / 4);
    test_pool_free(test);
}

static void a_session_stays_with_its_server_even_while_it_drains(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_ROUND_ROBIN, 4));
    struct balance_choice choice = test_choice(0);

    choice.sticky = 2;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(balance_pick(test->view, &choice), 2);
        assert_int_equal(choice.reason, REASON_STICKY);
    }
    test->live[2].admin = ADMIN_DRAIN;
    test_changed(test);
    assert_int_equal(balance_pick(test->view, &choice), 2);
    test->live[2].health = HEALTH_DOWN;
    test_changed(test);
    assert_int_not_equal(balance_pick(test->view, &choice), 2);
    assert_int_equal(choice.reason, REASON_BALANCER);
    test->live[2].health = HEALTH_UP;
    test->live[2].admin = ADMIN_MAINT;
    test_changed(test);
    assert_int_not_equal(balance_pick(test->view, &choice), 2);
    test->live[2].admin = ADMIN_READY;
    test_changed(test);
    choice.tried[choice.tried_count++] = 2;
    assert_int_not_equal(balance_pick(test->view, &choice), 2);
    choice.sticky = 77; /* a cookie from elsewhere */
    assert_true(balance_pick(test->view, &choice) >= 0);
    test_pool_free(test);
}

static void whatever_the_words_say_only_those_that_may_are_picked(void **state)
{
    (void)state;
    uint64_t random = 7;

    for (size_t m = 0; m < COUNT_OF(all_methods); m++) {
        struct test_pool *test = test_pool_ready(test_pool_new(all_methods[m], 24));

        for (int round = 0; round < 2000; round++) {
            uint64_t bits = random_next(&random) >> 8;
            struct balance_live *live = &test->live[bits % 24];
            struct balance_choice choice = test_choice(1000 + (uint64_t)round);

            live->health = (bits >> 8) % 3;
            live->ejected = (bits >> 16) % 4 == 0;
            live->admin = (bits >> 24) % 4 == 0 ? ADMIN_DRAIN : ADMIN_READY;
            live->weight_override = (bits >> 32) % 4 == 0 ? (bits >> 40) % 3 : BALANCE_NO_OVERRIDE;
            test_changed(test);
            choice.has_hash = round % 2;
            choice.hash = hash_mix(bits);
            for (int i = 0; i < 5; i++) {
                int server = balance_pick(test->view, &choice);

                if (server >= 0)
                    assert_int_equal(balance_standing(test->view, (uint32_t)server, choice.now_ms),
                                     STANDING_ELIGIBLE);
                else
                    for (uint32_t s = 0; s < 24; s++)
                        assert_int_not_equal(balance_standing(test->view, s, choice.now_ms),
                                             STANDING_ELIGIBLE);
            }
        }
        test_pool_free(test);
    }
}

static void a_pool_without_servers_refuses(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(all_methods); m++) {
        struct test_pool *test = test_pool_ready(test_pool_new(all_methods[m], 0));
        struct balance_choice choice = test_choice(0);

        assert_int_equal(balance_pick(test->view, &choice), BALANCE_NO_SERVER);
        assert_int_equal(choice.refusal, REFUSAL_NO_SERVER);
        test_pool_free(test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_may_not_serve_is_never_picked),
        cmocka_unit_test(unchecked_servers_serve_while_none_is_known_to_be_up),
        cmocka_unit_test(backups_serve_only_when_no_primary_can),
        cmocka_unit_test(too_few_healthy_servers_are_a_panic),
        cmocka_unit_test(tried_servers_are_avoided_while_another_is_there),
        cmocka_unit_test(full_servers_are_passed_over_until_all_are_full),
        cmocka_unit_test(a_slow_start_grows_the_weight_from_a_tenth),
        cmocka_unit_test(an_override_counts_for_all_addresses_of_a_server),
        cmocka_unit_test(a_session_stays_with_its_server_even_while_it_drains),
        cmocka_unit_test(whatever_the_words_say_only_those_that_may_are_picked),
        cmocka_unit_test(a_pool_without_servers_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
