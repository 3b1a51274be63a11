/*
 * caller - somebody who calls the admin API over TLS: his socket, the engine, and a socket pair
 * whose other end the HTTP library has.
 *
 *   socket <--TLS--> engine <--clear--> our end = the library's end
 *
 *   SHAKING --handshake--> OPEN --the library ends, or TLS fails--> LEAVING --> CLOSED
 *      |                     |                                        ^
 *      +---- fails ----------+----------------------------------------+
 *
 * Neither side runs ahead of the other: what one has said and the other has not taken yet is at
 * most one read, and while there is any its socket is not read.  Ends pass as they come: who only
 * stops speaking still gets his answers.
 *
 * Owner      the front: caller_open() to on_gone
 * Threads    control only
 * Invariant  The library's end is handed over once the handshake is done, and it alone closes it.
 */
#ifndef ADMIN_CALLER_H
#define ADMIN_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

struct caller;
struct sockaddr_storage;
struct tls_engine;
struct tls_server;
struct uv_loop_s;

enum { CALLER_READ_BYTES = 16 * 1024, CALLER_HELD_BYTES = 64 * 1024 };
enum { CALLER_SHAKE_MS = 10000, CALLER_SILENT_MS = 30000, CALLER_LEAVE_MS = 60000 };

enum caller_state { CALLER_SHAKING, CALLER_OPEN, CALLER_LEAVING, CALLER_CLOSED };

struct caller_ops {
    /* The handshake is done: `fd` is the library's, whatever is returned.  False: it has no place.
     */
    bool (*on_open)(void *context, struct caller *caller, int fd);
    void (*on_refused)(void *context, const struct caller *caller, const char *why);
    /* It is off its list; freed afterwards. */
    void (*on_gone)(void *context);
};

/* `fd` is his, already accepted; `address` is copied.  Nothing is read before caller_begin(). */
struct caller *caller_open(struct uv_loop_s *loop, int fd, const struct sockaddr_storage *address,
                           const struct tls_server *server, const struct caller_ops *ops,
                           void *context);
void caller_begin(struct caller *caller);
bool caller_has_begun(const struct caller *caller);
/* At once; on_gone comes in a later turn of the loop. */
void caller_close(struct caller *caller);
/* The library has stopped: what it has said is sent as far as the socket takes it, then closed. */
void caller_finish(struct caller *caller);
/* A few times a second: passes an end on that waits, and closes one that has been waited for long
 * enough. */
void caller_look(struct caller *caller, uint64_t now_ms);

struct list *caller_link(struct caller *caller);
struct caller *caller_of_link(struct list *link);
enum caller_state caller_state(const struct caller *caller);
/* "192.0.2.7" */
const char *caller_address(const struct caller *caller);
const struct sockaddr_storage *caller_socket_address(const struct caller *caller);
const struct tls_engine *caller_engine(const struct caller *caller);
/* *seat is `caller` from now on, and NULL when he has gone; NULL: nobody wants to know. */
void caller_take_seat(struct caller *caller, struct caller **seat);
/* The library's end, until somebody has taken the seat; -1. */
int caller_handed(const struct caller *caller);

#endif
