/* access_log: each record is one line of valid JSON, whatever a peer put into it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "observe/access_log.h"
#include "observe/record.h"

static const char *const reasons[] = {"balancer", "hash"};
static const char *const failures[] = {"none", "connect-refused"};

static struct access_log log_state;
static struct record record;
static char line[ACCESS_LOG_LINE_BYTES + 1];

/* The texts that a test does not name. */
static const char *texts[RECORD_TEXTS];

static int setup(void **state)
{
    (void)state;
    access_log_init(&log_state, reasons, failures);
    memset(&record, 0, sizeof(record));
    memset(texts, 0, sizeof(texts));
    record.wall_ms = 1795344100123; /* 2026-11-22T10:41:40.123Z */
    record.http_version = 11;
    record.status = 200;
    record.attempts = 1;
    texts[RECORD_METHOD] = "GET";
    texts[RECORD_HOST] = "shop.example.com";
    texts[RECORD_PATH] = "/a?b=c";
    texts[RECORD_LISTENER] = "web";
    texts[RECORD_ROUTE] = "everything";
    texts[RECORD_POOL] = "shop";
    texts[RECORD_SERVER] = "s1";
    texts[RECORD_SERVER_ADDRESS] = "10.0.0.1:8080";
    return 0;
}

static size_t format(void)
{
    size_t len;

    for (unsigned i = 0; i < RECORD_TEXTS; i++)
        record_put(&record, i, slice_from(texts[i]), RECORD_TEXT_BYTES);
    memset(line, 0, sizeof(line));
    len = access_log_format(&log_state, &record, line);
    assert_in_range(len, 2, ACCESS_LOG_LINE_BYTES);
    assert_int_equal(line[len - 1], '\n');
    assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
    return len;
}

