/*
 * prober - active health checks and ejections, on a thread of their own.
 *
 * A slow disk or a large diff on control must never look like a dead server.  The prober is the
 * only writer of health, ejected, ramp_from_ms and is_panic.
 *
 * Owner    control starts and stops it.      Threads  prober_adopt/stop: control.
 *          prober_note_failures: any worker.  The rest runs on the prober's thread.
 */
#ifndef PROXY_UPSTREAM_PROBER_H
#define PROXY_UPSTREAM_PROBER_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/upstream/server.h"

struct conf_pool;
struct prober;

struct prober_target {
    struct server *server;
    const struct conf_pool *pool; /* health_check, ejection, slow_start … */
    bool is_backup;
    /* TLS to it, and what its certificate must be for; NULL: clear text.  Live like the list. */
    const struct tls_trust *trust;
    const char *tls_name;
    bool is_tried; /* only a candidate has it: it counts for nothing in a pool that runs */
};

struct prober *prober_start(void);
void prober_stop(struct prober **prober);

/* From now on these are checked; verdicts of servers that stay are kept.  The targets, and what
 * they point to, must live until `on_adopted` is called for the next list (or prober_stop).
 * `on_adopted` runs on the prober's thread: it posts to a mailbox. */
typedef void prober_adopted_fn(void *context);
void prober_adopt(struct prober *prober, const struct prober_target *targets, size_t count,
                  prober_adopted_fn *on_adopted, void *context);

/* When its loop last turned (clock_ms), to the second: whether it lives.  Control. */
uint64_t prober_seen_ms(const struct prober *prober);

/* A worker saw `failures` reach the pool's limit: eject, if the cap allows. */
void prober_suspect(struct prober *prober, struct server *server);

#endif
