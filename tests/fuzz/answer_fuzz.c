/*
 * answer_fuzz - any line as Accept, and what follows it as the reason of an answer.
 *
 * Threads  the first
 * Invariant  An answer is a response of the length that it announces; in JSON it is JSON, and
 *            in HTML no tag comes from the reason.
 */
#include "proxy/http/answer.h"

#include <jansson.h>

#include "tests/fuzz/heads.h"

static void check_html(struct slice body)
{
    unsigned tags = 0;

    for (size_t i = 0; i < body.len; i++)
        tags += body.at[i] == '<';
    CHECK(tags == 14);
}

static void check_body(const struct answer *answer, struct slice body)
{
    json_t *json;

    if (answer->form == ANSWER_JSON) {
        json = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        CHECK(json_is_object(json));
        CHECK((unsigned)json_integer_value(json_object_get(json, "status")) == answer->status);
        json_decref(json);
    } else if (answer->form == ANSWER_HTML) {
        check_html(body);
    }
}

static void write_and_check(const struct answer *answer)
{
    static char out[16384];
    static struct message message;
    struct writer w = writer_over(out, sizeof(out));
    struct slice all;
    const char *why;
    size_t head_bytes = 0;

    answer_write(&w, answer);
    CHECK(!w.overflow);
    all = writer_slice(&w);
    CHECK(head_search(all, &head_bytes, &written_limits) == HEAD_FOUND);
    check_written(slice_of(all.at, head_bytes));
    CHECK(head_parse_response(&message, slice_of(all.at, head_bytes), &written_limits, &why) == 0);
    CHECK(message.status == answer->status);
    CHECK(message.content_length == all.len - head_bytes);
    check_body(answer, slice_after(all, head_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t line = newline == NULL ? size : (size_t)(newline - data);
    struct slice accept = exact_copy(slice_of((const char *)data, line));
    struct answer answer = {.status = 400,
                            .form = answer_form(accept),
                            .detail = SLICE("a reason"),
                            .request_id = SLICE("0123456789"),
                            .date = SLICE("Sun, 22 Nov 2026 12:00:00 GMT")};

    headers_init();
    if (newline != NULL && line + 1 < size)
        answer.detail = slice_of((const char *)newline + 1, size - line - 1);
    for (int form = ANSWER_TEXT; form <= ANSWER_JSON; form++) {
        write_and_check(&answer);
        answer.form = (enum answer_form)form;
    }
    exact_free(accept);
    return 0;
}
