/*
 * slice - text as pointer and length, not NUL-terminated, not owned.
 *
 * Whoever hands out a slice says how long its bytes live.
 *
 * Threads  any (a value)
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at;
    size_t len;
};

/* A slice over a string literal; usable in initialisers through SLICE_INIT. */
#define SLICE_INIT(literal)                                                                        \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define SLICE(literal) ((struct slice)SLICE_INIT(literal))
/* For printf's "%.*s". */
#define SLICE_ARGS(s) (int)(s).len, (s).at

static inline struct slice slice_of(const char *at, size_t len)
{
    return (struct slice){at, len};
}

static inline struct slice slice_from(const char *text)
{
    return (struct slice){text, text != NULL ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_starts_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.at, prefix.at, prefix.len) == 0);
}

static inline struct slice slice_after(struct slice text, size_t skip)
{
    return (struct slice){text.at + skip, text.len - skip};
}

static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

/* ASCII case folding only, as HTTP compares names. */
bool slice_equal_nocase(struct slice a, struct slice b);

/* Without leading and trailing spaces and tabs (RFC 9110 §5.6.3, OWS). */
struct slice slice_trim(struct slice text);

/* Takes the next element of a comma-separated list off `rest`, trimmed; empty elements are
 * given too.  False when the list is used up. */
bool slice_next_element(struct slice *rest, struct slice *element_out);

/* Decimal digits only, the whole slice; false on anything else or overflow. */
bool slice_to_u64(struct slice text, uint64_t *value_out);

enum { SLICE_DIGITS = 20 };
/* The number in decimal, written to the end of `digits`. */
struct slice slice_of_u64(uint64_t value, char digits[SLICE_DIGITS]);

/* Copies with a NUL, cut to fit; returns dst. */
char *slice_copy(struct slice text, char *dst, size_t dst_bytes);

#endif
