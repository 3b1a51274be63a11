/*
 * publish - control's side of snapshots: hand out, count back, free.
 *
 * publish() posts ADOPT to every worker and to the prober, which says at once that a server without
 * checks is up; `on_adopted` is called on control when all run it.  A snapshot is freed when all of
 * them have let it go.
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

/* The worker's side: hold.c calls it when a worker needs an old snapshot no longer. */
void publish_let_go(struct publisher *publisher, struct snapshot *snapshot);

#endif
