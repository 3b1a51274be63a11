/*
 * publish - control's side of snapshots: hand out, count back, free.
 *
 * publish() posts ADOPT to every worker and to the prober, which says at once that a server without
 * checks is up; `on_adopted` is called on control when all run it.  A snapshot is freed when all of
 * them have let it go.
 *
 * Beside the current snapshot there may be one candidate, under which a share of the connections
 * begins its requests: it has the same listeners, and its servers are checked too.  The states that
 * it configures for servers (drain, maint) wait until it is published as the current one.
 *
 * Owner    control.      Threads  control only, but for publish_let_go(): the worker
 */
#ifndef PROXY_PUBLISH_H
#define PROXY_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener_set;
struct mailbox;
struct prober;
struct publisher;
struct snapshot;
struct worker;

struct publisher *publisher_new(struct mailbox *control, struct prober *prober,
                                struct worker *const *workers, unsigned worker_count);
/* Every worker and the prober have stopped, and their last messages are handled. */
void publisher_free(struct publisher **publisher);

/* Called on control. */
typedef void publish_adopted_fn(void *context, const struct snapshot *snapshot);
/* `listeners` has the sockets that are new. */
void publish(struct publisher *publisher, struct snapshot *snapshot, struct listener_set *listeners,
             publish_adopted_fn *on_adopted, void *context);

/* The newest published snapshot; NULL before the first. */
struct snapshot *publisher_current(const struct publisher *publisher);
/* The newest that every worker and the prober have adopted: what is told about it is true of the
 * next request.  NULL before the first. */
struct snapshot *publisher_running(const struct publisher *publisher);
/* Snapshots that some request still needs, the current one included. */
size_t publisher_alive(const struct publisher *publisher);

/* The most that a share can be: it is in hundredths of a percent. */
enum { PUBLISH_WHOLE = 10000 };

/* A share of the connections, `below` of PUBLISH_WHOLE, begins under `snapshot`, which replaces the
 * candidate if there is one.  Its listeners are those of the current one, in their order. */
void publish_candidate(struct publisher *publisher, struct snapshot *snapshot, uint32_t below,
                       publish_adopted_fn *on_adopted, void *context);
/* More of them, from their next requests on; who is in stays in. */
void publish_widen(struct publisher *publisher, uint32_t below);
/* All begin under the current one again.  Harmless when there is no candidate. */
void publish_end_candidate(struct publisher *publisher);
/* NULL: there is none. */
struct snapshot *publisher_candidate(const struct publisher *publisher);
uint32_t publisher_candidate_below(const struct publisher *publisher);

/* The worker's side: hold.c calls it when a worker needs an old snapshot no longer. */
void publish_let_go(struct publisher *publisher, struct snapshot *snapshot);

#endif
