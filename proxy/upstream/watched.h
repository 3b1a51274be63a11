/*
 * watched - one server that the prober watches: when it is asked, and what becomes of the answer.
 *
 *   RESTING --due--> QUEUED (PROBES_AT_ONCE run) --> ASKING --answer or time over--> LINGERING
 *      ^                                                           |                    |
 *      +------------ nothing left to read ------------------------+--------------------+
 *
 * What a check says is judged in target.c, what bytes mean in probe_reply.c; here is when.
 *
 * Owner    the prober.      Threads  the prober's
 */
#ifndef PROXY_UPSTREAM_WATCHED_H
#define PROXY_UPSTREAM_WATCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "proxy/upstream/keyed.h"
#include "proxy/upstream/target.h"

struct probe;
struct prober_target;
struct server;
struct tls_trust;
struct watched;

/* The verdict about it may be another; the prober judges its pool. */
typedef void watched_changed_fn(struct watched *watched);

/* What all of them share. */
struct checks {
    uv_loop_t *loop;
    struct list queue; /* those that are due */
    unsigned running;
    uint64_t random;
    watched_changed_fn *on_changed;
};

enum asking { RESTING, QUEUED, ASKING, LINGERING };

struct watched {
    uint32_t tag;
    struct target target;
    struct checks *checks;
    struct keyed keyed; /* of the prober, by the server's address in memory */
    struct list in_all; /* of the prober */
    bool is_kept;       /* of the prober: named by the list that is being adopted */
    bool is_new;        /* not scheduled yet */
    struct list in_queue;
    enum asking asking;
    const char *host;              /* of the configuration: the server's name, or NULL */
    const struct tls_trust *trust; /* as given */
    const char *tls_name;
    struct probe *probe;
    uint64_t begun_ms;
    uv_timer_t timer;       /* the next check, or the time it may take */
    uv_timer_t phase_timer; /* target.phase_due_ms */
    unsigned open_timers;
};

void checks_init(struct checks *checks, uv_loop_t *loop, watched_changed_fn *on_changed);
/* Asks those that are due, as far as there is room. */
void checks_go_on(struct checks *checks);

struct watched *watched_open(struct checks *checks, struct server *server);
/* Its memory goes when its timers are closed. */
void watched_close(struct watched *watched);

/* What is asked, from now on; an answer under way to another question is not waited for.  `pool` is
 * made from `given->pool`; what was configured before must still be there. */
void watched_configure(struct watched *watched, struct target_pool *pool,
                       const struct prober_target *given);
/* When it is asked next, now that it was configured; one that is new within `spread_ms`. */
void watched_schedule(struct watched *watched, uint64_t spread_ms);
/* Its target was changed: its timer follows, and the prober is told. */
void watched_changed(struct watched *watched);

/* A timer of the prober's loop that runs once. */
void watched_start_timer(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t ms);

#endif
