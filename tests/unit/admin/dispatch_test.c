/*
 * From a call to its handler: paths as sent, methods, parameters, bodies, and who may ask.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/operations.h"
#include "tests/support/admin_fixture.h"

static const char configuration[] =
    "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"
    "\"pools\":{\"app\":{\"servers\":{\"s1\":{\"address\":\"127.0.0.1:1\"},"
    "\"s2\":{\"address\":\"127.0.0.1:2\",\"state\":\"drain\"}}}},"
    "\"routes\":{\"everything\":{\"pool\":\"app\"},"
    "\"api\":{\"path_prefix\":\"/api\",\"methods\":[\"POST\"],\"pool\":\"app\"}},"
    "\"policy\":{\"mode\":\"advisory\"}}";

static json_t *answer_of(struct call *call)
{
    json_error_t error;
    json_t *json = json_loadb(call->reply.body.data, buffer_length(&call->reply.body), 0, &error);

    if (json == NULL)
        fail_msg("%s in: %s", error.text, buffer_text(&call->reply.body));
    return json;
}

static void expect_problem(const char *method, const char *target, const char *body,
                           unsigned status, const char *name)
{
    struct call *call = fixture_ask(method, target, body);
    json_t *json = answer_of(call);
    char type[96];

    snprintf(type, sizeof(type), "/v1/problems/%s", name);
    assert_string_equal(json_string_value(json_object_get(json, "type")), type);
    assert_int_equal(call->reply.status, status);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
    json_decref(json);
    call_free(&call);
}

static void expect_status(const char *method, const char *target, const char *body, unsigned status)
{
    struct call *call = fixture_ask(method, target, body);

    if (call->reply.status != status)
        fail_msg("%s %s: %u: %s", method, target, call->reply.status,
                 buffer_text(&call->reply.body));
    call_free(&call);
}

static void a_template_takes_whole_segments(void **state)
{
    static const struct {
        const char *path_template;
        const char *path;
        bool matches;
        const char *first;
    } rows[] = {
        {"/", "/", true, NULL},
        {"/", "", false, NULL},
        {"/v1/pools", "/v1/pools", true, NULL},
        {"/v1/pools", "/v1/pools/", false, NULL},
        {"/v1/pools", "/v1/poolsx", false, NULL},
        {"/v1/pools", "/v1", false, NULL},
        {"/v1/pools/{pool}", "/v1/pools/shop", true, "shop"},
        {"/v1/pools/{pool}", "/v1/pools/", false, NULL},
        {"/v1/pools/{pool}", "/v1/pools/a/b", false, NULL},
        {"/v1/pools/{pool}", "/v1/pools/a%2Fb", true, "a%2Fb"},
        {"/v1/pools/{pool}/servers/{server}", "/v1/pools/a/servers/b", true, "a"},
        {"/v1/pools/{pool}/servers/{server}", "/v1/pools//servers/b", false, NULL},
        {"/v1/pools", "v1/pools", false, NULL},
        {"/v1/pools", "//v1/pools", false, NULL},
        {"/v1/pools", "*", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice arguments[CALL_ARGUMENTS] = {{NULL, 0}};
        bool matches = dispatch_match(rows[i].path_template, slice_from(rows[i].path), arguments);
        if (matches != rows[i].matches)
            fail_msg("%s against %s", rows[i].path, rows[i].path_template);
        if (matches && rows[i].first != NULL)
            assert_true(slice_equal(arguments[0], slice_from(rows[i].first)));
    }
}

static void every_operation_is_found_by_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < operation_count; i++) {
        struct slice arguments[CALL_ARGUMENTS];
        assert_true(dispatch_match(operations[i].path, slice_from(operations[i].path), arguments));
        assert_true(operations[i].summary[0] != '\0');
    }
}

static void what_is_not_there_is_404_or_405(void **state)
{
    (void)state;
    expect_problem("GET", "/nothing", "", 404, "not-found");
    expect_problem("GET", "", "", 404, "not-found");
    expect_problem("GET", "*", "", 404, "not-found");
    expect_problem("GET", "/v1/pools/none", "", 404, "not-found");
    expect_problem("GET", "/v1/pools/%00", "", 404, "not-found");
    expect_problem("GET", "/v1/pools/%", "", 404, "not-found");
    expect_problem("GET", "/v1/pools/app/servers/s9", "", 404, "not-found");
    expect_problem("GET", "/v1/config/none", "", 404, "not-found");
    expect_problem("GET", "/v1/config/pools/none", "", 404, "not-found");
    expect_problem("GET", "/v1/problems/none", "", 404, "not-found");
    expect_problem("POST", "/v1/status", "", 405, "method-not-allowed");
    expect_problem("get", "/v1/status", "", 405, "method-not-allowed");
    expect_problem("GET", "/v1/explain", "", 405, "method-not-allowed");
    expect_status("OPTIONS", "/v1/explain", "", 204);
}

/* Without a ledger these say that there is none. */
static bool needs_a_ledger(const char *path)
{
    static const char *const prefixes[] = {"/v1/changes",    "/v1/revisions", "/v1/freeze",
                                           "/v1/breakglass", "/v1/audit",     "/v1/events"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static void what_is_there_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < operation_count; i++)
        if (strcmp(operations[i].method, "GET") == 0 && strchr(operations[i].path, '{') == NULL)
            expect_status("GET", operations[i].path, "",
                          needs_a_ledger(operations[i].path) ? 503 : 200);
    expect_status("HEAD", "/v1/status", "", 200);
    expect_status("GET", "/v1/pools/app", "", 200);
    expect_status("GET", "/v1/pools/%61pp", "", 200);
    expect_status("GET", "/v1/pools/app/servers/s1", "", 200);
    expect_status("GET", "/v1/config/pools", "", 200);
    expect_status("GET", "/v1/config/pools/app", "", 200);
    expect_status("GET", "/v1/problems/not-found", "", 200);
}

