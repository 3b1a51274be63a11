/*
 * transport - bytes over one connection, with back-pressure.
 *
 * Threads  the worker's
 */
#include "proxy/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "proxy/worker.h"
#include "tls/engine.h"

enum {
    SMALL_BYTES = 2048,
    MOST_TLS_ANSWERS = 64, /* a handshake has some; a long chain of certificates ten */
};

/* What the socket did not take: a copy, and libuv's request to write it. */
struct write_block {
    uv_write_t request;
    uint32_t bytes;
    char data[];
};

static struct transport *transport_of(const void *handle)
{
    return (struct transport *)(uintptr_t)handle; /* the handle is the first member */
}

/* ---- life ---- */

static void init(struct transport *transport, struct worker *worker,
                 const struct transport_ops *ops, bool is_local)
{
    int error = is_local ? uv_pipe_init(&worker->loop, &transport->handle.pipe, 0)
                         : uv_tcp_init(&worker->loop, &transport->handle.tcp);

    CHECK(error == 0);
    transport->ops = ops;
    transport->worker = worker;
    transport->tls = NULL;
    transport->queued_bytes = 0;
    transport->error = 0;
    transport->tls_answers = 0;
    transport->is_feeding = false;
    transport->is_reading = false;
    transport->is_broken = false;
    transport->is_closing = false;
    transport->shuts_down_when_drained = false;
    transport->has_shut_down = false;
    transport->is_told_broken = false;
    transport->is_reset = false;
    transport->asks_room = false;
}

static void on_closed(uv_handle_t *handle)
{
    struct transport *transport = transport_of(handle);

    tls_engine_free(&transport->tls);
    transport->ops->on_closed(transport);
}

static void forget_gathered(struct transport *transport)
{
    struct gather *gather = &transport->worker->gather;

    if (gather->transport == transport) {
        gather->transport = NULL;
        gather->count = 0;
    }
}

void transport_close(struct transport *transport)
{
    if (transport->is_closing)
        return;
    if (transport->worker->gather.transport == transport)
        transport_flush(transport->worker);
    forget_gathered(transport);
    if (transport->tls != NULL && !transport->is_broken && !transport->is_reset)
        tls_engine_end(transport->tls); /* else the end could be anybody's */
    transport->is_closing = true;
    transport->is_reading = false;
    uv_close(&transport->handle.any, on_closed);
}

void transport_reset(struct transport *transport)
{
    if (transport->is_closing)
        return;
    if (transport->handle.any.type == UV_TCP) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};

        /* Should it fail the peer sees an ordinary end, short of what was announced. */
        (void)setsockopt(transport_descriptor(transport), SOL_SOCKET, SO_LINGER, &linger,
                         sizeof(linger));
    }
    forget_gathered(transport);
    transport->is_reset = true;
    transport_close(transport);
}

int transport_descriptor(const struct transport *transport)
{
    uv_os_fd_t descriptor = -1;

    uv_fileno(&transport->handle.any, &descriptor);
    return descriptor;
}

int transport_accept(struct transport *transport, struct worker *worker,
                     const struct transport_ops *ops, uv_stream_t *listener, bool is_local)
{
    init(transport, worker, ops, is_local);
    if (!is_local)
        uv_tcp_nodelay(&transport->handle.tcp, 1);
    return uv_accept(listener, &transport->handle.stream);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct transport_connect *connect = (struct transport_connect *)request;
    struct transport *transport = transport_of(request->handle);

    if (transport->is_closing)
        return;
    connect->on_connected(transport, status);
    transport_end_callback(transport->worker);
}

int transport_connect(struct transport *transport, struct worker *worker,
                      const struct transport_ops *ops, struct transport_connect *connect,
                      const struct sockaddr *address)
{
    bool is_local = address->sa_family == AF_UNIX;

    init(transport, worker, ops, is_local);
    if (is_local) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)address;

        uv_pipe_connect(&connect->request, &transport->handle.pipe, local->sun_path, on_connect);
        return 0;
    }
    uv_tcp_nodelay(&transport->handle.tcp, 1);
    return uv_tcp_connect(&connect->request, &transport->handle.tcp, address, on_connect);
}

