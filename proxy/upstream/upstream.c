/*
 * upstream - which protocol a pool's servers speak.
 *
 * Threads  the worker's
 */
#include "proxy/upstream/upstream.h"

#include "config/model.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream_h1.h"
#include "proxy/upstream/upstream_h2.h"

static bool is_h2(const struct request *req)
{
    return req->pool->conf->protocol == PROTOCOL_H2;
}

struct upstream *upstream_reuse(struct request *req)
{
    return is_h2(req) ? upstream_h2_reuse(req) : upstream_h1_reuse(req);
}

uint64_t upstream_response_ms(const struct request *req)
{
    uint64_t of_route = req->route->conf->response_timeout_ms;

    return of_route > 0 ? of_route : req->pool->conf->timeouts.response_ms;
}

enum failure upstream_open(struct request *req)
{
    return is_h2(req) ? upstream_h2_open(req) : upstream_h1_open(req);
}
