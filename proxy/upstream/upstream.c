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

struct upstream *upstream_reuse(struct request *req)
{
    return upstream_h1_reuse(req);
}

enum failure upstream_open(struct request *req)
{
    return upstream_h1_open(req);
}
