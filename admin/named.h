/*
 * named - the pool and the server that a path names, as people see them.
 *
 * Owner    the call's arena.      Threads  control only
 */
#ifndef ADMIN_NAMED_H
#define ADMIN_NAMED_H

#include <jansson.h>

struct call;
struct live_pool;
struct live_server;

/* The first argument of the path; NULL: the call was answered. */
const struct live_pool *named_pool(struct call *call);
/* The second one; NULL: the call was answered. */
const struct live_server *named_server(struct call *call, const struct live_pool *pool);

/* What is ordered of a server: state and weight, by whom, why, until when. */
json_t *named_admin_json(const struct call *call, const struct live_pool *pool,
                         const struct live_server *server);

#endif
