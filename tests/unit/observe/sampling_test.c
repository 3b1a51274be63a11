/* sampling: what is noted is frozen with its names, the newest first, and no more than there is
 * room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/thread.h"
#include "observe/counters.h"
#include "observe/kinds.h"
#include "observe/sample.h"
#include "observe/sampling.h"
#include "observe/tap.h"

static struct counters *counters;
static struct sampling *sampling;
static uint64_t now_ms;

static int setup(void **state)
{
    (void)state;
    counters = counters_new(1);
    now_ms = 5000;
    sampling = sampling_new(counters, now_ms);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sampling_free(&sampling);
    counters_free(&counters);
    return 0;
}

static struct tap_cell cell(const char *host, const char *path)
{
    struct tap_cell one = {.weight = 1,
                           .listener = counters_slot(counters, SCOPE_LISTENER, NULL, "web"),
                           .route = TAP_NONE,
                           .pool = TAP_NONE,
                           .server = TAP_NONE,
                           .sticky = TAP_NONE};

    one.host_bytes = tap_put(&one, slice_from(host), TAP_HOST_BYTES);
    one.path_bytes = tap_put(&one, slice_from(path), TAP_PATH_BYTES);
    one.method_bytes = (uint8_t)tap_put(&one, SLICE("GET"), TAP_METHOD_BYTES);
    return one;
}

static void note(const char *path)
{
    struct tap_cell one = cell("shop.example.com", path);

    sampling_note(sampling, &one);
}

static struct sample *tick(uint64_t later_ms)
{
    now_ms += later_ms;
    return sampling_tick(sampling, now_ms, 1795344100000);
}

static void test_a_request_is_frozen_with_all_its_names(void **state)
{
    struct tap_cell one = cell("shop.example.com", "/shop/cart/items/7");
    struct sample *sample;
    const struct sample_request *request;

    (void)state;
    one.route = counters_slot(counters, SCOPE_ROUTE, NULL, "cart");
    one.pool = counters_slot(counters, SCOPE_POOL, NULL, "shop");
    one.server = counters_slot(counters, SCOPE_SERVER, "shop", "s2");
    one.sticky = counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    one.reason = 2;
    one.weight = 40;
    one.hash = 77;
    one.client_hash = 99;
    one.has_hash = true;
    one.header_count = 2;
    one.headers[0] = (struct tap_header){.name_bytes = 6, .value_bytes = 4};
    one.headers[1] = (struct tap_header){.name_bytes = 7, .is_kept_back = true, .is_held = true};
    (void)tap_put(&one, SLICE("x-beta"), TAP_HEADER_BYTES);
    (void)tap_put(&one, SLICE("true"), TAP_HEADER_BYTES);
    (void)tap_put(&one, SLICE("x-token"), TAP_HEADER_BYTES);
    sampling_note(sampling, &one);
    sample = tick(1000);
    assert_non_null(sample);
    assert_int_equal(sample->wall_ms, 1795344100000);
    assert_int_equal(sample->seconds, 1);
    assert_int_equal(sample->requests, 40);
    assert_int_equal(sample->kind_count, 1);
    assert_string_equal(sample->kinds[0].path, "/shop/cart");
    assert_string_equal(sample->kinds[0].listener, "web");
    assert_string_equal(sample->kinds[0].method, "GET");
    assert_int_equal(sample->kinds[0].requests, 40);
    assert_int_equal(sample->single_count, 1);
    request = &sample->singles[0];
    assert_string_equal(request->listener, "web");
    assert_string_equal(request->host, "shop.example.com");
    assert_string_equal(request->path, "/shop/cart/items/7");
    assert_string_equal(request->route, "cart");
    assert_string_equal(request->pool, "shop");
    assert_string_equal(request->server, "s2");
    assert_string_equal(request->sticky, "s1");
    assert_int_equal(request->reason, 2);
    assert_int_equal(request->weight, 40);
    assert_int_equal(request->hash, 77);
    assert_int_equal(request->client_hash, 99);
    assert_true(request->has_hash);
    assert_int_equal(request->header_count, 2);
    assert_string_equal(request->headers[0].name, "x-beta");
    assert_string_equal(request->headers[0].value, "true");
    assert_string_equal(request->headers[1].name, "x-token");
    assert_null(request->headers[1].value);
    assert_true(request->headers[1].is_held);
    sample_release(&sample);
    assert_null(sample);
}

static void test_what_had_no_route_has_no_names(void **state)
{
    struct sample *sample;

    (void)state;
    note("/");
    sample = tick(1000);
    assert_null(sample->singles[0].route);
    assert_null(sample->singles[0].pool);
    assert_null(sample->singles[0].server);
    assert_null(sample->singles[0].sticky);
    sample_release(&sample);
}

static void test_a_frozen_sample_does_not_change(void **state)
{
    struct sample *sample;

    (void)state;
    note("/a");
    sample = tick(1000);
    note("/b");
    assert_int_equal(sample->single_count, 1);
    sampling_free(&sampling);
    assert_string_equal(sample->singles[0].path, "/a");
    assert_ptr_equal(sample_hold(sample), sample);
    sample_release(&(struct sample *){sample});
    assert_string_equal(sample->kinds[0].path, "/a");
    sample_release(&sample);
}

static void test_the_newest_come_first_and_push_the_oldest_out(void **state)
{
    struct sample *sample;
    char path[32];

    (void)state;
    for (unsigned i = 0; i < SAMPLE_REQUESTS + 100; i++) {
        (void)snprintf(path, sizeof(path), "/all/of/%u", i);
        note(path);
    }
    sample = tick(10000);
    assert_int_equal(sample->single_count, SAMPLE_REQUESTS);
    (void)snprintf(path, sizeof(path), "/all/of/%d", SAMPLE_REQUESTS + 99);
    assert_string_equal(sample->singles[0].path, path);
    assert_string_equal(sample->singles[SAMPLE_REQUESTS - 1].path, "/all/of/100");
    assert_int_equal(sample->kinds[0].requests, SAMPLE_REQUESTS + 100);
    sample_release(&sample);
}

/* Long paths, many headers, a kind each: as large as it can be made. */
static void test_memory_is_bounded(void **state)
{
    char long_path[600];
    struct sample *sample;

    (void)state;
    memset(long_path, 'p', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    for (unsigned i = 0; i < 3 * SAMPLE_REQUESTS; i++) {
        struct tap_cell one;

        (void)snprintf(long_path, sizeof(long_path), "/%08u", i);
        long_path[9] = 'p';
        one = cell(long_path + 1, long_path);
        for (one.header_count = 0; one.header_count < TAP_HEADERS; one.header_count++) {
            one.headers[one.header_count] = (struct tap_header){60, 60, false, false};
            (void)tap_put(&one, slice_from(long_path), TAP_HEADER_BYTES);
            (void)tap_put(&one, slice_from(long_path), TAP_HEADER_BYTES);
        }
        sampling_note(sampling, &one);
    }
    assert_true(sampling_bytes(sampling) <=
                KINDS_BYTES + SAMPLING_REQUEST_BYTES + SAMPLE_REQUESTS * sizeof(void *) + 4096);
    sample = tick(10000);
    assert_true(sample->single_count > 4000);
    assert_int_equal(sample->kind_count, SAMPLE_KINDS);
    assert_int_equal(sample->requests, 3 * SAMPLE_REQUESTS);
    assert_int_equal(sample->other_requests, sample->requests - SAMPLE_KINDS);
    sample_release(&sample);
}

static void test_little_traffic_is_told_soon_and_much_every_ten_seconds(void **state)
{
    struct sample *sample;

    (void)state;
    assert_null(tick(1000));
    note("/");
    sample = tick(1000);
    assert_non_null(sample);
    sample_release(&sample);
    assert_null(tick(1000)); /* nothing new */
    for (unsigned i = 0; i < SAMPLING_FEW; i++)
        note("/");
    for (unsigned second = 0; second < 8; second++)
        assert_null(tick(1000));
    sample = tick(1000);
    assert_non_null(sample);
    assert_int_equal(sample->kinds[0].requests, SAMPLING_FEW + 1);
    assert_int_equal(sample->kinds[0].requests_new, SAMPLING_FEW);
    sample_release(&sample);
    sample = tick(3600 * 1000); /* nothing new, but what there was is old */
    assert_int_equal(sample->requests, 0);
    assert_int_equal(sample->kinds[0].requests_day, SAMPLING_FEW + 1);
    sample_release(&sample);
}

static void test_the_rest_is_told_at_the_end(void **state)
{
    struct sample *sample;

    (void)state;
    assert_null(sampling_rest(sampling, now_ms, 0));
    for (unsigned i = 0; i < 2 * SAMPLING_FEW; i++)
        note("/");
    sample = tick(1000);
    assert_non_null(sample); /* the first one is not waited for */
    sample_release(&sample);
    note("/");
    assert_null(tick(1000));
    sample = sampling_rest(sampling, now_ms, 0);
    assert_int_equal(sample->kinds[0].requests_new, 1);
    sample_release(&sample);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_is_frozen_with_all_its_names),
        TEST(test_what_had_no_route_has_no_names),
        TEST(test_a_frozen_sample_does_not_change),
        TEST(test_the_newest_come_first_and_push_the_oldest_out),
        TEST(test_memory_is_bounded),
        TEST(test_little_traffic_is_told_soon_and_much_every_ten_seconds),
        TEST(test_the_rest_is_told_at_the_end),
    };

    thread_take_role(THREAD_CONTROL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
