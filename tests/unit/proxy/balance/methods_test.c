/*
 * methods_test - how each method spreads requests over servers that may all serve.
 *
 * Threads  one, but for the test that says otherwise
 */
#include "pool.h"

#include <math.h>
#include <pthread.h>

enum { REQUESTS = 10000 };

/* ---- shares ---- */

/* 10,000 requests, dealt to the workers' views in turn; `view` 0 belongs to the pool. */
static void spread(struct test_pool *test, uint32_t workers, uint64_t seed, uint32_t *counts)
{
    struct balance_view *views[TEST_WORKERS];

    memset(counts, 0, test->pool.count * sizeof(*counts));
    for (uint32_t w = 0; w < workers; w++)
        views[w] = balance_view_new(&test->pool, NULL, seed * 100 + w);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct balance_choice choice = test_choice(1000);
        int server = balance_pick(views[i % workers], &choice);

        assert_true(server >= 0);
        counts[server]++;
    }
    for (uint32_t w = 0; w < workers; w++)
        balance_view_free(&views[w]);
}

static void assert_shares(struct test_pool *test, const uint32_t *weights, const uint32_t *counts,
                          double tolerance)
{
    double sum = 0;

    for (uint32_t i = 0; i < test->pool.count; i++)
        sum += weights[i];
    for (uint32_t i = 0; i < test->pool.count; i++) {
        double share = (double)counts[i] / REQUESTS;

        if (fabs(share - weights[i] / sum) > tolerance)
            fail_msg("server %u: share %.4f for weight %u of %.0f", i, share, weights[i], sum);
    }
}

static void shares_follow_the_weights(void **state)
{
    static const struct {
        enum balance_method method;
        uint32_t count;
        uint32_t weights[4];
        double tolerance;
    } cases[] = {
        {METHOD_ROUND_ROBIN, 4, {100, 100, 100, 100}, 0.002},
        {METHOD_ROUND_ROBIN, 3, {5, 3, 2}, 0.003},
        {METHOD_ROUND_ROBIN, 3, {1000, 1, 1}, 0.003},
        {METHOD_LEAST_REQUESTS, 4, {100, 100, 100, 100}, 0.003},
        {METHOD_LEAST_REQUESTS, 3, {5, 3, 2}, 0.003},
        {METHOD_LEAST_REQUESTS, 3, {1000, 1, 1}, 0.003},
        {METHOD_RANDOM, 4, {100, 100, 100, 100}, 0.02},
        {METHOD_RANDOM, 3, {5, 3, 2}, 0.02},
        {METHOD_PEAK_EWMA, 4, {100, 100, 100, 100}, 0.02},
    };
    uint32_t counts[TEST_SERVERS];

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct test_pool *test = test_pool_new(cases[c].method, cases[c].count);

        test_weights(test, cases[c].weights);
        test_pool_ready(test);
        for (uint32_t workers = 1; workers <= TEST_WORKERS; workers++) {
            spread(test, workers, c + workers, counts);
            assert_shares(test, cases[c].weights, counts, cases[c].tolerance);
        }
        test_pool_free(test);
    }
}

static void heavy_turns_are_spread_out(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_new(METHOD_ROUND_ROBIN, 3);
    int in_a_row = 0;

    test_weights(test, (const uint32_t[]){5, 1, 1});
    test_pool_ready(test);
    for (int i = 0; i < 700; i++) {
        in_a_row = test_pick(test) == 0 ? in_a_row + 1 : 0;
        assert_true(in_a_row <= 6);
    }
    test_pool_free(test);
}

static void workers_do_not_all_begin_with_the_same_server(void **state)
{
    (void)state;
    for (int weighted = 0; weighted < 2; weighted++) {
        struct test_pool *test = test_pool_new(METHOD_ROUND_ROBIN, 4);
        int first[4] = {0};

        if (weighted)
            test_weights(test, (const uint32_t[]){3, 3, 3, 4});
        test_pool_ready(test);
        for (uint64_t seed = 1; seed <= 400; seed++) {
            struct balance_view *view = balance_view_new(&test->pool, NULL, seed);
            struct balance_choice choice = test_choice(0);

            first[balance_pick(view, &choice)]++;
            balance_view_free(&view);
        }
        for (int i = 0; i < 4; i++)
            assert_in_range(first[i], 50, 150);
        test_pool_free(test);
    }
}