static void parameters_that_no_call_takes_are_refused(void **state)
{
    (void)state;
    expect_problem("GET", "/v1/status?x", "", 400, "unknown-parameter");
    expect_problem("GET", "/v1/status?x=1&y=2", "", 400, "unknown-parameter");
    expect_problem("GET", "/v1/status?=1", "", 400, "unknown-parameter");
    expect_status("GET", "/v1/status?", "", 200);
    expect_status("GET", "/v1/status?&&", "", 200);
}

static void bodies_are_objects_of_known_fields(void **state)
{
    (void)state;
    expect_problem("POST", "/v1/explain", "{", 400, "invalid-json");
    expect_problem("POST", "/v1/explain", "[]", 400, "invalid-json");
    expect_problem("POST", "/v1/explain", "null", 400, "invalid-json");
    expect_problem("POST", "/v1/explain", "{} x", 400, "invalid-json");
    expect_problem("POST", "/v1/explain", "{\"host\":\"a\",\"host\":\"b\"}", 400, "invalid-json");
    expect_problem("POST", "/v1/explain", "{\"hots\":\"a\"}", 422, "unknown-field");
    expect_problem("POST", "/v1/explain", "{\"host\":7}", 422, "invalid-field");
    expect_problem("POST", "/v1/explain", "{\"path\":\"/../x\"}", 422, "invalid-field");
    expect_problem("POST", "/v1/reload", "{\"now\":true}", 422, "unknown-field");
    expect_status("POST", "/v1/explain", "", 200);
    expect_status("POST", "/v1/explain", " \t{}\t", 200);
    expect_status("POST", "/v1/explain", "{\"host\":null}", 200);
}

static void only_this_machine_is_answered(void **state)
{
    static const struct {
        const char *host;
        unsigned status;
    } rows[] = {
        {"127.0.0.1:9901", 200},
        {"localhost", 200},
        {"LOCALHOST:1", 200},
        {"127.1.2.3", 200},
        {"[::1]:9901", 200},
        {"[::1]", 200},
        {"", 200},
        {"evil.example", 403},
        {"evil.example:9901", 403},
        {"10.0.0.1", 403},
        {"[::2]", 403},
        {"127.0.0.1.evil.example", 403},
        {"localhost.", 403},
        {"0x7f.1", 403},
        {"[::1", 403},
        {":9901", 403},
        {"127.0.0.1@evil.x", 403},
        {"2130706433", 403},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call *call = fixture_call("GET", SLICE("/healthz"), SLICE(""));
        call->host = slice_from(rows[i].host);
        dispatch(call);
        if (call->reply.status != rows[i].status)
            fail_msg("Host: %s gives %u", rows[i].host, call->reply.status);
        call_free(&call);
    }
    struct call *call = fixture_call("GET", SLICE("/healthz"), SLICE(""));
    call->host = SLICE("anything");
    call->is_local = true;
    dispatch(call);
    assert_int_equal(call->reply.status, 200);
    call_free(&call);
}

