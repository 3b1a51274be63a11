/* grpc_health: two small messages, encoded and decoded by hand. */
#include "proxy/upstream/grpc_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_question(struct slice service, struct slice expected)
{
    struct buffer out;

    buffer_init(&out);
    grpc_health_ask(&out, service);
    assert_int_equal(buffer_length(&out), expected.len);
    assert_memory_equal(buffer_slice(&out).at, expected.at, expected.len);
    buffer_fini(&out);
}

static void the_question_names_the_service_or_none(void **state)
{
    char service[201];
    char expected[5 + 3 + 200] = "\0\0\0\0\xcb\x0a\xc8\x01";

    (void)state;
    check_question(SLICE(""), slice_of("\0\0\0\0\0", 5));
    check_question(SLICE("a.B"), slice_of("\0\0\0\0\5\x0a\3a.B", 10));
    memset(service, 's', 200);
    memset(expected + 8, 's', 200);
    check_question(slice_of(service, 200), slice_of(expected, sizeof(expected)));
}

static void an_answer_says_serving_or_why_not(void **state)
{
    static const struct {
        unsigned status;
        const char *grpc_status;
        const char *body;
        size_t bytes;
        const char *why; /* NULL: it passes */
    } cases[] = {
        {200, "0", "\0\0\0\0\2\x08\1", 7, NULL},
        {200, "0", "\0\0\0\0\2\x08\2", 7, "NOT_SERVING"},
        {200, "0", "\0\0\0\0\2\x08\3", 7, "SERVICE_UNKNOWN"},
        {200, "0", "\0\0\0\0\0", 5, "UNKNOWN"},
        {200, "0", "\0\0\0\0\2\x08\x09", 7, "UNKNOWN"},
        /* unknown fields of each wire type are left out */
        {200, "0", "\0\0\0\0\x17\x10\x96\1\x1a\2ab\x21xxxxxxxx\x2dyyyy\x08\1", 28, NULL},
        {200, "12", "", 0, "UNIMPLEMENTED"},
        {200, "5", "", 0, "NOT_FOUND"},
        {200, "14", "", 0, "UNAVAILABLE"},
        {200, "2", "", 0, "grpc-status"},
        {200, "", "\0\0\0\0\2\x08\1", 7, "no grpc-status"},
        {404, "", "", 0, "not 200"},
        {200, "0", "", 0, "cannot be decoded"},
        {200, "0", "\1\0\0\0\2\x08\1", 7, "cannot be decoded"}, /* compressed */
        {200, "0", "\0\0\0\0\3\x08\1", 7, "cannot be decoded"},
        {200, "0", "\0\0\0\0\1\x08", 6, "cannot be decoded"},
        {200, "0", "\0\0\0\0\2\x08\x80", 7, "cannot be decoded"},
        {200, "0", "\0\0\0\0\2\x1a\x09", 7, "cannot be decoded"},
        {200, "0", "\0\0\0\0\2\x0b\x09", 7, "cannot be decoded"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = grpc_health_judge(cases[i].status, slice_from(cases[i].grpc_status),
                                               slice_of(cases[i].body, cases[i].bytes));

        if (cases[i].why == NULL) {
            assert_int_equal(reply.verdict, REPLY_PASSED);
            continue;
        }
        assert_int_equal(reply.verdict, REPLY_FAILED);
        assert_non_null(strstr(reply.why, cases[i].why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question_names_the_service_or_none),
        cmocka_unit_test(an_answer_says_serving_or_why_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
