/*
 * sample_json - a sample as JSON: what GET /v1/sample answers, and `twokey impact --sample` reads.
 *
 * The format is told in docs/sample.md.  What is read is bounded before memory is taken, and
 * nothing of it is trusted.
 *
 * Owner    the caller.      Threads  any
 */
#ifndef OBSERVE_SAMPLE_JSON_H
#define OBSERVE_SAMPLE_JSON_H

#include <stddef.h>

#include "base/slice.h"

struct buffer;
struct error;
struct sample;

enum { SAMPLE_JSON_BYTES = 64 * 1024 * 1024, SAMPLE_JSON_TEXT = 1024 /* of a text */ };

/* Words of sample_request.reason, in order. */
struct sample_words {
    const char *const *reasons;
    size_t reason_count;
};

/* Appends it; `sample` NULL: nothing was seen yet. */
void sample_json_write(const struct sample *sample, const struct sample_words *words,
                       struct buffer *out);

/* A sample with one reference.  NULL and `why`, which names the place ("/singles/17/host: …"). */
struct sample *sample_json_read(struct slice bytes, const struct sample_words *words,
                                struct error *why);

#endif
