/* forward, requests: the whole head that a server gets for what a client sent. */
#include "proxy/http/forward.h"

#include "tests/unit/proxy_http/heads.h"

static struct message message;
static char memory[65536];

/* What is always the same in these tests: peer, request id and host. */
#define OURS(via)                                                                                  \
    LINE("Via: " via)                                                                              \
    LINE("X-Forwarded-For: 9.8.7.6")                                                               \
    LINE("Forwarded: for=9.8.7.6;host=\"a\";proto=http")                                           \
    LINE("X-Forwarded-Proto: http") LINE("X-Forwarded-Host: a") LINE("X-Request-Id: id1")
#define TO_SERVER "GET /p?q HTTP/1.1\r\nHost: a\r\n"

static struct forward_request usual(void)
{
    return (struct forward_request){
        .path = SLICE("/p"),
        .query = SLICE("?q"),
        .host = SLICE("a"),
        .peer = SLICE("9.8.7.6"),
        .forwarded_host = SLICE("a"),
        .request_id = SLICE("id1"),
        .body = FORWARD_NO_BODY,
    };
}

static struct slice forwarded(struct slice head, const struct forward_request *request)
{
    struct writer w = writer_over(memory, sizeof(memory));

    assert_int_equal(parse_request(&message, head), 0);
    forward_write_request(&w, &message, request);
    assert_false(w.overflow);
    return writer_slice(&w);
}

static void test_end_to_end_fields_pass_as_they_came(void **state)
{
    struct forward_request request = usual();

    (void)state;
    assert_slice(forwarded(BYTES(GET HOST LINE("accept: */*") LINE("X-Odd:   a  b ")
                                     LINE("Cookie: 1") LINE("Empty:") LINE("Cookie: 2") END),
                           &request),
                 TO_SERVER LINE("accept: */*") LINE("X-Odd: a  b") LINE("Cookie: 1") LINE("Empty: ")
                     LINE("Cookie: 2") OURS("1.1 twokey") END,
                 "fields");
}

static void test_fields_of_this_hop_stay_here(void **state)
{
    struct forward_request request = usual();

    (void)state;
    assert_slice(
        forwarded(BYTES(GET HOST LINE("Connection: close, X-Foo, te") LINE("X-Foo: 1") LINE(
                      "TE: gzip") LINE("Keep-Alive: timeout=5") LINE("Proxy-Connection: close")
                            LINE("Upgrade: websocket") LINE("HTTP2-Settings: AAMAAABk")
                                LINE("Proxy-Authorization: Basic YTpi") LINE("X-Bar: 2")
                                    LINE("Expect: 100-continue") LINE("Trailer: X-Sum") END),
                  &request),
        TO_SERVER LINE("X-Bar: 2") OURS("1.1 twokey") END, "hop-by-hop");
}

static void test_what_is_ours_is_replaced(void **state)
{
    struct forward_request request = usual();

    (void)state;
    assert_slice(forwarded(BYTES(GET HOST LINE("X-Forwarded-For: 1.2.3.4") LINE(
                               "x-forwarded-proto: https") LINE("X-Forwarded-Host: evil")
                                     LINE("X-Forwarded-Port: 1") LINE("X-Real-IP: 1.2.3.4")
                                         LINE("Forwarded: for=1.2.3.4") LINE("X-Request-Id: theirs")
                                             LINE("Via: 1.0 fred") LINE("via: 1.1 b (c)") END),
                           &request),
                 TO_SERVER OURS("1.0 fred, 1.1 b (c), 1.1 twokey") END, "replaced");
}

static void test_a_trusted_peer_is_added_to(void **state)
{
    struct forward_request request = usual();

    (void)state;
    request.is_peer_trusted = true;
    assert_slice(
        forwarded(BYTES(GET HOST LINE("X-Forwarded-For: 1.2.3.4, 5.6.7.8") LINE("X-Forwarded-For:")
                            LINE("x-forwarded-for: 2.2.2.2") LINE("X-Forwarded-Proto: https")
                                LINE("X-Forwarded-Host: shop") LINE("X-Forwarded-Port: 443")
                                    LINE("X-Real-IP: 1.2.3.4") LINE("Forwarded: for=1.2.3.4") END),
                  &request),
        TO_SERVER LINE("Via: 1.1 twokey")
            LINE("X-Forwarded-For: 1.2.3.4, 5.6.7.8, 2.2.2.2, 9.8.7.6")
                LINE("Forwarded: for=1.2.3.4, for=9.8.7.6;host=\"a\";proto=http")
                    LINE("X-Forwarded-Proto: https") LINE("X-Forwarded-Host: shop")
                        LINE("X-Forwarded-Port: 443") LINE("X-Real-IP: 1.2.3.4")
                            LINE("X-Request-Id: id1") END,
        "trusted");
}

