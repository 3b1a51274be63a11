/*
 * chunked - the chunked transfer coding, decoded in place and strictly.
 *
 * Our own and not llhttp's, since ours counts: the digits of a size, the bytes of extensions and
 * trailers, and it gives one piece of body a read however small the chunks are.
 *
 * Source   RFC 9112 §7.1.      Threads  one worker; pure
 */
#ifndef PROXY_HTTP_CHUNKED_H
#define PROXY_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum chunked_state {
    CHUNKED_SIZE, /* first: what a zeroed struct is in */
    CHUNKED_EXTENSION,
    CHUNKED_QUOTED,
    CHUNKED_QUOTED_PAIR,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILERS,
    CHUNKED_END,
};

struct chunked {
    uint64_t left;            /* of this chunk */
    uint32_t extension_bytes; /* of the whole body */
    uint8_t digits;
    uint8_t state; /* enum chunked_state */
};

enum chunked_result {
    CHUNKED_MORE,    /* all bytes used; the body goes on */
    CHUNKED_TRAILER, /* the last chunk is over: what follows are the trailers (head_search()) */
    CHUNKED_MALFORMED,
};

/* Decodes what is in `bytes`, moving the data of several chunks together in that memory.
 * `*body_out` is the data, possibly empty; `*used_out` how many bytes were taken. */
enum chunked_result chunked_decode(struct chunked *decoder, char *bytes, size_t count,
                                   struct slice *body_out, size_t *used_out);

#endif
