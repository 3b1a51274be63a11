/*
 * headers - the known header fields and what holds for them; a table (headers.def).
 *
 * Threads  any, after headers_init() once at start
 */
#ifndef PROXY_HTTP_HEADERS_H
#define PROXY_HTTP_HEADERS_H

#include <stdbool.h>

#include "base/slice.h"

enum header_flags {
    HEADER_HOP = 1,
    HEADER_FRAMING = 2,
    HEADER_OURS = 4,
    HEADER_KEEP = 8,
    HEADER_SECRET = 16,
    HEADER_ONCE = 32,
};

enum header {
    HEADER_OTHER,
#define HEADER(identifier, name, flags, help) HEADER_##identifier,
#include "proxy/http/headers.def"
#undef HEADER
    HEADER_COUNT
};

/* Fills the look-up table; safe to call again. */
void headers_init(void);
enum header header_find(struct slice name);
/* read-only outside headers.c */
extern const uint8_t header_flags_of[HEADER_COUNT];
extern const struct slice header_names[HEADER_COUNT];
static inline struct slice header_slice(enum header header)
{
    return header_names[header];
}
static inline unsigned header_flags(enum header header)
{
    return header_flags_of[header];
}
const char *header_name(enum header header);

/* A token of RFC 9110 §5.6.2, not empty. */
bool is_token(struct slice text);
/* No control characters but the tab (RFC 9110 §5.5). */
bool is_field_value(struct slice text);

#endif
