/*
 * pool - a pool of servers for the tests of balancing: its live words, and in-flight rows.
 *
 * Threads  the test's
 */
#ifndef TESTS_UNIT_BALANCE_POOL_H
#define TESTS_UNIT_BALANCE_POOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/memory.h"
#include "proxy/balance/balance.h"

enum { TEST_SERVERS = 64, TEST_WORKERS = 8 };

struct test_pool {
    struct balance_pool pool;
    struct balance_server servers[TEST_SERVERS];
    struct balance_live live[TEST_SERVERS];
    _Atomic uint32_t rows[TEST_WORKERS][TEST_SERVERS];
    _Atomic uint64_t epoch;
    struct arena *arena;
    struct balance_view *view;
};

static inline struct test_pool *test_pool_new(enum balance_method method, uint32_t count)
{
    struct test_pool *test = xcalloc(1, sizeof(*test));
    char name[32];

    for (uint32_t i = 0; i < count; i++) {
        int len = snprintf(name, sizeof(name), "server-%u/0", i);

        test->live[i].health = HEALTH_UP;
        test->live[i].weight_override = BALANCE_NO_OVERRIDE;
        test->live[i].worker_count = TEST_WORKERS;
        for (int w = 0; w < TEST_WORKERS; w++)
            test->live[i].in_flight[w] = &test->rows[w][i];
        test->servers[i] = (struct balance_server){
            .live = &test->live[i],
            .name_hash = hash_bytes(&HASH_STABLE, name, (size_t)len),
            .weight = 100 * BALANCE_WEIGHT_SCALE,
            .weight_share = 1,
        };
    }
    test->pool = (struct balance_pool){
        .method = method, .servers = test->servers, .count = count, .epoch = &test->epoch};
    test->arena = arena_new(4096);
    return test;
}

static inline struct test_pool *test_pool_ready(struct test_pool *test)
{
    balance_pool_build(&test->pool, test->arena);
    test->view = balance_view_new(&test->pool, NULL, 42);
    return test;
}

static inline void test_pool_free(struct test_pool *test)
{
    balance_view_free(&test->view);
    arena_free(&test->arena);
    xfree(test);
}

static inline void test_weights(struct test_pool *test, const uint32_t *weights)
{
    for (uint32_t i = 0; i < test->pool.count; i++)
        test->servers[i].weight = weights[i] * BALANCE_WEIGHT_SCALE;
}

static inline struct balance_choice test_choice(uint64_t now_ms)
{
    return (struct balance_choice){.now_ms = now_ms, .sticky = BALANCE_NO_SERVER};
}

static inline int test_pick(struct test_pool *test)
{
    struct balance_choice choice = test_choice(1000);

    return balance_pick(test->view, &choice);
}

static inline void test_changed(struct test_pool *test)
{
    atomic_fetch_add(&test->epoch, 1);
}

#endif
