/*
 * route_test - which route serves a request: precedence, conditions, expressions, explanations.
 *
 * Threads  one
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "proxy/route/route.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- allocations are counted where no sanitizer does its own ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t bytes);
static size_t allocations;

void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}
#else
static size_t allocations;
#endif

/* ---- requests ---- */

struct pair {
    const char *name;
    const char *value;
};

static bool find_header(void *context, struct slice name, struct slice *value_out)
{
    for (const struct pair *pair = context; pair != NULL && pair->name != NULL; pair++) {
        if (!slice_equal(slice_from(pair->name), name))
            continue;
        *value_out = slice_from(pair->value);
        return true;
    }
    return false;
}

static struct route_query query_of(const char *method, const char *host, const char *path)
{
    return (struct route_query){.host = slice_from(host),
                                .path = slice_from(path),
                                .method = slice_from(method),
                                .header = find_header};
}

static struct route_table *build(const struct route_spec *specs, size_t count)
{
    struct error why = {ERROR_NONE, ""};
    struct route_table *table = route_table_build(specs, count, &why);

    if (table == NULL)
        fail_msg("%s", why.text);
    return table;
}

static void ignore(void *context, int route, const char *why_not)
{
    (void)context;
    (void)route;
    (void)why_not;
}

struct expectation {
    const char *host;
    const char *path;
    const char *name; /* NULL: no route */
    size_t prefix_bytes;
};

static void expect(const struct route_spec *specs, size_t count,
                   const struct expectation *expectations, size_t expected)
{
    struct route_table *table = build(specs, count);
    struct route_scratch *scratch = route_scratch_new();

    for (size_t i = 0; i < expected; i++) {
        const struct expectation *e = &expectations[i];
        struct route_query query = query_of("GET", e->host, e->path);
        struct route_hit hit;
        int route = route_match_hit(table, scratch, &query, &hit);
        const char *name = route == ROUTE_NONE ? NULL : specs[route].name;

        if ((name == NULL) != (e->name == NULL) || (name != NULL && strcmp(name, e->name) != 0))
            fail_msg("%s %s: %s instead of %s", e->host, e->path, name ? name : "none",
                     e->name ? e->name : "none");
        assert_int_equal(hit.route, route);
        assert_int_equal(hit.prefix_bytes, e->prefix_bytes);
        assert_int_equal(route_explain(table, scratch, &query, ignore, NULL), route);
    }
    route_scratch_free(&scratch);
    route_table_free(&table);
}

#define EXPECT(specs, ...)                                                                         \
    expect((specs), COUNT_OF(specs), (const struct expectation[]){__VA_ARGS__},                    \
           COUNT_OF(((const struct expectation[]){__VA_ARGS__})))
#define HOSTS(...)                                                                                 \
    .hosts = (const char *const[]){__VA_ARGS__},                                                   \
    .host_count = COUNT_OF(((const char *const[]){__VA_ARGS__}))
#define METHODS(...)                                                                               \
    .methods = (const char *const[]){__VA_ARGS__},                                                 \
    .method_count = COUNT_OF(((const char *const[]){__VA_ARGS__}))
#define HEADERS(...)                                                                               \
    .headers = (const struct route_condition_header[]){__VA_ARGS__},                               \
    .header_count = COUNT_OF(((const struct route_condition_header[]){__VA_ARGS__}))

/* ---- tests ---- */

static void the_most_specific_host_wins(void **state)
{
    const struct route_spec specs[] = {
        {.name = "any"},
        {.name = "exact", HOSTS("shop.example.com")},
        {.name = "short", HOSTS("*.com")},
        {.name = "long", HOSTS("*.example.com", "other.test")},
    };

    (void)state;
    EXPECT(specs, {"shop.example.com", "/", "exact", 0}, {"www.example.com", "/", "long", 0},
           {"a.b.c.example.com", "/x", "long", 0}, {"example.com", "/", "short", 0},
           {"com", "/", "any", 0}, {"other.test", "/", "long", 0}, {".com", "/", "any", 0},
           {"", "/", "any", 0}, {"notexample.com", "/", "short", 0},
           {"xexample.org", "/", "any", 0}, {"shop.example.com.", "/", "any", 0});
}

