/* probe_reply: answers to health checks, whole, in pieces, and wrong. */
#include "proxy/upstream/probe_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/model.h"

static struct conf_status_range good = {200, 399};

static struct conf_health_check check_for(const char *body)
{
    return (struct conf_health_check){
        .expect_status = &good, .expect_status_count = 1, .expect_body = body};
}

struct row {
    const char *bytes;
    const char *body; /* expected */
    bool is_end;
    enum reply_verdict verdict;
    unsigned status;
};

static const struct row rows[] = {
    {"", NULL, false, REPLY_MORE, 0},
    {"", NULL, true, REPLY_FAILED, 0},
    {"HTT", NULL, false, REPLY_MORE, 0},
    {"HTTP/1.1 200 OK\r\n", NULL, false, REPLY_MORE, 0},
    {"HTTP/1.1 200 OK\r\n\r\n", NULL, false, REPLY_PASSED, 200},
    {"HTTP/1.0 204\r\n\r\n", NULL, false, REPLY_PASSED, 204},
    {"HTTP/1.1 399 Odd\r\nA: b\r\n\r\n", NULL, false, REPLY_PASSED, 399},
    {"HTTP/1.1 400 Bad\r\n\r\n", NULL, false, REPLY_FAILED, 400},
    {"HTTP/1.1 503 No\r\n\r\n", NULL, false, REPLY_FAILED, 503},
    {"HTTP/1.1 200 OK\r\nX: y\r\n", NULL, true, REPLY_FAILED, 200},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", NULL, false, REPLY_PASSED, 200},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", NULL, false, REPLY_MORE, 0},
    {"HTTP/1.1 101 Up\r\n\r\n", NULL, false, REPLY_FAILED, 101},
    {"HTTP/2 200\r\n\r\n", NULL, false, REPLY_FAILED, 0},
    {"HTTP/1.1 2000 OK\r\n\r\n", NULL, false, REPLY_FAILED, 0},
    {"HTTP/1.1 2x0 OK\r\n\r\n", NULL, false, REPLY_FAILED, 0},
    {"HTTP/1.1 099 OK\r\n\r\n", NULL, false, REPLY_FAILED, 0},
    {"HTTP/1.1  200 OK\r\n\r\n", NULL, false, REPLY_FAILED, 0},
    {"http/1.1 200 OK\r\n\r\n", NULL, false, REPLY_FAILED, 0},
    {"SSH-2.0-x\r\n", NULL, false, REPLY_FAILED, 0},
    {"HTTP/1.1 200 OK\n\n", NULL, false, REPLY_MORE, 0},
    {"HTTP/1.1 200 OK\n\n", NULL, true, REPLY_FAILED, 0},
    /* bodies */
    {"HTTP/1.1 200 OK\r\n\r\nall is ok", "ok", false, REPLY_PASSED, 200},
    {"HTTP/1.1 200 OK\r\n\r\nall is o", "ok", false, REPLY_MORE, 200},
    {"HTTP/1.1 200 OK\r\n\r\nall is o", "ok", true, REPLY_FAILED, 200},
    {"HTTP/1.1 200 ok\r\nX: ok\r\n\r\n", "ok", true, REPLY_FAILED, 200},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope", "ok", false, REPLY_FAILED, 200},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnope", "ok", false, REPLY_MORE, 200},
    {"HTTP/1.1 503 No\r\n\r\nok", "ok", true, REPLY_FAILED, 503},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", "ok",
     false, REPLY_PASSED, 200},
    {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "ok", false,
     REPLY_FAILED, 200},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", "ok", false, REPLY_MORE,
     200},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nis ok", "ok", false,
     REPLY_PASSED, 200},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok", "ok", false, REPLY_FAILED,
     200},
};

static void each_answer_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct conf_health_check check = check_for(rows[i].body);
        struct reply reply = reply_judge(slice_from(rows[i].bytes), rows[i].is_end, &check);

        if (reply.verdict != rows[i].verdict ||
            (reply.verdict != REPLY_MORE && reply.status != rows[i].status))
            fail_msg("row %zu: %s: verdict %d status %u", i, rows[i].bytes, (int)reply.verdict,
                     reply.status);
        assert_true((reply.verdict == REPLY_FAILED) == (reply.why != NULL));
    }
}

static void no_prefix_of_a_good_answer_fails(void **state)
{
    const char whole[] = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nServer: x\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n5\r\nit is\r\n3\r\n ok\r\n0\r\n\r\n";
    struct conf_health_check check = check_for("is ok");

    (void)state;
    for (size_t i = 0; i < sizeof(whole) - 1; i++)
        assert_int_not_equal(reply_judge(slice_of(whole, i), false, &check).verdict, REPLY_FAILED);
    assert_int_equal(reply_judge(slice_from(whole), false, &check).verdict, REPLY_PASSED);
}

static void text_behind_sixteen_kibibytes_does_not_count(void **state)
{
    struct conf_health_check check = check_for("ok");
    size_t size = 40000;
    char *bytes = malloc(size);
    int head = snprintf(bytes, size, "HTTP/1.1 200 OK\r\n\r\n");

    (void)state;
    memset(bytes + head, 'x', size - (size_t)head);
    memcpy(bytes + head + REPLY_BODY_BYTES - 2, "ok", 2);
    assert_int_equal(reply_judge(slice_of(bytes, size), false, &check).verdict, REPLY_PASSED);
    memcpy(bytes + head + REPLY_BODY_BYTES - 2, "xok", 3);
    assert_int_equal(reply_judge(slice_of(bytes, size), false, &check).verdict, REPLY_FAILED);
    free(bytes);
}

static void a_head_without_end_fails(void **state)
{
    struct conf_health_check check = check_for(NULL);
    size_t size = REPLY_HEAD_BYTES + 100;
    char *bytes = malloc(size);
    int head = snprintf(bytes, size, "HTTP/1.1 200 OK\r\nX: ");

    (void)state;
    memset(bytes + head, 'x', size - (size_t)head);
    assert_int_equal(reply_judge(slice_of(bytes, size), false, &check).verdict, REPLY_FAILED);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_is_judged),
        cmocka_unit_test(no_prefix_of_a_good_answer_fails),
        cmocka_unit_test(text_behind_sixteen_kibibytes_does_not_count),
        cmocka_unit_test(a_head_without_end_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
