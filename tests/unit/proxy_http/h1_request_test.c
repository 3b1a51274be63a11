/* h1_read, requests: what is refused, with which status, and what the fields mean. */
#include "tests/unit/proxy_http/heads.h"

static struct message message;

#define CHECK_ROWS(rows) check_head_rows((rows), sizeof(rows) / sizeof((rows)[0]), parse_request)
#define FIRST(name, status, line)                                                                  \
    {                                                                                              \
        (name), (status), SLICE_INIT(line "\r\n" HOST END)                                         \
    }
#define FIELDS(name, status, lines)                                                                \
    {                                                                                              \
        (name), (status), SLICE_INIT(GET HOST lines END)                                           \
    }

static void test_a_request_line_has_one_shape(void **state)
{
    static const struct head_row rows[] = {
        FIRST("plain", 0, "GET / HTTP/1.1"),
        FIRST("1.0", 0, "GET / HTTP/1.0"),
        FIRST("asterisk", 0, "OPTIONS * HTTP/1.1"),
        FIRST("absolute", 0, "GET http://h?x HTTP/1.1"),
        FIRST("two spaces after the method", 400, "GET  / HTTP/1.1"),
        FIRST("two spaces before the version", 400, "GET /  HTTP/1.1"),
        FIRST("a space at the end", 400, "GET / HTTP/1.1 "),
        FIRST("a tab at the end", 400, "GET / HTTP/1.1\t"),
        FIRST("a space first", 400, " GET / HTTP/1.1"),
        FIRST("a tab after the method", 400, "GET\t/ HTTP/1.1"),
        FIRST("a tab before the version", 400, "GET /\tHTTP/1.1"),
        FIRST("a word more", 400, "GET / x HTTP/1.1"),
        FIRST("a version in the target", 400, "GET / HTTP/1.1 HTTP/1.1"),
        FIRST("no target", 400, "GET HTTP/1.1"),
        FIRST("an empty target", 400, "GET  HTTP/1.1"),
        FIRST("a bare CR", 400, "GET /\rx HTTP/1.1"),
        FIRST("a NUL", 400, "GET /\0x HTTP/1.1"),
        FIRST("UTF-8", 400, "GET /caf\xc3\xa9 HTTP/1.1"),
        FIRST("nothing but a version", 400, "HTTP/1.1"),
        FIRST("a response", 400, "HTTP/1.1 200 OK"),
        FIRST("a colon in the method", 400, "GET: / HTTP/1.1"),
        FIRST("a quote in the method", 400, "\"GET\" / HTTP/1.1"),
        FIRST("an unknown method", 501, "FROB / HTTP/1.1"),
        FIRST("a method in small letters", 501, "get / HTTP/1.1"),
        FIRST("a longer method", 501, "GETT / HTTP/1.1"),
        FIRST("the preface of HTTP/2 as a method", 501, "PRI * HTTP/1.1"),
        FIRST("half a method", 501, "GE / HTTP/1.1"),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_only_http_1_0_and_1_1_are_spoken(void **state)
{
    static const struct head_row rows[] = {
        FIRST("0.9", 400, "GET /"),
        FIRST("0.9 said", 400, "GET / HTTP/0.9"),
        FIRST("1.2", 400, "GET / HTTP/1.2"),
        FIRST("1.10", 400, "GET / HTTP/1.10"),
        FIRST("1.01", 400, "GET / HTTP/1.01"),
        FIRST("01.1", 400, "GET / HTTP/01.1"),
        FIRST("1", 400, "GET / HTTP/1"),
        FIRST("1.", 400, "GET / HTTP/1."),
        FIRST("2.0", 505, "GET / HTTP/2.0"),
        FIRST("3.0", 505, "GET / HTTP/3.0"),
        FIRST("small", 400, "GET / http/1.1"),
        FIRST("ICE", 400, "SOURCE / ICE/1.0"),
        FIRST("RTSP", 400, "DESCRIBE / RTSP/1.1"),
        FIRST("HTTPS", 400, "GET / HTTPS/1.1"),
        FIRST("preface", 505, "PRI * HTTP/2.0"),
        FIRST("x", 400, "GET / HTTP/1.x"),
        FIRST("RTSP's method", 400, "ANNOUNCE / HTTP/1.1"),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_field_lines_are_name_colon_value(void **state)
{
    static const struct head_row rows[] = {
        FIELDS("plain", 0, LINE("X: a")),
        FIELDS("empty", 0, LINE("X:") LINE("Y: ")),
        FIELDS("tab inside", 0, LINE("X:\ta\tb\t")),
        FIELDS("bytes past 127", 0, LINE("X: caf\xc3\xa9 \xff\x80")),
        FIELDS("every token character", 0, LINE("!#$%&'*+-.^`|~09AZaz: a")),
        FIELDS("space before the colon", 400, LINE("X : a")),
        FIELDS("tab before the colon", 400, LINE("X\t: a")),
        FIELDS("empty name", 400, LINE(": a")),
        FIELDS("no colon", 400, LINE("X")),
        FIELDS("folded", 400, LINE("X: a") LINE(" b")),
        FIELDS("folded with a tab", 400, LINE("X: a") LINE("\tb")),
        FIELDS("folded to nothing", 400, LINE("X: a") LINE(" ")),
        FIELDS("folded from nothing", 400, LINE("X:") LINE(" a")),
        FIELDS("bare CR", 400, LINE("X: a\rb")),
        FIELDS("bare CR last", 400, LINE("X: a\r")),
        FIELDS("bare LF", 400, "X: a\nY: b\r\n"),
        FIELDS("NUL", 400, LINE("X: a\0b")),
        FIELDS("NUL in a name", 400, LINE("X\0Y: a")),
        FIELDS("vertical tab", 400, LINE("X: a\x0b")),
        FIELDS("delete", 400, LINE("X: \x7f")),
        FIELDS("past 127 in a name", 400, LINE("X\xe9: a")),
        FIELDS("bracket in a name", 400, LINE("X[0]: a")),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_framing_is_one_length_or_one_chunked(void **state)
{
    static const struct head_row rows[] = {
        FIELDS("length", 0, LINE("Content-Length: 5")),
        FIELDS("length with space around", 0, LINE("Content-Length:   5  ")),
        FIELDS("length with noughts", 0, LINE("Content-Length: 005")),
        FIELDS("chunked", 0, LINE("Transfer-Encoding: chunked")),
        FIELDS("chunked in capitals", 0, LINE("transfer-ENCODING: CHUNKED")),
        FIELDS("plus", 400, LINE("Content-Length: +5")),
        FIELDS("minus", 400, LINE("Content-Length: -5")),
        FIELDS("0x", 400, LINE("Content-Length: 0x5")),
        FIELDS("underscore", 400, LINE("Content-Length: 1_0")),
        FIELDS("empty length", 400, LINE("Content-Length:")),
        FIELDS("space inside", 400, LINE("Content-Length: 5 5")),
        FIELDS("list", 400, LINE("Content-Length: 5, 5")),
        FIELDS("letters behind", 400, LINE("Content-Length: 5a")),
        FIELDS("2^64", 400, LINE("Content-Length: 18446744073709551616")),
        FIELDS("2^63", 400, LINE("Content-Length: 9223372036854775808")),
        FIELDS("2^63 - 1", 0, LINE("Content-Length: 9223372036854775807")),
        FIELDS("length twice", 400, LINE("Content-Length: 5") LINE("Content-Length: 5")),
        FIELDS("lengths differ", 400,
               LINE("Content-Length: 5") LINE("X: y") LINE("content-length: 6")),
        FIELDS("length twice, first empty", 400, LINE("Content-Length:") LINE("Content-Length: 5")),
        FIELDS("both", 400, LINE("Content-Length: 5") LINE("Transfer-Encoding: chunked")),
        FIELDS("both, other order", 400,
               LINE("Transfer-Encoding: chunked") LINE("Content-Length: 0")),
        FIELDS("identity", 400, LINE("Transfer-Encoding: identity")),
        FIELDS("gzip, chunked", 400, LINE("Transfer-Encoding: gzip, chunked")),
        FIELDS("chunked, gzip", 400, LINE("Transfer-Encoding: chunked, gzip")),
        FIELDS("chunked twice", 400, LINE("Transfer-Encoding: chunked, chunked")),
        FIELDS("chunked in two lines", 400,
               LINE("Transfer-Encoding: chunked") LINE("Transfer-Encoding: chunked")),
        FIELDS("gzip, then chunked in two lines", 400,
               LINE("Transfer-Encoding: gzip") LINE("Transfer-Encoding: chunked")),
        FIELDS("chunked, then nothing in two lines", 400,
               LINE("Transfer-Encoding: chunked") LINE("Transfer-Encoding:")),
        FIELDS("parameter", 400, LINE("Transfer-Encoding: chunked;x=y")),
        FIELDS("comma first", 400, LINE("Transfer-Encoding: ,chunked")),
        FIELDS("comma last", 400, LINE("Transfer-Encoding: chunked,")),
        FIELDS("empty coding", 400, LINE("Transfer-Encoding:")),
        FIELDS("quoted", 400, LINE("Transfer-Encoding: \"chunked\"")),
        FIELDS("vertical tab", 400,
               LINE("Transfer-Encoding: \x0b"
                    "chunked")),
        FIELDS("xchunked", 400, LINE("Transfer-Encoding: xchunked")),
        {"chunked in 1.0", 400,
         SLICE_INIT("POST / HTTP/1.0\r\n" HOST LINE("Transfer-Encoding: chunked") END)},
        FIELDS("another field's name is longer", 0,
               LINE("Content-Length-X: a") LINE("Content-Lengt: b")),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_host_stands_once(void **state)
{
    static const struct head_row rows[] = {
        {"twice", 400, SLICE_INIT(GET HOST LINE("Host: b") END)},
        {"twice the same, other case", 400, SLICE_INIT(GET HOST LINE("hOST: a") END)},
        {"twice, one empty", 400, SLICE_INIT(GET LINE("Host:") HOST END)},
        {"twice in 1.0", 400, SLICE_INIT("GET / HTTP/1.0\r\n" HOST HOST END)},
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_expect_is_100_continue_or_refused(void **state)
{
    static const struct head_row rows[] = {
        FIELDS("plain", 0, LINE("Expect: 100-continue")),
        FIELDS("other case", 0, LINE("eXPECT: 100-CONTINUE")),
        FIELDS("other", 417, LINE("Expect: 200-ok")),
        FIELDS("list", 417, LINE("Expect: 100-continue, x")),
        FIELDS("parameter", 417, LINE("Expect: 100-continue;x=y")),
        FIELDS("prefix", 417, LINE("Expect: 100-continu")),
        FIELDS("quoted", 417, LINE("Expect: \"100-continue\"")),
        FIELDS("empty", 417, LINE("Expect:")),
        FIELDS("twice", 400, LINE("Expect: 100-continue") LINE("Expect: 100-continue")),
        {"other in 1.0", 0, SLICE_INIT("GET / HTTP/1.0\r\n" HOST LINE("Expect: x") END)},
    };

    (void)state;
    CHECK_ROWS(rows);
    assert_int_equal(parse_request(&message, BYTES(GET HOST LINE("Expect: 100-Continue") END)), 0);
    assert_true(message.expects_continue);
    assert_int_equal(
        parse_request(&message, BYTES("GET / HTTP/1.0\r\n" LINE("Expect: 100-continue") END)), 0);
    assert_false(message.expects_continue);
}

/* ---- Connection ---- */

static bool is_gone(const char *name)
{
    return message_find(&message, slice_from(name)) == NULL;
}

static void test_connection_drops_what_it_names(void **state)
{
    static const struct {
        const char *connection;
        const char *gone; /* of X-Foo and X-Bar, separated by a space */
    } rows[] = {
        {"Connection: X-Foo", "X-Foo"},
        {"Connection: x-fOO", "X-Foo"},
        {"Connection: close,X-Foo ,\tX-Bar", "X-Foo X-Bar"},
        {"Connection: ,, X-Foo ,,", "X-Foo"},
        {"Connection: X-Foo\r\nConnection: X-Bar", "X-Foo X-Bar"},
        {"Connection: X-Fo", ""},
        {"Connection: X-Foo-", ""},
        {"Connection: \"X-Foo\"", ""},
        {"Connection:", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[512];
        int len =
            snprintf(head, sizeof(head), GET HOST "X-Foo: 1\r\n%s\r\nX-Bar: 2\r\nx-foo: 3\r\n\r\n",
                     rows[i].connection);

        assert_int_equal(parse_request(&message, slice_of(head, (size_t)len)), 0);
        assert_int_equal(is_gone("x-foo"), strstr(rows[i].gone, "X-Foo") != NULL);
        assert_int_equal(is_gone("x-bar"), strstr(rows[i].gone, "X-Bar") != NULL);
    }
}

static void test_connection_close_drops_a_field_of_that_name(void **state)
{
    (void)state;
    assert_int_equal(
        parse_request(&message, BYTES(GET HOST "Connection: close\r\nClose: 0\r\n\r\n")), 0);
    assert_true(is_gone("close"));
    assert_false(message.names_fields);
    assert_int_equal(parse_request(&message, BYTES(GET HOST "Close: 0\r\n\r\n")), 0);
    assert_false(is_gone("close"));
}

static void test_connection_cannot_drop_what_is_end_to_end_or_ours(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        char head[512];
        const char *name = header_name((enum header)i);
        const char *value = i == HEADER_CONTENT_LENGTH      ? "0"
                            : i == HEADER_TRANSFER_ENCODING ? "chunked"
                            : i == HEADER_EXPECT            ? "100-continue"
                                                            : "a";
        int len = snprintf(head, sizeof(head), GET "%sConnection: %s\r\n%s: %s\r\n\r\n",
                           i == HEADER_HOST ? "" : HOST, name, name, value);

        assert_int_equal(parse_request(&message, slice_of(head, (size_t)len)), 0);
        assert_false(is_gone(name));
    }
}

static void test_connection_options_are_understood_in_any_line(void **state)
{
    (void)state;
    assert_int_equal(
        parse_request(&message, BYTES(GET HOST LINE("Connection: TE, Keep-Alive")
                                          LINE("TE: trailers") LINE("connection: x , CLOSE") END)),
        0);
    assert_true(message.has_connection_close);
    assert_true(message.has_connection_keep_alive);
    assert_true(message.has_te_trailers);
    assert_int_equal(
        parse_request(&message, BYTES(GET HOST LINE("Connection: closed, xclose") END)), 0);
    assert_false(message.has_connection_close);
}

static void test_a_flood_of_connection_options_is_refused(void **state)
{
    char head[8192];
    size_t len = (size_t)snprintf(head, sizeof(head), GET HOST "Connection: a");

    (void)state;
    while (len < 4000) {
        head[len++] = ',';
        head[len++] = 'b';
    }
    memcpy(head + len, "\r\n\r\n", 4);
    assert_int_equal(parse_request(&message, slice_of(head, len + 4)), 400);
}

static void test_te_means_trailers_only_as_an_element(void **state)
{
    static const struct {
        const char *te;
        bool means_trailers;
    } rows[] = {
        {"trailers", true},
        {"Trailers", true},
        {"deflate;q=0.5, trailers", true},
        {"gzip", false},
        {"trailers;q=0", false},
        {"x;y=trailers", false},
        {"trailer", false},
        {"", false},
        {"deflate\r\nTE: trailers", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[256];
        int len = snprintf(head, sizeof(head), GET HOST "TE: %s\r\n\r\n", rows[i].te);

        assert_int_equal(parse_request(&message, slice_of(head, (size_t)len)), 0);
        assert_int_equal(message.has_te_trailers, rows[i].means_trailers);
    }
}

/* ---- Upgrade ---- */

static void test_upgrade_is_the_first_protocol_that_may_pass(void **state)
{
    static const struct {
        const char *lines;
        const char *upgrade;
    } rows[] = {
        {"Connection: Upgrade\r\nUpgrade: websocket", "websocket"},
        {"Connection: keep-alive, upgrade\r\nUpgrade: WebSocket", "WebSocket"},
        {"Upgrade: websocket", ""},
        {"Connection: Upgrade", ""},
        {"Connection: Upgrade\r\nUpgrade:", ""},
        {"Connection: Upgrade\r\nUpgrade: h2c", ""},
        {"Connection: Upgrade\r\nUpgrade: H2C", ""},
        {"Connection: Upgrade\r\nUpgrade: h2c-14, h2", ""},
        {"Connection: Upgrade\r\nUpgrade: h2c, websocket", "websocket"},
        {"Connection: Upgrade\r\nUpgrade: websocket, h2c", "websocket"},
        {"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: , foo/2", "foo/2"},
        {"Connection: Upgrade\r\nUpgrade: web socket", ""},
        {"Connection: Upgrade\r\nUpgrade: \"websocket\"", ""},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0", "websocket"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[256];
        int len = snprintf(head, sizeof(head), GET HOST "%s\r\n\r\n", rows[i].lines);

        assert_int_equal(parse_request(&message, slice_of(head, (size_t)len)), 0);
        assert_slice(message.upgrade, rows[i].upgrade, rows[i].lines);
    }
    assert_int_equal(
        parse_request(&message, BYTES("GET / HTTP/1.0\r\n" HOST LINE("Connection: upgrade")
                                          LINE("Upgrade: websocket") END)),
        0);
    assert_slice(message.upgrade, "", "HTTP/1.0");
}

static void test_an_upgrade_has_no_body(void **state)
{
    static const struct head_row rows[] = {
        FIELDS("length", 400,
               LINE("Connection: upgrade") LINE("Upgrade: websocket") LINE("Content-Length: 1")),
        FIELDS("chunked", 400,
               LINE("Connection: upgrade") LINE("Upgrade: websocket")
                   LINE("Transfer-Encoding: chunked")),
        FIELDS("h2c is not offered, so its body may be", 0,
               LINE("Connection: upgrade") LINE("Upgrade: h2c") LINE("Content-Length: 1")),
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* ---- limits and names ---- */

static void test_underscores_in_names_drop_refuse_or_pass(void **state)
{
    struct head_limits limits = test_limits;
    struct slice head = BYTES(GET HOST LINE("X_Forwarded_For: 1.2.3.4") LINE("X-A: b_c") END);
    const char *why;

    (void)state;
    assert_int_equal(head_parse_request(&message, head, &limits, &why), 0);
    assert_true(is_gone("x_forwarded_for"));
    assert_false(is_gone("x-a"));
    assert_int_equal(message.dropped_fields, 1);
    limits.underscores = HEAD_UNDERSCORES_REJECT;
    assert_int_equal(head_parse_request(&message, head, &limits, &why), 400);
    limits.underscores = HEAD_UNDERSCORES_ALLOW;
    assert_int_equal(head_parse_request(&message, head, &limits, &why), 0);
    assert_false(is_gone("x_forwarded_for"));
}

static void test_one_field_more_than_the_limit_is_431(void **state)
{
    char head[65536];

    (void)state;
    for (unsigned fields = 99; fields <= 101; fields++) {
        size_t len = (size_t)snprintf(head, sizeof(head), GET HOST);

        for (unsigned i = 1; i < fields; i++)
            len += (size_t)snprintf(head + len, sizeof(head) - len, "X%u: a\r\n", i);
        len += (size_t)snprintf(head + len, sizeof(head) - len, "\r\n");
        assert_int_equal(parse_request(&message, slice_of(head, len)), fields > 100 ? 431 : 0);
    }
}

static void test_the_parts_of_a_head_are_given(void **state)
{
    (void)state;
    assert_int_equal(
        parse_request(&message, BYTES("PROPFIND /a?b HTTP/1.0\r\n" LINE("X:  a b\t")
                                          LINE("Cookie: 1") LINE("cookie: 2") LINE("Empty:") END)),
        0);
    assert_int_equal(message.method, METHOD_PROPFIND);
    assert_slice(message.method_text, "PROPFIND", "method");
    assert_slice(message.target, "/a?b", "target");
    assert_int_equal(message.http_minor, 0);
    assert_int_equal(message.field_count, 4);
    assert_slice(message.fields[0].name, "X", "name");
    assert_slice(message.fields[0].value, "a b", "value");
    assert_slice(message.fields[3].value, "", "empty value");
    assert_slice(message.known[HEADER_COOKIE], "1", "the first of its kind");
    assert_true(message.content_length == MESSAGE_NO_LENGTH);
    assert_int_equal(parse_request(&message, BYTES("M-SEARCH * HTTP/1.1\r\n" HOST END)), 0);
    assert_int_equal(message.method, METHOD_OTHER);
}

/* ---- finding the end ---- */

struct search_row {
    const char *name;
    enum head_search found;
    struct slice bytes;
    size_t head_bytes;
};

static void check_search(const struct search_row *row)
{
    size_t from = 0;
    enum head_search found = HEAD_INCOMPLETE;
    struct slice all = exact(row->bytes);

    if (head_search(all, &from, &test_limits) != row->found)
        fail_msg("%s: at once", row->name);
    if (row->found == HEAD_FOUND && from != row->head_bytes)
        fail_msg("%s: %zu bytes", row->name, from);
    from = 0;
    for (size_t len = 1; len <= all.len && found == HEAD_INCOMPLETE; len++)
        found = head_search(slice_of(all.at, len), &from, &test_limits);
    if (found != row->found || (found == HEAD_FOUND && from != row->head_bytes))
        fail_msg("%s: byte for byte: %d, %zu bytes", row->name, found, from);
    test_free((void *)(uintptr_t)all.at);
}

static void test_the_end_of_a_head_is_found_however_it_arrives(void **state)
{
    static const struct search_row rows[] = {
        {"a head", HEAD_FOUND, SLICE_INIT("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), 27},
        {"no fields", HEAD_FOUND, SLICE_INIT("GET / HTTP/1.1\r\n\r\n"), 18},
        {"half", HEAD_INCOMPLETE, SLICE_INIT("GET / HTTP/1.1\r\nHost: a\r\n\r"), 0},
        {"bare LF", HEAD_MALFORMED, SLICE_INIT("GET / HTTP/1.1\n\n"), 0},
        {"bare LF later", HEAD_MALFORMED, SLICE_INIT("GET / HTTP/1.1\r\nHost: a\n\r\n"), 0},
        {"bare LF for the empty line", HEAD_MALFORMED,
         SLICE_INIT("GET / HTTP/1.1\r\nHost: a\r\n\n"), 0},
        {"folded", HEAD_MALFORMED, SLICE_INIT("GET / HTTP/1.1\r\nA: a\r\n b\r\n\r\n"), 0},
        {"CR CR LF", HEAD_MALFORMED, SLICE_INIT("GET / HTTP/1.1\r\nA: a\r\n\r\r\n"), 0},
        {"an empty trailer section", HEAD_FOUND, SLICE_INIT("\r\nrest"), 2},
        {"trailers", HEAD_FOUND, SLICE_INIT("A: b\r\n\r\nrest"), 8},
        {"a fold first", HEAD_MALFORMED, SLICE_INIT(" A: b\r\n\r\nrest"), 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_search(&rows[i]);
}

static void test_a_head_too_long_is_told_before_it_ends(void **state)
{
    struct head_limits limits = {100, 20, 100, HEAD_UNDERSCORES_DROP};
    static const char line_20[] = "GET /3456789 HTTP/1.1\r\n";
    char bytes[128];
    size_t from = 0;

    (void)state;
    memset(bytes, 'a', sizeof(bytes));
    assert_int_equal(head_search(slice_of(bytes, 22), &from, &limits), HEAD_INCOMPLETE);
    assert_int_equal(head_search(slice_of(bytes, 23), &from, &limits), HEAD_LINE_TOO_LONG);
    from = 0;
    assert_int_equal(head_search(SLICE(line_20), &from, &limits), HEAD_LINE_TOO_LONG);
    from = 0;
    assert_int_equal(head_search(SLICE("GET /345678 HTTP/1.1\r\n"), &from, &limits),
                     HEAD_INCOMPLETE);
    memcpy(bytes, "GET / HTTP/1.1\r\n", 16);
    from = 0;
    assert_int_equal(head_search(slice_of(bytes, 100), &from, &limits), HEAD_INCOMPLETE);
    assert_int_equal(head_search(slice_of(bytes, 101), &from, &limits), HEAD_TOO_LARGE);
    memcpy(bytes + 98, "\r\n\r\n", 4);
    from = 0;
    assert_int_equal(head_search(slice_of(bytes, 102), &from, &limits), HEAD_TOO_LARGE);
}

static void test_a_few_empty_lines_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(head_skip_empty_lines(BYTES("\r\n\r\nGET")), 4);
    assert_int_equal(head_skip_empty_lines(BYTES("GET")), 0);
    assert_int_equal(head_skip_empty_lines(BYTES("\r")), 0);
    assert_int_equal(head_skip_empty_lines(BYTES("\n")), 0);
    assert_true(head_skip_empty_lines(BYTES("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n")) < 12);
    assert_int_equal(parse_request(&message, BYTES("\r\n")), 400);
}

/* ---- trailers ---- */

static void test_trailers_hold_no_framing(void **state)
{
    static const struct head_row rows[] = {
        {"none", 0, SLICE_INIT("\r\n")},
        {"one", 0, SLICE_INIT(LINE("X-Sum: 9") END)},
        {"empty value", 0, SLICE_INIT(LINE("X-Sum:") END)},
        {"length", 400, SLICE_INIT(LINE("X: 1") LINE("content-length: 5") END)},
        {"coding", 400, SLICE_INIT(LINE("Transfer-Encoding: chunked") END)},
        {"host", 400, SLICE_INIT(LINE("Host: a") END)},
        {"connection", 400, SLICE_INIT(LINE("Connection: close") END)},
        {"te", 400, SLICE_INIT(LINE("TE: trailers") END)},
        {"upgrade", 400, SLICE_INIT(LINE("Upgrade: websocket") END)},
        {"trailer", 400, SLICE_INIT(LINE("Trailer: x") END)},
        {"no colon", 400, SLICE_INIT(LINE("X") END)},
        {"no name", 400, SLICE_INIT(LINE(": 1") END)},
        {"space before the colon", 400, SLICE_INIT(LINE("X : 1") END)},
        {"space first", 400, SLICE_INIT(LINE(" X: 1") END)},
        {"fold", 400, SLICE_INIT(LINE("X: 1") LINE(" 2") END)},
        {"NUL", 400, SLICE_INIT(LINE("X: \0") END)},
        {"bare CR", 400, SLICE_INIT(LINE("X: a\rb") END)},
        {"bare LF", 400, SLICE_INIT("X: a\nY: b\r\n\r\n")},
        {"LF alone", 400, SLICE_INIT("\n\r\n\r\n")},
        {"no end", 400, SLICE_INIT("X: a")},
    };
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice trailers = exact(rows[i].head);

        if (head_parse_trailers(&message, trailers, &test_limits, &why) != rows[i].status)
            fail_msg("%s", rows[i].name);
        test_free((void *)(uintptr_t)trailers.at);
    }
}

static void test_fields_of_the_head_are_dropped_from_trailers(void **state)
{
    const char *why;

    (void)state;
    assert_int_equal(head_parse_trailers(
                         &message,
                         BYTES(LINE("X-Sum: 1") LINE("Cookie: a") LINE("X-Forwarded-For: 1.2.3.4")
                                   LINE("Authorization: b") LINE("x_under: 2") END),
                         &test_limits, &why),
                     0);
    assert_false(is_gone("x-sum"));
    assert_true(is_gone("cookie"));
    assert_true(is_gone("x-forwarded-for"));
    assert_true(is_gone("authorization"));
    assert_true(is_gone("x_under"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_line_has_one_shape),
        cmocka_unit_test(test_only_http_1_0_and_1_1_are_spoken),
        cmocka_unit_test(test_field_lines_are_name_colon_value),
        cmocka_unit_test(test_framing_is_one_length_or_one_chunked),
        cmocka_unit_test(test_host_stands_once),
        cmocka_unit_test(test_expect_is_100_continue_or_refused),
        cmocka_unit_test(test_connection_drops_what_it_names),
        cmocka_unit_test(test_connection_close_drops_a_field_of_that_name),
        cmocka_unit_test(test_connection_cannot_drop_what_is_end_to_end_or_ours),
        cmocka_unit_test(test_connection_options_are_understood_in_any_line),
        cmocka_unit_test(test_a_flood_of_connection_options_is_refused),
        cmocka_unit_test(test_te_means_trailers_only_as_an_element),
        cmocka_unit_test(test_upgrade_is_the_first_protocol_that_may_pass),
        cmocka_unit_test(test_an_upgrade_has_no_body),
        cmocka_unit_test(test_underscores_in_names_drop_refuse_or_pass),
        cmocka_unit_test(test_one_field_more_than_the_limit_is_431),
        cmocka_unit_test(test_the_parts_of_a_head_are_given),
        cmocka_unit_test(test_the_end_of_a_head_is_found_however_it_arrives),
        cmocka_unit_test(test_a_head_too_long_is_told_before_it_ends),
        cmocka_unit_test(test_a_few_empty_lines_are_passed_over),
        cmocka_unit_test(test_trailers_hold_no_framing),
        cmocka_unit_test(test_fields_of_the_head_are_dropped_from_trailers),
    };

    return cmocka_run_group_tests_name("h1_request", tests, headers_ready, NULL);
}
