/*
 * target - request target and Host: checked, and in the one form that is both matched and
 * forwarded.
 *
 * Escapes of letters, digits, "-", ".", "_" and "~" are decoded, then dot segments are resolved;
 * escaping the root is refused, and so is %00.  "//", %2F, %5C and all else stay as they are.
 *
 * Source   RFC 9112 §3.2, RFC 3986 §5.2.4, §6.2.2; RFC 9110 §7.2
 * Threads  any; pure
 */
#ifndef PROXY_HTTP_TARGET_H
#define PROXY_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "proxy/http/message.h"

enum { TARGET_HOST_BYTES = 256 };

struct target {
    struct slice path;      /* in normal form; "*" for OPTIONS * */
    struct slice query;     /* with its "?", or empty */
    struct slice authority; /* host[:port] as sent: of the target if it is absolute, else of Host */
    struct slice host;      /* lower case, without port and trailing dot; may be empty */
    bool is_https;          /* absolute-form said https */
    bool is_absolute;
    bool is_asterisk;
};

/* Memory that the parsed target may point into, besides the head. */
struct target_memory {
    char host[TARGET_HOST_BYTES];
    char *path; /* room for the longest request line */
    size_t path_bytes;
};

/* 0, or 400 / 501 with a reason in words. */
unsigned target_parse(const struct message *message, struct target_memory *memory,
                      struct target *target_out, const char **why_out);

/* The path in normal form; false when it escapes the root or is not a path.  `out` has room for
 * path.len bytes; the slice given back points there, or at `path` when nothing had to change. */
bool target_normal_path(struct slice path, char *out, struct slice *path_out, const char **why_out);

/* host[:port] to its lower-case name without port and trailing dot, in `out`. */
bool target_normal_host(struct slice authority, char out[TARGET_HOST_BYTES], struct slice *host_out,
                        const char **why_out);

#endif
