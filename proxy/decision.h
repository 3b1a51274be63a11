/*
 * decision - a request while its head is at hand: decide.c says whether it may pass and where to,
 * outgoing.c makes of it what its server gets.
 *
 * Owner    request_decide(), for as long as it runs.      Threads  the worker's
 */
#ifndef PROXY_DECISION_H
#define PROXY_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/failure.h"
#include "proxy/http/target.h"

struct message;
struct request;
struct snapshot_route;

/* What is known of the request while its head is at hand. */
struct decision {
    struct request *req;
    const struct message *message;
    struct target target;
    struct target_memory memory;
    uint8_t peer[16];
    uint16_t peer_port;
    bool has_peer;
    bool is_peer_trusted;
    size_t matched_prefix;
};

/* A route_header_fn; `context` is the message. */
bool decision_find_header(void *context, struct slice name, struct slice *value_out);

/* outgoing.c: fills the request's pool and head; FAILURE_NONE, or why it cannot be forwarded. */
enum failure outgoing_prepare(struct decision *d, const struct snapshot_route *route);

#endif
