/*
 * listener - the sockets of the admin API, and HTTP on them.
 *
 * Owner    struct admin.      Threads  control only
 */
#ifndef ADMIN_LISTENER_H
#define ADMIN_LISTENER_H

#include "admin/front.h"

struct admin;
struct admin_listener;
struct error;

typedef void admin_listener_closed_fn(struct admin *admin);

/* Binds options.conf's address and socket; NULL and `why`: which of them, and what is wrong. */
struct admin_listener *admin_listener_open(struct admin *admin, struct error *why);
/* Another configuration runs: who comes from now on is spoken to as it says. */
void admin_listener_adopt(struct admin_listener *listener);

struct admin_listener_numbers {
    unsigned open; /* connections, at both doors */
    struct front_counts tls;
};
struct admin_listener_numbers admin_listener_numbers(const struct admin_listener *listener);

/* Cuts what is under way; `on_closed` is called in a later turn of the loop. */
void admin_listener_close(struct admin_listener *listener, admin_listener_closed_fn *on_closed);

#endif
