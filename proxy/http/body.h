/*
 * body - where a message's body ends: by length, by chunks, or with the connection.
 *
 * Source   RFC 9112 §6.3.      Threads  one worker; pure
 */
#ifndef PROXY_HTTP_BODY_H
#define PROXY_HTTP_BODY_H

#include <stdint.h>

#include "proxy/http/chunked.h"
#include "proxy/http/forward.h"
#include "proxy/http/h1_read.h"

struct body {
    enum forward_body kind;
    bool is_in_trailers;
    uint64_t left; /* FORWARD_LENGTH */
    struct chunked chunked;
};

enum body_result {
    BODY_MORE,  /* everything was used; it goes on */
    BODY_NEEDS, /* what was not used must be shown again, with more behind it (trailers) */
    BODY_ENDED, /* what was not used belongs to the next message */
    BODY_MALFORMED,
};

void body_begin(struct body *body, enum forward_body kind, uint64_t length);
/* True when there is nothing to come. */
bool body_is_empty(const struct body *body);

/* Takes body bytes from `bytes`, decoded in place.  `*data_out` is what they hold; with BODY_ENDED
 * of a chunked body `*trailers_out` is the trailer section, its empty line included. */
enum body_result body_read(struct body *body, const struct head_limits *limits, char *bytes,
                           size_t count, struct slice *data_out, size_t *used_out,
                           struct slice *trailers_out);

#endif
