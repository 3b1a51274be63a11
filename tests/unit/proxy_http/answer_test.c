/* answer: our own responses, in the form the client prefers. */
#include "proxy/http/answer.h"

#include "tests/unit/proxy_http/heads.h"

static char memory[65536];

static struct slice written(const struct answer *answer)
{
    struct writer w = writer_over(memory, sizeof(memory));

    answer_write(&w, answer);
    assert_false(w.overflow);
    return writer_slice(&w);
}

static void test_accept_decides_the_form(void **state)
{
    static const struct {
        const char *accept;
        enum answer_form form;
    } rows[] = {
        {"", ANSWER_TEXT},
        {"*/*", ANSWER_TEXT},
        {"text/plain", ANSWER_TEXT},
        {"text/html", ANSWER_HTML},
        {"TEXT/HTML", ANSWER_HTML},
        {"application/xhtml+xml", ANSWER_HTML},
        {"application/json", ANSWER_JSON},
        {"application/problem+json", ANSWER_JSON},
        {"application/*", ANSWER_JSON},
        {"text/*", ANSWER_TEXT},
        {"image/png", ANSWER_TEXT},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ANSWER_HTML},
        {"application/json, text/plain, */*", ANSWER_JSON},
        {"*/*, application/json", ANSWER_JSON},
        {"text/*, text/html", ANSWER_HTML},
        {"text/html;q=0.5, application/json;q=0.9", ANSWER_JSON},
        {"text/html;q=0.5, application/json;q=0.499", ANSWER_HTML},
        {"text/html;q=0.5, */*;q=0.8", ANSWER_TEXT},
        {"application/json;q=0.1, */*;q=0.2", ANSWER_TEXT},
        {"text/html;q=0", ANSWER_TEXT},
        {"text/html;q=0.000, application/json;q=0.001", ANSWER_JSON},
        {"application/json;q=1.000, text/html;q=0.999", ANSWER_JSON},
        {"text/html;level=1;q=0.4, application/json;Q=0.5", ANSWER_JSON},
        {"text/html ; q=0.4 , application/json ;q=0.3", ANSWER_HTML},
        {"text/html;q=2, application/json;q=0.1", ANSWER_JSON},
        {"text/html;q=x, application/json;q=0.1", ANSWER_JSON},
        {"text/html;q=, application/json", ANSWER_JSON},
        {"text/html;q=0.5x, application/json;q=0.1", ANSWER_JSON},
        {"text/html;q=1.1, application/json;q=0.1", ANSWER_JSON},
        {"text/html;q=0.1234, application/json;q=0.1", ANSWER_JSON},
        {",,;,text/html", ANSWER_HTML},
        {"text/htmlx, text", ANSWER_TEXT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (answer_form(slice_from(rows[i].accept)) != rows[i].form)
            fail_msg("%s: %d", rows[i].accept, answer_form(slice_from(rows[i].accept)));
    assert_int_equal(answer_form((struct slice){NULL, 0}), ANSWER_TEXT);
}

static void test_an_error_in_each_form(void **state)
{
    struct answer answer = {.status = 502,
                            .detail = SLICE("a <b> \"c\" & d\x01"),
                            .request_id = SLICE("id1"),
                            .date = SLICE("today")};

    (void)state;
    assert_slice(written(&answer),
                 LINE("HTTP/1.1 502 Bad Gateway") LINE("Date: today")
                     LINE("Content-Type: text/plain; charset=utf-8") LINE("Content-Length: 44")
                         LINE("Cache-Control: no-store") LINE("X-Request-Id: id1") END
                 "502 Bad Gateway: a <b> \"c\" & d\x01\nrequest id1\n",
                 "text");
    answer.form = ANSWER_JSON;
    answer.closes = true;
    assert_slice(written(&answer),
                 LINE("HTTP/1.1 502 Bad Gateway") LINE("Date: today")
                     LINE("Content-Type: application/problem+json") LINE("Content-Length: 110")
                         LINE("Cache-Control: no-store") LINE("X-Request-Id: id1")
                             LINE("Connection: close") END
                 "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,"
                 "\"detail\":\"a <b> \\\"c\\\" & d\\u0001\",\"request_id\":\"id1\"}\n",
                 "JSON");
    answer.form = ANSWER_HTML;
    written(&answer);
    assert_non_null(strstr(memory, "Content-Type: text/html; charset=utf-8\r\n"));
    assert_non_null(strstr(memory, "<p>a &lt;b&gt; &quot;c&quot; &amp; d"));
    assert_null(strstr(memory, "<b>"));
}

/* The length announced is the length of what stands behind the empty line. */
static void check_length(const struct answer *answer)
{
    struct slice all = written(answer);
    const char *body = (const char *)memmem(all.at, all.len, "\r\n\r\n", 4) + 4;
    const char *length = memmem(all.at, all.len, "Content-Length: ", 16);
    size_t body_bytes = all.len - (size_t)(body - all.at);

    if (answer->status == 204 || answer->status == 304) {
        assert_null(length);
        assert_int_equal(body_bytes, 0);
        return;
    }
    assert_non_null(length);
    if (answer->is_head)
        assert_int_equal(body_bytes, 0);
    else
        assert_int_equal(strtoul(length + 16, NULL, 10), body_bytes);
}

static void test_the_length_is_that_of_the_body(void **state)
{
    static char long_detail[6000];

    (void)state;
    memset(long_detail, '"', sizeof(long_detail));
    for (unsigned status = 200; status <= 599; status++)
        for (int form = ANSWER_TEXT; form <= ANSWER_JSON; form++)
            for (unsigned choice = 0; choice < 8; choice++) {
                struct answer answer = {.status = status,
                                        .form = (enum answer_form)form,
                                        .date = SLICE("today"),
                                        .is_head = choice & 1,
                                        .has_fixed_body = (choice & 2) != 0,
                                        .body = SLICE("hello")};

                if (choice & 4)
                    answer.detail = slice_of(long_detail, sizeof(long_detail));
                check_length(&answer);
            }
}

static void test_a_body_that_does_not_fit_is_still_whole(void **state)
{
    static char long_detail[6000];
    struct answer answer = {.status = 500, .form = ANSWER_JSON, .date = SLICE("today")};
    struct slice all;

    (void)state;
    memset(long_detail, 'a', sizeof(long_detail));
    answer.detail = slice_of(long_detail, sizeof(long_detail));
    all = written(&answer);
    assert_slice(slice_after(all, all.len - 3), "\"}\n", "JSON");
    answer.form = ANSWER_HTML;
    all = written(&answer);
    assert_slice(slice_after(all, all.len - 8), "</html>\n", "HTML");
    answer.form = ANSWER_TEXT;
    all = written(&answer);
    assert_slice(slice_after(all, all.len - 1), "\n", "text");
}

static void test_fields_stand_where_they_are_needed(void **state)
{
    struct answer answer = {.status = 503, .date = SLICE("today"), .retry_after_s = 30};

    (void)state;
    written(&answer);
    assert_non_null(strstr(memory, "\r\nRetry-After: 30\r\n"));
    answer = (struct answer){.status = 405, .date = SLICE("today"), .allow = SLICE("GET")};
    written(&answer);
    assert_non_null(strstr(memory, "\r\nAllow: GET\r\n"));
    answer = (struct answer){
        .status = 308, .date = SLICE("today"), .location = SLICE("https://a/"), .is_http_10 = true};
    written(&answer);
    assert_non_null(strstr(memory, "\r\nLocation: https://a/\r\n"));
    assert_non_null(strstr(memory, "\r\nConnection: keep-alive\r\n"));
}

static void test_a_fixed_answer_is_given_as_it_is(void **state)
{
    struct answer answer = {.status = 200,
                            .form = ANSWER_JSON,
                            .date = SLICE("today"),
                            .has_fixed_body = true,
                            .body = SLICE("hello"),
                            .content_type = SLICE("text/css")};

    (void)state;
    assert_slice(written(&answer),
                 LINE("HTTP/1.1 200 OK") LINE("Date: today") LINE("Content-Type: text/css")
                     LINE("Content-Length: 5") END "hello",
                 "with a type");
    answer.content_type = SLICE("");
    assert_slice(written(&answer),
                 LINE("HTTP/1.1 200 OK") LINE("Date: today")
                     LINE("Content-Type: text/plain; charset=utf-8") LINE("Content-Length: 5") END
                 "hello",
                 "without");
    answer.body = SLICE("");
    assert_slice(written(&answer),
                 LINE("HTTP/1.1 200 OK") LINE("Date: today") LINE("Content-Length: 0") END,
                 "empty");
    answer.is_head = true;
    answer.body = SLICE("hello");
    assert_slice(written(&answer),
                 LINE("HTTP/1.1 200 OK") LINE("Date: today")
                     LINE("Content-Type: text/plain; charset=utf-8") LINE("Content-Length: 5") END,
                 "HEAD");
}

static void test_a_grpc_call_is_told_in_its_own_way(void **state)
{
    static const struct {
        unsigned status;
        const char *grpc;
    } cases[] = {{400, "13"}, {401, "16"}, {403, "7"},  {404, "12"}, {429, "14"},
                 {502, "14"}, {503, "14"}, {504, "14"}, {500, "2"},  {431, "2"}};
    char room[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer answer = {
            .status = cases[i].status, .form = ANSWER_GRPC, .detail = SLICE("50 % \n more")};
        struct writer w = writer_over(room, sizeof(room) - 1);
        char expected[256];

        answer_write(&w, &answer);
        room[writer_length(&w)] = '\0';
        (void)snprintf(expected, sizeof(expected),
                       "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: %s\r\n"
                       "Grpc-Message: 50 %%25 %%0A more\r\nContent-Length: 0\r\n\r\n",
                       cases[i].grpc);
        assert_string_equal(room, expected);
    }
    assert_true(answer_is_grpc(SLICE("application/grpc")));
    assert_true(answer_is_grpc(SLICE("Application/gRPC+proto")));
    assert_true(answer_is_grpc(SLICE("application/grpc; a=b")));
    assert_false(answer_is_grpc(SLICE("application/grpc-web")));
    assert_false(answer_is_grpc(SLICE("application/json")));
    assert_false(answer_is_grpc(SLICE("")));
}

static void test_statuses_have_names(void **state)
{
    static const unsigned statuses[] = {100, 200, 206, 301, 308, 400, 404, 406, 409, 411, 415,
                                        418, 422, 426, 429, 431, 451, 500, 503, 507, 511};

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        assert_string_not_equal(answer_status_name(statuses[i]), "Unknown");
    assert_string_equal(answer_status_name(599), "Unknown");
    assert_string_equal(answer_status_name(502), "Bad Gateway");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_decides_the_form),
        cmocka_unit_test(test_an_error_in_each_form),
        cmocka_unit_test(test_the_length_is_that_of_the_body),
        cmocka_unit_test(test_a_body_that_does_not_fit_is_still_whole),
        cmocka_unit_test(test_fields_stand_where_they_are_needed),
        cmocka_unit_test(test_a_fixed_answer_is_given_as_it_is),
        cmocka_unit_test(test_a_grpc_call_is_told_in_its_own_way),
        cmocka_unit_test(test_statuses_have_names),
    };

    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
