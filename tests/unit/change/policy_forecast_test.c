/*
 * policy_forecast_test - the class of a change goes by what it would do to recent traffic, where
 * that is known.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "change/policy.h"
#include "detect/impact.h"
#include "observe/sample.h"
#include "tests/support/config_text.h"

enum { REQUESTS = 1000 };

static struct arena *arena;
static struct sample_request singles[REQUESTS];
static struct sample_kind kinds[1];
static struct sample seen;

static struct configuration *load(const char *document)
{
    struct configuration *conf = config_of_text(document, arena);

    conf->policy.mode = POLICY_ENFORCED;
    return conf;
}

/* All that came in 100 seconds: one kind, and all of it kept. */
static int setup(void **state)
{
    (void)state;
    arena = arena_new(16384);
    kinds[0] = (struct sample_kind){.listener = "web",
                                    .host = "h",
                                    .path = "/cart",
                                    .method = "GET",
                                    .requests = REQUESTS,
                                    .requests_day = REQUESTS};
    for (size_t i = 0; i < REQUESTS; i++)
        singles[i] = (struct sample_request){.listener = "web",
                                             .host = "h",
                                             .path = "/cart",
                                             .method = "GET",
                                             .route = "r",
                                             .pool = "p",
                                             .weight = 1,
                                             .has_hash = true,
                                             .hash = 4711};
    seen = (struct sample){.references = 1,
                           .seconds = 100,
                           .requests = REQUESTS,
                           .kinds = kinds,
                           .kind_count = 1,
                           .singles = singles,
                           .single_count = REQUESTS};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Whether the rule holds, with the sample or without it. */
static bool holds(const char *rule, const char *before, const char *after, struct sample *sample)
{
    struct configuration *base = load(before);
    struct configuration *target = load(after);
    struct impact_subject asked = {.base = base, .target = target, .sample = sample};
    struct error why = {0};
    struct impact *impact = impact_of(&asked, &why);
    json_t *base_json = json_loadb(base->canonical, base->canonical_bytes, 0, NULL);
    json_t *target_json = json_loadb(target->canonical, target->canonical_bytes, 0, NULL);
    struct policy_subject subject = {.base = base,
                                     .target = target,
                                     .base_json = base_json,
                                     .target_json = target_json,
                                     .impact = impact};
    struct policy_verdict verdict = {0};
    bool found = false;

    assert_non_null(impact);
    policy_judge(&subject, &verdict);
    for (size_t i = 0; i < json_array_size(verdict.reasons); i++)
        found |=
            strcmp(json_string_value(json_object_get(json_array_get(verdict.reasons, i), "rule")),
                   rule) == 0;
    assert_true(!found || verdict.class == 3);
    policy_verdict_clear(&verdict);
    json_decref(base_json);
    json_decref(target_json);
    impact_free(&impact);
    config_free(&base);
    config_free(&target);
    return found;
}

#define WEB                 "'listeners':{'web':{'address':'127.0.0.1:80'}}"
#define S(n, of)            "'" n "':{'address':'10.0.0." of ":80','capacity_rps':8}"
#define TWO                 S("a", "1") "," S("b", "2")
#define CONF(pools, routes) "{" WEB ",'pools':{" pools "},'routes':{" routes "}}"

static void what_a_ceiling_would_hold_back_is_told_all_the_same(void **state)
{
    static const char before[] =
        CONF("'p':{'servers':{" TWO "," S("c", "3") "}}", "'r':{'pool':'p'}");
    static const char after[] =
        CONF("'p':{'max_share_percent':60,'servers':{'a':{'address':'10.0.0.1:80','weight':900},"
             "'b':{'address':'10.0.0.2:80'},'c':{'address':'10.0.0.3:80'}}}",
             "'r':{'pool':'p'}");

    (void)state;
    assert_true(holds("max-share", before, after, NULL));
    assert_true(holds("max-share", before, after, &seen));
}

static void a_hash_of_one_path_moves_all_away_from_capacity(void **state)
{
    static const char before[] = CONF("'p':{'servers':{" TWO "}}", "'r':{'pool':'p'}");
    static const char after[] =
        CONF("'p':{'balance':'maglev','hash_on':'path','servers':{" TWO "}}", "'r':{'pool':'p'}");

    (void)state;
    assert_false(holds("away-from-capacity", before, after, NULL));
    assert_true(holds("away-from-capacity", before, after, &seen));
}

static void requests_that_only_routes_bring_are_too_many(void **state)
{
#define POOLS                                                                                      \
    "'p':{'servers':{" TWO "}},'q':{'servers':{'x':{'address':'10.0.0.9:80','capacity_rps':9}}}"
    static const char before[] = CONF(POOLS, "'r':{'pool':'p'}");
    static const char after[] = CONF(POOLS, "'r':{'pool':'p'},'s':{'path':'/cart','pool':'q'}");

    (void)state;
    assert_false(holds("over-capacity", before, after, NULL));
    assert_true(holds("over-capacity", before, after, &seen)); /* 10 a second of 9 */
    seen.seconds = 200;
    assert_false(holds("over-capacity", before, after, &seen)); /* 5 of 9 */
}

static void a_pool_that_was_as_full_is_not_this_changes_doing(void **state)
{
    static const char before[] = CONF("'p':{'servers':{" S("a", "1") "}},'q':{'servers':{" TWO "}}",
                                      "'r':{'pool':'p'},'q':{'path':'/q','pool':'q'}");
    static const char after[] =
        CONF("'p':{'servers':{" S("a", "1") "}},'q':{'slow_start':'7s','servers':{" TWO "}}",
             "'r':{'pool':'p'},'q':{'path':'/q','pool':'q'}");

    (void)state;
    assert_false(holds("over-capacity", before, after, &seen)); /* 10 of 8, and it stays so */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_a_ceiling_would_hold_back_is_told_all_the_same),
        TEST(a_hash_of_one_path_moves_all_away_from_capacity),
        TEST(requests_that_only_routes_bring_are_too_many),
        TEST(a_pool_that_was_as_full_is_not_this_changes_doing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
