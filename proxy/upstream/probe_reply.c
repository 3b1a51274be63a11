/*
 * probe_reply - what the bytes of an answer to a health check say; pure.
 *
 * Read from the beginning at each call: an answer is a few reads long, and nothing needs keeping.
 *
 * Owner    nobody (values).      Threads  any
 */
#include "proxy/upstream/probe_reply.h"

#include "base/buffer.h"
#include "config/model.h"

static const char why_not_http[] = "the answer is not HTTP/1.x";
static const char why_head_large[] = "the head of the answer is larger than 16 KiB";
static const char why_cut[] = "connection closed before an answer";
static const char why_status[] = "the status is not the expected one";
static const char why_body[] = "the body lacks the expected text";

static struct reply more(void)
{
    return (struct reply){.verdict = REPLY_MORE};
}

static struct reply failed(unsigned status, const char *why)
{
    return (struct reply){.verdict = REPLY_FAILED, .status = status, .why = why};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.x NNN", then a space or the end of the line; false also while it is incomplete. */
static bool read_status(struct slice line, unsigned *status_out)
{
    const char *at = line.at;

    if (line.len < 12 || !slice_starts_with(line, SLICE("HTTP/1.")) || !is_digit(at[7]) ||
        at[8] != ' ' || (line.len > 12 && at[12] != ' '))
        return false;
    if (at[9] < '1' || at[9] > '9' || !is_digit(at[10]) || !is_digit(at[11]))
        return false;
    *status_out =
        (unsigned)(at[9] - '0') * 100 + (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
    return true;
}

static bool find(struct slice text, struct slice what, size_t *at_out)
{
    const char *at = text.len > 0 ? memmem(text.at, text.len, what.at, what.len) : NULL;

    if (at == NULL)
        return false;
    *at_out = (size_t)(at - text.at);
    return true;
}

/* The value of a field in the head (without the last CRLF), trimmed. */
static bool find_field(struct slice head, struct slice name, struct slice *value_out)
{
    size_t end;

    while (find(head, SLICE("\r\n"), &end)) {
        struct slice line;
        size_t colon;

        head = slice_after(head, end + 2);
        line = slice_of(head.at, find(head, SLICE("\r\n"), &end) ? end : head.len);
        if (find(line, SLICE(":"), &colon) && slice_equal_nocase(slice_of(line.at, colon), name)) {
            *value_out = slice_trim(slice_after(line, colon + 1));
            return true;
        }
    }
    return false;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the content of chunks off `raw`; true when the last one was seen, or nothing sensible
 * follows. */
static bool unchunk(struct slice raw, struct buffer *body)
{
    size_t line;

    while (find(raw, SLICE("\r\n"), &line)) {
        size_t size = 0;
        size_t digits = 0;

        for (; digits < line && digits < 8 && hex_value(raw.at[digits]) >= 0; digits++)
            size = size * 16 + (size_t)hex_value(raw.at[digits]);
        if (digits == 0 || size == 0)
            return true;
        raw = slice_after(raw, line + 2);
        buffer_append(body, raw.at, size < raw.len ? size : raw.len);
        if (raw.len < size + 2)
            return false;
        raw = slice_after(raw, size + 2);
    }
    return false;
}

/* Fills `body` with what came of it; true when no more belongs to it. */
static bool collect_body(struct slice head, struct slice raw, struct buffer *body)
{
    struct slice value;
    uint64_t length;

    if (find_field(head, SLICE("transfer-encoding"), &value))
        return unchunk(raw, body);
    buffer_append_slice(body, raw);
    return find_field(head, SLICE("content-length"), &value) && slice_to_u64(value, &length) &&
           raw.len >= length;
}

static struct reply judge_body(struct slice head, struct slice raw, bool is_end, unsigned status,
                               const char *expected)
{
    struct buffer body;
    struct slice looked_at;
    struct reply reply = {.verdict = REPLY_MORE, .status = status};
    bool is_whole;
    size_t at;

    buffer_init(&body);
    is_whole = collect_body(head, raw, &body) || is_end;
    looked_at = buffer_slice(&body);
    if (looked_at.len >= REPLY_BODY_BYTES) {
        looked_at.len = REPLY_BODY_BYTES;
        is_whole = true;
    }
    if (find(looked_at, slice_from(expected), &at))
        reply.verdict = REPLY_PASSED;
    else if (is_whole)
        reply = failed(status, why_body);
    buffer_fini(&body);
    return reply;
}

static bool is_expected(const struct conf_health_check *check, unsigned status)
{
    for (size_t i = 0; i < check->expect_status_count; i++)
        if (status >= check->expect_status[i].from && status <= check->expect_status[i].to)
            return true;
    return false;
}

/* What came so far cannot become HTTP any more. */
static bool is_foreign(struct slice bytes)
{
    struct slice begin = SLICE("HTTP/1.");

    return !slice_starts_with(slice_of(begin.at, begin.len),
                              slice_of(bytes.at, bytes.len < begin.len ? bytes.len : begin.len));
}

struct reply reply_judge(struct slice bytes, bool is_end, const struct conf_health_check *check)
{
    for (;;) {
        unsigned status = 0;
        size_t line, end;
        struct slice head;

        if (bytes.len > 0 && is_foreign(bytes))
            return failed(0, why_not_http);
        if (find(bytes, SLICE("\r\n"), &line) && !read_status(slice_of(bytes.at, line), &status))
            return failed(0, why_not_http);
        if (!find(bytes, SLICE("\r\n\r\n"), &end)) {
            if (bytes.len > REPLY_HEAD_BYTES)
                return failed(status, why_head_large);
            return is_end ? failed(status, why_cut) : more();
        }
        head = slice_of(bytes.at, end);
        bytes = slice_after(bytes, end + 4);
        if (status >= 100 && status < 200 && status != 101)
            continue;
        if (!is_expected(check, status))
            return failed(status, why_status);
        if (check->expect_body == NULL)
            return (struct reply){.verdict = REPLY_PASSED, .status = status};
        return judge_body(head, bytes, is_end, status, check->expect_body);
    }
}