static void a_new_snapshot_goes_on_where_the_old_one_was(void **state)
{
    (void)state;
    struct test_pool *before = test_pool_ready(test_pool_new(METHOD_ROUND_ROBIN, 4));
    struct balance_server kept[3] = {before->servers[0], before->servers[2], before->servers[3]};
    struct balance_pool after = before->pool;
    struct balance_choice choice = test_choice(0);

    while (test_pick(before) != 1)
        ;
    after.servers = kept; /* server 1 is gone */
    after.count = 3;
    struct balance_view *view = balance_view_new(&after, before->view, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(balance_pick(view, &choice), (i + 1) % 3);
    balance_view_free(&view);

    /* Reloads after each request do not favour anybody. */
    uint32_t counts[4] = {0};
    for (int i = 0; i < 400; i++) {
        struct balance_view *newer = balance_view_new(&before->pool, before->view, (uint64_t)i);

        balance_view_free(&before->view);
        before->view = newer;
        counts[test_pick(before)]++;
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(counts[i], 100);
    test_pool_free(before);
}

/* ---- the share ceiling ---- */

static void no_method_gives_a_server_more_than_its_ceiling(void **state)
{
    (void)state;
    for (int method = METHOD_ROUND_ROBIN; method <= METHOD_MAGLEV; method++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            struct test_pool *test = test_pool_new((enum balance_method)method, 4);
            uint32_t counts[4] = {0}, spilled = 0;

            test_weights(test, (const uint32_t[]){970, 10, 10, 10});
            test->pool.max_share_percent = 40;
            test_pool_ready(test);
            for (uint32_t i = 1; i <= 5000; i++) {
                struct balance_choice choice = test_choice(1000 + i / 10);

                choice.has_hash = true;
                choice.hash = 12345;
                choice.sticky = sticky ? 0 : BALANCE_NO_SERVER;
                int server = balance_pick(test->view, &choice);
                assert_true(server >= 0);
                counts[server]++;
                spilled += choice.reason == REASON_SPILL;
                assert_int_equal(choice.reason == REASON_SPILL, choice.ceiling_hit);
                for (int s = 0; s < 4; s++)
                    assert_true(counts[s] <= (40 * i + 99) / 100 + i / 500 + 1);
            }
            if (spilled <= 1000)
                fail_msg("method %d, sticky %d: %u spilled", method, sticky, spilled);
            if (sticky)
                assert_in_range(counts[0], 1990, 2011);
            test_pool_free(test);
        }
    }
}

static void an_even_pool_never_meets_a_fair_ceiling(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_new(METHOD_ROUND_ROBIN, 4);

    test->pool.max_share_percent = 25;
    test_pool_ready(test);
    for (int i = 0; i < 10000; i++) {
        struct balance_choice choice = test_choice(0);

        assert_true(balance_pick(test->view, &choice) >= 0);
        assert_int_equal(choice.reason, REASON_BALANCER);
    }
    test_pool_free(test);
}

static void when_the_ceiling_leaves_nobody_backups_serve_or_it_refuses(void **state)
{
    (void)state;
    for (int method = METHOD_ROUND_ROBIN; method <= METHOD_MAGLEV; method++) {
        struct test_pool *test = test_pool_new((enum balance_method)method, 3);
        uint32_t served = 0, spilled = 0;

        test->pool.max_share_percent = 40;
        test_pool_ready(test);
        test->live[2].health = HEALTH_DOWN;
        test_changed(test);
        for (int i = 0; i < 1000; i++) {
            struct balance_choice choice = test_choice(0);

            if (balance_pick(test->view, &choice) >= 0)
                served++;
            else
                assert_int_equal(choice.refusal, REFUSAL_CEILING);
        }
        assert_in_range(served, 795, 805); /* two servers, 40 % of what is asked each */

        test->live[2].health = HEALTH_UP;
        test->servers[2].is_backup = true;
        test_changed(test);
        for (int i = 0; i < 1000; i++) {
            struct balance_choice choice = test_choice(0);
            int server = balance_pick(test->view, &choice);

            assert_true(server >= 0);
            if (server == 2) {
                assert_int_equal(choice.reason, REASON_SPILL);
                assert_true(choice.ceiling_hit);
                spilled++;
            }
        }
        assert_in_range(spilled, 150, 400);
        test_pool_free(test);
    }
}

/* ---- load ---- */

static void the_least_busy_server_for_its_weight_is_picked(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_new(METHOD_LEAST_REQUESTS, 3);

    test_weights(test, (const uint32_t[]){100, 100, 300});
    test_pool_ready(test);
    test->rows[0][0] = 3; /* all workers' requests count */
    test->rows[5][0] = 4;
    test->rows[1][1] = 5;
    test->rows[2][2] = 14;
    for (int i = 0; i < 5; i++)
        assert_int_equal(test_pick(test), 2);
    test->rows[2][2] = 30;
    assert_int_equal(test_pick(test), 1);
    test_pool_free(test);
}

static void two_choices_keep_a_large_pool_level(void **state)
{
    static const enum balance_method methods[] = {METHOD_LEAST_REQUESTS, METHOD_RANDOM,
                                                  METHOD_PEAK_EWMA};

    (void)state;
    for (size_t m = 0; m < 3; m++) {
        struct test_pool *test = test_pool_ready(test_pool_new(methods[m], 60));
        uint32_t most = 0;

        for (int i = 0; i < 6000; i++)
            test->rows[0][test_pick(test)]++;
        for (int s = 0; s < 60; s++)
            most = test->rows[0][s] > most ? test->rows[0][s] : most;
        assert_in_range(most, 100, 106);
        test_pool_free(test);
    }
}

struct flight {
    uint64_t ends_us;
    int server;
};

/* `clients` clients ask one after the other; servers answer after `latency_us`, or fail. */
static void simulate(struct test_pool *test, uint32_t clients, const uint64_t *latency_us,
                     const bool *fails, uint64_t begin_ms, uint32_t *counts)
{
    struct flight flights[64] = {{0, -1}};

    memset(counts, 0, test->pool.count * sizeof(*counts));
    for (uint32_t i = 0; i < clients; i++)
        flights[i] = (struct flight){i, -1};
    for (int i = 0; i < 20000; i++) {
        struct flight *next = &flights[0];

        for (uint32_t f = 1; f < clients; f++)
            if (flights[f].ends_us < next->ends_us)
                next = &flights[f];
        uint64_t now_us = next->ends_us, now_ms = begin_ms + now_us / 1000;
        if (next->server >= 0) {
            test->rows[0][next->server]--;
            balance_note(test->view, next->server, latency_us[next->server], fails[next->server],
                         now_ms);
        }
        struct balance_choice choice = test_choice(now_ms);
        next->server = balance_pick(test->view, &choice);
        next->ends_us = now_us + latency_us[next->server];
        test->rows[0][next->server]++;
        counts[next->server]++;
    }
}

static void a_server_that_fails_fast_attracts_no_traffic(void **state)
{
    static const enum balance_method methods[] = {METHOD_LEAST_REQUESTS, METHOD_RANDOM,
                                                  METHOD_PEAK_EWMA};
    static const uint64_t latency_us[4] = {10000, 10000, 100, 10000};
    static const bool fails[4] = {false, false, true, false};
    uint32_t counts[4];

    (void)state;
    for (size_t m = 0; m < 3; m++) {
        for (uint32_t clients = 1; clients <= 64; clients *= 4) {
            struct test_pool *test = test_pool_ready(test_pool_new(methods[m], 4));

            simulate(test, clients, latency_us, fails, 1000, counts);
            if (counts[2] > 20000 * 12 / 100)
                fail_msg("method %d, %u clients: %u of 20000", methods[m], clients, counts[2]);
            if (methods[m] != METHOD_PEAK_EWMA) /* which may prefer one of equals when idle */
                for (int s = 0; s < 4; s++)
                    assert_true(s == 2 || counts[s] > 20000 * 25 / 100);
            test_pool_free(test);
        }
    }
}

static void a_server_that_recovers_gets_its_share_again(void **state)
{
    static const uint64_t latency_us[4] = {10000, 10000, 10000, 10000};
    static const bool fails[4] = {false, false, true, false}, none_fails[4] = {false};
    uint32_t counts[4];

    (void)state;
    for (int method = METHOD_LEAST_REQUESTS; method <= METHOD_PEAK_EWMA; method++) {
        struct test_pool *test = test_pool_ready(test_pool_new((enum balance_method)method, 4));

        simulate(test, 16, latency_us, fails, 1000, counts);
        memset(test->rows, 0, sizeof(test->rows));
        simulate(test, 16, latency_us, none_fails, 100000, counts);
        assert_in_range(counts[2], 3000, 6000);
        test_pool_free(test);
    }
}

static void a_slow_server_gets_less_by_peak_ewma(void **state)
{
    static const uint64_t latency_us[4] = {1000, 1000, 20000, 1000};
    static const bool none_fails[4] = {false};
    uint32_t counts[4];

    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_PEAK_EWMA, 4));
    simulate(test, 12, latency_us, none_fails, 1000, counts);
    assert_true(counts[2] < 20000 * 3 / 100);
    for (int s = 0; s < 4; s++)
        assert_true(s == 2 || counts[s] > 20000 * 25 / 100);
    test_pool_free(test);
}

