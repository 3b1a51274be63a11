/*
 * reply - see reply.h.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/reply.h"

#include <math.h>

#include "admin/call.h"
#include "admin/repeat.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"

const char reply_json_type[] = "application/json";
const char reply_text_type[] = "text/plain; charset=utf-8";

void reply_header(struct call *call, const char *name, const char *value)
{
    struct reply *reply = &call->reply;

    CHECK(reply->header_count < REPLY_HEADERS);
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count].value = value;
    reply->header_count++;
}

void reply_written(struct call *call, unsigned status, const char *content_type)
{
    CHECK_OBJ(call, CALL_TAG);
    CHECK(!call->reply.is_ready);
    call->reply.is_ready = true;
    call->reply.status = status;
    call->reply.content_type = content_type;
    call->on_gone = NULL;
    repeat_answered(call);
    if (call->on_answer != NULL)
        call->on_answer(call);
}

void reply_stream(struct call *call, const char *content_type, void (*refill)(struct call *call))
{
    void (*on_gone)(struct call *) = call->on_gone;

    call->reply.refill = refill;
    reply_written(call, 200, content_type);
    call->on_gone = on_gone;
}

void reply_more(struct call *call)
{
    CHECK(call->reply.refill != NULL);
    if (call->on_answer != NULL)
        call->on_answer(call);
}

void reply_end(struct call *call)
{
    call->reply.has_ended = true;
    reply_more(call);
}

static int append_json(const char *bytes, size_t count, void *body)
{
    buffer_append(body, bytes, count);
    return 0;
}

void reply_json(struct call *call, unsigned status, json_t *json)
{
    const char *type = reply_json_type;

    CHECK(json != NULL);
    if (json_object_get(json, "type") != NULL && status >= 400)
        type = "application/problem+json";
    CHECK(json_dump_callback(json, append_json, &call->reply.body,
                             JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0);
    json_decref(json);
    buffer_append_literal(&call->reply.body, "\n");
    reply_written(call, status, type);
}

void reply_text(struct call *call, unsigned status, const char *text)
{
    buffer_append_slice(&call->reply.body, slice_from(text));
    reply_written(call, status, reply_text_type);
}

static bool names_tag(struct slice list, struct slice quoted)
{
    struct slice element;

    while (slice_next_element(&list, &element)) {
        if (slice_equal(element, SLICE("*")))
            return true;
        if (slice_starts_with(element, SLICE("W/")))
            element = slice_after(element, 2);
        if (slice_equal(element, quoted))
            return true;
    }
    return false;
}

bool reply_if_unchanged(struct call *call, const char *etag)
{
    const char *quoted = arena_printf(call->arena, "\"%s\"", etag);

    reply_header(call, "ETag", quoted);
    if (!names_tag(call->if_none_match, slice_from(quoted)))
        return false;
    reply_written(call, 304, NULL);
    return true;
}

json_t *reply_string(struct slice text)
{
    json_t *string = json_stringn(text.at != NULL ? text.at : "", text.len);

    if (string != NULL)
        return string;
    char *ascii = xmalloc(text.len + 1);
    for (size_t i = 0; i < text.len; i++)
        ascii[i] = (unsigned char)text.at[i] < 0x80 ? text.at[i] : '?';
    string = json_stringn(ascii, text.len);
    xfree(ascii);
    return string;
}

json_t *reply_string_or_null(const char *text)
{
    return text != NULL ? reply_string(slice_from(text)) : json_null();
}

json_t *reply_number(double value)
{
    double rounded = round(value * 1000.0) / 1000.0;

    if (!isfinite(rounded))
        return json_null();
    if (rounded == floor(rounded) && fabs(rounded) < 1e15)
        return json_integer((json_int_t)rounded);
    return json_real(rounded);
}

json_t *reply_time(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms != 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}
