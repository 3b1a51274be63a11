/*
 * Answers: which form the caller prefers, what he has already, and texts that are no UTF-8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/call.h"
#include "admin/reply.h"

static void text_is_given_to_those_who_prefer_it(void **state)
{
    static const struct {
        const char *accept;
        bool wants_text;
    } rows[] = {
        {"", false},
        {"*/*", false},
        {"text/plain", true},
        {"TEXT/PLAIN", true},
        {"text/plain; charset=utf-8", true},
        {"application/json", false},
        {"text/plain, application/json", true},
        {"application/json, text/plain;q=0.5", false},
        {"application/json;q=0.5, text/plain;q=0.9", true},
        {"text/plain;q=0", false},
        {"text/plain;q=0.001", true},
        {"text/html,application/xhtml+xml,*/*;q=0.8", false},
        {",,;;,text/plain", true},
        {"text/plain;q", true},
        {"text/plain;q=", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call *call = call_new(NULL, SLICE("/"));
        call->accept = slice_from(rows[i].accept);
        if (call_wants_text(call) != rows[i].wants_text)
            fail_msg("Accept: %s", rows[i].accept);
        call_free(&call);
    }
}

static unsigned status_for(const char *if_none_match)
{
    struct call *call = call_new(NULL, SLICE("/"));
    unsigned status;

    call->if_none_match = slice_from(if_none_match);
    if (!reply_if_unchanged(call, "sha256:ab"))
        reply_text(call, 200, "new");
    status = call->reply.status;
    assert_string_equal(call->reply.headers[0].name, "ETag");
    assert_string_equal(call->reply.headers[0].value, "\"sha256:ab\"");
    call_free(&call);
    return status;
}

static void who_has_the_version_already_gets_304(void **state)
{
    (void)state;
    assert_int_equal(status_for(""), 200);
    assert_int_equal(status_for("\"sha256:ab\""), 304);
    assert_int_equal(status_for("\"x\", \"sha256:ab\""), 304);
    assert_int_equal(status_for("W/\"sha256:ab\""), 304);
    assert_int_equal(status_for("*"), 304);
    assert_int_equal(status_for("\"sha256:cd\""), 200);
    assert_int_equal(status_for("sha256:ab"), 200);
}

static void text_that_is_no_utf8_comes_out_with_question_marks(void **state)
{
    json_t *string = reply_string(SLICE("a\xff"
                                        "b\xc3"));

    (void)state;
    assert_string_equal(json_string_value(string), "a?b?");
    json_decref(string);
}

static void numbers_have_three_decimals_at_most(void **state)
{
    json_t *whole = reply_number(25.0), *part = reply_number(25.12345),
           *odd = reply_number(1e300 * 1e300);

    (void)state;
    assert_true(json_is_integer(whole));
    assert_int_equal(json_integer_value(whole), 25);
    assert_true(json_real_value(part) == 25.123);
    assert_true(json_is_null(odd));
    json_decref(whole);
    json_decref(part);
    json_decref(odd);
}

static void on_gone(struct call *call)
{
    (*(int *)call->handler_part)++;
}

static void who_answers_late_hears_that_the_caller_left(void **state)
{
    int heard = 0;
    struct call *call = call_new(NULL, SLICE("/"));

    (void)state;
    call->on_gone = on_gone;
    call->handler_part = &heard;
    call_free(&call);
    assert_int_equal(heard, 1);

    call = call_new(NULL, SLICE("/"));
    call->on_gone = on_gone;
    call->handler_part = &heard;
    reply_text(call, 200, "");
    call_free(&call);
    assert_int_equal(heard, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_given_to_those_who_prefer_it),
        cmocka_unit_test(who_has_the_version_already_gets_304),
        cmocka_unit_test(text_that_is_no_utf8_comes_out_with_question_marks),
        cmocka_unit_test(numbers_have_three_decimals_at_most),
        cmocka_unit_test(who_answers_late_hears_that_the_caller_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
