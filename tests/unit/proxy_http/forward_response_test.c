/* forward, responses: the whole head that a client gets for what a server sent. */
#include "proxy/http/forward.h"

#include "tests/unit/proxy_http/heads.h"

static struct message message;
static char memory[65536];

#define OK LINE("HTTP/1.1 200 OK")

static struct slice forwarded(struct slice head, const struct forward_response *response)
{
    struct writer w = writer_over(memory, sizeof(memory));

    assert_int_equal(parse_response(&message, head), 0);
    forward_write_response(&w, &message, response);
    assert_false(w.overflow);
    return writer_slice(&w);
}

static struct forward_response usual(enum forward_body body, uint64_t length)
{
    return (struct forward_response){.body = body, .length = length, .date = SLICE("today")};
}

static void test_end_to_end_fields_pass_as_they_came(void **state)
{
    struct forward_response response = usual(FORWARD_LENGTH, 5);

    (void)state;
    assert_slice(forwarded(BYTES("HTTP/1.0 404 Not  here\r\n" LINE("Server: x")
                                     LINE("Set-Cookie: a=b") LINE("X_y: z") LINE("set-cookie: c=d")
                                         LINE("date: then") LINE("content-length: 05") END),
                           &response),
                 "HTTP/1.1 404 Not  here\r\n" LINE("Server: x") LINE("Set-Cookie: a=b")
                     LINE("X_y: z") LINE("set-cookie: c=d") LINE("date: then")
                         LINE("Content-Length: 5") END,
                 "fields");
    assert_slice(forwarded(BYTES("HTTP/1.1 200\r\n\r\n"), &response),
                 "HTTP/1.1 200 \r\n" LINE("Date: today") LINE("Content-Length: 5") END,
                 "no reason");
}

static void test_fields_of_this_hop_stay_here(void **state)
{
    struct forward_response response = usual(FORWARD_CHUNKED, 0);

    (void)state;
    assert_slice(
        forwarded(BYTES(OK LINE("Connection: X-Foo, keep-alive, date") LINE("X-Foo: 1")
                            LINE("Keep-Alive: timeout=5") LINE("Proxy-Connection: x")
                                LINE("Transfer-Encoding: chunked") LINE("Upgrade: h2,h2c")
                                    LINE("TE: x") LINE("Trailer: X-Sum") LINE("Date: then") END),
                  &response),
        OK LINE("Trailer: X-Sum") LINE("Date: then") LINE("Transfer-Encoding: chunked") END,
        "hop-by-hop");
    response = usual(FORWARD_UNTIL_CLOSE, 0);
    response.closes = true;
    assert_slice(forwarded(BYTES(OK LINE("Transfer-Encoding: chunked") LINE("Trailer: X-Sum")
                                     LINE("Date: then") END),
                           &response),
                 OK LINE("Date: then") LINE("Connection: close") END, "no trailers without chunks");
}

static void test_a_message_without_body_keeps_only_what_it_may(void **state)
{
    struct forward_response response = usual(FORWARD_NO_BODY, 0);

    (void)state;
    response.keeps_length = true;
    assert_slice(forwarded(BYTES("HTTP/1.1 304 Not Modified\r\n" LINE("Content-Length: 12")
                                     LINE("Date: then") END),
                           &response),
                 "HTTP/1.1 304 Not Modified\r\n" LINE("Date: then") LINE("Content-Length: 12") END,
                 "304");
    assert_slice(forwarded(BYTES("HTTP/1.1 304 Not Modified\r\n" LINE("Transfer-Encoding: chunked")
                                     LINE("Date: then") END),
                           &response),
                 "HTTP/1.1 304 Not Modified\r\n" LINE("Date: then") END, "304 chunked");
    assert_slice(forwarded(BYTES("HTTP/1.1 204 No Content\r\n" LINE("Content-Length: 12")
                                     LINE("Date: then") END),
                           &response),
                 "HTTP/1.1 204 No Content\r\n" LINE("Date: then") END, "204 to HEAD");
    response.body = FORWARD_LENGTH;
    assert_slice(forwarded(BYTES("HTTP/1.1 204 No Content\r\n" LINE("Content-Length: 0")
                                     LINE("Date: then") END),
                           &response),
                 "HTTP/1.1 204 No Content\r\n" LINE("Date: then") END, "204");
    response.body = FORWARD_CHUNKED;
    assert_slice(forwarded(BYTES("HTTP/1.1 204 No Content\r\n" LINE("Transfer-Encoding: chunked")
                                     LINE("Date: then") END),
                           &response),
                 "HTTP/1.1 204 No Content\r\n" LINE("Date: then") END, "204 chunked");
}