static void without_a_route_for_any_host_others_get_none(void **state)
{
    const struct route_spec specs[] = {{.name = "a", HOSTS("a.test"), .path_prefix = "/x"}};

    (void)state;
    EXPECT(specs, {"b.test", "/x", NULL, 0}, {"a.test", "/y", NULL, 0}, {"a.test", "/x", "a", 2},
           {"", "/x", NULL, 0});
}

static void the_most_specific_path_wins(void **state)
{
    const struct route_spec specs[] = {
        {.name = "all", .path_prefix = "/"},
        {.name = "api", .path_prefix = "/api"},
        {.name = "api-v1", .path_prefix = "/api/v1/"},
        {.name = "exact", .path = "/api/v1/users"},
        {.name = "regex", .path_regex = "/api/v1/u[a-z]+"},
    };

    (void)state;
    EXPECT(specs, {"h", "/", "all", 0}, {"h", "/apix", "all", 0}, {"h", "/api", "api", 4},
           {"h", "/api/", "api", 4}, {"h", "/api/x", "api", 4}, {"h", "/api/v1", "api-v1", 7},
           {"h", "/api/v1/", "api-v1", 7}, {"h", "/api/v1/x/y", "api-v1", 7},
           {"h", "/api/v1/users", "exact", 0}, {"h", "/api/v1/us", "regex", 0},
           {"h", "/api/v1/users/", "api-v1", 7}, {"h", "/api/v12", "api", 4}, {"h", "*", "all", 0},
           {"h", "//api", "all", 0}, {"h", "/ap", "all", 0}, {"h", "/API", "all", 0});
}

static void an_expression_matches_the_whole_path(void **state)
{
    const struct route_spec specs[] = {
        {.name = "digits", .path_regex = "/item/[0-9]+"},
        {.name = "either", .path_regex = "/a|/b"},
    };

    (void)state;
    EXPECT(specs, {"h", "/item/12", "digits", 0}, {"h", "/item/12/x", NULL, 0},
           {"h", "/x/item/12", NULL, 0}, {"h", "/item/12\n", NULL, 0}, {"h", "/a", "either", 0},
           {"h", "/b", "either", 0}, {"h", "/ax", NULL, 0}, {"h", "/item/\xff\xfe", NULL, 0});
}

static void a_host_counts_for_more_than_a_path(void **state)
{
    const struct route_spec specs[] = {
        {.name = "path", .path = "/x"},
        {.name = "host", HOSTS("a.test")},
        {.name = "host-y", HOSTS("*.test"), .path_prefix = "/x/y"},
    };

    (void)state;
    EXPECT(specs, {"a.test", "/x", "host", 0}, {"b.test", "/x", "path", 0},
           {"b.test", "/x/y", "host-y", 4});
}

static void priority_overrides_everything(void **state)
{
    const struct route_spec specs[] = {
        {.name = "exact", HOSTS("a.test"), .path = "/x/y"},
        {.name = "prefix", HOSTS("a.test"), .path_prefix = "/x", .priority = 5},
        {.name = "any", .path_prefix = "/x/y/z", .priority = 9},
        {.name = "low", HOSTS("a.test"), .path = "/low", .priority = -1},
        {.name = "rest"},
    };

    (void)state;
    EXPECT(specs, {"a.test", "/x/y", "prefix", 2}, {"a.test", "/x/y/z", "any", 6},
           {"a.test", "/low", "rest", 0}, {"b.test", "/x/y", "rest", 0});
}

