/* h2_message: what is a request, a response or trailers, and what is malformed. */
#include "proxy/http/h2_message.h"

#include "proxy/http/forward.h"
#include "proxy/http/target.h"

#include "tests/unit/proxy_http/heads.h"

/* Fields are written as "|name=value|name=value". */
#define METHOD    "|:method=GET"
#define SCHEME    "|:scheme=https"
#define PATH      "|:path=/a"
#define AUTHORITY "|:authority=a.example"
#define ASK       METHOD SCHEME PATH AUTHORITY
#define UPGRADE   "|:method=CONNECT" SCHEME PATH AUTHORITY "|:protocol=websocket"

enum { MOST_FIELDS = 256 };

static struct message message;
static struct h2_field fields[MOST_FIELDS];
static char joined[4096];
static bool is_extended;
static const char *why;

static struct h2_head head_of(const char *text)
{
    struct h2_head head = {fields, 0};
    struct h2_field field;

    while (next_field(&text, &field.name, &field.value)) {
        assert_true(head.count < MOST_FIELDS);
        fields[head.count++] = field;
    }
    return head;
}

static unsigned request_of(const char *text, bool is_last)
{
    struct h2_scratch scratch = {joined, sizeof(joined)};
    struct h2_head head = head_of(text);
    unsigned status;

    why = NULL;
    status =
        h2_request_message(&message, &head, is_last, &test_limits, &scratch, &is_extended, &why);
    if (status != 0)
        assert_non_null(why);
    return status;
}

static void test_a_request_is_the_message_that_http1_would_give(void **state)
{
    (void)state;
    assert_int_equal(request_of("|:method=POST" SCHEME "|:path=/a?b=c" AUTHORITY
                                "|content-type=text/plain|x-one=1|te=trailers",
                                false),
                     0);
    assert_false(is_extended);
    assert_int_equal(message.method, METHOD_POST);
    assert_slice(message.method_text, "POST", "method");
    assert_slice(message.target, "/a?b=c", "target");
    assert_slice(message.known[HEADER_HOST], "a.example", "host");
    assert_int_equal(message.http_minor, 1);
    assert_true(message.is_chunked);
    assert_true(message.content_length == MESSAGE_NO_LENGTH);
    assert_true(message.has_te_trailers);
    assert_int_equal(message.field_count, 4);
    assert_slice(message.fields[0].name, "host", "the first field");
    assert_slice(message_find(&message, SLICE("x-one"))->value, "1", "x-one");
}

static void test_a_body_has_a_length_or_comes_in_chunks(void **state)
{
    (void)state;
    assert_int_equal(request_of(ASK, true), 0);
    assert_false(message.is_chunked);
    assert_true(message.content_length == MESSAGE_NO_LENGTH);
    assert_int_equal(request_of(ASK, false), 0);
    assert_true(message.is_chunked);
    assert_int_equal(request_of(ASK "|content-length=12", false), 0);
    assert_false(message.is_chunked);
    assert_int_equal(message.content_length, 12);
    assert_int_equal(request_of(ASK "|content-length=0", true), 0);
    assert_int_equal(request_of(ASK "|content-length=12", true), 400);
}

static void test_a_websocket_is_a_get_with_an_upgrade(void **state)
{
    (void)state;
    assert_int_equal(request_of(UPGRADE, false), 0);
    assert_true(is_extended);
    assert_int_equal(message.method, METHOD_GET);
    assert_slice(message.method_text, "GET", "method");
    assert_slice(message.upgrade, "websocket", "upgrade");
    assert_true(message.has_connection_upgrade);
    assert_false(message.is_chunked);
    assert_int_equal(request_of(UPGRADE, true), 400);
    assert_int_equal(request_of(UPGRADE "|content-length=1", false), 400);
    assert_int_equal(
        request_of("|:method=CONNECT" SCHEME PATH AUTHORITY "|:protocol=connect-udp", false), 501);
    assert_int_equal(request_of(ASK "|:protocol=websocket", false), 400);
}

