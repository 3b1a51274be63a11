/*
 * caller - see caller.h.
 *
 * Owner    the front      Threads  control only
 */
#include "admin/caller.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "tls/engine.h"

enum { CALLER_TAG = 0x43415252, GOODBYE_MS = 2000, NEVER_FD = -1, ADDRESS_TEXT = 64 };

struct caller {
    uint32_t tag;
    struct list link;
    enum caller_state state;
    const struct caller_ops *ops;
    void *context;
    struct tls_engine *engine;
    uv_poll_t outer;
    uv_poll_t inner;
    int outer_fd;
    int inner_fd;  /* ours */
    int handed_fd; /* the library's, until it is known there */
    unsigned handles_open;
    struct buffer to_inner; /* clear */
    struct buffer to_outer; /* ciphertext */
    bool has_peer_ended;    /* he says nothing more */
    bool has_ended_inner;   /* and the library was told */
    bool has_ended_outer;   /* we say nothing more, and he was told */
    bool is_broken;
    bool has_spoken;
    bool has_begun;
    uint64_t due_ms; /* until something moves; UINT64_MAX: the library looks after it */
    struct sockaddr_storage address;
    char address_text[ADDRESS_TEXT];
    struct caller **seat;
};

static void on_outer(uv_poll_t *poll, int status, int events);
static void on_inner(uv_poll_t *poll, int status, int events);

/* ---- its end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct caller *caller = handle->data;
    const struct caller_ops *ops = caller->ops;
    void *context = caller->context;

    if (--caller->handles_open > 0)
        return;
    tls_engine_free(&caller->engine);
    buffer_fini(&caller->to_inner);
    buffer_fini(&caller->to_outer);
    caller->tag = 0;
    xfree(caller);
    ops->on_gone(context);
}

static void close_side(struct caller *caller, uv_poll_t *poll, int *fd)
{
    if (*fd == NEVER_FD)
        return;
    uv_close((uv_handle_t *)poll, on_handle_closed);
    (void)caller;
    (void)close(*fd); /* the loop has let go of it */
    *fd = NEVER_FD;
}

void caller_close(struct caller *caller)
{
    CHECK_OBJ(caller, CALLER_TAG);
    if (caller->state == CALLER_CLOSED)
        return;
    caller->state = CALLER_CLOSED;
    list_remove(&caller->link);
    if (caller->seat != NULL)
        *caller->seat = NULL;
    caller->seat = NULL;
    close_side(caller, &caller->inner, &caller->inner_fd);
    close_side(caller, &caller->outer, &caller->outer_fd);
}

/* Nothing more comes from the library, or nothing more is to go to it. */
static void leave(struct caller *caller)
{
    if (caller->state == CALLER_LEAVING || caller->state == CALLER_CLOSED)
        return;
    caller->state = CALLER_LEAVING;
    caller->due_ms = clock_ms() + CALLER_LEAVE_MS;
    close_side(caller, &caller->inner, &caller->inner_fd);
    buffer_reset(&caller->to_inner, 0);
    tls_engine_end(caller->engine);
}

/* ---- what the engine says ---- */

static void send_ciphertext(void *context, struct slice ciphertext)
{
    struct caller *caller = context;

    buffer_append_slice(&caller->to_outer, ciphertext);
}

static void refuse(struct caller *caller, const char *why)
{
    if (caller->has_spoken) /* else he only looked whether somebody listens */
        caller->ops->on_refused(caller->context, caller, why);
}

/* To whoever took the port for one of clear text. */
static void answer_in_clear(struct caller *caller)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                 "Content-Type: text/plain\r\n"
                                 "Content-Length: 47\r\n"
                                 "Connection: close\r\n"
                                 "\r\n"
                                 "this port speaks TLS: ask for https://, please\n";

    buffer_clear(&caller->to_outer);
    buffer_append_literal(&caller->to_outer, answer);
}

static bool open_inner(struct caller *caller)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    caller->inner_fd = ends[0];
    caller->handed_fd = ends[1];
    CHECK(uv_poll_init(caller->outer.loop, &caller->inner, caller->inner_fd) == 0);
    caller->inner.data = caller;
    caller->handles_open++;
    return true;
}

static void begin_talking(struct caller *caller)
{
    caller->state = CALLER_OPEN;
    caller->due_ms = UINT64_MAX;
    if (!open_inner(caller) || !caller->ops->on_open(caller->context, caller, caller->handed_fd))
        leave(caller);
}

static void note_engine(struct caller *caller)
{
    enum tls_state state = tls_engine_state(caller->engine);

    if (caller->state == CALLER_SHAKING && (state == TLS_OPEN || state == TLS_ENDED))
        begin_talking(caller);
    if (caller->state == CALLER_SHAKING && state == TLS_FAILED) {
        refuse(caller, tls_engine_why(caller->engine));
        if (tls_engine_was_http(caller->engine))
            answer_in_clear(caller);
    }
    if (state == TLS_FAILED)
        leave(caller);
    if (state == TLS_ENDED)
        caller->has_peer_ended = true;
}