static void methods_then_headers_then_names_decide_between_equals(void **state)
{
    const struct route_spec specs[] = {
        {.name = "b"},
        {.name = "a"},
        {.name = "one-header", HEADERS({SLICE_INIT("x-a"), SLICE_INIT("1")})},
        {.name = "two-headers",
         HEADERS({SLICE_INIT("x-a"), SLICE_INIT("1")}, {SLICE_INIT("x-b"), SLICE_INIT("2")})},
        {.name = "post", METHODS("PUT", "POST")},
    };
    static const struct pair both[] = {{"x-a", "1"}, {"x-b", "2"}, {NULL, NULL}};
    static const struct pair only[] = {{"x-a", "1"}, {"x-b", "3"}, {NULL, NULL}};

    (void)state;
    struct route_table *table = build(specs, COUNT_OF(specs));
    struct route_scratch *scratch = route_scratch_new();
    struct route_query query = query_of("GET", "h", "/");

    assert_string_equal(specs[route_match(table, scratch, &query)].name, "a");
    query.header_context = (void *)only;
    assert_string_equal(specs[route_match(table, scratch, &query)].name, "one-header");
    query.header_context = (void *)both;
    assert_string_equal(specs[route_match(table, scratch, &query)].name, "two-headers");
    query.method = SLICE("POST");
    assert_string_equal(specs[route_match(table, scratch, &query)].name, "post");
    query.method = SLICE("post");
    assert_string_equal(specs[route_match(table, scratch, &query)].name, "two-headers");
    route_scratch_free(&scratch);
    route_table_free(&table);
}

static void a_route_whose_conditions_fail_leaves_the_request_to_the_next(void **state)
{
    static const uint32_t second[] = {1};
    const struct route_spec specs[] = {
        {.name = "exact", HOSTS("a.test"), .path = "/x", METHODS("POST")},
        {.name = "secure", HOSTS("a.test"), .path_prefix = "/x", .scheme = 2},
        {.name = "listener", HOSTS("a.test"), .listeners = second, .listener_count = 1},
        {.name = "plain", HOSTS("*.test"), .scheme = 1},
    };

    (void)state;
    struct route_table *table = build(specs, COUNT_OF(specs));
    struct route_scratch *scratch = route_scratch_new();
    struct route_query query = query_of("POST", "a.test", "/x");

    assert_int_equal(route_match(table, scratch, &query), 0);
    query.method = SLICE("GET");
    query.is_https = true;
    assert_int_equal(route_match(table, scratch, &query), 1);
    query.is_https = false;
    query.listener = 1;
    assert_int_equal(route_match(table, scratch, &query), 2);
    query.listener = 0;
    assert_int_equal(route_match(table, scratch, &query), 3);
    query.is_https = true;
    query.path = SLICE("/y");
    assert_int_equal(route_match(table, scratch, &query), ROUTE_NONE);
    route_scratch_free(&scratch);
    route_table_free(&table);
}

static void an_expression_that_does_not_compile_is_named(void **state)
{
    const struct route_spec specs[] = {{.name = "shop", .path_regex = "/a(b"}};
    static const struct route_spec slashless[] = {{.name = "shop", .path_prefix = "api"}};
    struct error why = {ERROR_NONE, ""};

    (void)state;
    assert_null(route_table_build(specs, 1, &why));
    assert_int_equal(why.code, ERROR_INVALID);
    assert_string_equal(why.text, "route shop: path_regex \"/a(b\": missing closing parenthesis, "
                                  "after 4 characters");
    assert_null(route_table_build(slashless, 1, &why));
    assert_non_null(strstr(why.text, "does not begin with a slash"));
}

static void a_path_that_is_hard_on_an_expression_gets_no_route(void **state)
{
    const struct route_spec specs[] = {
        {.name = "hard", .path_regex = "/(a+)+[bc]"},
        {.name = "lax"},
        {.name = "above", .path_prefix = "/aaaa", .priority = 1, METHODS("POST")},
    };
    char path[8000];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    struct route_table *table = build(specs, COUNT_OF(specs));
    struct route_scratch *scratch = route_scratch_new();
    struct route_query query = query_of("GET", "h", "/");

    assert_int_equal(route_match(table, scratch, &query), 1);
    query.path = slice_of(path, 6);
    assert_int_equal(route_match(table, scratch, &query), 1);
    query.path = slice_of(path, sizeof(path));
    assert_int_equal(route_match(table, scratch, &query), ROUTE_NONE);
    assert_int_equal(route_explain(table, scratch, &query, ignore, NULL), ROUTE_NONE);
    path[5] = '/'; /* a higher priority decides without the expression */
    query.method = SLICE("POST");
    assert_int_equal(route_match(table, scratch, &query), 2);
    route_scratch_free(&scratch);
    route_table_free(&table);
}

