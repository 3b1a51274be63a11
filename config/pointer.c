/*
 * pointer - the way from the root of a document to a value (RFC 6901).
 *
 * Owner    whoever called pointer_init()      Threads  one at a time
 */
#include "config/pointer.h"

#include "base/check.h"

void pointer_init(struct pointer *pointer)
{
    pointer->depth = 0;
    buffer_init(&pointer->text);
}

void pointer_fini(struct pointer *pointer)
{
    buffer_fini(&pointer->text);
}

void pointer_push(struct pointer *pointer, const char *name)
{
    CHECK(pointer->depth < POINTER_MAX_STEPS);
    pointer->steps[pointer->depth++].name = name;
}

void pointer_push_index(struct pointer *pointer, size_t index)
{
    pointer_push(pointer, NULL);
    pointer->steps[pointer->depth - 1].index = index;
}

void pointer_pop(struct pointer *pointer)
{
    CHECK(pointer->depth > 0);
    pointer->depth--;
}

static void append_escaped(struct buffer *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '~')
            buffer_append_literal(out, "~0");
        else if (*name == '/')
            buffer_append_literal(out, "~1");
        else
            buffer_append(out, name, 1);
    }
}

const char *pointer_text(struct pointer *pointer)
{
    buffer_clear(&pointer->text);
    for (size_t i = 0; i < pointer->depth; i++) {
        buffer_append_literal(&pointer->text, "/");
        if (pointer->steps[i].name != NULL)
            append_escaped(&pointer->text, pointer->steps[i].name);
        else
            buffer_append_u64(&pointer->text, pointer->steps[i].index);
    }
    return buffer_text(&pointer->text);
}
