/*
 * grpc_health - the question and the answer of grpc.health.v1.Health/Check; pure.
 *
 * Source   grpc/doc/health-checking.md; the two messages are encoded by hand.      Threads  any
 */
#ifndef PROXY_UPSTREAM_GRPC_HEALTH_H
#define PROXY_UPSTREAM_GRPC_HEALTH_H

#include "base/buffer.h"
#include "proxy/upstream/probe_reply.h"

#define GRPC_HEALTH_PATH "/grpc.health.v1.Health/Check"

/* The message that asks for `service` ("": the server as a whole), as the body of the call. */
void grpc_health_ask(struct buffer *out, struct slice service);

/* `status` is HTTP's, `grpc_status` that of the trailers or the head (empty: none came), `body`
 * what came between. */
struct reply grpc_health_judge(unsigned status, struct slice grpc_status, struct slice body);

#endif