/* ---- explanations ---- */

struct told {
    char text[2048];
    const struct route_spec *specs;
};

static void note(void *context, int route, const char *why_not)
{
    struct told *told = context;
    size_t used = strlen(told->text);

    snprintf(told->text + used, sizeof(told->text) - used, "%s: %s\n", told->specs[route].name,
             why_not == NULL ? "chosen" : why_not);
}

static void an_explanation_says_why_not(void **state)
{
    const struct route_spec specs[] = {
        {.name = "api", HOSTS("a.test"), .path_prefix = "/api"},
        {.name = "beta",
         HOSTS("a.test"),
         .path_prefix = "/api/v1",
         HEADERS({SLICE_INIT("x-beta"), SLICE_INIT("1")})},
        {.name = "post", HOSTS("a.test"), .path = "/api/v1/x", METHODS("POST", "PUT")},
        {.name = "wild", HOSTS("*.test"), .path = "/api/v1/x"},
        {.name = "rest"},
        {.name = "root", HOSTS("a.test"), .path_prefix = "/"},
        {.name = "web", HOSTS("a.test"), .path_prefix = "/web"},
        {.name = "secure", HOSTS("a.test"), .scheme = 2},
        {.name = "other", HOSTS("b.test")},
        {.name = "regex", HOSTS("a.test"), .path_regex = "/api/.*", .priority = -1},
    };
    struct told told = {"", specs};

    (void)state;
    struct route_table *table = build(specs, COUNT_OF(specs));
    struct route_scratch *scratch = route_scratch_new();
    struct route_query query = query_of("GET", "a.test", "/api/v1/x");

    assert_int_equal(route_explain(table, scratch, &query, note, &told), 0);
    assert_string_equal(told.text, "api: chosen\n"
                                   "root: shorter prefix\n"
                                   "wild: less specific host\n"
                                   "rest: any host, the other names it\n"
                                   "regex: lower priority\n"
                                   "post: method GET is not among POST, PUT\n"
                                   "beta: header x-beta is missing\n"
                                   "secure: https only\n"
                                   "web: other path\n"
                                   "other: other host\n");
    route_scratch_free(&scratch);
    route_table_free(&table);
}

/* ---- the table against plain comparison ---- */

enum { RANDOM_ROUTES = 40 };

static const char *const some_hosts[] = {"a.test", "b.a.test", "*.test",    "*.a.test",
                                         "c.org",  "*.org",    "*.b.a.test"};
static const char *const some_paths[] = {"/", "/a", "/a/b", "/a/b/c", "/b", "/ab", "/a/", "/a/b/"};
static const char *const some_regexes[] = {"/a.*", "/[ab]", "/a/b(/c)?", ".*"};
static const char *const asked_hosts[] = {"a.test", "b.a.test",   "x.b.a.test", "c.org", "d.c.org",
                                          "org",    "other.host", "",           "test"};
static const char *const asked_paths[] = {"/",       "/a",     "/a/", "/a/b", "/a/b/c",
                                          "/a/b/cd", "/b/a/b", "/ab", "//",   "/c"};
static const char *const get_only[] = {"GET"}, *const post_only[] = {"POST"};

static void random_spec(struct route_spec *spec, char name[8], int index, uint64_t *random)
{
    uint64_t bits = random_next(random) >> 8;

    snprintf(name, 8, "r%d", index);
    *spec = (struct route_spec){.name = name};
    spec->host_count = bits % 3;
    spec->hosts = &some_hosts[(bits >> 4) % (COUNT_OF(some_hosts) - 2)];
    const char *path = some_paths[(bits >> 12) % COUNT_OF(some_paths)];
    switch ((bits >> 8) % 4) {
    case 0: spec->path = path; break;
    case 1: spec->path_prefix = path; break;
    case 2: spec->path_regex = some_regexes[(bits >> 12) % COUNT_OF(some_regexes)]; break;
    default: break;
    }
    if ((bits >> 16) % 3 == 0) {
        spec->methods = (bits >> 20) % 2 ? get_only : post_only;
        spec->method_count = 1;
    }
    spec->scheme = (bits >> 24) % 8 == 0 ? 2 : 0;
    spec->priority = (bits >> 28) % 4 == 0 ? (int32_t)((bits >> 32) % 5) - 2 : 0;
}

