/*
 * limits - see limits.h.
 *
 * Threads  any: fixed
 */
#include "proxy/upstream/limits.h"

#include "proxy/http/message.h"
#include "proxy/upstream/upstream.h"

const struct h2_limits upstream_limits = {
    .stream_window = 64 * 1024,
    .connection_window = 1024 * 1024,
    .head = {.head_bytes = UPSTREAM_HEAD_BYTES,
             .line_bytes = UPSTREAM_HEAD_BYTES,
             .fields = MESSAGE_MAX_FIELDS,
             .underscores = HEAD_UNDERSCORES_ALLOW},
};
