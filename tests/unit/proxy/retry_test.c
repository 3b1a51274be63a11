/* retry: the budget of a pool over ten seconds; the clock is the worker's. */
#include "proxy/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/model.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

#define SECOND UINT64_C(1000000000)

struct fixture {
    struct worker worker;
    struct worker_pool pools[2];
    struct conf_pool conf;
    struct snapshot_pool pool;
    struct request request;
};

static struct fixture *fixture_new(unsigned percent, unsigned floor)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->worker.worker_count = 1;
    f->worker.pools = f->pools;
    f->worker.now_ns = 1000 * SECOND;
    f->conf.retry.budget_percent = (uint8_t)percent;
    f->conf.retry.min_per_second = floor;
    f->pool.conf = &f->conf;
    f->pool.counter_slot = 1;
    f->request.worker = &f->worker;
    f->request.pool = &f->pool;
    return f;
}

static void ask_for(struct fixture *f, int requests)
{
    for (int i = 0; i < requests; i++)
        retry_note_request(&f->request);
}

static int allowed(struct fixture *f)
{
    int count = 0;

    while (count < 100000 && retry_allowed(&f->request))
        count++;
    return count;
}

static void retries_are_a_share_of_requests(void **state)
{
    struct fixture *f = fixture_new(20, 0);

    (void)state;
    assert_int_equal(allowed(f), 0);
    ask_for(f, 1000);
    assert_int_equal(allowed(f), 200);
    ask_for(f, 100);
    assert_int_equal(allowed(f), 20);
    free(f);
}

static void a_quiet_pool_has_its_floor(void **state)
{
    struct fixture *f = fixture_new(20, 3);

    (void)state;
    assert_int_equal(allowed(f), 30);
    f->worker.now_ns += 5 * SECOND;
    assert_int_equal(allowed(f), 0);
    f->worker.now_ns += 5 * SECOND;
    assert_int_equal(allowed(f), 30);
    free(f);
}

static void the_floor_is_the_processs_not_a_workers(void **state)
{
    struct fixture *f = fixture_new(0, 3);

    (void)state;
    f->worker.worker_count = 4;
    assert_int_equal(allowed(f), 8); /* of 30 */
    free(f);
}

static void seconds_fall_out_of_the_window_one_by_one(void **state)
{
    struct fixture *f = fixture_new(10, 0);

    (void)state;
    for (int i = 0; i < 10; i++) {
        ask_for(f, 100);
        f->worker.now_ns += SECOND;
    }
    assert_int_equal(allowed(f), 90); /* the first second has gone */
    f->worker.now_ns += 9 * SECOND;
    assert_int_equal(allowed(f), 0);
    ask_for(f, 1000);
    assert_int_equal(allowed(f), 10); /* 90 of them were a moment ago */
    free(f);
}

static void a_long_pause_forgets_everything(void **state)
{
    struct fixture *f = fixture_new(50, 0);

    (void)state;
    ask_for(f, 1000);
    f->worker.now_ns += 3600 * SECOND;
    assert_int_equal(allowed(f), 0);
    ask_for(f, 10);
    assert_int_equal(allowed(f), 5);
    free(f);
}

static void none_at_all_when_both_are_0(void **state)
{
    struct fixture *f = fixture_new(0, 0);

    (void)state;
    ask_for(f, 1000);
    assert_int_equal(allowed(f), 0);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_are_a_share_of_requests),
        cmocka_unit_test(a_quiet_pool_has_its_floor),
        cmocka_unit_test(the_floor_is_the_processs_not_a_workers),
        cmocka_unit_test(seconds_fall_out_of_the_window_one_by_one),
        cmocka_unit_test(a_long_pause_forgets_everything),
        cmocka_unit_test(none_at_all_when_both_are_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
