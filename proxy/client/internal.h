/*
 * internal - what the connection and the protocols spoken on it share: client.c, client_h1,
 * client_h2.
 *
 * Owner    the client.      Threads  its worker's
 */
#ifndef PROXY_CLIENT_INTERNAL_H
#define PROXY_CLIENT_INTERNAL_H

#include "observe/counters.h"
#include "proxy/client/client.h"
#include "proxy/http/h1_read.h"
#include "proxy/listener.h"
#include "proxy/worker.h"

/* ---- client.c ---- */

static inline const struct conf_listener *client_conf(const struct client *client)
{
    return &client->listener->numbers;
}

static inline struct listener_row *client_row(const struct client *client)
{
    const struct worker *worker = client->transport.worker;

    return counters_listener(worker->counters, worker->index, client->listener->counter_slot);
}

static inline struct head_limits client_limits(const struct client *client)
{
    const struct conf_limits *limits = &client_conf(client)->limits;

    return (struct head_limits){.head_bytes = limits->header_bytes,
                                .line_bytes = limits->request_line,
                                .fields = limits->header_count,
                                .underscores = (uint8_t)limits->underscores};
}

static inline bool client_is_ending(const struct client *client)
{
    return client->state >= CLIENT_ENDING || client->transport.is_closing;
}

void client_enter(struct client *client, enum client_state state);
void client_set_deadline(struct client *client);
/* How often a busy connection is looked after: often enough for its shortest timeout. */
uint64_t client_tick_ms(const struct client *client);
/* Has the client taken some of what waits for it since the last look? */
bool client_has_taken(struct client *client);
/* Once all is written.  Whoever may still be sending must not meet a reset that eats our answer
 * (RFC 9112 §9.6): then FIN first, and read on for a while. */
void client_end(struct client *client, bool lingers);
/* With a reset: what it got must not pass for a whole response. */
void client_break_off(struct client *client);
/* Of client_ops. */
bool client_peer(const struct request *req, uint8_t address_out[16], uint16_t *port_out);
enum failure client_failure_of_status(unsigned status);

/* ---- client_h1.c ---- */

extern const struct client_ops client_h1_ops; /* client_h1_write.c */

void client_h1_read(struct client *client, char *bytes, size_t count);
/* Goes on with what waits in the inbox. */
void client_h1_consume_inbox(struct client *client);
void client_h1_set_reading(struct client *client);
void client_h1_eof(struct client *client);
void client_h1_broken(struct client *client);
void client_h1_drained(struct client *client);
void client_h1_retire(struct client *client);
void client_h1_abort(struct client *client);
/* The deadline of a request under way, and what follows when it is due. */
uint64_t client_h1_busy_ms(const struct client *client);
void client_h1_due(struct client *client);
/* The ops that read. */
void client_h1_want_upload(struct request *req);
void client_h1_tunnel_moved(struct request *req);
void client_h1_become_tunnel(struct request *req);
void client_h1_finish(struct request *req, bool is_clean);

/* ---- client_h2.c ---- */

extern const struct client_ops client_h2_ops; /* client_h2_write.c */

/* HTTP/2 is spoken from here on: agreed by ALPN, or the client's first bytes say so. */
void client_h2_begin(struct client *client);
void client_h2_free(struct client *client);
void client_h2_read(struct client *client, const char *bytes, size_t count);
void client_h2_eof(struct client *client);
void client_h2_broken(struct client *client);
void client_h2_drained(struct client *client);
void client_h2_retire(struct client *client);
void client_h2_abort(struct client *client);
uint64_t client_h2_idle_ms(const struct client *client);
void client_h2_due(struct client *client);
void client_h2_finish(struct request *req, bool is_clean);

#endif