static void test_pieces_of_cookie_are_joined(void **state)
{
    (void)state;
    assert_int_equal(request_of(ASK "|cookie=a=1|x=y|cookie=b=2|cookie=|cookie=c=3", true), 0);
    assert_slice(message.known[HEADER_COOKIE], "a=1; b=2; ; c=3", "known cookie");
    assert_int_equal(message.field_count, 3);
    assert_slice(message.fields[1].value, "a=1; b=2; ; c=3", "field cookie");
    assert_slice(message.fields[2].name, "x", "the field behind");
    assert_int_equal(request_of(ASK "|cookie=a=1", true), 0);
    assert_slice(message.known[HEADER_COOKIE], "a=1", "one cookie");
}

static void test_cookies_that_do_not_fit_are_too_large(void **state)
{
    struct h2_scratch scratch = {joined, 8};
    struct h2_head head = head_of(ASK "|cookie=a=1|cookie=b=2|cookie=c=3");

    (void)state;
    assert_int_equal(
        h2_request_message(&message, &head, true, &test_limits, &scratch, &is_extended, &why), 431);
}

static void test_authority_and_host_say_the_same(void **state)
{
    (void)state;
    assert_int_equal(request_of(ASK "|host=A.example", true), 0);
    assert_slice(message.known[HEADER_HOST], "a.example", "authority wins");
    assert_int_equal(message.field_count, 1);
    assert_int_equal(request_of(METHOD SCHEME PATH "|host=b.example", true), 0);
    assert_slice(message.known[HEADER_HOST], "b.example", "host alone");
}

static const struct {
    const char *text;
    unsigned status;
} refused[] = {
    /* pseudo-fields */
    {"", 400},
    {SCHEME PATH AUTHORITY, 400},
    {METHOD PATH AUTHORITY, 400},
    {METHOD SCHEME AUTHORITY, 400},
    {METHOD SCHEME PATH, 400},
    {"|:method=" SCHEME PATH AUTHORITY, 400},
    {METHOD "|:scheme=" PATH AUTHORITY, 400},
    {METHOD SCHEME "|:path=" AUTHORITY, 400},
    {METHOD SCHEME PATH "|:authority=", 400},
    {METHOD SCHEME PATH "|:authority=|host=a", 400},
    {METHOD METHOD SCHEME PATH AUTHORITY, 400},
    {METHOD SCHEME SCHEME PATH AUTHORITY, 400},
    {METHOD SCHEME PATH PATH AUTHORITY, 400},
    {ASK AUTHORITY, 400},
    {METHOD SCHEME PATH "|x=y" AUTHORITY, 400},
    {ASK "|x=y|:method=GET", 400},
    {ASK "|:status=200", 400},
    {ASK "|:other=1", 400},
    {ASK "|:=1", 400},
    {METHOD "|:scheme=ftp" PATH AUTHORITY, 400},
    {METHOD "|:scheme=http:" PATH AUTHORITY, 400},
    {"|:method=GE T" SCHEME PATH AUTHORITY, 400},
    {"|:method=GET\r\n" SCHEME PATH AUTHORITY, 400},
    {"|:method=NONSENSE" SCHEME PATH AUTHORITY, 501},
    {"|:method=get" SCHEME PATH AUTHORITY, 501},
    {"|:method=PRI" SCHEME PATH AUTHORITY, 501},
    {"|:method=AMETHODTHATISLONGERTHANANYMETHODTHATTHEREIS" SCHEME PATH AUTHORITY, 501},
    {"|:method=CONNECT" AUTHORITY, 501},
    {"|:method=CONNECT" SCHEME PATH AUTHORITY, 501},
    /* :path */
    {METHOD SCHEME "|:path=a" AUTHORITY, 400},
    {METHOD SCHEME "|:path=*" AUTHORITY, 400},
    {METHOD SCHEME "|:path=http://a/" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/a b" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/a#b" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/a\tb" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/a\r\nX: y" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/a\x7f" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/\xc3\xa4" AUTHORITY, 400},
    {METHOD SCHEME "|:path= /" AUTHORITY, 400},
    {METHOD SCHEME "|:path=/ HTTP/1.1\r\nHost: b\r\n" AUTHORITY, 400},
    {"|:method=OPTIONS" SCHEME "|:path=**" AUTHORITY, 400},
    /* names and values */
    {ASK "|X-Upper=1", 400},
    {ASK "|x-uppeR=1", 400},
    {ASK "|x y=1", 400},
    {ASK "|x:y=1", 400},
    {ASK "|x\r\ny=1", 400},
    {ASK "|=1", 400},
    {ASK "|x=a\r\nb: c", 400},
    {ASK "|x=a\nb", 400},
    {ASK "|x=a\rb", 400},
    {ASK "|x=\x01", 400},
    {ASK "|x=\x7f", 400},
    {ASK "|x= a", 400},
    {ASK "|x=a ", 400},
    {ASK "|x=\ta", 400},
    {ASK "|x=a\t", 400},
    {ASK "|x= ", 400},
    {ASK "|cookie=a\r\nb", 400},
    {METHOD SCHEME PATH "|:authority=a\r\nb", 400},
    {METHOD SCHEME PATH "|host=a\r\nb", 400},
    /* fields of a connection */
    {ASK "|connection=close", 400},
    {ASK "|connection=", 400},
    {ASK "|keep-alive=1", 400},
    {ASK "|proxy-connection=keep-alive", 400},
    {ASK "|transfer-encoding=chunked", 400},
    {ASK "|transfer-encoding=identity", 400},
    {ASK "|upgrade=h2c", 400},
    {ASK "|upgrade=websocket", 400},
    {ASK "|te=gzip", 400},
    {ASK "|te=trailers, gzip", 400},
    {ASK "|te=", 400},
    /* what may stand only once */
    {ASK "|host=b.example", 400},
    {ASK "|host=a.example:443", 400},
    {ASK "|host=", 400},
    {METHOD SCHEME PATH "|host=a|host=a", 400},
    {ASK "|content-length=1|content-length=1", 400},
    {ASK "|expect=100-continue|expect=100-continue", 400},
    {ASK "|expect=something", 417},
    {ASK "|expect=", 417},
    /* lengths */
    {ASK "|content-length=", 400},
    {ASK "|content-length=+1", 400},
    {ASK "|content-length=-1", 400},
    {ASK "|content-length=0x1", 400},
    {ASK "|content-length=1,1", 400},
    {ASK "|content-length=1 1", 400},
    {ASK "|content-length=18446744073709551616", 400},
    {ASK "|content-length=9223372036854775808", 400},
};