/* ---- threads ---- */

struct racer {
    struct test_pool *test;
    unsigned worker;
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct test_pool *test = racer->test;
    struct balance_view *view = balance_view_new(&test->pool, NULL, racer->worker + 1);

    for (uint64_t i = 0; i < 20000; i++) {
        struct balance_choice choice = test_choice(i / 20);

        choice.has_hash = true;
        choice.hash = hash_mix(i);
        int server = balance_pick(view, &choice);
        if (server < 0)
            continue;
        _Atomic uint32_t *row = test->live[server].in_flight[racer->worker];
        atomic_store_explicit(row, (uint32_t)(i % 7), memory_order_relaxed);
        balance_note(view, server, 1000, i % 3 == 0, i / 20);
    }
    balance_view_free(&view);
    return NULL;
}

static void workers_pick_while_the_words_change(void **state)
{
    (void)state;
    for (int method = METHOD_ROUND_ROBIN; method <= METHOD_MAGLEV; method++) {
        struct test_pool *test = test_pool_ready(test_pool_new((enum balance_method)method, 6));
        struct racer racers[3];
        pthread_t threads[3];

        for (unsigned i = 0; i < 3; i++) {
            racers[i] = (struct racer){test, i};
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (uint32_t i = 0; i < 5000; i++) {
            atomic_store_explicit(&test->live[i % 6].health, i % 3, memory_order_relaxed);
            atomic_store_explicit(&test->live[i % 5].ejected, i % 2, memory_order_relaxed);
            atomic_fetch_add(&test->epoch, 1);
        }
        for (unsigned i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        test_pool_free(test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(heavy_turns_are_spread_out),
        cmocka_unit_test(workers_do_not_all_begin_with_the_same_server),
        cmocka_unit_test(a_new_snapshot_goes_on_where_the_old_one_was),
        cmocka_unit_test(no_method_gives_a_server_more_than_its_ceiling),
        cmocka_unit_test(an_even_pool_never_meets_a_fair_ceiling),
        cmocka_unit_test(when_the_ceiling_leaves_nobody_backups_serve_or_it_refuses),
        cmocka_unit_test(the_least_busy_server_for_its_weight_is_picked),
        cmocka_unit_test(two_choices_keep_a_large_pool_level),
        cmocka_unit_test(a_server_that_fails_fast_attracts_no_traffic),
        cmocka_unit_test(a_server_that_recovers_gets_its_share_again),
        cmocka_unit_test(a_slow_server_gets_less_by_peak_ewma),
        cmocka_unit_test(workers_pick_while_the_words_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