static void test_what_is_added_stands_once(void **state)
{
    static const struct forward_edit set[] = {{SLICE_INIT("date"), SLICE_INIT("never")},
                                              {SLICE_INIT("x-request-id"), SLICE_INIT("none")}};
    static const struct slice removed[] = {SLICE_INIT("server")};
    static const struct forward_edits edits = {
        .set = set, .set_count = 2, .remove = removed, .remove_count = 1};
    struct forward_response response = usual(FORWARD_LENGTH, 0);

    (void)state;
    response.request_id = SLICE("id1");
    response.set_cookie = SLICE("a=b; Path=/");
    assert_slice(forwarded(BYTES(OK LINE("Set-Cookie: c=d") END), &response),
                 OK LINE("Set-Cookie: c=d") LINE("Date: today") LINE("X-Request-Id: id1")
                     LINE("Set-Cookie: a=b; Path=/") LINE("Content-Length: 0") END,
                 "added");
    assert_slice(
        forwarded(BYTES(OK LINE("X-Request-Id: theirs") LINE("Date: then") END), &response),
        OK LINE("X-Request-Id: theirs") LINE("Date: then") LINE("Set-Cookie: a=b; Path=/")
            LINE("Content-Length: 0") END,
        "there already");
    response.edits = &edits;
    response.set_cookie = SLICE("");
    assert_slice(forwarded(BYTES(OK LINE("Server: x") END), &response),
                 OK LINE("Content-Length: 0") LINE("date: never") LINE("x-request-id: none") END,
                 "edited");
}

static void test_the_end_of_the_connection_is_told(void **state)
{
    struct forward_response response = usual(FORWARD_LENGTH, 0);
    struct slice head = BYTES(OK LINE("Date: then") END);

    (void)state;
    response.to_http_10 = true;
    assert_slice(forwarded(head, &response),
                 OK LINE("Date: then") LINE("Content-Length: 0") LINE("Connection: keep-alive") END,
                 "1.0");
    response.closes = true;
    assert_slice(forwarded(head, &response),
                 OK LINE("Date: then") LINE("Content-Length: 0") LINE("Connection: close") END,
                 "1.0 closes");
}

static void test_101_carries_the_protocol(void **state)
{
    struct forward_response response = usual(FORWARD_NO_BODY, 0);

    (void)state;
    response.is_upgrade = true;
    assert_slice(forwarded(BYTES("HTTP/1.1 101 Switching Protocols\r\n" LINE("Upgrade: websocket")
                                     LINE("Connection: Upgrade") LINE("Sec-WebSocket-Accept: x")
                                         LINE("Date: then") LINE("Content-Length: 3") END),
                           &response),
                 "HTTP/1.1 101 Switching Protocols\r\n" LINE("Sec-WebSocket-Accept: x")
                     LINE("Date: then") LINE("Connection: upgrade") LINE("Upgrade: websocket") END,
                 "101");
}

static void test_interim_responses_have_no_framing(void **state)
{
    struct writer w = writer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(
        parse_response(&message,
                       BYTES("HTTP/1.1 103 Early Hints\r\n" LINE("Link: </a>; rel=preload") LINE(
                           "Content-Length: 5") LINE("Trailer: x") LINE("Connection: close") END)),
        0);
    forward_write_interim(&w, &message);
    assert_slice(writer_slice(&w),
                 "HTTP/1.1 103 Early Hints\r\n" LINE("Link: </a>; rel=preload") END, "103");
}

static void test_trailers_pass_but_for_fields_of_the_head(void **state)
{
    struct writer w = writer_over(memory, sizeof(memory));
    const char *why;

    (void)state;
    assert_int_equal(head_parse_trailers(&message,
                                         BYTES(LINE("grpc-status: 0") LINE("Set-Cookie: a=b")
                                                   LINE("X-Sum:  9 ") END),
                                         &test_limits, &why),
                     0);
    forward_write_trailers(&w, &message);
    assert_slice(writer_slice(&w), LINE("grpc-status: 0") LINE("X-Sum: 9"), "trailers");
}

static void test_a_head_that_does_not_fit_is_told(void **state)
{
    struct forward_response response = usual(FORWARD_LENGTH, UINT64_MAX);
    size_t whole;

    (void)state;
    response.closes = true;
    response.request_id = SLICE("id1");
    response.set_cookie = SLICE("a=b");
    whole = forwarded(BYTES(OK LINE("A: b") END), &response).len;
    for (size_t room = 0; room < whole; room++) {
        char *small = test_malloc(room + 1);
        struct writer w = writer_over(small, room);

        forward_write_response(&w, &message, &response);
        assert_true(w.overflow);
        test_free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_to_end_fields_pass_as_they_came),
        cmocka_unit_test(test_fields_of_this_hop_stay_here),
        cmocka_unit_test(test_a_message_without_body_keeps_only_what_it_may),
        cmocka_unit_test(test_what_is_added_stands_once),
        cmocka_unit_test(test_the_end_of_the_connection_is_told),
        cmocka_unit_test(test_101_carries_the_protocol),
        cmocka_unit_test(test_interim_responses_have_no_framing),
        cmocka_unit_test(test_trailers_pass_but_for_fields_of_the_head),
        cmocka_unit_test(test_a_head_that_does_not_fit_is_told),
    };

    return cmocka_run_group_tests_name("forward_response", tests, headers_ready, NULL);
}