static void test_malformed_requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        for (int is_last = 0; is_last < 2; is_last++)
            if (request_of(refused[i].text, is_last) != refused[i].status)
                fail_msg("\"%s\" is not %u", refused[i].text, refused[i].status);
}

static void test_a_value_with_a_nul_is_refused(void **state)
{
    struct h2_scratch scratch = {joined, sizeof(joined)};

    (void)state;
    for (size_t place = 0; place < 5; place++) {
        struct h2_head head = head_of(ASK "|x=ab");

        fields[place].value = slice_of("/\0b", 3);
        assert_int_equal(
            h2_request_message(&message, &head, true, &test_limits, &scratch, &is_extended, &why),
            400);
    }
}

static void test_odd_requests_that_are_fine(void **state)
{
    static const char *const rows[] = {
        ASK "|x=",
        ASK "|x=a b\tc",
        ASK "|x=\xc3\xa4",
        ASK "|te=trailers|te=Trailers",
        ASK "|expect=100-Continue",
        ASK "|content-length=0",
        "|:method=OPTIONS" SCHEME "|:path=*" AUTHORITY,
        "|:path=/a" SCHEME AUTHORITY METHOD,
        METHOD "|:scheme=HTTP" PATH AUTHORITY,
        METHOD SCHEME "|:path=//a/../%2f?\"{}" AUTHORITY,
        "|:method=M-SEARCH" SCHEME PATH AUTHORITY,
        ASK "|x=1|x=2|content-type=a|content-type=b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (request_of(rows[i], true) != 0)
            fail_msg("\"%s\": %s", rows[i], why);
}

static void test_limits_hold_for_messages(void **state)
{
    static const struct head_limits small = {200, 20, 3, HEAD_UNDERSCORES_REJECT};
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {ASK, 0},
        {METHOD SCHEME "|:path=/123456" AUTHORITY, 0},
        {METHOD SCHEME "|:path=/12345678" AUTHORITY, 414},
        {METHOD SCHEME "|:path=/"
                       "|:authority=a|a=|b=",
         431},
        {METHOD SCHEME "|:path=/"
                       "|:authority=a|a_b=",
         400},
        {METHOD SCHEME "|:path=/"
                       "|:authority=a|cookie=a|cookie=b",
         431},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct h2_scratch scratch = {joined, sizeof(joined)};
        struct h2_head head = head_of(rows[i].text);

        if (h2_request_message(&message, &head, true, &small, &scratch, &is_extended, &why) !=
            rows[i].status)
            fail_msg("\"%s\" is not %u", rows[i].text, rows[i].status);
    }
}

