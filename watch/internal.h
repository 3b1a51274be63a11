/*
 * internal - what the files of watch/ share.
 *
 * Owner    cli/serve.c, through watch.h.      Threads  control only
 */
#ifndef WATCH_INTERNAL_H
#define WATCH_INTERNAL_H

#include "watch/watch.h"

enum { WATCH_TAG = 0x57415443 };

struct watch {
    uint32_t tag;
    struct watch_options options;
    int64_t drift_since_ms; /* wall clock; 0: there is none */
};

#endif
