/*
 * buffer - growable bytes.
 *
 * Owner    the struct it is embedded in.      Threads  the owner's
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

enum { BUFFER_MIN = 512 };

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void buffer_fini(struct buffer *buffer)
{
    xfree(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_reset(struct buffer *buffer, size_t keep)
{
    if (buffer->room > keep)
        buffer_fini(buffer);
    buffer_clear(buffer);
}

static void grow(struct buffer *buffer, size_t need)
{
    size_t room = buffer->room > 0 ? buffer->room : BUFFER_MIN;

    while (room < need)
        room *= 2;
    CHECK(room <= UINT32_MAX);
    buffer->data = xrealloc(buffer->data, room);
    buffer->room = (uint32_t)room;
}

char *buffer_reserve(struct buffer *buffer, size_t bytes)
{
    size_t length = buffer_length(buffer);

    if (buffer->room - buffer->end < bytes) {
        if (buffer->start > 0) {
            memmove(buffer->data, buffer->data + buffer->start, length);
            buffer->start = 0;
            buffer->end = (uint32_t)length;
        }
        if (buffer->room - buffer->end < bytes)
            grow(buffer, length + bytes);
    }
    return buffer->data + buffer->end;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    memcpy(buffer_reserve(buffer, count), bytes, count);
    buffer->end += (uint32_t)count;
}

void buffer_append_u64(struct buffer *buffer, uint64_t value)
{
    char digits[SLICE_DIGITS];

    buffer_append_slice(buffer, slice_of_u64(value, digits));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_list again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    vsnprintf(buffer_reserve(buffer, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    buffer->end += (uint32_t)len;
}

const char *buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = '\0';
    return buffer->data + buffer->start;
}
