/*
 * h2_outbox - body bytes of a stream that wait for its windows: a chain of chunks, so that what
 * waits is never moved and never grown.
 *
 * Owner    the stream.      Threads  the owner's
 */
#ifndef PROXY_HTTP_H2_OUTBOX_H
#define PROXY_HTTP_H2_OUTBOX_H

#include "base/slice.h"

struct h2_chunk;

/* All zero: empty. */
struct h2_outbox {
    struct h2_chunk *first;
    struct h2_chunk *last;
    size_t bytes;
};

void h2_outbox_fini(struct h2_outbox *outbox);
void h2_outbox_put(struct h2_outbox *outbox, struct slice data);
/* The first `count` bytes, of which there are as many, leave for `to`. */
void h2_outbox_take(struct h2_outbox *outbox, char *to, size_t count);

#endif
