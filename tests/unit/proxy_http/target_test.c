/* target: one normal form of host and path, and what is refused. */
#include "proxy/http/target.h"

#include "tests/unit/proxy_http/heads.h"

static struct message message;
static char path_memory[8192];

static void test_paths_are_brought_to_one_form(void **state)
{
    static const struct {
        const char *path;
        const char *normal; /* NULL: refused */
    } rows[] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/./b//c", "/a/b//c"},
        {"/.", "/"},
        {"/./", "/"},
        {"/./.", "/"},
        {"/a/.", "/a/"},
        {"/a/./", "/a/"},
        {"/a/..", "/"},
        {"/a/../", "/"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/b/../..", "/"},
        {"/a/b/../../c", "/c"},
        {"/a//..", "/a/"},
        {"/a//../b", "/a/b"},
        {"//..", "/"},
        {"/..", NULL},
        {"/../", NULL},
        {"/../a", NULL},
        {"/a/../..", NULL},
        {"/a/../../b", NULL},
        {"/./..", NULL},
        {"/%2e", "/"},
        {"/%2E/a", "/a"},
        {"/%2e%2e/", NULL},
        {"/%2E%2e", NULL},
        {"/.%2e/a", NULL},
        {"/%2e./a", NULL},
        {"/a/%2e%2E/b", "/b"},
        {"/a/%2e%2e%2fb", "/a/..%2fb"},
        {"/a/..%2fb", "/a/..%2fb"},
        {"/a/..%5Cb", "/a/..%5Cb"},
        {"/a/..;/b", "/a/..;/b"},
        {"/a/..;x=1/b", "/a/..;x=1/b"},
        {"/a/.../b", "/a/.../b"},
        {"/a/..b/.c/d.", "/a/..b/.c/d."},
        {"/a%2eb", "/a.b"},
        {"/%61dmin%2D%5f%7E%30", "/admin-_~0"},
        {"/%41%5a%7a", "/AZz"},
        {"/%20%25%3f%23%c3%a9", "/%20%25%3f%23%c3%a9"},
        {"/a%2", NULL},
        {"/a%61", "/aa"},
        {"/a.html", "/a.html"},
        {"/%252e%252e/a", "/%252e%252e/a"},
        {"/a%2Fb%5cc", "/a%2Fb%5cc"},
        {"/a\\b", "/a\\b"},
        {"/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"},
        {"/%00", NULL},
        {"/a%00b", NULL},
        {"/a%0", NULL},
        {"/a%", NULL},
        {"/%zz", NULL},
        {"/%u0041", NULL},
        {"/a%4/", NULL},
        {"/a b", NULL},
        {"/a#b", NULL},
        {"/a\x7f", NULL},
        {"/a\x80", NULL},
        {"/a\tb", NULL},
        {"", NULL},
        {"a", NULL},
        {"*", NULL},
        {"./a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice path = exact(slice_from(rows[i].path));
        char *out = test_malloc(path.len + 1);
        struct slice normal = SLICE("untouched");
        const char *why = NULL;
        bool is_path = target_normal_path(path, out, &normal, &why);

        if (is_path != (rows[i].normal != NULL))
            fail_msg("%s: %s", rows[i].path, is_path ? "taken" : why);
        if (is_path)
            assert_slice(normal, rows[i].normal, rows[i].path);
        else
            assert_non_null(why);
        test_free((void *)(uintptr_t)path.at);
        test_free(out);
    }
}

static void test_the_normal_form_of_a_normal_form_is_itself(void **state)
{
    static const char *const parts[] = {"/", ".", "..", "a", "%2e", "%2F", ";", "/.", "/.."};
    char out[128];
    char again[128];
    const char *why;

    (void)state;
    for (unsigned n = 0; n < 9 * 9 * 9 * 9 * 9; n++) {
        char path[64] = "/";
        struct slice first;
        struct slice second;

        for (unsigned rest = n, i = 0; i < 5; i++, rest /= 9)
            memcpy(path + strlen(path), parts[rest % 9], strlen(parts[rest % 9]) + 1);
        if (!target_normal_path(slice_from(path), out, &first, &why))
            continue;
        assert_true(target_normal_path(first, again, &second, &why));
        if (!slice_equal(first, second))
            fail_msg("%s: %.*s", path, SLICE_ARGS(first));
        memcpy(path, first.at, first.len);
        path[first.len] = '\0';
        assert_null(strstr(path, "/../"));
        assert_null(strstr(path, "/./"));
    }
}

static void test_hosts_are_lower_case_names_without_port_and_last_dot(void **state)
{
    static const struct {
        const char *authority;
        const char *host; /* NULL: refused */
    } rows[] = {
        {"a", "a"},
        {"Shop.EXAMPLE.com", "shop.example.com"},
        {"a:80", "a"},
        {"a:", "a"},
        {"a:0", "a"},
        {"a:65535", "a"},
        {"a:00080", "a"},
        {"a:65536", NULL},
        {"a:000080", NULL},
        {"a:+80", NULL},
        {"a:-1", NULL},
        {"a:0x50", NULL},
        {"a:80:80", NULL},
        {"a: 80", NULL},
        {"a:b", NULL},
        {"a.", "a"},
        {"a.:80", "a"},
        {"a..", NULL},
        {"a..b", NULL},
        {".", NULL},
        {".a", NULL},
        {"", NULL},
        {":80", NULL},
        {"a_b", "a_b"},
        {"1-2.example", "1-2.example"},
        {"127.0.0.1:8080", "127.0.0.1"},
        {"[::1]", "[::1]"},
        {"[::]", "[::]"},
        {"[::1]:80", "[::1]"},
        {"[2001:DB8::A]:8080", "[2001:db8::a]"},
        {"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]"},
        {"[::1]x", NULL},
        {"[::1]x:80", NULL},
        {"[::1", NULL},
        {"::1", NULL},
        {"::1]", NULL},
        {"[]", NULL},
        {"[:]", NULL},
        {"[abcd]", NULL},
        {"[....]", NULL},
        {"[1:2:3:4:5:6:7:8:9]", NULL},
        {"[1::2::3]", NULL},
        {"[127.0.0.1]", NULL},
        {"[fe80::1%25eth0]", NULL},
        {"[fe80::1%eth0]", NULL},
        {"[v1.a]", NULL},
        {"[::1]:65536", NULL},
        {"a,b", NULL},
        {"a b", NULL},
        {"a\tb", NULL},
        {"user@a", NULL},
        {"user:pass@a", NULL},
        {"a/b", NULL},
        {"a?b", NULL},
        {"a#b", NULL},
        {"a\\b", NULL},
        {"a%41", NULL},
        {"a%00", NULL},
        {"a\"b", NULL},
        {"caf\xc3\xa9", NULL},
        {"a|b", NULL},
        {"http://a", NULL},
    };
    char out[TARGET_HOST_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice authority = exact(slice_from(rows[i].authority));
        struct slice host = SLICE("untouched");
        const char *why = NULL;
        bool is_host = target_normal_host(authority, out, &host, &why);

        if (is_host != (rows[i].host != NULL))
            fail_msg("%s: %s", rows[i].authority, is_host ? "taken" : "refused");
        if (is_host)
            assert_slice(host, rows[i].host, rows[i].authority);
        test_free((void *)(uintptr_t)authority.at);
    }
}

static void test_a_host_longer_than_a_name_can_be_is_refused(void **state)
{
    char authority[TARGET_HOST_BYTES + 8];
    char out[TARGET_HOST_BYTES];
    struct slice host;
    const char *why;

    (void)state;
    memset(authority, 'a', sizeof(authority));
    assert_true(target_normal_host(slice_of(authority, TARGET_HOST_BYTES - 1), out, &host, &why));
    assert_false(target_normal_host(slice_of(authority, TARGET_HOST_BYTES), out, &host, &why));
    authority[0] = '[';
    authority[TARGET_HOST_BYTES - 2] = ']';
    assert_false(target_normal_host(slice_of(authority, TARGET_HOST_BYTES - 1), out, &host, &why));
}

static unsigned parse(const char *line, const char *host_line, struct target *target)
{
    static struct target_memory memory;
    static char head[1024];
    const char *why = NULL;
    int len = snprintf(head, sizeof(head), "%s\r\n%s\r\n", line, host_line);
    unsigned status = parse_request(&message, slice_of(head, (size_t)len));

    memory.path = path_memory;
    memory.path_bytes = sizeof(path_memory);
    if (status != 0)
        return status;
    status = target_parse(&message, &memory, target, &why);
    if (status != 0)
        assert_non_null(why);
    return status;
}

static void test_targets_of_all_forms(void **state)
{
    static const struct {
        const char *line;
        unsigned status;
        const char *path;
        const char *query;
        const char *authority;
        const char *host;
    } rows[] = {
        {"GET / HTTP/1.1", 0, "/", "", "Own.example:80", "own.example"},
        {"GET /a?b?c=/../d HTTP/1.1", 0, "/a", "?b?c=/../d", "Own.example:80", "own.example"},
        {"GET /a? HTTP/1.1", 0, "/a", "?", "Own.example:80", "own.example"},
        {"GET http://Other:8080/a/../b?c HTTP/1.1", 0, "/b", "?c", "Other:8080", "other"},
        {"GET HTTP://h HTTP/1.1", 0, "/", "", "h", "h"},
        {"GET http://h?x HTTP/1.1", 0, "/", "?x", "h", "h"},
        {"GET http://h/?x HTTP/1.1", 0, "/", "?x", "h", "h"},
        {"GET http://h/x?u=http://evil/ HTTP/1.1", 0, "/x", "?u=http://evil/", "h", "h"},
        {"GET http://h?u=/x HTTP/1.1", 0, "/", "?u=/x", "h", "h"},
        {"GET http://[::1]:80/x HTTP/1.1", 0, "/x", "", "[::1]:80", "[::1]"},
        {"OPTIONS * HTTP/1.1", 0, "*", "", "Own.example:80", "own.example"},
        {"OPTIONS http://h HTTP/1.1", 0, "*", "", "h", "h"},
        {"OPTIONS http://h/ HTTP/1.1", 0, "/", "", "h", "h"},
        {"OPTIONS http://h?x HTTP/1.1", 0, "/", "?x", "h", "h"},
        {"GET * HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET *a HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"OPTIONS *a HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http:///x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http:// HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http:/h/x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http:h HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://user@h/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h:80@evil/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h\\@evil/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h,b/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h:65536/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h/.. HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h#x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h/#x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET http://h/?a#x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET /#x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET /?a#x HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET ftp://h/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET ws://h/ HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET h:80 HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET a HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"GET ?a HTTP/1.1", 400, NULL, NULL, NULL, NULL},
        {"CONNECT h:443 HTTP/1.1", 501, NULL, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target target;
        unsigned status = parse(rows[i].line, "Host: Own.example:80\r\n", &target);

        if (status != rows[i].status)
            fail_msg("%s: %u", rows[i].line, status);
        if (status != 0)
            continue;
        assert_slice(target.path, rows[i].path, rows[i].line);
        assert_slice(target.query, rows[i].query, rows[i].line);
        assert_slice(target.authority, rows[i].authority, rows[i].line);
        assert_slice(target.host, rows[i].host, rows[i].line);
        assert_int_equal(target.is_asterisk, strcmp(rows[i].path, "*") == 0);
        assert_int_equal(target.is_absolute,
                         strstr(rows[i].line, " /") == NULL && strstr(rows[i].line, " *") == NULL);
    }
}

static void test_the_scheme_of_an_absolute_target_is_told(void **state)
{
    struct target target;

    (void)state;
    assert_int_equal(parse("GET https://h/ HTTP/1.1", "Host: h\r\n", &target), 0);
    assert_true(target.is_https);
    assert_int_equal(parse("GET http://h/ HTTP/1.1", "Host: h\r\n", &target), 0);
    assert_false(target.is_https);
}

static void test_host_is_needed_and_well_formed_even_if_it_is_replaced(void **state)
{
    struct target target;

    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1", "", &target), 400);
    assert_int_equal(parse("GET / HTTP/1.1", "Host:\r\n", &target), 400);
    assert_int_equal(parse("GET http://h/ HTTP/1.1", "", &target), 400);
    assert_int_equal(parse("GET http://h/ HTTP/1.1", "Host: a/b\r\n", &target), 400);
    assert_int_equal(parse("GET http://h/ HTTP/1.1", "Host: a,b\r\n", &target), 400);
    assert_int_equal(parse("OPTIONS * HTTP/1.1", "", &target), 400);
    assert_int_equal(parse("GET / HTTP/1.0", "", &target), 0);
    assert_int_equal(target.host.len, 0);
    assert_int_equal(target.authority.len, 0);
    assert_int_equal(parse("GET / HTTP/1.0", "Host: a/b\r\n", &target), 400);
    assert_int_equal(parse("GET http://h/ HTTP/1.0", "", &target), 0);
    assert_slice(target.host, "h", "absolute in HTTP/1.0");
}

static void test_a_path_that_has_no_room_is_refused(void **state)
{
    static struct target_memory memory;
    struct target target;
    const char *why;

    (void)state;
    memory.path = path_memory;
    memory.path_bytes = 4;
    assert_int_equal(parse_request(&message, BYTES("GET /a/../b HTTP/1.1\r\n" HOST END)), 0);
    assert_int_equal(target_parse(&message, &memory, &target, &why), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_brought_to_one_form),
        cmocka_unit_test(test_the_normal_form_of_a_normal_form_is_itself),
        cmocka_unit_test(test_hosts_are_lower_case_names_without_port_and_last_dot),
        cmocka_unit_test(test_a_host_longer_than_a_name_can_be_is_refused),
        cmocka_unit_test(test_targets_of_all_forms),
        cmocka_unit_test(test_the_scheme_of_an_absolute_target_is_told),
        cmocka_unit_test(test_host_is_needed_and_well_formed_even_if_it_is_replaced),
        cmocka_unit_test(test_a_path_that_has_no_room_is_refused),
    };

    return cmocka_run_group_tests_name("target", tests, headers_ready, NULL);
}
