/*
 * probe_h2 - a health check over HTTP/2: one request on a connection of its own.  No sockets.
 *
 * Owner    the probe.      Threads  the prober's
 */
#ifndef PROXY_UPSTREAM_PROBE_H2_H
#define PROXY_UPSTREAM_PROBE_H2_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/upstream/probe_reply.h"

struct conf_health_check;
struct probe_h2;

typedef void probe_h2_send_fn(void *context, struct slice bytes);

/* `head` is HTTP/1 text without fields of a connection, `body` may be empty. */
struct probe_h2 *probe_h2_new(struct slice head, struct slice body, bool is_https,
                              probe_h2_send_fn *send, void *context);
void probe_h2_free(struct probe_h2 **probe);

/* Says what is to be said first, and afterwards what came makes necessary. */
void probe_h2_flush(struct probe_h2 *probe);
/* What these bytes, and those before, say; REPLY_MORE: not enough yet. */
struct reply probe_h2_read(struct probe_h2 *probe, struct slice bytes, uint64_t now_ms,
                           const struct conf_health_check *check);

#endif
