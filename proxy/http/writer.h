/*
 * writer - bytes into memory of fixed size; too much is remembered, never written.
 *
 * The caller checks `overflow` once, at the end.
 *
 * Owner    the caller; usually lives on the stack.      Threads  one at a time
 */
#ifndef PROXY_HTTP_WRITER_H
#define PROXY_HTTP_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct writer {
    char *start;
    char *at;
    char *end;
    bool overflow;
};

static inline struct writer writer_over(char *memory, size_t bytes)
{
    return (struct writer){memory, memory, memory + bytes, false};
}

static inline size_t writer_length(const struct writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline struct slice writer_slice(const struct writer *w)
{
    return slice_of(w->start, writer_length(w));
}

static inline void write_bytes(struct writer *w, const char *bytes, size_t count)
{
    if ((size_t)(w->end - w->at) < count) {
        w->overflow = true;
        return;
    }
    memcpy(w->at, bytes, count);
    w->at += count;
}

#define write_literal(w, literal) write_bytes((w), (literal), sizeof(literal) - 1)

static inline void write_slice(struct writer *w, struct slice text)
{
    if (text.len > 0)
        write_bytes(w, text.at, text.len);
}

static inline void write_text(struct writer *w, const char *text)
{
    write_bytes(w, text, strlen(text));
}

static inline void write_char(struct writer *w, char c)
{
    write_bytes(w, &c, 1);
}

/* For what is written of several pieces: room for all of them at once, or NULL (and it is an
 * overflow).  put_…() fill it, writer_keep() takes what was filled. */
static inline char *writer_room(struct writer *w, size_t count)
{
    if ((size_t)(w->end - w->at) < count) {
        w->overflow = true;
        return NULL;
    }
    return w->at;
}

static inline char *put_slice(char *at, struct slice text)
{
    if (text.len > 0)
        memcpy(at, text.at, text.len);
    return at + text.len;
}

#define put_literal(at, literal)                                                                   \
    ((char *)memcpy((at), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

static inline void writer_keep(struct writer *w, char *at)
{
    w->at = at;
}

static inline void write_field(struct writer *w, struct slice name, struct slice value)
{
    char *at = writer_room(w, name.len + value.len + 4);

    if (at == NULL)
        return;
    at = put_slice(at, name);
    at = put_literal(at, ": ");
    at = put_slice(at, value);
    writer_keep(w, put_literal(at, "\r\n"));
}

void write_u64(struct writer *w, uint64_t value);
void write_hex(struct writer *w, uint64_t value);

#endif
