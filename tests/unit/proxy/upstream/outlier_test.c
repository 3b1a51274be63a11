/* outlier: counting failures in a row; the prober is played here. */
#include "proxy/upstream/outlier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/model.h"
#include "proxy/upstream/prober.h"

static int suspicions;

void prober_suspect(struct prober *prober, struct server *server)
{
    (void)prober;
    (void)server;
    suspicions++;
}

static int reset(void **state)
{
    (void)state;
    suspicions = 0;
    return 0;
}

static void failures_in_a_row_reach_the_limit_once(void **state)
{
    struct server server = {.tag = SERVER_TAG};
    struct conf_ejection ejection = {.consecutive_failures = 3};

    (void)state;
    outlier_note(&server, &ejection, NULL, true);
    outlier_note(&server, &ejection, NULL, true);
    assert_int_equal(suspicions, 0);
    outlier_note(&server, &ejection, NULL, true);
    assert_int_equal(suspicions, 1);
    outlier_note(&server, &ejection, NULL, true);
    assert_int_equal(suspicions, 1);
    atomic_store(&server.is_suspected, 0);
    outlier_note(&server, &ejection, NULL, true);
    assert_int_equal(suspicions, 2);
}

static void a_success_begins_anew(void **state)
{
    struct server server = {.tag = SERVER_TAG};
    struct conf_ejection ejection = {.consecutive_failures = 2};

    (void)state;
    for (int i = 0; i < 10; i++) {
        outlier_note(&server, &ejection, NULL, true);
        outlier_note(&server, &ejection, NULL, false);
    }
    assert_int_equal(suspicions, 0);
    assert_int_equal(atomic_load(&server.live.failures), 0);
}

static void a_limit_of_zero_counts_nothing(void **state)
{
    struct server server = {.tag = SERVER_TAG};
    struct conf_ejection ejection = {.consecutive_failures = 0};

    (void)state;
    for (int i = 0; i < 10; i++)
        outlier_note(&server, &ejection, NULL, true);
    assert_int_equal(suspicions, 0);
    assert_int_equal(atomic_load(&server.live.failures), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(failures_in_a_row_reach_the_limit_once, reset),
        cmocka_unit_test_setup(a_success_begins_anew, reset),
        cmocka_unit_test_setup(a_limit_of_zero_counts_nothing, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