static unsigned status_of_origin(const char *method, const char *origin, const char *fetch_site)
{
    struct call *call = fixture_call(
        method, strcmp(method, "GET") == 0 ? SLICE("/healthz") : SLICE("/v1/explain"), SLICE("{}"));
    unsigned status;

    call->origin = slice_from(origin);
    call->fetch_site = slice_from(fetch_site);
    dispatch(call);
    status = call->reply.status;
    call_free(&call);
    return status;
}

static void another_sites_page_may_only_read(void **state)
{
    (void)state;
    assert_int_equal(status_of_origin("POST", "", ""), 200);
    assert_int_equal(status_of_origin("POST", "http://127.0.0.1:9901", "same-origin"), 200);
    assert_int_equal(status_of_origin("POST", "", "none"), 200);
    assert_int_equal(status_of_origin("POST", "http://evil.example", ""), 403);
    assert_int_equal(status_of_origin("POST", "null", ""), 403);
    assert_int_equal(status_of_origin("POST", "https://127.0.0.1:9901", ""), 403);
    assert_int_equal(status_of_origin("POST", "http://127.0.0.1:80", ""), 403);
    assert_int_equal(status_of_origin("POST", "", "cross-site"), 403);
    assert_int_equal(status_of_origin("POST", "", "same-site"), 403);
    assert_int_equal(status_of_origin("GET", "http://evil.example", "cross-site"), 200);
}

static void explain_tells_route_and_servers(void **state)
{
    struct call *call = fixture_ask("POST", "/v1/explain",
                                    "{\"host\":\"A.example:80\",\"path\":\"/x/../api/y?z\"}");
    json_t *json = answer_of(call);
    json_t *request = json_object_get(json, "request");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(request, "host")), "a.example");
    assert_string_equal(json_string_value(json_object_get(request, "path")), "/api/y");
    assert_string_equal(json_string_value(json_object_get(json, "route")), "everything");
    assert_string_equal(json_string_value(json_object_get(json, "chosen")), "s1");
    assert_int_equal(json_array_size(json_object_get(json, "eligible")), 1);
    assert_int_equal(json_array_size(json_object_get(json, "not_eligible")), 1);
    json_decref(json);
    call_free(&call);
}

static void before_a_configuration_runs_it_says_so(void **state)
{
    (void)state;
    fixture.has_published = false;
    expect_status("GET", "/healthz", "", 503);
    expect_status("GET", "/v1/status", "", 200);
    expect_status("GET", "/metrics", "", 200);
    expect_problem("GET", "/v1/pools", "", 503, "not-running");
    expect_problem("GET", "/v1/pools/app", "", 503, "not-running");
    expect_problem("GET", "/v1/config", "", 503, "not-running");
    expect_problem("GET", "/v1/drift", "", 503, "not-running");
    expect_problem("POST", "/v1/explain", "{}", 503, "not-running");
    fixture.has_published = true;
}

static int open_fixture(void **state)
{
    (void)state;
    fixture_open(configuration);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_takes_whole_segments),
        cmocka_unit_test(every_operation_is_found_by_its_path),
        cmocka_unit_test(what_is_not_there_is_404_or_405),
        cmocka_unit_test(what_is_there_answers),
        cmocka_unit_test(parameters_that_no_call_takes_are_refused),
        cmocka_unit_test(bodies_are_objects_of_known_fields),
        cmocka_unit_test(only_this_machine_is_answered),
        cmocka_unit_test(another_sites_page_may_only_read),
        cmocka_unit_test(explain_tells_route_and_servers),
        cmocka_unit_test(before_a_configuration_runs_it_says_so),
    };

    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