static void test_addresses_and_hosts_are_quoted_where_forwarded_needs_it(void **state)
{
    struct forward_request request = usual();

    (void)state;
    request.peer = SLICE("2001:db8::1");
    request.forwarded_host = request.host = SLICE("[::1]:80");
    request.is_https = true;
    assert_slice(forwarded(BYTES(GET HOST END), &request),
                 "GET /p?q HTTP/1.1\r\nHost: [::1]:80\r\n" LINE("Via: 1.1 twokey")
                     LINE("X-Forwarded-For: 2001:db8::1")
                         LINE("Forwarded: for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=https")
                             LINE("X-Forwarded-Proto: https") LINE("X-Forwarded-Host: [::1]:80")
                                 LINE("X-Request-Id: id1") END,
                 "IPv6");
    request.peer = request.forwarded_host = SLICE("");
    assert_slice(forwarded(BYTES("GET / HTTP/1.0\r\n\r\n"), &request),
                 "GET /p?q HTTP/1.1\r\nHost: [::1]:80\r\n" LINE("Via: 1.0 twokey")
                     LINE("X-Forwarded-For: unknown") LINE("Forwarded: for=unknown;proto=https")
                         LINE("X-Forwarded-Proto: https") LINE("X-Request-Id: id1") END,
                 "a Unix socket, no Host");
}

static void test_framing_is_written_anew(void **state)
{
    struct forward_request request = usual();

    (void)state;
    request.body = FORWARD_LENGTH;
    request.length = 5;
    assert_slice(
        forwarded(BYTES(GET HOST LINE("content-length: 0005") LINE("Trailer: X") END), &request),
        TO_SERVER OURS("1.1 twokey") LINE("Content-Length: 5") END, "length");
    request.body = FORWARD_CHUNKED;
    assert_slice(
        forwarded(BYTES(GET HOST LINE("Transfer-encoding: Chunked") LINE("Trailer: X-Sum") END),
                  &request),
        TO_SERVER LINE("Trailer: X-Sum") OURS("1.1 twokey") LINE("Transfer-Encoding: chunked") END,
        "chunked");
}

static void test_te_upgrade_and_expect_are_written_anew(void **state)
{
    struct forward_request request = usual();

    (void)state;
    assert_slice(forwarded(BYTES(GET HOST LINE("TE: gzip, trailers;q=1, trailers")
                                     LINE("Connection: te") END),
                           &request),
                 TO_SERVER OURS("1.1 twokey") LINE("Connection: TE") LINE("TE: trailers") END,
                 "TE");
    request.passes_expect = true;
    assert_slice(forwarded(BYTES(GET HOST LINE("expect: 100-Continue") END), &request),
                 TO_SERVER OURS("1.1 twokey") LINE("Expect: 100-continue") END, "Expect");
    request.passes_expect = false;
    request.passes_upgrade = true;
    assert_slice(
        forwarded(BYTES(GET HOST LINE("Connection: Upgrade") LINE("Upgrade: h2c, websocket") END),
                  &request),
        TO_SERVER OURS("1.1 twokey") LINE("Connection: upgrade") LINE("Upgrade: websocket") END,
        "Upgrade");
    assert_slice(
        forwarded(BYTES(GET HOST LINE("Connection: Upgrade") LINE("Upgrade: h2c") END), &request),
        TO_SERVER OURS("1.1 twokey") END, "nothing to upgrade to");
}