/* ---- TLS ---- */

static void break_transport(struct transport *transport, int error);

/* What it holds, and what became of it. */
static void take_ciphertext(struct transport *transport, struct slice bytes)
{
    struct worker *worker = transport->worker;
    enum tls_state before = tls_engine_state(transport->tls);
    enum tls_state after;
    size_t count;

    transport->is_feeding = true;
    count = tls_engine_feed(transport->tls, bytes, worker->plain_block);
    transport->is_feeding = false;
    after = tls_engine_state(transport->tls);
    if (before == TLS_HANDSHAKE && (after == TLS_OPEN || after == TLS_ENDED))
        transport->ops->on_secured(transport);
    if (count > 0 && !transport->is_closing)
        transport->ops->on_read(transport, worker->plain_block, count);
    if (transport->is_closing || after == before)
        return;
    if (after == TLS_FAILED)
        transport->ops->on_insecure(transport);
    else if (after == TLS_ENDED) {
        transport_read_stop(transport);
        transport->ops->on_eof(transport);
    }
}

/* What nobody asked us to say is kept for a peer that does not read, but not without end. */
static void send_ciphertext(void *context, struct slice bytes)
{
    struct transport *transport = context;

    if (transport->is_feeding && transport_is_full(transport) &&
        ++transport->tls_answers > MOST_TLS_ANSWERS)
        break_transport(transport, UV_ENOBUFS);
    transport_send_clear(transport, bytes);
}

static bool admits(void *context)
{
    struct transport *transport = context;

    return transport->ops->admits(transport);
}

void transport_secure(struct transport *transport, const struct tls_server *server,
                      struct slice bytes)
{
    transport->tls = tls_engine_accept(server, send_ciphertext, transport);
    if (transport->ops->admits != NULL)
        tls_engine_ask_before(transport->tls, admits);
    while (bytes.len > 0 && !transport->is_closing) {
        size_t part = bytes.len < WORKER_READ_BLOCK ? bytes.len : WORKER_READ_BLOCK;

        take_ciphertext(transport, slice_of(bytes.at, part));
        bytes = slice_after(bytes, part);
    }
}

void transport_secure_to(struct transport *transport, const struct tls_trust *trust,
                         const char *name, const struct tls_session *session)
{
    transport->tls = tls_engine_connect(trust, name, session, send_ciphertext, transport);
    (void)tls_engine_feed(transport->tls, SLICE(""), transport->worker->plain_block);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct transport *transport = transport_of(handle);

    (void)suggested;
    buffer->base = transport->worker->read_block;
    buffer->len = transport->asks_room ? transport->ops->read_room(transport) : WORKER_READ_BLOCK;
}

/* libuv calls it an end when a hang-up follows a short read: it may be a reset, or the end of
 * more bytes.  The socket knows. */
static void tell_end(struct transport *transport)
{
    char byte;
    ssize_t got = recv(transport_descriptor(transport), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got > 0)
        transport_read_start(transport);
    else if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        transport->ops->on_broken(transport, -errno);
    else
        transport->ops->on_eof(transport);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct transport *transport = transport_of(stream);
    struct worker *worker = transport->worker;

    if (count == 0 || transport->is_closing)
        return;
    worker_note_time(worker);
    if (count > 0 && transport->tls != NULL) {
        take_ciphertext(transport, slice_of(buffer->base, (size_t)count));
    } else if (count > 0) {
        transport->ops->on_read(transport, buffer->base, (size_t)count);
    } else {
        transport_read_stop(transport);
        if (count == UV_EOF)
            tell_end(transport);
        else
            transport->ops->on_broken(transport, (int)count);
    }
    transport_end_callback(worker);
}

void transport_read_start(struct transport *transport)
{
    if (transport->is_reading || transport->is_closing)
        return;
    if (uv_read_start(&transport->handle.stream, on_alloc, on_read) == 0)
        transport->is_reading = true;
}