/* ---- reading ---- */

/* Of all callers, one after the other. */
static char cipher_block[CALLER_READ_BYTES];
static char plain_block[CALLER_READ_BYTES + TLS_HELD_BYTES];

static void take_ciphertext(struct caller *caller, struct slice bytes)
{
    size_t count = tls_engine_feed(caller->engine, bytes, plain_block);

    caller->has_spoken = true;
    note_engine(caller);
    if (caller->state == CALLER_OPEN && count > 0)
        buffer_append(&caller->to_inner, plain_block, count);
}

static void read_outer(struct caller *caller)
{
    ssize_t got = recv(caller->outer_fd, cipher_block, sizeof(cipher_block), 0);

    if (got > 0 && caller->state != CALLER_LEAVING)
        take_ciphertext(caller, slice_of(cipher_block, (size_t)got));
    else if (got == 0)
        caller->has_peer_ended = true;
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        caller->is_broken = true;
}

/* False: there is nothing now. */
static bool read_inner(struct caller *caller)
{
    ssize_t got = recv(caller->inner_fd, plain_block, CALLER_READ_BYTES, 0);

    if (got > 0 && tls_engine_send(caller->engine, slice_of(plain_block, (size_t)got)))
        return true;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    leave(caller); /* its end, or with bytes of ours that it did not want: a reset */
    return false;
}

/* ---- writing ---- */

/* False: the other side is gone. */
static bool flush(int fd, struct buffer *buffer, bool *has_moved_out)
{
    while (buffer_length(buffer) > 0) {
        struct slice bytes = buffer_slice(buffer);
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN;
        *has_moved_out = true;
        buffer_consume(buffer, (size_t)sent);
    }
    buffer_reset(buffer, CALLER_READ_BYTES);
    return true;
}

static void flush_outer(struct caller *caller)
{
    bool has_moved = false;

    if (!flush(caller->outer_fd, &caller->to_outer, &has_moved))
        caller->is_broken = true;
    if (caller->state != CALLER_OPEN)
        return;
    if (buffer_length(&caller->to_outer) == 0)
        caller->due_ms = UINT64_MAX;
    else if (has_moved || caller->due_ms == UINT64_MAX)
        caller->due_ms = clock_ms() + CALLER_SILENT_MS;
}

/* The library has taken everything.  An end that comes with the last bytes it would not notice: it
 * waits for an edge after each short read. */
static bool has_read_all(const struct caller *caller)
{
    int unread = 0;

    return buffer_length(&caller->to_inner) == 0 &&
           (ioctl(caller->inner_fd, SIOCOUTQ, &unread) != 0 || unread == 0);
}

static void flush_inner(struct caller *caller)
{
    bool has_moved = false;

    if (caller->state != CALLER_OPEN)
        return;
    if (!flush(caller->inner_fd, &caller->to_inner, &has_moved))
        buffer_reset(&caller->to_inner, 0); /* what it still says is read all the same */
    if (caller->has_peer_ended && !caller->has_ended_inner && has_read_all(caller)) {
        caller->has_ended_inner = true;
        (void)shutdown(caller->inner_fd, SHUT_WR); /* it may have gone */
    }
}

/* ---- the wheel ---- */

static void watch(uv_poll_t *poll, int events, uv_poll_cb on_events)
{
    if (events != 0)
        CHECK(uv_poll_start(poll, events, on_events) == 0);
    else
        CHECK(uv_poll_stop(poll) == 0);
}

static void watch_both(struct caller *caller)
{
    size_t held = buffer_length(&caller->to_outer);
    bool reads_outer = caller->state == CALLER_LEAVING ||
                       (buffer_length(&caller->to_inner) == 0 && held < CALLER_HELD_BYTES);
    int outer = UV_PRIORITIZED; /* that he has gone for good is told with any */
    int inner = 0;

    if (reads_outer && !caller->has_peer_ended)
        outer |= UV_READABLE;
    if (held > 0)
        outer |= UV_WRITABLE;
    watch(&caller->outer, outer, on_outer);
    if (caller->state != CALLER_OPEN)
        return;
    if (held == 0)
        inner |= UV_READABLE;
    if (buffer_length(&caller->to_inner) > 0)
        inner |= UV_WRITABLE;
    watch(&caller->inner, inner, on_inner);
}

/* What he was to hear is on its way: he is told, and waited for a moment, since closing at once
 * would take back what he has not read yet. */
static void say_goodbye(struct caller *caller)
{
    if (caller->has_ended_outer)
        return;
    caller->has_ended_outer = true;
    caller->due_ms = clock_ms() + GOODBYE_MS;
    (void)shutdown(caller->outer_fd, SHUT_WR); /* he may have gone */
}

