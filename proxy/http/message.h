/*
 * message - the head of a request or response, parsed: slices into the bytes that were read.
 *
 * Owner    the worker's scratch; a head is used up before the next one is parsed.  Its slices live
 *          as long as the bytes they point into: until the end of the read callback.
 * Threads  one worker
 */
#ifndef PROXY_HTTP_MESSAGE_H
#define PROXY_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/http/headers.h"

enum { MESSAGE_MAX_FIELDS = 1024 };
#define MESSAGE_NO_LENGTH UINT64_MAX

struct field {
    struct slice name;
    struct slice value; /* trimmed */
    enum header header;
    bool is_dropped; /* named in Connection, or an underscore in its name */
};

enum method {
    METHOD_OTHER, /* known to the parser, of no special meaning here */
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_TRACE,
    METHOD_CONNECT,
    METHOD_PATCH,
    METHOD_PROPFIND,
};

struct message {
    /* request */
    enum method method;
    struct slice method_text;
    struct slice target;
    /* response */
    uint16_t status;
    struct slice reason;
    /* both */
    uint8_t http_minor; /* HTTP/1.x; of HTTP/2: 1 */
    bool is_http2;
    bool is_chunked;
    uint64_t content_length; /* MESSAGE_NO_LENGTH: none given */
    bool has_connection_close;
    bool has_connection_keep_alive;
    bool has_connection_upgrade;
    bool expects_continue;
    bool has_te_trailers;
    bool has_trailer_field;
    bool names_fields; /* in Connection: trailers of these names would be of this hop, too */
    uint32_t dropped_fields;
    struct slice upgrade;             /* the first protocol offered that may pass; empty: none */
    struct slice known[HEADER_COUNT]; /* the first value of each known field */
    uint32_t field_count;
    struct field fields[MESSAGE_MAX_FIELDS];
};

/* Methods whose repetition does no harm (RFC 9110 §9.2.2). */
static inline bool method_is_idempotent(enum method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_PUT ||
           method == METHOD_DELETE || method == METHOD_OPTIONS || method == METHOD_TRACE ||
           method == METHOD_PROPFIND;
}

const struct field *message_find(const struct message *message, struct slice name);

#endif
