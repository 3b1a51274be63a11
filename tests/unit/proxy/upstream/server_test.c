/* server: places under max_connections. */
#include "proxy/upstream/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

static void places_run_out_and_come_back(void **state)
{
    struct server server = {.tag = SERVER_TAG};

    (void)state;
    assert_true(server_take_place(&server, 2));
    assert_true(server_take_place(&server, 2));
    assert_false(server_take_place(&server, 2));
    assert_int_equal(atomic_load(&server.live.active), 2);
    server_give_place(&server, 2);
    assert_true(server_take_place(&server, 2));
    server_give_place(&server, 2);
    server_give_place(&server, 2);
    assert_int_equal(atomic_load(&server.live.active), 0);
}

static void without_a_limit_nothing_is_counted(void **state)
{
    struct server server = {.tag = SERVER_TAG};

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(server_take_place(&server, 0));
    assert_int_equal(atomic_load(&server.live.active), 0);
    server_give_place(&server, 0);
    assert_int_equal(atomic_load(&server.live.active), 0);
}

enum { PLACES = 3, ROUNDS = 20000 };
static _Atomic int inside;
static _Atomic int most_inside;

static void *come_and_go(void *context)
{
    for (int i = 0; i < ROUNDS; i++) {
        int now;

        if (!server_take_place(context, PLACES))
            continue;
        now = atomic_fetch_add(&inside, 1) + 1;
        if (now > atomic_load(&most_inside))
            atomic_store(&most_inside, now);
        atomic_fetch_sub(&inside, 1);
        server_give_place(context, PLACES);
    }
    return NULL;
}

static void threads_never_exceed_the_limit(void **state)
{
    struct server server = {.tag = SERVER_TAG};
    pthread_t threads[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &server), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&most_inside), 1, PLACES);
    assert_int_equal(atomic_load(&server.live.active), 0);
}

static void load_words_count_both_ways(void **state)
{
    _Atomic uint32_t words[2] = {0};
    struct server server = {.tag = SERVER_TAG, .live.in_flight = {&words[0], &words[1]}};

    (void)state;
    load_begin(&server, 1);
    load_begin(&server, 1);
    load_begin(&server, 0);
    load_end(&server, 1);
    assert_int_equal(atomic_load(&words[0]), 1);
    assert_int_equal(atomic_load(&words[1]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_run_out_and_come_back),
        cmocka_unit_test(without_a_limit_nothing_is_counted),
        cmocka_unit_test(threads_never_exceed_the_limit),
        cmocka_unit_test(load_words_count_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