void transport_read_stop(struct transport *transport)
{
    if (!transport->is_reading)
        return;
    transport->is_reading = false;
    uv_read_stop(&transport->handle.stream);
}

/* ---- writing ---- */

static void break_transport(struct transport *transport, int error)
{
    struct worker *worker = transport->worker;

    if (transport->is_broken || transport->is_closing)
        return;
    transport->is_broken = true;
    transport->error = (int16_t)error;
    if (worker->broken_count < WORKER_BROKEN)
        worker->broken[worker->broken_count++] = transport;
}

static void shutdown_now(struct transport *transport)
{
    if (transport->has_shut_down)
        return;
    transport->has_shut_down = true;
    /* Fails only when the peer is gone already, which reading tells. */
    (void)shutdown(transport_descriptor(transport), SHUT_WR);
}

static void on_written(uv_write_t *request, int status)
{
    struct write_block *block = container_of(request, struct write_block, request);
    struct transport *transport = transport_of(request->handle);

    transport->queued_bytes -= block->bytes;
    xfree(block);
    if (transport->is_closing)
        return;
    worker_note_time(transport->worker);
    if (status < 0) {
        break_transport(transport, status);
    } else if (transport->queued_bytes == 0) {
        transport->tls_answers = 0;
        if (transport->shuts_down_when_drained)
            shutdown_now(transport);
        transport->ops->on_drained(transport);
    }
    transport_end_callback(transport->worker);
}

/* Copies what was not written from `skip` bytes on, and leaves it to libuv. */
static void queue_rest(struct transport *transport, const uv_buf_t *bufs, unsigned count,
                       size_t skip, size_t total)
{
    struct write_block *block = xmalloc(sizeof(*block) + total - skip);
    uv_buf_t whole;
    int error;

    block->bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t from = skip < bufs[i].len ? skip : bufs[i].len;

        memcpy(block->data + block->bytes, bufs[i].base + from, bufs[i].len - from);
        block->bytes += (uint32_t)(bufs[i].len - from);
        skip -= from;
    }
    whole = uv_buf_init(block->data, block->bytes);
    transport->queued_bytes += block->bytes;
    error = uv_write(&block->request, &transport->handle.stream, &whole, 1, on_written);
    if (error != 0) {
        transport->queued_bytes -= block->bytes;
        xfree(block);
        break_transport(transport, error);
    }
}

