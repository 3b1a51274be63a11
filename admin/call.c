/*
 * call - see call.h.
 *
 * Owner    the listener.      Threads  control only
 */
#include "admin/call.h"

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
    call->tag = 0;
    buffer_fini(&call->body);
    buffer_fini(&call->reply.body);
    arena_free(&call->arena);
    xfree(call);
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