static json_t *parse(void)
{
    json_error_t why;
    json_t *object = json_loadb(line, format(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

    if (object == NULL)
        fail_msg("%s in %s", why.text, line);
    return object;
}

static void assert_text(json_t *object, const char *key, const char *wanted)
{
    json_t *value = json_object_get(object, key);

    if (wanted == NULL)
        assert_true(json_is_null(value));
    else
        assert_string_equal(json_string_value(value), wanted);
}

static void test_a_line_holds_every_field_in_its_order(void **state)
{
    (void)state;
    inet_pton(AF_INET6, "::ffff:10.1.2.3", record.client_address);
    record.client_port = 51234;
    record.server_status = 200;
    record.received_bytes = 120;
    record.sent_bytes = 18446744073709551615u;
    record.head_us = 12;
    record.queued_us = 1000;
    record.connect_us = 250;
    record.first_byte_us = 4056;
    record.total_us = 4294967295u;
    record.is_reused = 1;
    record.reason = 1;
    texts[RECORD_REQUEST_ID] = "0123456789abcdef";
    texts[RECORD_USER_AGENT] = "curl/8";
    texts[RECORD_REFERER] = "https://example.com/";
    format();
    assert_string_equal(
        line, "{\"time\":\"2026-11-22T10:41:40.123Z\",\"listener\":\"web\","
              "\"client\":\"10.1.2.3:51234\",\"method\":\"GET\",\"host\":\"shop.example.com\","
              "\"path\":\"/a?b=c\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"server_status\":200,"
              "\"route\":\"everything\",\"pool\":\"shop\",\"server\":\"s1\","
              "\"server_address\":\"10.0.0.1:8080\",\"attempts\":1,\"why\":\"hash\","
              "\"reused\":true,\"received_bytes\":120,\"sent_bytes\":18446744073709551615,"
              "\"phases\":{\"head_ms\":0.012,\"queue_ms\":1.000,\"connect_ms\":0.250,"
              "\"first_byte_ms\":4.056,\"total_ms\":4294967.295},"
              "\"request_id\":\"0123456789abcdef\",\"user_agent\":\"curl/8\","
              "\"referer\":\"https://example.com/\",\"tunnel\":false}\n");
}

static void test_what_is_absent_is_null_and_failure_is_left_out(void **state)
{
    json_t *object;

    (void)state;
    record.status = 0;
    record.attempts = 0;
    texts[RECORD_ROUTE] = texts[RECORD_POOL] = NULL;
    texts[RECORD_SERVER] = texts[RECORD_SERVER_ADDRESS] = NULL;
    object = parse();
    assert_text(object, "route", NULL);
    assert_text(object, "server", NULL);
    assert_text(object, "status", NULL);
    assert_text(object, "server_status", NULL);
    assert_text(object, "why", NULL);
    assert_text(object, "user_agent", NULL);
    assert_true(json_is_null(json_object_get(json_object_get(object, "phases"), "first_byte_ms")));
    assert_null(json_object_get(object, "failure"));
    json_decref(object);
}

static void test_a_failure_has_its_word(void **state)
{
    json_t *object;

    (void)state;
    record.failure = 1;
    record.is_tunnel = 1;
    object = parse();
    assert_text(object, "failure", "connect-refused");
    assert_true(json_is_true(json_object_get(object, "tunnel")));
    json_decref(object);
}

static void test_a_connection_over_tls_says_so(void **state)
{
    json_t *object, *tls;

    (void)state;
    record.is_tls_resumed = 1;
    texts[RECORD_SERVER_TLS] = "certificate has expired";
    texts[RECORD_TLS_VERSION] = "TLSv1.3";
    texts[RECORD_TLS_CIPHER] = "TLS_AES_128_GCM_SHA256";
    texts[RECORD_TLS_NAME] = "shop.example";
    object = parse();
    tls = json_object_get(object, "tls");
    assert_text(object, "server_tls", "certificate has expired");
    assert_text(tls, "version", "TLSv1.3");
    assert_text(tls, "cipher", "TLS_AES_128_GCM_SHA256");
    assert_text(tls, "server_name", "shop.example");
    assert_text(tls, "client", NULL);
    assert_true(json_is_true(json_object_get(tls, "resumed")));
    json_decref(object);
}

static void assert_client(const char *address, uint16_t port, const char *wanted)
{
    json_t *object;

    setup(NULL);
    if (address != NULL)
        assert_int_equal(inet_pton(AF_INET6, address, record.client_address), 1);
    record.client_port = port;
    object = parse();
    assert_text(object, "client", wanted);
    json_decref(object);
}

static void test_clients_are_written_as_people_write_addresses(void **state)
{
    (void)state;
    assert_client("::ffff:255.255.255.255", 65535, "255.255.255.255:65535");
    assert_client("::ffff:0.0.0.1", 1, "0.0.0.1:1");
    assert_client("2001:db8::1", 80, "[2001:db8::1]:80");
    assert_client("1111:2222:3333:4444:5555:6666:7777:8888", 65535,
                  "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
    assert_client("::1", 5, "[::1]:5");
    assert_client(NULL, 0, "unix");
}

static void test_no_byte_of_a_peer_ends_the_string_or_the_line(void **state)
{
    static const char evil[] = "\",\"status\":200}\n{\"a\":\"\\\r\x1b[2J\x7f\x01";
    json_t *object;

    (void)state;
    texts[RECORD_USER_AGENT] = texts[RECORD_REFERER] = texts[RECORD_HOST] = evil;
    texts[RECORD_PATH] = evil;
    texts[RECORD_METHOD] = evil;
    object = parse();
    assert_text(object, "user_agent", evil);
    assert_text(object, "path", evil);
    assert_text(object, "method", evil);
    assert_null(strchr(line, '\x1b'));
    assert_null(strchr(line, '\x7f'));
    assert_null(strchr(line, '\r'));
    json_decref(object);
}

static void test_every_byte_alone_and_in_a_pair_gives_valid_json(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            char pair[3] = {(char)first, (char)second, 0};
            json_t *object;

            if (second % 16 != first % 16 && first != 0xc2 && first != 0xe2 && first != '\\')
                continue;
            setup(NULL);
            texts[RECORD_USER_AGENT] = NULL;
            texts[RECORD_REFERER] = pair;
            record.text_end = 0;
            object = parse();
            json_decref(object);
        }
}

static void test_a_byte_at_any_place_of_a_long_text_comes_back(void **state)
{
    (void)state;
    for (unsigned byte = 1; byte < 0x80; byte++)
        for (unsigned place = 0; place < 20; place++) {
            char text[] = "abcdefghijklmnopqrst";
            json_t *object;

            text[place] = (char)byte;
            setup(NULL);
            texts[RECORD_USER_AGENT] = text;
            object = parse();
            assert_text(object, "user_agent", text);
            json_decref(object);
        }
}

static void test_what_is_no_utf8_is_escaped_and_what_is_stays(void **state)
{
    (void)state;
    texts[RECORD_USER_AGENT] = "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb1";
    texts[RECORD_REFERER] = "\xff\xc0\xaf\xed\xa0\x80\xe2\x82";
    format();
    assert_non_null(strstr(line, "\"user_agent\":\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb1\""));
    assert_non_null(strstr(line, "\"referer\":\"\\u00ff\\u00c0\\u00af\\u00ed\\u00a0\\u0080"
                                 "\\u00e2\\u0082\""));
}

static void test_a_control_character_of_two_bytes_does_not_reach_a_terminal(void **state)
{
    json_t *object;

    (void)state;
    texts[RECORD_USER_AGENT] = "a\xc2\x9b"
                               "31mred"; /* U+009B, the one-character CSI */
    object = parse();
    assert_null(strstr(line, "\xc2\x9b"));
    assert_text(object, "user_agent",
                "a\xc2\x9b"
                "31mred");
    json_decref(object);
}

static void test_the_longest_record_fits(void **state)
{
    static char most[RECORD_TEXT_BYTES + 1];

    (void)state;
    memset(most, 0x01, RECORD_TEXT_BYTES);
    memset(texts, 0, sizeof(texts));
    texts[RECORD_PATH] = most;
    memset(record.client_address, 0xfe, sizeof(record.client_address));
    record.client_port = 65535;
    record.wall_ms = 253402300799999;                      /* the last of the year 9999 */
    record.received_bytes = record.sent_bytes = INT64_MAX; /* as much as the parser takes */
    record.head_us = record.queued_us = record.connect_us = UINT32_MAX;
    record.first_byte_us = record.total_us = UINT32_MAX;
    record.status = record.server_status = UINT16_MAX;
    record.attempts = UINT8_MAX;
    json_decref(parse());
}

static void test_the_time_follows_the_second(void **state)
{
    json_t *object;

    (void)state;
    json_decref(parse());
    setup(NULL);
    record.wall_ms = 1795344101000;
    object = parse();
    assert_text(object, "time", "2026-11-22T10:41:41.000Z");
    json_decref(object);
    record.wall_ms = 0;
    record.text_end = 0;
    object = parse();
    assert_text(object, "time", "1970-01-01T00:00:00.000Z");
    json_decref(object);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_line_holds_every_field_in_its_order),
        TEST(test_what_is_absent_is_null_and_failure_is_left_out),
        TEST(test_a_failure_has_its_word),
        TEST(test_a_connection_over_tls_says_so),
        TEST(test_clients_are_written_as_people_write_addresses),
        TEST(test_no_byte_of_a_peer_ends_the_string_or_the_line),
        TEST(test_every_byte_alone_and_in_a_pair_gives_valid_json),
        TEST(test_a_byte_at_any_place_of_a_long_text_comes_back),
        TEST(test_what_is_no_utf8_is_escaped_and_what_is_stays),
        TEST(test_a_control_character_of_two_bytes_does_not_reach_a_terminal),
        TEST(test_the_longest_record_fits),
        TEST(test_the_time_follows_the_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
