/*
 * explain - what would happen to a request, as on_explain.c finds it and explain_shown.c tells it.
 *
 * Owner    the call.      Threads  control only
 */
#ifndef ADMIN_EXPLAIN_H
#define ADMIN_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/failure.h"
#include "proxy/route/route.h"

struct call;
struct live_pool;
struct rate_store;
struct snapshot;
struct snapshot_pool;
struct snapshot_route;

struct explain {
    struct call *call;
    const struct snapshot *snapshot; /* that runs, or `staged` */
    struct snapshot *staged;         /* made of a change; or NULL */
    struct rate_store *rates;        /* of that one */
    json_t *body;
    json_t *errors; /* what is wrong with the body */
    /* the request, in normal form */
    struct slice method;
    struct slice host;
    struct slice path;
    struct slice query_text; /* with its "?" */
    const char *listener;
    bool has_client;
    uint8_t client[16];
    json_t *headers; /* borrowed from body; NULL: none */
    struct route_query query;
    /* what comes of it */
    const struct snapshot_route *route;
    const char *access; /* what allow and deny of the route make of the client */
    json_t *rejected;
    size_t rejected_more;
    const struct snapshot_pool *pool;
    const struct live_pool *live;
    int chosen;           /* index into pool->servers, or BALANCE_NO_SERVER */
    enum failure failure; /* that ends it before a server is chosen */
    const char *reason;
};

/* Answers the call, in JSON or as tables. */
void explain_tell(struct explain *explain);

#endif