/* Straight to the socket: what libuv would do, less a layer.  Bytes taken, or a libuv error. */
static ssize_t write_now(const struct transport *transport, uv_buf_t *bufs, unsigned count)
{
    int descriptor = transport_descriptor(transport);
    struct msghdr message = {.msg_iov = (struct iovec *)bufs, .msg_iovlen = count};
    ssize_t written;

    do {
        if (count == 1)
            written = send(descriptor, bufs[0].base, bufs[0].len, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
            written = sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (written < 0 && errno == EINTR);
    if (written >= 0)
        return written;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

void transport_send_clear(struct transport *transport, struct slice bytes)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.at, (unsigned)bytes.len);
    ssize_t written = 0;

    if (transport->is_closing || transport->is_broken)
        return;
    if (transport->queued_bytes == 0)
        written = write_now(transport, &buf, 1);
    if (written < 0)
        break_transport(transport, (int)written);
    else if ((size_t)written < bytes.len)
        queue_rest(transport, &buf, 1, (size_t)written, bytes.len);
}

/* Small pieces share a record; a piece that fills one goes as it is. */
static void seal(struct transport *transport, const uv_buf_t *bufs, unsigned count)
{
    char *record = transport->worker->seal_block;
    size_t used = 0;

    for (unsigned i = 0; i < count; i++) {
        struct slice left = slice_of(bufs[i].base, bufs[i].len);

        while (left.len > 0) {
            size_t part = left.len < WORKER_SEAL_BLOCK - used ? left.len : WORKER_SEAL_BLOCK - used;

            if (part == WORKER_SEAL_BLOCK) {
                (void)tls_engine_send(transport->tls, slice_of(left.at, part));
            } else {
                memcpy(record + used, left.at, part);
                used += part;
            }
            left = slice_after(left, part);
            if (used == WORKER_SEAL_BLOCK || (i + 1 == count && left.len == 0 && used > 0)) {
                (void)tls_engine_send(transport->tls, slice_of(record, used));
                used = 0;
            }
        }
    }
}

void transport_flush(struct worker *worker)
{
    struct gather *gather = &worker->gather;
    struct transport *transport = gather->transport;
    unsigned count = gather->count;
    size_t total = 0;
    ssize_t written = 0;

    gather->transport = NULL;
    gather->count = 0;
    if (transport == NULL || transport->is_closing || transport->is_broken)
        return;
    if (transport->tls != NULL) {
        seal(transport, gather->bufs, count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        total += gather->bufs[i].len;
    if (transport->queued_bytes == 0)
        written = write_now(transport, gather->bufs, count);
    if (written < 0)
        break_transport(transport, (int)written);
    else if ((size_t)written < total)
        queue_rest(transport, gather->bufs, count, (size_t)written, total);
}

/* A small piece right behind what stands in the scratch is copied there: one buffer is written
 * faster than two.  False when it cannot be. */
static bool append_to_scratch(struct worker *worker, struct slice bytes)
{
    struct gather *gather = &worker->gather;
    char *end = worker->scratch + worker->scratch_used;
    uv_buf_t *last = &gather->bufs[gather->count - 1];

    if (bytes.len > SMALL_BYTES || last->base + last->len != end ||
        WORKER_SCRATCH - worker->scratch_used < bytes.len)
        return false;
    memcpy(end, bytes.at, bytes.len);
    last->len += bytes.len;
    worker->scratch_used += bytes.len;
    return true;
}

void transport_gather(struct transport *transport, struct slice bytes)
{
    struct gather *gather = &transport->worker->gather;

    if (bytes.len == 0 || transport->is_closing || transport->is_broken)
        return;
    if (gather->transport != transport || gather->count == WORKER_GATHER) {
        transport_flush(transport->worker);
        gather->transport = transport;
    }
    if (gather->count > 0 && append_to_scratch(transport->worker, bytes))
        return;
    gather->bufs[gather->count++] = uv_buf_init((char *)(uintptr_t)bytes.at, (unsigned)bytes.len);
}

char *transport_scratch(struct worker *worker, size_t bytes)
{
    char *room = worker->scratch + worker->scratch_used;

    if (WORKER_SCRATCH - worker->scratch_used < bytes)
        return NULL;
    worker->scratch_used += bytes;
    return room;
}

void transport_scratch_trim(struct worker *worker, char *from, size_t used)
{
    worker->scratch_used = (size_t)(from - worker->scratch) + used;
}

void transport_end_callback(struct worker *worker)
{
    transport_flush(worker);
    while (worker->broken_count > 0) {
        struct transport *transport = worker->broken[--worker->broken_count];

        if (!transport->is_closing && !transport->is_told_broken) {
            transport->is_told_broken = true;
            transport->ops->on_broken(transport, transport->error);
        }
        transport_flush(worker);
    }
    worker->scratch_used = 0;
}

void transport_shutdown(struct transport *transport)
{
    if (transport->worker->gather.transport == transport)
        transport_flush(transport->worker);
    if (transport->is_closing || transport->is_broken)
        return;
    if (transport->tls != NULL)
        tls_engine_end(transport->tls);
    if (transport->queued_bytes > 0)
        transport->shuts_down_when_drained = true;
    else
        shutdown_now(transport);
}

/* ---- looking at the socket ---- */

bool transport_is_quiet(const struct transport *transport)
{
    char byte;
    ssize_t got = recv(transport_descriptor(transport), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool transport_was_cut_off(const struct transport *transport)
{
    return transport->tls != NULL && tls_engine_state(transport->tls) != TLS_ENDED;
}

bool transport_peer_is_gone(const struct transport *transport)
{
    struct pollfd look = {.fd = transport_descriptor(transport)};

    /* Both directions have ended: of TCP a reset, since we have not written FIN. */
    return poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}
