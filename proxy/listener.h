/*
 * listener - one listening socket per worker and address.
 *
 * Control binds them (SO_REUSEPORT, so that the kernel spreads connections) and hands one to each
 * worker with ADOPT; a socket whose address stays is kept over reloads, since closing it would
 * drop the connections waiting in it.
 *
 * Owner    sockets: control until handed over, then the worker.
 * Threads  listener_set_*: control.  listener_*: the worker.
 */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "config/model.h"

struct configuration;
struct error;
struct snapshot;
struct snapshot_listener;
struct worker;

/* ---- control's side ---- */

/* Which addresses are bound now, and the sockets not handed over yet. */
struct listener_set;

struct listener_set *listener_set_new(unsigned worker_count);
void listener_set_free(struct listener_set **set);
/* Binds what `configuration` has and the set has not.  False and `why` (which address, why not):
 * nothing has changed then. */
bool listener_set_prepare(struct listener_set *set, const struct configuration *configuration,
                          struct error *why);
/* The prepared sockets are kept from now on, those of no use any more forgotten. */
void listener_set_commit(struct listener_set *set);
void listener_set_abort(struct listener_set *set);
/* The socket of listener `index` (of the snapshot) for that worker, once; -1 when it has it. */
int listener_set_take(struct listener_set *set, size_t index, unsigned worker);

/* ---- the worker's side ---- */

struct listener {
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    struct list link; /* worker->listeners */
    struct worker *worker;
    char *address; /* as written: its identity, whatever its name */
    /* Of the worker's current snapshot; NULL once the listener is gone from the configuration. */
    const struct snapshot_listener *now;
    /* The numbers of `now`, kept for the connections that outlive it; its pointers are not. */
    struct conf_listener numbers;
    uint32_t counter_slot;
    uint32_t clients; /* connections that point here: it dies after them */
    bool is_local;
    bool is_paused; /* process.max_connections is reached: one connection waits in libuv */
    bool is_closed; /* its socket */
};

/* Listens on the sockets that are new and closes those that are gone; `sockets[i]` belongs to
 * listener i of the snapshot, -1: it is there already. */
void listener_adopt(struct worker *worker, const struct snapshot *snapshot, const int *sockets);
void listener_close_all(struct worker *worker);
/* A connection of this listener has died. */
void listener_client_died(struct listener *listener);
/* Takes up accepting again where it was paused. */
void listener_resume_all(struct worker *worker);

#endif
