/*
 * chunked - the chunked transfer coding, decoded in place and strictly.
 *
 *   SIZE --;--> EXTENSION --"--> QUOTED --\--> QUOTED_PAIR
 *     |            |
 *     CR           CR
 *     v            v
 *   SIZE_LF --LF--> DATA (size > 0) --> DATA_CR --> DATA_LF --> SIZE
 *               \-> TRAILERS (size 0): the caller reads on
 *
 * Threads  one worker; pure
 */
#include "proxy/http/chunked.h"

#include <string.h>

enum { MAX_DIGITS = 16, MAX_EXTENSION_BYTES = 16 * 1024 };

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_byte(struct chunked *d, unsigned char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (d->digits >= MAX_DIGITS || d->left >> 59 != 0)
            return -1;
        d->left = d->left << 4 | (uint64_t)digit;
        d->digits++;
        return 0;
    }
    if (d->digits == 0)
        return -1;
    if (c == '\r')
        d->state = CHUNKED_SIZE_LF;
    else if (c == ';')
        d->state = CHUNKED_EXTENSION;
    else
        return -1;
    return 0;
}

static int extension_byte(struct chunked *d, unsigned char c)
{
    if (++d->extension_bytes > MAX_EXTENSION_BYTES)
        return -1;
    if (d->state == CHUNKED_QUOTED_PAIR)
        d->state = CHUNKED_QUOTED;
    else if (c == '\r' && d->state == CHUNKED_EXTENSION) {
        d->state = CHUNKED_SIZE_LF;
        return 0;
    } else if (c == '"')
        d->state = d->state == CHUNKED_QUOTED ? CHUNKED_EXTENSION : CHUNKED_QUOTED;
    else if (c == '\\' && d->state == CHUNKED_QUOTED)
        d->state = CHUNKED_QUOTED_PAIR;
    return (c < 0x20 && c != '\t') || c == 0x7f ? -1 : 0;
}

/* One byte that is not data; -1 when it must not stand there. */
static int line_byte(struct chunked *d, unsigned char c)
{
    switch (d->state) {
    case CHUNKED_SIZE: return size_byte(d, c);
    case CHUNKED_EXTENSION:
    case CHUNKED_QUOTED:
    case CHUNKED_QUOTED_PAIR: return extension_byte(d, c);
    case CHUNKED_SIZE_LF:
        d->state = d->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILERS;
        return c == '\n' ? 0 : -1;
    case CHUNKED_DATA_CR: d->state = CHUNKED_DATA_LF; return c == '\r' ? 0 : -1;
    case CHUNKED_DATA_LF:
        d->state = CHUNKED_SIZE;
        d->digits = 0;
        return c == '\n' ? 0 : -1;
    default: return -1;
    }
}

static size_t take_data(struct chunked *d, char *at, size_t count, struct slice *body)
{
    size_t take = d->left < count ? (size_t)d->left : count;

    if (body->len == 0)
        body->at = at;
    else if (body->at + body->len != at)
        memmove((char *)(uintptr_t)body->at + body->len, at, take);
    body->len += take;
    d->left -= take;
    if (d->left == 0)
        d->state = CHUNKED_DATA_CR;
    return take;
}

enum chunked_result chunked_decode(struct chunked *d, char *bytes, size_t count,
                                   struct slice *body_out, size_t *used_out)
{
    size_t i = 0;

    *body_out = slice_of(bytes, 0);
    while (i < count && d->state != CHUNKED_TRAILERS) {
        if (d->state == CHUNKED_DATA) {
            i += take_data(d, bytes + i, count - i, body_out);
        } else if (line_byte(d, (unsigned char)bytes[i++]) != 0) {
            *used_out = i;
            return CHUNKED_MALFORMED;
        }
    }
    *used_out = i;
    return d->state == CHUNKED_TRAILERS ? CHUNKED_TRAILER : CHUNKED_MORE;
}