static void test_names_with_underscores_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(request_of(ASK "|x_forwarded_for=1|x-y=2", true), 0);
    assert_int_equal(message.dropped_fields, 1);
    assert_true(message.fields[1].is_dropped);
    assert_null(message_find(&message, SLICE("x_forwarded_for")));
}

/* ---- as HTTP/1 ---- */

static char written_bytes[65536];
static struct message written;
static char path_memory[8192];

/* Whatever a request says in HTTP/2, a server reads as one request, and the same. */
static void assert_same_behind_us(const char *text, bool is_last)
{
    struct writer w = writer_over(written_bytes, sizeof(written_bytes));
    struct target_memory memory = {.path = path_memory, .path_bytes = sizeof(path_memory)};
    struct forward_request forward = {.peer = SLICE("192.0.2.1"), .body = FORWARD_NO_BODY};
    struct target target;

    if (request_of(text, is_last) != 0 || target_parse(&message, &memory, &target, &why) != 0)
        return;
    forward.path = target.path;
    forward.query = target.query;
    forward.host = target.authority;
    if (message.is_chunked)
        forward.body = FORWARD_CHUNKED;
    else if (message.content_length != MESSAGE_NO_LENGTH)
        forward.body = FORWARD_LENGTH;
    forward.length = message.content_length;
    forward_write_request(&w, &message, &forward);
    assert_int_equal(parse_request(&written, writer_slice(&w)), 0);
    assert_true(slice_equal(written.method_text, message.method_text));
    assert_true(slice_equal(written.known[HEADER_HOST], message.known[HEADER_HOST]));
    assert_int_equal(written.is_chunked, message.is_chunked);
    assert_true(written.content_length == message.content_length);
    assert_true(slice_equal(written.known[HEADER_COOKIE], message.known[HEADER_COOKIE]));
}

static void test_a_server_reads_the_same_request(void **state)
{
    static const char *const rows[] = {
        ASK "|cookie=a|cookie=b|x=y|content-length=0",
        ASK "|content-length=7",
        ASK "|x=\xc3\xa4|host=a.example",
        UPGRADE "|sec-websocket-version=13",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_same_behind_us(refused[i].text, i % 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_same_behind_us(rows[i], false);
        assert_same_behind_us(rows[i], true);
    }
}

static void test_methods_are_those_of_http1(void **state)
{
    static const char *const methods[] = {
        "GET",      "HEAD",  "POST",   "PUT",      "DELETE", "OPTIONS",  "TRACE",   "PATCH",
        "PROPFIND", "LOCK",  "SOURCE", "DESCRIBE", "PURGE",  "ANNOUNCE", "PRI",     "REPORT",
        "LINK",     "MKCOL", "QUERY",  "get",      "G",      "GETT",     "M-SEARCH"};
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        enum method method = METHOD_CONNECT;
        bool is_known = head_find_method(slice_from(methods[i]), &method);

        snprintf(text, sizeof(text), LINE("%s / HTTP/1.1") HOST END, methods[i]);
        if (is_known != (parse_request(&message, slice_from(text)) == 0))
            fail_msg("%s is known to one of them only", methods[i]);
        if (is_known)
            assert_int_equal(method, message.method);
    }
}

/* ---- responses ---- */

static unsigned response_of(const char *text, bool is_last)
{
    struct h2_head head = head_of(text);
    unsigned status;

    why = NULL;
    status = h2_response_message(&message, &head, is_last, &why);
    if (status != 0)
        assert_non_null(why);
    return status;
}

