/*
 * transport - bytes over one connection, TCP or Unix socket, TLS on top or not, with back-pressure.
 *
 * Reading lands in the worker's one block: what a callback does not use up it must copy.  Writing
 * is gathered during a callback and goes out in one call at its end; what the socket does not take
 * is copied and queued, and `on_drained` tells when it has gone.
 *
 * Owner    the connection it is the first member of; one worker.
 * Threads  the worker's
 * Invariant  A transport dies only in on_closed, which comes after transport_close().
 *            No callback comes after transport_close() but on_closed.
 */
#ifndef PROXY_TRANSPORT_H
#define PROXY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/list.h"
#include "base/slice.h"

struct tls_engine;
struct tls_server;
struct tls_session;
struct tls_trust;
struct transport;
struct worker;

struct transport_ops {
    /* The bytes may be changed, and are gone when the callback returns. */
    void (*on_read)(struct transport *transport, char *bytes, size_t count);
    void (*on_eof)(struct transport *transport);
    /* Reading or writing failed (negative libuv error); only closing is left. */
    void (*on_broken)(struct transport *transport, int error);
    void (*on_drained)(struct transport *transport);
    void (*on_closed)(struct transport *transport);
    /* The handshake is over; reading goes on.  NULL where there is never TLS. */
    void (*on_secured)(struct transport *transport);
    /* The handshake, or what came after it, was not TLS as agreed: an alert has been sent, and only
     * ending is left. */
    void (*on_insecure)(struct transport *transport);
    /* Asked before a handshake with a client that takes up no session; NULL: all may. */
    bool (*admits)(struct transport *transport);
    /* How much to read at once; asked where `asks_room` is set. */
    size_t (*read_room)(struct transport *transport);
};

struct transport {
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    const struct transport_ops *ops;
    struct worker *worker;
    struct tls_engine *tls; /* NULL: clear text */
    uint32_t queued_bytes;  /* not taken by the socket yet */
    int16_t error;          /* why it is broken */
    uint8_t tls_answers;    /* that OpenSSL gave by itself since the socket took everything */
    bool is_reading : 1;
    bool is_broken : 1;
    bool is_closing : 1;
    bool shuts_down_when_drained : 1;
    bool has_shut_down : 1;
    bool is_told_broken : 1;
    bool is_reset : 1;
    bool is_feeding : 1; /* its engine takes what came */
    bool asks_room : 1;
};

/* 0 or a negative libuv error; on an error there is nothing to close. */
int transport_accept(struct transport *transport, struct worker *worker,
                     const struct transport_ops *ops, uv_stream_t *listener, bool is_local);

/* TLS from here on; `bytes` of it have come already (they lie outside the read block), and what
 * they hold is told by the ops before it returns. */
void transport_secure(struct transport *transport, const struct tls_server *server,
                      struct slice bytes);

/* The same towards a server; the handshake begins now.  Arguments as of tls_engine_connect(). */
void transport_secure_to(struct transport *transport, const struct tls_trust *trust,
                         const char *name, const struct tls_session *session);

typedef void transport_connected_fn(struct transport *transport, int status);
/* Starts to connect; `request` must live until `on_connected` (which is called once, with 0 or a
 * negative error, unless the transport is closed before). */
struct transport_connect {
    uv_connect_t request;
    transport_connected_fn *on_connected;
};
int transport_connect(struct transport *transport, struct worker *worker,
                      const struct transport_ops *ops, struct transport_connect *connect,
                      const struct sockaddr *address);

void transport_read_start(struct transport *transport);
void transport_read_stop(struct transport *transport);

/* Adds bytes to what goes out at the end of this callback.  They must live until then: string
 * literals, the read block, or memory from transport_scratch(). */
void transport_gather(struct transport *transport, struct slice bytes);
/* Room for `bytes` that lives until the end of this callback; NULL when it is used up. */
char *transport_scratch(struct worker *worker, size_t bytes);
/* Gives back what transport_scratch() gave last, but for `used` bytes of it. */
void transport_scratch_trim(struct worker *worker, char *from, size_t used);

/* Past TLS, as it is: to a peer that has spoken none. */
void transport_send_clear(struct transport *transport, struct slice bytes);

/* Sends what was gathered.  A failure is told later, by on_broken. */
void transport_flush(struct worker *worker);
/* transport_flush(), then tells those that broke.  The last thing every callback does. */
void transport_end_callback(struct worker *worker);

static inline bool transport_is_full(const struct transport *transport)
{
    return transport->queued_bytes > 0;
}

/* Bytes that the socket has not taken yet. */
static inline size_t transport_unsent(const struct transport *transport)
{
    return transport->queued_bytes > 0 ? transport->handle.stream.write_queue_size : 0;
}

/* No more will be written: FIN once the queue is empty. */
void transport_shutdown(struct transport *transport);
void transport_close(struct transport *transport);
/* Closes with a reset, so that the peer does not take the end for a clean one. */
void transport_reset(struct transport *transport);

int transport_descriptor(const struct transport *transport);
/* False when a byte or an end waits to be read: an idle connection that must not be used. */
bool transport_is_quiet(const struct transport *transport);
/* TLS, and its end was not said (close_notify): anybody on the way could have made it. */
bool transport_was_cut_off(const struct transport *transport);
/* True when the peer has reset the connection (or closed a local one), though nobody reads from it.
 */
bool transport_peer_is_gone(const struct transport *transport);

#endif
