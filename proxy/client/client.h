/*
 * client - what a client protocol offers the request.
 *
 * Owner    the request's worker.      Threads  the worker's
 */
#ifndef PROXY_CLIENT_CLIENT_H
#define PROXY_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct answer;
struct forward_response;
struct message;
struct request;

struct client_ops {
    /* Head of the final response; the body follows in send_body().  False: it does not fit. */
    bool (*send_response)(struct request *req, const struct message *message,
                          const struct forward_response *response);
    bool (*send_interim)(struct request *req, const struct message *message);
    /* The bytes must live until the end of the callback. */
    void (*send_body)(struct request *req, struct slice data);
    void (*send_end)(struct request *req, const struct message *trailers);
    /* A whole response of our own. */
    void (*send_answer)(struct request *req, const struct answer *answer);
    /* True while the client reads slower than it is written to. */
    bool (*is_full)(const struct request *req);
    /* Upload bytes can be taken again. */
    void (*want_upload)(struct request *req);
    /* From now on bytes go both ways as they are. */
    void (*become_tunnel)(struct request *req);
    /* Nothing more will be written in this direction of a tunnel. */
    void (*send_fin)(struct request *req);
    /* The request is over and belongs to the client side again, which gives it back to the stock.
     * `is_clean`: what was sent is a whole response; else the client must see that it is not. */
    void (*finish)(struct request *req, bool is_clean);
    /* The peer's own address, IPv4-mapped, and port; false for a Unix socket. */
    bool (*peer)(const struct request *req, uint8_t address_out[16], uint16_t *port_out);
};

#endif