static void test_a_response_is_the_message_that_http1_would_give(void **state)
{
    (void)state;
    assert_int_equal(response_of("|:status=200|content-type=a|x_y=1", false), 0);
    assert_int_equal(message.status, 200);
    assert_slice(message.reason, "OK", "reason");
    assert_true(message.is_chunked);
    assert_int_equal(message.dropped_fields, 0);
    assert_int_equal(response_of("|:status=200", true), 0);
    assert_false(message.is_chunked);
    assert_int_equal(response_of("|:status=200|content-length=3", false), 0);
    assert_int_equal(message.content_length, 3);
    assert_false(message.is_chunked);
    assert_int_equal(response_of("|:status=204", false), 0);
    assert_false(message.is_chunked);
    assert_int_equal(response_of("|:status=304|content-length=3", true), 0);
    assert_int_equal(response_of("|:status=103|link=a", false), 0);
    assert_false(message.is_chunked);
    assert_int_equal(response_of("|:status=200|set-cookie=a|set-cookie=b", true), 0);
    assert_int_equal(message.field_count, 2);
}

static void test_malformed_responses_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "|:status=",
        "|:status=20",
        "|:status=2000",
        "|:status=099",
        "|:status=600",
        "|:status=2x0",
        "|:status=101",
        "|:status=200|:status=200",
        "|:status=200|:path=/",
        "|x=y|:status=200",
        "|:status=200|X=y",
        "|:status=200|x=a\r\nb",
        "|:status=200|x= a",
        "|:status=200|connection=close",
        "|:status=200|transfer-encoding=chunked",
        "|:status=200|upgrade=h2c",
        "|:status=200|content-length=a",
        "|:status=200|content-length=1|content-length=1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (response_of(rows[i], false) != 502)
            fail_msg("\"%s\" is not refused", rows[i]);
    assert_int_equal(response_of("|:status=103", true), 502);
}

/* ---- trailers ---- */

static unsigned trailers_of(const char *text)
{
    struct h2_head head = head_of(text);

    why = NULL;
    return h2_trailers_message(&message, &head, &test_limits, &why);
}

static void test_trailers_have_no_framing(void **state)
{
    (void)state;
    assert_int_equal(trailers_of("|grpc-status=0|grpc-message=|cookie=a|x_y=1"), 0);
    assert_int_equal(message.field_count, 4);
    assert_int_equal(message.dropped_fields, 2);
    assert_false(message.fields[0].is_dropped);
    assert_true(message.fields[2].is_dropped);
    assert_int_equal(trailers_of("|content-length=1"), 400);
    assert_int_equal(trailers_of("|host=a"), 400);
    assert_int_equal(trailers_of("|te=trailers"), 400);
    assert_int_equal(trailers_of("|transfer-encoding=chunked"), 400);
    assert_int_equal(trailers_of("|trailer=a"), 400);
    assert_int_equal(trailers_of("|expect=100-continue"), 400);
    assert_int_equal(trailers_of("|:path=/"), 400);
    assert_int_equal(trailers_of("|X=y"), 400);
    assert_int_equal(trailers_of("|x=a\r\n"), 400);
    assert_non_null(why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_the_message_that_http1_would_give),
        cmocka_unit_test(test_a_body_has_a_length_or_comes_in_chunks),
        cmocka_unit_test(test_a_websocket_is_a_get_with_an_upgrade),
        cmocka_unit_test(test_pieces_of_cookie_are_joined),
        cmocka_unit_test(test_cookies_that_do_not_fit_are_too_large),
        cmocka_unit_test(test_authority_and_host_say_the_same),
        cmocka_unit_test(test_malformed_requests_are_refused),
        cmocka_unit_test(test_a_value_with_a_nul_is_refused),
        cmocka_unit_test(test_odd_requests_that_are_fine),
        cmocka_unit_test(test_limits_hold_for_messages),
        cmocka_unit_test(test_names_with_underscores_are_dropped),
        cmocka_unit_test(test_a_server_reads_the_same_request),
        cmocka_unit_test(test_methods_are_those_of_http1),
        cmocka_unit_test(test_a_response_is_the_message_that_http1_would_give),
        cmocka_unit_test(test_malformed_responses_are_refused),
        cmocka_unit_test(test_trailers_have_no_framing),
    };

    return cmocka_run_group_tests(tests, headers_ready, NULL);
}