static void go_on(struct caller *caller)
{
    flush_outer(caller);
    flush_inner(caller);
    if (caller->state == CALLER_SHAKING && caller->has_peer_ended) {
        refuse(caller, "the peer broke off");
        caller->is_broken = true;
    }
    if (caller->state == CALLER_LEAVING && buffer_length(&caller->to_outer) == 0)
        say_goodbye(caller);
    if (caller->is_broken || (caller->has_ended_outer && caller->has_peer_ended))
        caller_close(caller);
    else
        watch_both(caller);
}

static void on_outer(uv_poll_t *poll, int status, int events)
{
    struct caller *caller = container_of(poll, struct caller, outer);

    CHECK_OBJ(caller, CALLER_TAG);
    if (caller->state == CALLER_CLOSED)
        return;
    if (status < 0)
        caller->is_broken = true;
    else if ((events & (UV_READABLE | UV_PRIORITIZED)) != 0)
        read_outer(caller);
    go_on(caller);
}

static void on_inner(uv_poll_t *poll, int status, int events)
{
    struct caller *caller = container_of(poll, struct caller, inner);

    CHECK_OBJ(caller, CALLER_TAG);
    if (caller->state != CALLER_OPEN)
        return;
    /* What it wrote before it ended is there still. */
    if ((status < 0 || (events & UV_READABLE) != 0) && buffer_length(&caller->to_outer) == 0)
        (void)read_inner(caller);
    go_on(caller);
}

void caller_look(struct caller *caller, uint64_t now_ms)
{
    CHECK_OBJ(caller, CALLER_TAG);
    flush_inner(caller);
    if (now_ms < caller->due_ms)
        return;
    if (caller->state == CALLER_SHAKING)
        refuse(caller, "the handshake takes too long");
    caller_close(caller);
}

void caller_finish(struct caller *caller)
{
    CHECK_OBJ(caller, CALLER_TAG);
    while (caller->state == CALLER_OPEN && read_inner(caller))
        continue;
    if (caller->state == CALLER_OPEN)
        leave(caller);
    if (caller->state == CALLER_LEAVING) {
        flush_outer(caller);
        say_goodbye(caller);
    }
    caller_close(caller);
}

/* ---- its beginning ---- */

static void write_address(struct caller *caller)
{
    const struct sockaddr *address = (const struct sockaddr *)&caller->address;
    socklen_t bytes =
        address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    if (getnameinfo(address, bytes, caller->address_text, sizeof(caller->address_text), NULL, 0,
                    NI_NUMERICHOST) != 0)
        (void)snprintf(caller->address_text, sizeof(caller->address_text), "unknown");
}

struct caller *caller_open(uv_loop_t *loop, int fd, const struct sockaddr_storage *address,
                           const struct tls_server *server, const struct caller_ops *ops,
                           void *context)
{
    struct caller *caller = xcalloc(1, sizeof(*caller));

    ON_CONTROL();
    caller->tag = CALLER_TAG;
    list_init(&caller->link);
    caller->ops = ops;
    caller->context = context;
    caller->outer_fd = fd;
    caller->inner_fd = caller->handed_fd = NEVER_FD;
    caller->address = *address;
    caller->due_ms = clock_ms() + CALLER_SHAKE_MS;
    caller->handles_open = 1;
    buffer_init(&caller->to_inner);
    buffer_init(&caller->to_outer);
    write_address(caller);
    caller->engine = tls_engine_accept(server, send_ciphertext, caller);
    CHECK(uv_poll_init(loop, &caller->outer, fd) == 0);
    caller->outer.data = caller;
    return caller;
}

void caller_begin(struct caller *caller)
{
    CHECK_OBJ(caller, CALLER_TAG);
    CHECK(!caller->has_begun && caller->state == CALLER_SHAKING);
    caller->has_begun = true;
    watch_both(caller);
}

bool caller_has_begun(const struct caller *caller)
{
    return caller->has_begun;
}

/* ---- what is known of him ---- */

struct list *caller_link(struct caller *caller)
{
    return &caller->link;
}

struct caller *caller_of_link(struct list *link)
{
    struct caller *caller = container_of(link, struct caller, link);

    CHECK_OBJ(caller, CALLER_TAG);
    return caller;
}

enum caller_state caller_state(const struct caller *caller)
{
    return caller->state;
}

const char *caller_address(const struct caller *caller)
{
    return caller->address_text;
}

const struct sockaddr_storage *caller_socket_address(const struct caller *caller)
{
    return &caller->address;
}

const struct tls_engine *caller_engine(const struct caller *caller)
{
    return caller->engine;
}

void caller_take_seat(struct caller *caller, struct caller **seat)
{
    CHECK_OBJ(caller, CALLER_TAG);
    caller->handed_fd = NEVER_FD;
    caller->seat = seat;
    if (seat != NULL)
        *seat = caller;
}

int caller_handed(const struct caller *caller)
{
    return caller->handed_fd;
}
