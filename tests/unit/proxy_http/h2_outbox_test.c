/* h2_outbox: what goes in comes out, in its order, in whatever pieces. */
#include "proxy/http/h2_outbox.h"

#include "tests/unit/proxy_http/heads.h"

static char byte_at(size_t place)
{
    return (char)(place * 31 + place / 251);
}

static void test_bytes_come_out_in_their_order(void **state)
{
    static const size_t puts[] = {1, 63, 64, 65, 900, 901, 1000, 16383, 16384, 16385, 70000, 3};
    static const size_t takes[] = {1, 9, 64, 1000, 16384, 16385, 40000};
    static char bytes[70000];
    struct h2_outbox outbox = {0};
    size_t put = 0;
    size_t taken = 0;

    (void)state;
    for (unsigned turn = 0; turn < 400; turn++) {
        size_t count = puts[turn % 12];

        for (size_t i = 0; i < count; i++)
            bytes[i] = byte_at(put + i);
        h2_outbox_put(&outbox, slice_of(bytes, count));
        put += count;
        assert_int_equal(outbox.bytes, put - taken);
        while (outbox.bytes > (turn % 5) * 20000) {
            count = takes[(turn + taken) % 7];
            count = count < outbox.bytes ? count : outbox.bytes;
            h2_outbox_take(&outbox, bytes, count);
            for (size_t i = 0; i < count; i++)
                if (bytes[i] != byte_at(taken + i))
                    fail_msg("byte %zu is another", taken + i);
            taken += count;
        }
    }
    h2_outbox_fini(&outbox);
    assert_null(outbox.first);
    assert_int_equal(outbox.bytes, 0);
}

static void test_nothing_is_put_and_taken(void **state)
{
    struct h2_outbox outbox = {0};
    char none;

    (void)state;
    h2_outbox_put(&outbox, SLICE(""));
    h2_outbox_take(&outbox, &none, 0);
    assert_null(outbox.first);
    h2_outbox_fini(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_out_in_their_order),
        cmocka_unit_test(test_nothing_is_put_and_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