static void the_table_gives_what_comparing_all_routes_gives(void **state)
{
    struct route_spec specs[RANDOM_ROUTES];
    char names[RANDOM_ROUTES][8];
    uint64_t random = 11;

    (void)state;
    struct route_scratch *scratch = route_scratch_new();
    for (int round = 0; round < 150; round++) {
        size_t count = 1 + (random_next(&random) >> 32) % RANDOM_ROUTES;

        for (size_t i = 0; i < count; i++)
            random_spec(&specs[i], names[i], (int)i, &random);
        struct route_table *table = build(specs, count);
        for (size_t i = 0; i < COUNT_OF(asked_hosts) * COUNT_OF(asked_paths) * 2; i++) {
            struct route_query query =
                query_of(i % 2 ? "GET" : "PUT", asked_hosts[i / 2 % COUNT_OF(asked_hosts)],
                         asked_paths[i / 2 / COUNT_OF(asked_hosts)]);

            assert_int_equal(route_match(table, scratch, &query),
                             route_explain(table, scratch, &query, ignore, NULL));
        }
        route_table_free(&table);
    }
    route_scratch_free(&scratch);
}

static void ten_thousand_routes_are_found_without_allocating(void **state)
{
    enum { MANY = 10000 };
    struct route_spec *specs = xcalloc(MANY, sizeof(*specs));
    char(*texts)[3][32] = xcalloc(MANY, sizeof(*texts));
    const char **hosts = xcalloc(MANY, sizeof(*hosts));

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i][0], 32, "route-%d", i);
        snprintf(texts[i][1], 32, "%sh%d.example.com", i % 7 == 0 ? "*." : "", i / 10);
        snprintf(texts[i][2], 32, "/p%d/x", i % 10);
        hosts[i] = texts[i][1];
        specs[i] = (struct route_spec){.name = texts[i][0], .hosts = &hosts[i], .host_count = 1};
        if (i % 3 == 0)
            specs[i].path = texts[i][2];
        else if (i % 101 == 0)
            specs[i].path_regex = texts[i][2];
        else
            specs[i].path_prefix = texts[i][2];
    }
    struct route_table *table = build(specs, MANY);
    struct route_scratch *scratch = route_scratch_new();
    size_t before = allocations;
    for (int i = 0; i < MANY; i++) {
        char host[40];

        snprintf(host, sizeof(host), "%sh%d.example.com", i % 7 == 0 ? "www." : "", i / 10);
        struct route_query query = query_of("GET", host, texts[i][2]);
        assert_int_equal(route_match(table, scratch, &query), i);
    }
    assert_int_equal(allocations, before);
    route_scratch_free(&scratch);
    route_table_free(&table);
    xfree(hosts);
    xfree(texts);
    xfree(specs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_host_wins),
        cmocka_unit_test(without_a_route_for_any_host_others_get_none),
        cmocka_unit_test(the_most_specific_path_wins),
        cmocka_unit_test(an_expression_matches_the_whole_path),
        cmocka_unit_test(a_host_counts_for_more_than_a_path),
        cmocka_unit_test(priority_overrides_everything),
        cmocka_unit_test(methods_then_headers_then_names_decide_between_equals),
        cmocka_unit_test(a_route_whose_conditions_fail_leaves_the_request_to_the_next),
        cmocka_unit_test(an_expression_that_does_not_compile_is_named),
        cmocka_unit_test(a_path_that_is_hard_on_an_expression_gets_no_route),
        cmocka_unit_test(an_explanation_says_why_not),
        cmocka_unit_test(the_table_gives_what_comparing_all_routes_gives),
        cmocka_unit_test(ten_thousand_routes_are_found_without_allocating),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
