/*
 * diff_test - two configurations to the words that tell them apart.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/diff.h"
#include "tests/support/config_text.h"

static struct arena *arena;

#define POOL(servers, more) "{\"pools\":{\"api\":{\"servers\":{" servers "}" more "}}}"
#define S1                  "\"s1\":{\"address\":\"10.0.0.1:80\"}"
#define ROUTE(body)                                                                                \
    "{\"pools\":{\"a\":{\"servers\":{" S1 "}},\"b\":{\"servers\":{" S1                             \
    "}}},\"routes\":{\"x\":{" body "}}}"

static const struct {
    const char *before;
    const char *after;
    const char *pointer;
    const char *text;
} cases[] = {
    {POOL(S1, ""), POOL(S1 ",\"s4\":{\"address\":\"10.0.0.4:80\"}", ""), "/pools/api/servers/s4",
     "pool api: server s4 added"},
    {POOL(S1 ",\"s4\":{\"address\":\"10.0.0.4:80\"}", ""), POOL(S1, ""), "/pools/api/servers/s4",
     "pool api: server s4 removed"},
    {POOL(S1, ""), POOL("\"s1\":{\"address\":\"10.0.0.1:80\",\"weight\":50}", ""),
     "/pools/api/servers/s1/weight", "pool api: server s1: weight 100 -> 50"},
    {POOL(S1, ""), POOL("\"s1\":{\"address\":\"10.0.0.9:80\"}", ""),
     "/pools/api/servers/s1/address", "pool api: server s1: address 10.0.0.1:80 -> 10.0.0.9:80"},
    {POOL(S1, ""), POOL(S1, ",\"health_check\":{}"), "/pools/api/health_check",
     "pool api: health_check added"},
    {POOL(S1, ",\"health_check\":{}"), POOL(S1, ",\"health_check\":{\"interval\":\"2s\"}"),
     "/pools/api/health_check/interval", "pool api: health_check: interval 5s -> 2s"},
    {POOL(S1, ""), POOL(S1, ",\"balance\":\"maglev\""), "/pools/api/balance",
     "pool api: balance round_robin -> maglev"},
    {POOL(S1, ",\"balance\":\"maglev\""),
     POOL(S1, ",\"balance\":\"maglev\",\"hash_on\":\"header:X-User\""), "/pools/api/hash_on",
     "pool api: hash_on client_ip -> header:x-user"},
    {POOL(S1, ""), POOL(S1, ",\"sticky\":{\"cookie\":\"c\"}"), "/pools/api/sticky/cookie",
     "pool api: sticky: cookie none -> c"},
    {POOL(S1, ""), "{}", "/pools/api", "pool api removed"},
    {ROUTE("\"pool\":\"a\""), ROUTE("\"pool\":\"b\""), "/routes/x/pool", "route x: pool a -> b"},
    {ROUTE("\"pool\":\"a\""), ROUTE("\"pool\":\"a\",\"timeouts\":{\"response\":\"10s\"}"),
     "/routes/x/timeouts/response", "route x: timeouts: response the pool's -> 10s"},
    {ROUTE("\"pool\":\"a\""), ROUTE("\"pool\":\"a\",\"limits\":{\"body\":\"unlimited\"}"),
     "/routes/x/limits/body", "route x: limits: body the listener's -> unlimited"},
    {ROUTE("\"pool\":\"a\",\"allow\":[\"10.0.0.0/8\"]"),
     ROUTE("\"pool\":\"a\",\"allow\":[\"10.0.0.0/8\",\"2001:db8::/32\"]"), "/routes/x/allow",
     "route x: allow [10.0.0.0/8] -> [10.0.0.0/8, 2001:db8::/32]"},
    {ROUTE("\"pool\":\"a\",\"methods\":[\"GET\"]"), ROUTE("\"pool\":\"a\""), "/routes/x/methods",
     "route x: methods [GET] -> any"},
    {ROUTE("\"split\":{\"a\":95,\"b\":5}"), ROUTE("\"split\":{\"a\":50,\"b\":50}"),
     "/routes/x/split", "route x: split [a: 95, b: 5] -> [a: 50, b: 50]"},
    {ROUTE("\"pool\":\"a\",\"priority\":-1"), ROUTE("\"pool\":\"a\""), "/routes/x/priority",
     "route x: priority -1 -> 0"},
    {"{}", "{\"process\":{\"workers\":4}}", "/process/workers", "process: workers auto -> 4"},
    {"{\"people\":{\"ann\":{\"roles\":[\"viewer\"]}}}",
     "{\"people\":{\"ann\":{\"roles\":[\"viewer\",\"author\"]}}}", "/people/ann/roles",
     "people: ann: roles [viewer] -> [viewer, author]"},
    {"{\"people\":{\"ann\":{\"tokens\":[]}}}",
     "{\"people\":{\"ann\":{\"tokens\":[{\"id\":\"laptop\",\"hash\":"
     "\"sha256:abababababababababababababababababababababababababababababababab\"}]}}}",
     "/people/ann/tokens", "people: ann: tokens [] -> [laptop (secret 9a2db2e2)]"},
    {"{}", "{\"policy\":{\"windows\":[{\"days\":[\"mon\"],\"from\":\"09:00\",\"to\":\"17:00\"}]}}",
     "/policy/windows", "policy: windows [] -> [{days: [mon], from: 09:00, to: 17:00}]"},
    {"{}", "{\"policy\":{\"mode\":\"off\"}}", "/policy/mode", "policy: mode enforced -> off"},
    {"{}", "{\"observe\":{\"access_log\":{\"path\":\"off\"}}}", "/observe/access_log/path",
     "observe: access_log: path stdout -> off"},
    {"{}", "{\"listeners\":{\"web\":{\"address\":\"[::]:80\"}}}", "/listeners/web",
     "listener web added"},
};

static void each_change_is_told_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct configuration *before = config_of_text(cases[i].before, arena);
        struct configuration *after = config_of_text(cases[i].after, arena);
        struct differences found;

        config_diff(before, after, arena, &found);
        if (found.count != 1)
            print_message("%s: %zu differences\n", cases[i].text, found.count);
        assert_int_equal(found.count, 1);
        assert_string_equal(found.items[0].text, cases[i].text);
        assert_string_equal(found.items[0].pointer, cases[i].pointer);
        differences_fini(&found);
        config_free(&before);
        config_free(&after);
    }
}

static void a_default_written_out_is_no_difference(void **state)
{
    struct configuration *before = config_of_text(POOL(S1, ""), arena);
    struct configuration *after =
        config_of_text(POOL(S1, ",\"balance\":\"round_robin\",\"slow_start\":\"30000ms\""), arena);
    struct differences found;

    (void)state;
    config_diff(before, after, arena, &found);
    assert_int_equal(found.count, 0);
    assert_string_not_equal(before->digest, after->digest);
    differences_fini(&found);
    config_free(&before);
    config_free(&after);
}

static void several_changes_come_in_the_order_of_sections_and_names(void **state)
{
    struct configuration *before = config_of_text(ROUTE("\"pool\":\"a\""), arena);
    struct configuration *after = config_of_text(
        "{\"pools\":{\"b\":{\"servers\":{" S1 "},\"panic_percent\":0},\"c\":{\"servers\":{" S1
        "}}},\"routes\":{\"x\":{\"pool\":\"b\"}},\"process\":{\"workers\":1}}",
        arena);
    struct differences found;

    (void)state;
    config_diff(before, after, arena, &found);
    assert_int_equal(found.count, 5);
    assert_string_equal(found.items[0].text, "process: workers auto -> 1");
    assert_string_equal(found.items[1].text, "pool a removed");
    assert_string_equal(found.items[2].text, "pool b: panic_percent 50 -> 0");
    assert_string_equal(found.items[3].text, "pool c added");
    assert_string_equal(found.items[4].text, "route x: pool a -> b");
    differences_fini(&found);
    config_free(&before);
    config_free(&after);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_change_is_told_in_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_default_written_out_is_no_difference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_changes_come_in_the_order_of_sections_and_names,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
