/* h2_pool: blocks that are whole, aligned, and used again. */
#include "proxy/http/h2_pool.h"

#include "tests/unit/proxy_http/heads.h"

static void test_blocks_of_all_sizes_keep_what_is_written(void **state)
{
    char *blocks[3000];

    (void)state;
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < 3000; i++) {
            blocks[i] = h2_pool_take(i);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            memset(blocks[i], (int)(i % 251), i);
        }
        for (unsigned i = 0; i < 3000; i++) {
            for (unsigned at = 0; at < i; at++)
                if (blocks[i][at] != (char)(i % 251))
                    fail_msg("block %u was written over", i);
            h2_pool_give(blocks[i]);
        }
    }
    h2_pool_give(NULL);
}

static void test_a_block_grows_and_keeps_its_beginning(void **state)
{
    char *block = h2_pool_resize(NULL, 10);

    (void)state;
    memcpy(block, "0123456789", 10);
    for (size_t bytes = 1; bytes < 100000; bytes *= 3) {
        block = h2_pool_resize(block, bytes);
        assert_memory_equal(block, "0123456789", 1);
        if (bytes >= 10)
            assert_memory_equal(block, "0123456789", 10);
    }
    h2_pool_give(block);
}

static void test_zeroed_blocks_are_zero_when_used_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        char *block = h2_pool_take_zeroed(10, 20);

        for (unsigned at = 0; at < 200; at++)
            assert_int_equal(block[at], 0);
        memset(block, 1, 200);
        h2_pool_give(block);
    }
}

static void test_nothing_is_a_block_too(void **state)
{
    (void)state;
    h2_pool_give(h2_pool_take_zeroed(0, 0));
    h2_pool_give(h2_pool_take(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_all_sizes_keep_what_is_written),
        cmocka_unit_test(test_a_block_grows_and_keeps_its_beginning),
        cmocka_unit_test(test_zeroed_blocks_are_zero_when_used_again),
        cmocka_unit_test(test_nothing_is_a_block_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
