/*
 * probe_reply - what the bytes of an answer to a health check say; pure.
 *
 * Owner    nobody (values).      Threads  any
 * Standards  RFC 9112 §4 (status line), §7.1 (chunked)
 */
#ifndef PROXY_UPSTREAM_PROBE_REPLY_H
#define PROXY_UPSTREAM_PROBE_REPLY_H

#include <stdbool.h>

#include "base/slice.h"

struct conf_health_check;

enum { REPLY_HEAD_BYTES = 16384, REPLY_BODY_BYTES = 16384 };

enum reply_verdict { REPLY_MORE, REPLY_PASSED, REPLY_FAILED };

struct reply {
    enum reply_verdict verdict;
    unsigned status; /* 0: none read */
    const char *why; /* REPLY_FAILED: one of a fixed set of texts */
};

/* Judges all bytes that came so far; `is_end`: no more will come. */
struct reply reply_judge(struct slice bytes, bool is_end, const struct conf_health_check *check);

#endif
