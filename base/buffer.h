/*
 * buffer - growable bytes: appended at the end, consumed at the front.
 *
 * Whoever lets a peer fill one bounds it first; the buffer itself only grows.
 *
 * Owner    the struct it is embedded in.      Threads  the owner's
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buffer {
    char *data;
    uint32_t start;
    uint32_t end;
    uint32_t room;
};

void buffer_init(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

/* At least `bytes` of free room at the end; returns where to write. */
char *buffer_reserve(struct buffer *buffer, size_t bytes);
void buffer_append(struct buffer *buffer, const void *bytes, size_t count);
void buffer_append_u64(struct buffer *buffer, uint64_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A NUL behind the content that the length does not count. */
const char *buffer_text(struct buffer *buffer);

static inline void buffer_append_slice(struct buffer *buffer, struct slice text)
{
    buffer_append(buffer, text.at, text.len);
}

#define buffer_append_literal(buffer, literal)                                                     \
    buffer_append((buffer), (literal), sizeof(literal) - 1)

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    if (buffer->data == NULL) /* C knows no NULL + 0 */
        return slice_of("", 0);
    return slice_of(buffer->data + buffer->start, buffer_length(buffer));
}

static inline void buffer_consume(struct buffer *buffer, size_t count)
{
    buffer->start += (uint32_t)count;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

/* Empty, its memory kept. */
static inline void buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
}

/* Empty, its memory given back when it has grown past `keep` bytes. */
void buffer_reset(struct buffer *buffer, size_t keep);

#endif
