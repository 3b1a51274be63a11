/*
 * maglev_test - the same server for the same hash, and as few keys moved as can be.
 *
 * Threads  one
 */
#include "pool.h"

enum { KEYS = 20000 };

static int pick_key(struct test_pool *test, uint64_t key, struct balance_choice *choice_out)
{
    struct balance_choice choice = test_choice(1000);

    choice.has_hash = true;
    choice.hash = hash_bytes(&HASH_STABLE, &key, sizeof(key));
    int server = balance_pick(test->view, &choice);
    if (choice_out != NULL)
        *choice_out = choice;
    return server;
}

static void pick_all(struct test_pool *test, int *servers_out)
{
    for (uint64_t key = 0; key < KEYS; key++)
        servers_out[key] = pick_key(test, key, NULL);
}

static void the_table_does_not_depend_on_the_order_of_servers(void **state)
{
    (void)state;
    struct test_pool *a = test_pool_ready(test_pool_new(METHOD_MAGLEV, 7));
    struct test_pool *b = test_pool_new(METHOD_MAGLEV, 7);

    for (int i = 0; i < 7; i++)
        b->servers[i].name_hash = a->servers[6 - i].name_hash;
    test_pool_ready(b);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(pick_key(a, key, NULL), 6 - pick_key(b, key, NULL));
    test_pool_free(a);
    test_pool_free(b);
}

static void the_table_is_the_same_in_every_process(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_MAGLEV, 5));
    uint64_t digest = hash_bytes(&HASH_STABLE, test->pool.maglev, 65537 * sizeof(uint16_t));

    assert_int_equal(digest, UINT64_C(0x52e75739a5bdf715));
    test_pool_free(test);
}

static void entries_follow_the_weights(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_new(METHOD_MAGLEV, 4);
    uint32_t entries[4] = {0};

    test_weights(test, (const uint32_t[]){50, 30, 20, 0}); /* 0: as the mean, but never serves */
    test_pool_ready(test);
    for (int i = 0; i < 65537; i++)
        entries[test->pool.maglev[i]]++;
    double all = 65537.0 * 3 / 4;
    assert_in_range(entries[0], all * 0.499, all * 0.501);
    assert_in_range(entries[1], all * 0.299, all * 0.301);
    assert_in_range(entries[2], all * 0.199, all * 0.201);

    uint32_t counts[4] = {0};
    for (uint64_t key = 0; key < KEYS; key++)
        counts[pick_key(test, key, NULL)]++;
    assert_in_range(counts[0], KEYS * 0.49, KEYS * 0.51);
    assert_in_range(counts[1], KEYS * 0.29, KEYS * 0.31);
    assert_int_equal(counts[3], 0);
    test_pool_free(test);
}

static void only_the_keys_of_a_lost_server_move(void **state)
{
    static int before[KEYS];

    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_MAGLEV, 10));
    uint32_t got[10] = {0};

    pick_all(test, before);
    test->live[3].health = HEALTH_DOWN;
    test_changed(test);
    for (uint64_t key = 0; key < KEYS; key++) {
        int now = pick_key(test, key, NULL);

        if (before[key] != 3)
            assert_int_equal(now, before[key]);
        else
            got[now]++;
    }
    assert_int_equal(got[3], 0);
    for (int s = 0; s < 10; s++)
        if (s != 3) /* the others share them evenly */
            assert_in_range(got[s], KEYS / 90 * 0.7, KEYS / 90 * 1.3);
    test_pool_free(test);
}

static void a_server_added_to_the_pool_takes_little_more_than_its_share(void **state)
{
    static int before[KEYS];

    (void)state;
    struct test_pool *ten = test_pool_ready(test_pool_new(METHOD_MAGLEV, 10));
    struct test_pool *eleven = test_pool_ready(test_pool_new(METHOD_MAGLEV, 11));
    uint32_t moved = 0;

    pick_all(ten, before);
    for (uint64_t key = 0; key < KEYS; key++)
        moved += pick_key(eleven, key, NULL) != before[key];
    assert_in_range(moved, KEYS / 11 * 0.9, KEYS / 11 * 2);
    test_pool_free(ten);
    test_pool_free(eleven);
}

static void a_weight_lowered_while_running_turns_a_part_of_the_keys_away(void **state)
{
    static int before[KEYS];

    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_MAGLEV, 4));
    uint32_t counts[4] = {0};

    pick_all(test, before);
    test->live[0].weight_override = 10;
    test_changed(test);
    for (uint64_t key = 0; key < KEYS; key++) {
        int now = pick_key(test, key, NULL);

        counts[now]++;
        assert_int_equal(now, pick_key(test, key, NULL));
        if (before[key] != 0)
            assert_int_equal(now, before[key]);
    }
    assert_in_range(counts[0], KEYS * 0.028, KEYS * 0.036); /* 10 of 310 */
    assert_in_range(counts[1], KEYS * 0.31, KEYS * 0.335);
    test_pool_free(test);
}

static void a_busy_server_gives_its_keys_to_others(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_MAGLEV, 4));
    struct balance_choice choice;
    int home = pick_key(test, 1, &choice);

    assert_int_equal(choice.reason, REASON_HASH);
    test->rows[2][home] = 3; /* alone, but few */
    assert_int_equal(pick_key(test, 1, NULL), home);
    for (int s = 0; s < 4; s++)
        test->rows[1][s] = 20;
    test->rows[2][home] = 9; /* 29 of 89: below 150 % of a quarter */
    assert_int_equal(pick_key(test, 1, NULL), home);
    test->rows[2][home] = 40;
    assert_int_not_equal(pick_key(test, 1, &choice), home);
    assert_int_equal(choice.reason, REASON_SPILL);
    assert_false(choice.ceiling_hit);

    /* One key alone, 100 requests in flight: nobody gets more than 150 % of the mean. */
    memset(test->rows, 0, sizeof(test->rows));
    for (int i = 0; i < 100; i++)
        test->rows[0][pick_key(test, 1, NULL)]++;
    for (int s = 0; s < 4; s++)
        assert_true(test->rows[0][s] <= 38);
    test_pool_free(test);
}

static void without_a_hash_it_is_two_choices(void **state)
{
    (void)state;
    struct test_pool *test = test_pool_ready(test_pool_new(METHOD_MAGLEV, 4));
    struct balance_choice choice = test_choice(0);
    uint32_t counts[4] = {0};

    for (int i = 0; i < 4000; i++)
        counts[balance_pick(test->view, &choice)]++;
    assert_int_equal(choice.reason, REASON_BALANCER);
    for (int s = 0; s < 4; s++)
        assert_in_range(counts[s], 800, 1200);
    test_pool_free(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_does_not_depend_on_the_order_of_servers),
        cmocka_unit_test(the_table_is_the_same_in_every_process),
        cmocka_unit_test(entries_follow_the_weights),
        cmocka_unit_test(only_the_keys_of_a_lost_server_move),
        cmocka_unit_test(a_server_added_to_the_pool_takes_little_more_than_its_share),
        cmocka_unit_test(a_weight_lowered_while_running_turns_a_part_of_the_keys_away),
        cmocka_unit_test(a_busy_server_gives_its_keys_to_others),
        cmocka_unit_test(without_a_hash_it_is_two_choices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
