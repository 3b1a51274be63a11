/*
 * call - see call.h.
 *
 * Owner    the listener.      Threads  control only
 */
#include "admin/call.h"

#include "admin/repeat.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"

struct call *call_new(struct admin *admin, struct slice target)
{
    struct call *call = xcalloc(1, sizeof(*call));

    call->tag = CALL_TAG;
    call->admin = admin;
    call->arena = arena_new(4096);
    call->target = arena_slice(call->arena, target);
    call->peer = "unknown";
    call->uid = -1;
    call->actor = (struct actor){
        .person = "local", .principal = "none", .auth = "none", .source = "", .uid = -1};
    list_init(&call->wait_link);
    list_init(&call->repeat_link);
    buffer_init(&call->body);
    buffer_init(&call->reply.body);
    return call;
}

void call_free(struct call **holder)
{
    struct call *call = TAKE_POINTER(holder);

    CHECK_OBJ(call, CALL_TAG);
    if (call->on_gone != NULL)
        call->on_gone(call);
    repeat_forget(call);
    list_remove(&call->wait_link);
    call->tag = 0;
    buffer_fini(&call->body);
    buffer_fini(&call->reply.body);
    arena_free(&call->arena);
    xfree(call);
}

void call_leave(struct call **holder)
{
    struct call *call = TAKE_POINTER(holder);

    CHECK_OBJ(call, CALL_TAG);
    call->on_answer = NULL;
    call->listener_part = NULL;
    if (!repeat_keeps(call))
        call_free(&call);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What is no escape, or stands for NUL, is left as it is: no name has a per cent sign. */
struct slice call_decoded(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = text.at[i] == '%' && i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
        if (low >= 0 && high + low > 0) {
            out[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[len++] = text.at[i];
        }
    }
    return slice_of(out, len);
}

bool call_next_parameter(struct slice *rest, struct slice *name_out, struct slice *value_out)
{
    while (rest->len > 0) {
        const char *and_sign = memchr(rest->at, '&', rest->len);
        struct slice pair =
            slice_of(rest->at, and_sign != NULL ? (size_t)(and_sign - rest->at) : rest->len);
        const char *equals = pair.len > 0 ? memchr(pair.at, '=', pair.len) : NULL;
        size_t name_len = equals != NULL ? (size_t)(equals - pair.at) : pair.len;

        *rest = slice_after(*rest, and_sign != NULL ? pair.len + 1 : pair.len);
        if (pair.len == 0)
            continue;
        *name_out = slice_of(pair.at, name_len);
        *value_out = equals != NULL ? slice_after(pair, name_len + 1) : slice_of("", 0);
        return true;
    }
    return false;
}

bool call_parameter(const struct call *call, const char *name, struct slice *value_out)
{
    struct slice rest = call->query, key, value;

    while (call_next_parameter(&rest, &key, &value)) {
        if (!slice_equal(key, slice_from(name)))
            continue;
        *value_out = call_decoded(call->arena, value);
        return true;
    }
    return false;
}

/* In thousandths; an element without q counts 1000 (RFC 9110 §12.4.2). */
static unsigned quality_of(struct slice parameters)
{
    for (size_t i = 0; i + 1 < parameters.len; i++) {
        if (ascii_lower(parameters.at[i]) != 'q' || parameters.at[i + 1] != '=')
            continue;
        if (i > 0 && parameters.at[i - 1] != ';' && parameters.at[i - 1] != ' ')
            continue;
        struct slice value = slice_after(parameters, i + 2);
        unsigned quality = 0, scale = 1000;
        for (size_t j = 0; j < value.len && j < 5; j++) {
            if (value.at[j] >= '0' && value.at[j] <= '9') {
                quality += (unsigned)(value.at[j] - '0') * scale;
                scale /= 10;
            } else if (value.at[j] != '.') {
                break;
            }
        }
        return quality;
    }
    return 1000;
}

bool call_wants_text(const struct call *call)
{
    struct slice rest = call->accept, element;
    unsigned text = 0, json = 0;

    while (slice_next_element(&rest, &element)) {
        const char *semicolon = element.len > 0 ? memchr(element.at, ';', element.len) : NULL;
        size_t type_len = semicolon != NULL ? (size_t)(semicolon - element.at) : element.len;
        struct slice type = slice_trim(slice_of(element.at, type_len));
        unsigned quality = quality_of(slice_after(element, type_len));

        if (slice_equal_nocase(type, SLICE("text/plain")))
            text = quality;
        else if (slice_equal_nocase(type, SLICE("application/json")))
            json = quality;
    }
    return text > 0 && text >= json;
}
