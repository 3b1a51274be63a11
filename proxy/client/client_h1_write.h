/*
 * client_h1_write - the writing half of client_h1: heads, bodies and answers to bytes.
 *
 * Owner    the client.      Threads  the worker's
 */
#ifndef PROXY_CLIENT_CLIENT_H1_WRITE_H
#define PROXY_CLIENT_CLIENT_H1_WRITE_H

#include <stdbool.h>

struct client_ops;
struct request;

extern const struct client_ops client_h1_ops;

/* client_h1.c */
void client_h1_want_upload(struct request *req);
void client_h1_tunnel_moved(struct request *req);
void client_h1_become_tunnel(struct request *req);
void client_h1_finish(struct request *req, bool is_clean);

#endif