static void test_max_forwards_counts_options_down(void **state)
{
    struct forward_request request = usual();
    static const struct {
        const char *sent;
        const char *seen;
    } rows[] = {{"5", "5"}, {"x", "x"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char head[128];
        char line[64];
        int len = snprintf(head, sizeof(head), GET HOST "Max-Forwards: %s\r\n\r\n", rows[i].sent);

        snprintf(line, sizeof(line), "\r\nMax-Forwards: %s\r\n", rows[i].seen);
        forwarded(slice_of(head, (size_t)len), &request);
        assert_non_null(memmem(memory, 400, line, strlen(line)));
    }
    forwarded(BYTES("OPTIONS / HTTP/1.1\r\n" HOST LINE("Max-Forwards: 5") END), &request);
    assert_non_null(memmem(memory, 400, "\r\nMax-Forwards: 4\r\n", 19));
}

static const struct forward_edit set_some[] = {
    {SLICE_INIT("x-edge"), SLICE_INIT("1")},
    {SLICE_INIT("cookie"), SLICE_INIT("none")},
    {SLICE_INIT("via"), SLICE_INIT("1.1 edge")},
    {SLICE_INIT("x-forwarded-for"), SLICE_INIT("hidden")},
};
static const struct slice remove_some[] = {
    SLICE_INIT("x-internal"),   SLICE_INIT("forwarded"),  SLICE_INIT("x-forwarded-host"),
    SLICE_INIT("x-request-id"), SLICE_INIT("user-agent"),
};
static const struct forward_edits edits = {
    .set = set_some, .set_count = 4, .remove = remove_some, .remove_count = 5};

static void test_a_routes_edits_come_last_and_stand_once(void **state)
{
    struct forward_request request = usual();

    (void)state;
    request.edits = &edits;
    assert_slice(forwarded(BYTES(GET HOST LINE("Cookie: a") LINE("X-Internal: 1")
                                     LINE("User-Agent: x") LINE("X-Edge: 0") LINE("cookie: b")
                                         LINE("Keep: 1") LINE("Via: 1.0 fred") END),
                           &request),
                 TO_SERVER LINE("Keep: 1") LINE("X-Forwarded-Proto: http") LINE("x-edge: 1")
                     LINE("cookie: none") LINE("via: 1.1 edge") LINE("x-forwarded-for: hidden") END,
                 "edits");
}

static void test_a_head_that_does_not_fit_is_told(void **state)
{
    struct forward_request request = usual();
    struct slice head =
        BYTES(GET HOST LINE("Connection: upgrade") LINE("Upgrade: websocket") LINE("A: b") END);
    size_t whole;

    (void)state;
    request.passes_upgrade = true;
    request.is_peer_trusted = true;
    request.edits = NULL;
    whole = forwarded(head, &request).len;
    for (size_t room = 0; room < whole; room++) {
        char *small = test_malloc(room + 1);
        struct writer w = writer_over(small, room);

        forward_write_request(&w, &message, &request);
        assert_true(w.overflow);
        assert_true(writer_length(&w) <= room);
        test_free(small);
    }
}

/* ---- the way so far ---- */

static void test_our_name_in_via_is_counted(void **state)
{
    static const struct {
        const char *lines;
        unsigned count;
    } rows[] = {
        {"Via: 1.1 fred", 0},
        {"Via: 1.1 twokey", 1},
        {"Via: 1.1 TwoKey (x)", 1},
        {"Via: HTTP/1.1 twokey", 1},
        {"Via: 1.1\ttwokey", 1},
        {"Via: 1.1  twokey", 1},
        {"Via: 1.1 twokey, 1.0 fred, 1.1 twokey", 2},
        {"Via: 1.1 twokey\r\nVia: 1.0 twokey", 2},
        {"Via: 1.1 twokey2, 1.1 nottwokey", 0},
        {"Via: twokey 1.1", 0},
        {"Via:", 0},
        {"Via: ,,", 0},
        {"X: 1.1 twokey", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[256];
        int len = snprintf(head, sizeof(head), GET HOST "%s\r\n\r\n", rows[i].lines);

        assert_int_equal(parse_request(&message, slice_of(head, (size_t)len)), 0);
        if (forward_via_count(&message) != rows[i].count)
            fail_msg("%s: %u", rows[i].lines, forward_via_count(&message));
    }
}

/* 10.anything is trusted; what is asked must be an address. */
static bool trusts_10(void *context, struct slice address)
{
    unsigned *asked = context;

    (*asked)++;
    for (size_t i = 0; i < address.len; i++)
        assert_non_null(memchr("0123456789abcdefABCDEF.:", address.at[i], 24));
    return slice_starts_with(address, SLICE("10."));
}

static void test_the_client_is_the_rightmost_address_that_is_not_trusted(void **state)
{
    static const struct {
        const char *lines;
        const char *client;
    } rows[] = {
        {"X: y", ""},
        {"X-Forwarded-For: 1.2.3.4", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4, 5.6.7.8", "5.6.7.8"},
        {"X-Forwarded-For: 1.2.3.4,5.6.7.8", "5.6.7.8"},
        {"X-Forwarded-For: 1.2.3.4, 10.0.0.1", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4 ,\t10.0.0.1 , 10.0.0.2", "1.2.3.4"},
        {"X-Forwarded-For: 10.0.0.1, 10.0.0.2", "10.0.0.1"},
        {"X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8", "5.6.7.8"},
        {"X-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 10.0.0.1", "1.2.3.4"},
        {"X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2", "1.2.3.4"},
        {"X-Forwarded-For:", ""},
        {"X-Forwarded-For: 1.2.3.4,", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4, ", "1.2.3.4"},
        {"X-Forwarded-For: ,1.2.3.4,,10.0.0.1,,", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For:", "1.2.3.4"},
        {"X-Forwarded-For: ,", ""},
        {"X-Forwarded-For: 1.2.3.4:5678", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4, 10.0.0.1:80", "1.2.3.4"},
        {"X-Forwarded-For: [::1]:80", "::1"},
        {"X-Forwarded-For: [2001:DB8::1]", "2001:DB8::1"},
        {"X-Forwarded-For: 2001:db8::1", "2001:db8::1"},
        {"X-Forwarded-For: unknown", ""},
        {"X-Forwarded-For: unknown, 10.0.0.1", "10.0.0.1"},
        {"X-Forwarded-For: 1.2.3.4, unknown, 10.0.0.1", "10.0.0.1"},
        {"X-Forwarded-For: 1.2.3.4, _hidden", ""},
        {"X-Forwarded-For: 1.2.3, 10.0.0.1", "10.0.0.1"},
        {"X-Forwarded-For: 1.2.3.4.5", ""},
        {"X-Forwarded-For: 1.2.3.4:x", ""},
        {"X-Forwarded-For: [::1", ""},
        {"X-Forwarded-For: [::1]x", ""},
        {"X-Forwarded-For: [1.2.3.4]", ""},
        {"X-Forwarded-For: \"1.2.3.4\"", ""},
        {"X-Forwarded-For: <script>", ""},
        {"X-Forwarded-For: abcd", ""},
        {"X-Forwarded-For: 1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[512];
        unsigned asked = 0;
        int len = snprintf(head, sizeof(head), GET HOST "%s\r\n\r\n", rows[i].lines);

        assert_int_equal(parse_request(&message, slice_of(head, (size_t)len)), 0);
        assert_slice(forward_client_address(&message, trusts_10, &asked), rows[i].client,
                     rows[i].lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_to_end_fields_pass_as_they_came),
        cmocka_unit_test(test_fields_of_this_hop_stay_here),
        cmocka_unit_test(test_what_is_ours_is_replaced),
        cmocka_unit_test(test_a_trusted_peer_is_added_to),
        cmocka_unit_test(test_addresses_and_hosts_are_quoted_where_forwarded_needs_it),
        cmocka_unit_test(test_framing_is_written_anew),
        cmocka_unit_test(test_te_upgrade_and_expect_are_written_anew),
        cmocka_unit_test(test_max_forwards_counts_options_down),
        cmocka_unit_test(test_a_routes_edits_come_last_and_stand_once),
        cmocka_unit_test(test_a_head_that_does_not_fit_is_told),
        cmocka_unit_test(test_our_name_in_via_is_counted),
        cmocka_unit_test(test_the_client_is_the_rightmost_address_that_is_not_trusted),
    };

    return cmocka_run_group_tests_name("forward_request", tests, headers_ready, NULL);
}
