/*
 * text_test - durations, sizes, addresses, networks, hosts, paths and their neighbours.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "config/suggest.h"
#include "config/text.h"

static struct arena *arena;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void durations_and_sizes_need_a_unit_and_no_more(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } durations[] = {
        {"0s", 0},       {"250ms", 250},  {"5s", 5000},
        {"10m", 600000}, {"1h", 3600000}, {"2d", 172800000},
    };
    static const char *const bad_durations[] = {
        "",
        "s",
        "5",
        "5 s",
        " 5s",
        "5s ",
        "-5s",
        "+5s",
        "1.5s",
        "5S",
        "5sec",
        "1h30m",
        "0x5s",
        "99999999999999999999s",
        "18446744073709551615d",
    };
    static const char *const bad_sizes[] = {"",    "64",     "64kb", "64KB",
                                            "64K", "1.5MiB", "-1B",  "99999999999TiB"};
    uint64_t value = 77;
    char text[32];

    (void)state;
    for (size_t i = 0; i < COUNT(durations); i++) {
        assert_null(text_read_duration(durations[i].text, &value));
        assert_int_equal(value, durations[i].ms);
        assert_string_equal(text_of_duration(value, text), durations[i].text);
    }
    value = 77;
    for (size_t i = 0; i < COUNT(bad_durations); i++)
        assert_non_null(text_read_duration(bad_durations[i], &value));
    for (size_t i = 0; i < COUNT(bad_sizes); i++)
        assert_non_null(text_read_size(bad_sizes[i], &value));
    assert_int_equal(value, 77);
    assert_null(text_read_size("64KiB", &value));
    assert_int_equal(value, 65536);
    assert_string_equal(text_of_size(1025, text), "1025B");
    assert_string_equal(text_of_size(3 << 20, text), "3MiB");
}

static void names_are_short_and_plain(void **state)
{
    char longest[65];

    (void)state;
    memset(longest, 'a', 64);
    longest[64] = '\0';
    assert_false(text_is_name(longest));
    longest[63] = '\0';
    assert_true(text_is_name(longest));
    assert_true(text_is_name("a"));
    assert_true(text_is_name("0-a-"));
    assert_false(text_is_name(""));
    assert_false(text_is_name("-a"));
    assert_false(text_is_name("A"));
    assert_false(text_is_name("a_b"));
    assert_false(text_is_name("a\n"));
}

static void addresses_are_taken_apart(void **state)
{
    static const char *const bad[] = {
        "",          ":80",          "*:80",           "10.0.0.1",
        "10.0.0.1:", "10.0.0.1:0",   "10.0.0.1:65536", "10.0.0.1:+1",
        "10.0.0:80", "1.2.3.4.5:80", "::1:80",         "[::1]",
        "[::1]80",   "[::1",         "[10.0.0.1]:80",  "[fe80::1%eth0]:80",
        "a..b:80",   "a b:80",       "http://a:80",    "unix:",
        "unix:a",    "a/b:80",       "user@host:80",   "-:0",
    };
    struct conf_address address;
    char path[200] = "unix:/";

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_read_address(arena, bad[i], true, &address) == NULL)
            fail_msg("%s was taken", bad[i]);
    memset(path + 6, 'x', 150);
    assert_non_null(text_read_address(arena, path, true, &address));

    assert_null(text_read_address(arena, "10.0.0.1:8080", false, &address));
    assert_int_equal(address.kind, ADDRESS_IP);
    assert_int_equal(address.port, 8080);
    assert_false(address.is_ipv6);
    assert_memory_equal(address.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16);
    assert_null(text_read_address(arena, "[2001:DB8::1]:1", false, &address));
    assert_true(address.is_ipv6);
    assert_string_equal(address.host, "2001:db8::1");
    assert_string_equal(address.text, "[2001:DB8::1]:1");
    assert_null(text_read_address(arena, "App_1.internal:80", true, &address));
    assert_int_equal(address.kind, ADDRESS_NAME);
    assert_string_equal(address.host, "app_1.internal");
    assert_non_null(text_read_address(arena, "app.internal:80", false, &address));
    assert_null(text_read_address(arena, "unix:/run/a.sock", false, &address));
    assert_int_equal(address.kind, ADDRESS_UNIX);
    assert_string_equal(address.host, "/run/a.sock");
}

static void loopback_is_known_in_all_its_forms(void **state)
{
    static const struct {
        const char *text;
        bool is_loopback;
        bool is_any;
    } cases[] = {
        {"127.0.0.1:1", true, false}, {"127.9.9.9:1", true, false},
        {"[::1]:1", true, false},     {"localhost:1", true, false},
        {"10.0.0.1:1", false, false}, {"0.0.0.0:1", false, true},
        {"[::]:1", false, true},      {"[::2]:1", false, false},
        {"unix:/a", false, false},    {"[::ffff:127.0.0.1]:1", true, false},
    };
    struct conf_address address;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_null(text_read_address(arena, cases[i].text, true, &address));
        assert_int_equal(text_is_loopback(&address), cases[i].is_loopback);
        assert_int_equal(text_is_any_address(&address), cases[i].is_any);
    }
}

static void networks_have_no_bits_behind_their_prefix(void **state)
{
    static const char *const bad[] = {"",           "10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0.0/x", "10.0.0/8",    "::/129",      "2001:db8::1/32",
                                      "all",        "10.0.0.0/-1", "a/8"};
    struct conf_network network;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_read_network(bad[i], &network) == NULL)
            fail_msg("%s was taken", bad[i]);
    assert_null(text_read_network("10.0.0.0/8", &network));
    assert_int_equal(network.prefix_bits, 104);
    assert_null(text_read_network("0.0.0.0/0", &network));
    assert_int_equal(network.prefix_bits, 96);
    assert_null(text_read_network("::/0", &network));
    assert_int_equal(network.prefix_bits, 0);
    assert_null(text_read_network("192.0.2.1", &network));
    assert_int_equal(network.prefix_bits, 128);
}

static void hosts_are_normalised(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
    } cases[] = {
        {"Shop.Example.COM", "shop.example.com"},
        {"shop.example.com.", "shop.example.com"},
        {"*.Example.com", "*.example.com"},
        {"[::1]", "[::1]"},
        {"10.0.0.1", "10.0.0.1"},
        {"localhost", "localhost"},
        {"*", NULL},
        {"", NULL},
        {"*.", NULL},
        {"*x.com", NULL},
        {"a.*.com", NULL},
        {"*.*.com", NULL},
        {"a:80", NULL},
        {"[::1]:80", NULL},
        {"[::1", NULL},
        {"a..b", NULL},
        {".a", NULL},
        {"a b", NULL},
        {"a/b", NULL},
        {"a,b", NULL},
        {"u@a", NULL},
        {"b\xc3\xbc"
         "cher.de",
         NULL},
    };
    const char *host;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = text_read_host_pattern(arena, cases[i].text, &host);

        if ((why == NULL) != (cases[i].host != NULL))
            fail_msg("%s: %s", cases[i].text, why != NULL ? why : "was taken");
        if (why == NULL)
            assert_string_equal(host, cases[i].host);
    }
    assert_null(text_read_host(arena, "App:80", &host));
    assert_string_equal(host, "app:80");
    assert_null(text_read_host(arena, "[::1]:80", &host));
    assert_non_null(text_read_host(arena, "app:x", &host));
    assert_non_null(text_read_host(arena, "*.app", &host));
}

static void paths_are_in_normal_form(void **state)
{
    static const char *const good[] = {"/",      "/api", "/api/",    "/a//b",
                                       "/a%2Fb", "/...", "/a.b/..c", "/~x;y=1,2"};
    static const char *const bad[] = {"/%61dmin",  "/a%2Eb",    "",    "api",  "/a?b",   "/a#b",
                                      "/a b",      "/a\tb",     "/.",  "/..",  "/a/./b", "/a/../b",
                                      "/a/..",     "/%2e%2E/a", "/a%", "/a%2", "/a%zz",  "/a%00",
                                      "/\xc3\xbc", "/a\\b",     "/{a}"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (text_check_path(good[i], false) != NULL)
            fail_msg("%s was refused: %s", good[i], text_check_path(good[i], false));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_check_path(bad[i], false) == NULL)
            fail_msg("%s was taken", bad[i]);
    assert_null(text_check_path("/a?b=../c", true));
    assert_non_null(text_check_path("/a/..?b", true));
}

static void locations_have_known_placeholders(void **state)
{
    static const char *const good[] = {"/", "/x{uri}", "https://{host}{path}{query}", "{uri}",
                                       "http://a/b?c"};
    static const char *const bad[] = {"",    "x",      "ftp://a", "/{x}",         "/{host",
                                      "/a}", "{host}", "/a b",    "javascript:x", "/a\r\nb"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (text_check_location(good[i]) != NULL)
            fail_msg("%s was refused: %s", good[i], text_check_location(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_check_location(bad[i]) == NULL)
            fail_msg("%s was taken", bad[i]);
}

static void status_ranges_are_read(void **state)
{
    static const char *const bad[] = {"",        ",",    "200,", "2xx",         "99",  "600",
                                      "300-200", "200-", "-200", "200-300-400", "0200"};
    struct conf_status_range *ranges;
    size_t count;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_read_status_ranges(arena, bad[i], &ranges, &count) == NULL)
            fail_msg("%s was taken", bad[i]);
    assert_null(text_read_status_ranges(arena, "200, 204,301-302", &ranges, &count));
    assert_int_equal(count, 3);
    assert_int_equal(ranges[1].from, 204);
    assert_int_equal(ranges[1].to, 204);
    assert_int_equal(ranges[2].to, 302);
}

static void fields_have_no_control_characters(void **state)
{
    (void)state;
    assert_true(text_is_field_value("max-age=1; x \xc3\xbc\ty"));
    assert_true(text_is_field_value(""));
    assert_false(text_is_field_value(" a"));
    assert_false(text_is_field_value("a "));
    assert_false(text_is_field_value("a\r\nb"));
    assert_false(text_is_field_value("a\x7f"));
    assert_true(text_is_token("X-A_b.c!"));
    assert_false(text_is_token(""));
    assert_false(text_is_token("a b"));
    assert_false(text_is_token("a:"));
    assert_non_null(text_check_editable_field("transfer-encoding"));
    assert_null(text_check_editable_field("x-edge"));
}

static const char *suggested(const char *text)
{
    static const char *const words[] = {"weight", "max_connections", "backup", "state"};
    struct suggestion suggestion;

    suggestion_init(&suggestion, text);
    for (size_t i = 0; i < COUNT(words); i++)
        suggestion_offer(&suggestion, words[i]);
    return suggestion.best;
}

static void the_nearest_word_is_suggested_when_it_is_near(void **state)
{
    char huge[300];

    (void)state;
    assert_string_equal(suggested("weigth"), "weight");
    assert_string_equal(suggested("wieght"), "weight");
    assert_string_equal(suggested("max-connections"), "max_connections");
    assert_string_equal(suggested("maxconnections"), "max_connections");
    assert_string_equal(suggested("sate"), "state");
    assert_null(suggested("address"));
    assert_null(suggested("x"));
    memset(huge, 'a', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    assert_null(suggested(huge));
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

static void urls_that_are_posted_to(void **state)
{
    static const char *const good[] = {
        "http://a",
        "https://alerts.internal:9093",
        "http://127.0.0.1:9093/am/",
        "https://[2001:db8::1]:9093/",
        "https://hooks.internal/T1/x?key=%20a",
        "http://a?b@c",
    };
    static const char *const bad[] = {
        "",
        "a:9093",
        "ftp://a/",
        "HTTP://a",
        "http:/a",
        "http://",
        "http:///x",
        "http://?x",
        "http://ann@a/",
        "http://ann:x@a/",
        "http://a/#b",
        "http://a b/",
        "http://a\n/",
        "http://a/\xc3\xa9",
        "http://[::1/",
        "http://a:0/",
        "http://a:99999/",
        "http://a:/",
        "http://*.a/",
        "http://a_b!/",
        "http://a\\b/",
        "file:///etc/passwd",
        "unix:/run/x",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (text_check_url(arena, good[i]) != NULL)
            fail_msg("%s was refused: %s", good[i], text_check_url(arena, good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_check_url(arena, bad[i]) == NULL)
            fail_msg("%s was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_and_sizes_need_a_unit_and_no_more),
        cmocka_unit_test(names_are_short_and_plain),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(loopback_is_known_in_all_its_forms),
        cmocka_unit_test(networks_have_no_bits_behind_their_prefix),
        cmocka_unit_test(hosts_are_normalised),
        cmocka_unit_test(paths_are_in_normal_form),
        cmocka_unit_test(locations_have_known_placeholders),
        cmocka_unit_test(urls_that_are_posted_to),
        cmocka_unit_test(status_ranges_are_read),
        cmocka_unit_test(fields_have_no_control_characters),
        cmocka_unit_test(the_nearest_word_is_suggested_when_it_is_near),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
