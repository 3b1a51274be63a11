/* h1_read, responses: what a server may send, and what is 502. */
#include "tests/unit/proxy_http/heads.h"

static struct message message;

#define CHECK_ROWS(rows) check_head_rows((rows), sizeof(rows) / sizeof((rows)[0]), parse_response)
#define OK               LINE("HTTP/1.1 200 OK")
#define FIRST(name, status, line)                                                                  \
    {                                                                                              \
        (name), (status), SLICE_INIT(line "\r\n" LINE("A: b") END)                                 \
    }
#define FIELDS(name, status, lines)                                                                \
    {                                                                                              \
        (name), (status), SLICE_INIT(OK lines END)                                                 \
    }

static void test_a_status_line_is_version_code_and_reason(void **state)
{
    static const struct head_row rows[] = {
        FIRST("plain", 0, "HTTP/1.1 200 OK"),
        FIRST("1.0", 0, "HTTP/1.0 200 OK"),
        FIRST("empty reason", 0, "HTTP/1.1 200 "),
        FIRST("no reason and no space", 0, "HTTP/1.1 200"),
        FIRST("reason past 127", 0, "HTTP/1.1 404 Non trouv\xc3\xa9"),
        FIRST("reason of two spaces", 0, "HTTP/1.1 200  a  b "),
        FIRST("599", 0, "HTTP/1.1 599 x"),
        FIRST("100", 0, "HTTP/1.1 100 Continue"),
        FIRST("101", 0, "HTTP/1.1 101 Switching Protocols"),
        FIRST("103", 0, "HTTP/1.1 103 Early Hints"),
        FIRST("600", 502, "HTTP/1.1 600 x"),
        FIRST("099", 502, "HTTP/1.1 099 x"),
        FIRST("000", 502, "HTTP/1.1 000 x"),
        FIRST("two digits", 502, "HTTP/1.1 20 OK"),
        FIRST("four digits", 502, "HTTP/1.1 2000 OK"),
        FIRST("letters", 502, "HTTP/1.1 2xx OK"),
        FIRST("plus", 502, "HTTP/1.1 +20 OK"),
        FIRST("a letter behind", 502, "HTTP/1.1 200x OK"),
        FIRST("two spaces", 502, "HTTP/1.1  200 OK"),
        FIRST("tab", 502, "HTTP/1.1\t200 OK"),
        FIRST("tab behind", 502, "HTTP/1.1 200\tOK"),
        FIRST("no code", 502, "HTTP/1.1 OK"),
        FIRST("no version", 502, "200 OK"),
        FIRST("0.9", 502, "HTTP/0.9 200 OK"),
        FIRST("1.2", 502, "HTTP/1.2 200 OK"),
        FIRST("2.0", 502, "HTTP/2.0 200 OK"),
        FIRST("2", 502, "HTTP/2 200"),
        FIRST("ICY", 502, "ICY 200 OK"),
        FIRST("RTSP", 502, "RTSP/1.0 200 OK"),
        FIRST("space first", 502, " HTTP/1.1 200 OK"),
        FIRST("a NUL in the reason", 502, "HTTP/1.1 200 O\0K"),
        FIRST("a CR in the reason", 502, "HTTP/1.1 200 O\rK"),
        FIRST("a control character in the reason", 502, "HTTP/1.1 200 O\x01K"),
        FIRST("a request", 502, "GET / HTTP/1.1"),
        {"an empty line", 502, SLICE_INIT("\r\n")},
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_bad_fields_of_a_response_are_502(void **state)
{
    static const struct head_row rows[] = {
        FIELDS("length", 0, LINE("Content-Length: 5")),
        FIELDS("chunked", 0, LINE("Transfer-Encoding: Chunked")),
        FIELDS("no framing", 0, ""),
        FIELDS("length twice", 502, LINE("Content-Length: 5") LINE("Content-Length: 5")),
        FIELDS("lengths differ", 502, LINE("Content-Length: 5") LINE("Content-Length: 6")),
        FIELDS("length list", 502, LINE("Content-Length: 5, 5")),
        FIELDS("length plus", 502, LINE("Content-Length: +5")),
        FIELDS("length empty", 502, LINE("Content-Length:")),
        FIELDS("length too large", 502, LINE("Content-Length: 99999999999999999999")),
        FIELDS("both", 502, LINE("Content-Length: 5") LINE("Transfer-Encoding: chunked")),
        FIELDS("gzip, chunked", 502, LINE("Transfer-Encoding: gzip, chunked")),
        FIELDS("identity", 502, LINE("Transfer-Encoding: identity")),
        FIELDS("chunked twice", 502,
               LINE("Transfer-Encoding: chunked") LINE("Transfer-Encoding: chunked")),
        FIELDS("space before the colon", 502, LINE("X : a")),
        FIELDS("fold", 502, LINE("X: a") LINE(" b")),
        FIELDS("fold from nothing", 502, LINE("X:") LINE(" b")),
        FIELDS("empty name", 502, LINE(": a")),
        FIELDS("bare LF", 502, "X: a\nY: b\r\n"),
        FIELDS("bare CR", 502, LINE("X: a\rb")),
        FIELDS("NUL", 502, LINE("X: a\0b")),
        FIELDS("no colon", 502, LINE("X")),
        FIELDS("name past 127", 502, LINE("\xc3\xa9: a")),
        FIELDS("two cookies", 0, LINE("Set-Cookie: a=b") LINE("Set-Cookie: c=d")),
        {"chunked in 1.0", 502,
         SLICE_INIT("HTTP/1.0 200 OK\r\n" LINE("Transfer-Encoding: chunked") END)},
        {"204 with a length", 0,
         SLICE_INIT("HTTP/1.1 204 No Content\r\n" LINE("Content-Length: 5") END)},
        {"204 chunked", 0,
         SLICE_INIT("HTTP/1.1 204 No Content\r\n" LINE("Transfer-Encoding: chunked") END)},
        {"304 with a length", 0,
         SLICE_INIT("HTTP/1.1 304 Not Modified\r\n" LINE("Content-Length: 5") END)},
        {"304 chunked", 0,
         SLICE_INIT("HTTP/1.1 304 Not Modified\r\n" LINE("Transfer-Encoding: chunked") END)},
        {"103 chunked", 0,
         SLICE_INIT("HTTP/1.1 103 Early Hints\r\n" LINE("Transfer-Encoding: chunked") END)},
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_the_parts_of_a_response_are_given(void **state)
{
    (void)state;
    assert_int_equal(
        parse_response(&message, BYTES("HTTP/1.0 404 Not  here\r\n" LINE("Content-Length: 12") LINE(
                                     "X_a: b") LINE("Connection: close, X-C") LINE("X-C: d") END)),
        0);
    assert_int_equal(message.status, 404);
    assert_int_equal(message.http_minor, 0);
    assert_slice(message.reason, "Not  here", "reason");
    assert_true(message.content_length == 12);
    assert_true(message.has_connection_close);
    assert_non_null(message_find(&message, SLICE("x_a")));
    assert_null(message_find(&message, SLICE("x-c")));
    assert_int_equal(parse_response(&message, BYTES("HTTP/1.1 200\r\n\r\n")), 0);
    assert_slice(message.reason, "", "no reason");
    assert_int_equal(message.status, 200);
    assert_int_equal(message.field_count, 0);
}

static void test_a_server_may_send_underscores_whatever_the_limits_say(void **state)
{
    struct head_limits limits = test_limits;
    const char *why;

    (void)state;
    for (int choice = HEAD_UNDERSCORES_DROP; choice <= HEAD_UNDERSCORES_ALLOW; choice++) {
        limits.underscores = (uint8_t)choice;
        assert_int_equal(
            head_parse_response(&message, BYTES(OK LINE("my_field: 1") END), &limits, &why), 0);
        assert_non_null(message_find(&message, SLICE("my_field")));
    }
}

static void test_101_names_the_protocol(void **state)
{
    (void)state;
    assert_int_equal(
        parse_response(&message, BYTES("HTTP/1.1 101 Switching Protocols\r\n" LINE(
                                     "Connection: Upgrade") LINE("Upgrade: websocket") END)),
        0);
    assert_slice(message.upgrade, "websocket", "upgrade");
    assert_int_equal(
        parse_response(&message, BYTES("HTTP/1.1 101 x\r\n" LINE("Upgrade: websocket") END)), 0);
    assert_slice(message.upgrade, "", "without Connection");
    assert_int_equal(parse_response(&message, BYTES("HTTP/1.1 101 x\r\n" LINE("Connection: Upgrade")
                                                        LINE("Upgrade: h2c") END)),
                     0);
    assert_slice(message.upgrade, "", "h2c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_status_line_is_version_code_and_reason),
        cmocka_unit_test(test_bad_fields_of_a_response_are_502),
        cmocka_unit_test(test_the_parts_of_a_response_are_given),
        cmocka_unit_test(test_a_server_may_send_underscores_whatever_the_limits_say),
        cmocka_unit_test(test_101_names_the_protocol),
    };

    return cmocka_run_group_tests_name("h1_response", tests, headers_ready, NULL);
}
