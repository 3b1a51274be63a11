/*
 * listener - see listener.h; the only file that knows libmicrohttpd.
 *
 * libmicrohttpd runs without threads of its own: each door (one listening socket, one daemon) has
 * an epoll descriptor that the control loop watches, and a timer for the timeouts the library asks
 * for.  A handler that answers later leaves its connection suspended until then.  At the TCP door
 * front.c accepts, speaks TLS, and hands connections on.
 *
 * A caller who is slow holds one of CONNECTIONS places and nothing else; the library ends one that
 * is silent for SILENT_S, and sweep() one that takes more than CALL_MS for a call, so that a byte a
 * second does not hold a place for ever.
 *
 * Owner    struct admin.      Threads  control only
 */
#include "admin/listener.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <uv.h>

#include "admin/bind.h"
#include "admin/call.h"
#include "admin/dispatch.h"
#include "admin/front.h"
#include "admin/internal.h"
#include "admin/visit.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/model.h"

enum { DOOR_TAG = 0x444f4f52, DOORS = 2 };
enum { CONNECTIONS = FRONT_PLACES, SILENT_S = 30, CALL_MS = 60000, SWEEP_MS = 5000 };
enum { STREAM_BLOCK = 16 * 1024 };

struct door {
    uint32_t tag;
    struct admin *admin;
    bool is_local;
    struct front *front;  /* of the TCP door, which the library does not accept at; else NULL */
    unsigned clear_count; /* visits that are not of a caller over TLS */
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_timer_t sweeper;
    struct list visits;
};

struct admin_listener {
    struct admin *admin;
    struct door doors[DOORS];
    unsigned door_count;
    char *socket_path;
    unsigned handles_open;
    bool is_closing;
    admin_listener_closed_fn *on_closed;
};

/* One call's share of the library, in call->listener_part. */
struct exchange {
    struct door *door;
    struct MHD_Connection *connection;
    struct visit *visit;
    bool has_head;
    bool is_suspended;
};

/* --- turning the wheel ------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void pump(struct door *door)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    CHECK_OBJ(door, DOOR_TAG);
    MHD_run(door->daemon);
    if (MHD_get_timeout(door->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&door->timer, on_timer, wait_ms, 0);
    else
        uv_timer_stop(&door->timer);
}

static void on_timer(uv_timer_t *timer)
{
    pump(container_of(timer, struct door, timer));
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows up in MHD_run() too */
    (void)events;
    pump(container_of(poll, struct door, poll));
}

static void on_sweep(uv_timer_t *timer)
{
    struct door *door = container_of(timer, struct door, sweeper);
    uint64_t now_ms = clock_ms();

    LIST_EACH (link, &door->visits) {
        struct visit *visit = container_of(link, struct visit, link);
        if (!visit->is_suspended && !visit->is_stream && now_ms - visit->since_ms > CALL_MS)
            shutdown(visit->fd, SHUT_RDWR); /* the library sees it and cleans up */
    }
}

/* --- a call ------------------------------------------------------------------------------ */

static void *on_request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct door *door = context;
    struct call *call = call_new(door->admin, slice_from(target));
    struct exchange *exchange = arena_alloc(call->arena, sizeof(*exchange));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    exchange->door = door;
    exchange->connection = connection;
    exchange->visit = info != NULL ? info->socket_context : NULL;
    call->listener_part = exchange;
    call->is_local = door->is_local;
    return call;
}

static struct slice header_of(struct call *call, struct MHD_Connection *connection,
                              const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

    return value != NULL ? arena_slice(call->arena, slice_from(value)) : slice_of("", 0);
}

static void read_head(struct call *call, struct MHD_Connection *connection, const char *method)
{
    uint64_t body_bytes;
    struct slice length = header_of(call, connection, "Content-Length");

    call->method = arena_slice(call->arena, slice_from(method));
    call->host = header_of(call, connection, "Host");
    call->origin = header_of(call, connection, "Origin");
    call->fetch_site = header_of(call, connection, "Sec-Fetch-Site");
    call->accept = header_of(call, connection, "Accept");
    call->if_none_match = header_of(call, connection, "If-None-Match");
    call->if_match = header_of(call, connection, "If-Match");
    call->idempotency_key = header_of(call, connection, "Idempotency-Key");
    call->last_event_id = header_of(call, connection, "Last-Event-ID");
    call->authorization = header_of(call, connection, "Authorization");
    call->on_behalf_of = header_of(call, connection, "X-On-Behalf-Of");
    call->is_too_large = slice_to_u64(length, &body_bytes) && body_bytes > CALL_BODY_BYTES;
}

/* What is too large is read to its end and dropped, so that the answer arrives. */
static void take_body(struct call *call, const char *bytes, size_t count)
{
    if (call->reply.is_ready)
        return; /* it is refused already */
    if (call->is_too_large || buffer_length(&call->body) + count > CALL_BODY_BYTES) {
        call->is_too_large = true;
        buffer_reset(&call->body, 0);
        return;
    }
    buffer_append(&call->body, bytes, count);
}

static void suspend(struct call *call);

/* A stream's next bytes; nothing now: its connection sleeps until there are more. */
static ssize_t read_stream(void *context, uint64_t position, char *out, size_t room)
{
    struct call *call = context;
    struct buffer *body = &call->reply.body;
    size_t count;

    (void)position;
    if (buffer_length(body) == 0 && !call->reply.has_ended)
        call->reply.refill(call);
    count = buffer_length(body) < room ? buffer_length(body) : room;
    if (count > 0) {
        memcpy(out, buffer_slice(body).at, count);
        buffer_consume(body, count);
        return (ssize_t)count;
    }
    if (call->reply.has_ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    suspend(call);
    return 0;
}

static struct MHD_Response *response_of(struct call *call)
{
    struct buffer *body = &call->reply.body;
    size_t count = buffer_length(body);
    char *bytes = body->data;

    if (call->reply.refill != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, call,
                                                 NULL);
    return MHD_create_response_from_buffer_with_free_callback_cls(count, bytes, xfree, bytes);
}

static enum MHD_Result send_reply(struct call *call, struct MHD_Connection *connection)
{
    struct reply *reply = &call->reply;
    struct MHD_Response *response = response_of(call);
    struct exchange *exchange = call->listener_part;

    if (response == NULL)
        return MHD_NO;
    if (reply->refill == NULL)
        buffer_init(&reply->body); /* the response owns the bytes now */
    else if (exchange->visit != NULL)
        exchange->visit->is_stream = true;
    if (reply->content_type != NULL)
        MHD_add_response_header(response, "Content-Type", reply->content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (unsigned i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    enum MHD_Result result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* A handler answered after its connection had been suspended, or a stream has more. */
static void on_late_answer(struct call *call)
{
    struct exchange *exchange = call->listener_part;

    if (!exchange->is_suspended)
        return;
    exchange->is_suspended = false;
    exchange->visit->is_suspended = false;
    exchange->visit->since_ms = clock_ms();
    MHD_resume_connection(exchange->connection);
    uv_timer_start(&exchange->door->timer, on_timer, 0, 0);
}

static void suspend(struct call *call)
{
    struct exchange *exchange = call->listener_part;

    exchange->is_suspended = true;
    exchange->visit->is_suspended = true;
    call->on_answer = on_late_answer;
    MHD_suspend_connection(exchange->connection);
}

static enum MHD_Result on_call(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_bytes, void **state)
{
    struct call *call = *state;
    struct exchange *exchange = call->listener_part;

    (void)context;
    (void)url; /* call->target has it, as it was sent */
    (void)version;
    CHECK_OBJ(call, CALL_TAG);
    if (!exchange->has_head) {
        exchange->has_head = true;
        read_head(call, connection, method);
        if (exchange->visit != NULL)
            visit_describe(exchange->visit, call);
        dispatch_head(call); /* nobody's body is kept before it is known who sends it */
        return call->is_too_large ? send_reply(call, connection) : MHD_YES;
    }
    if (*upload_bytes > 0) {
        take_body(call, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (!call->reply.is_ready)
        dispatch(call);
    if (call->reply.is_ready)
        return send_reply(call, connection);
    suspend(call);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct call *call = *state;

    (void)context;
    (void)connection;
    (void)code;
    if (call == NULL)
        return;
    struct exchange *exchange = call->listener_part;
    if (exchange->visit != NULL) {
        exchange->visit->since_ms = clock_ms();
        exchange->visit->is_stream = false;
    }
    call->visit = NULL;
    *state = NULL;
    call_leave(&call);
}

static struct visit *begin_visit(struct door *door, struct MHD_Connection *connection)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct caller *caller = door->front != NULL ? front_find(door->front, fd) : NULL;
    struct visit *visit = visit_new(fd, door->is_local, caller);

    visit->connection = connection;
    door->clear_count += !visit->is_secured;
    list_append(&door->visits, &visit->link);
    return visit;
}

static void on_visit(void *context, struct MHD_Connection *connection, void **socket_context,
                     enum MHD_ConnectionNotificationCode code)
{
    struct door *door = context;
    struct visit *visit = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = begin_visit(door, connection);
    } else if (visit != NULL) {
        door->clear_count -= !visit->is_secured;
        visit_free(&visit);
        *socket_context = NULL;
    }
}

/* Paths are matched as they were sent. */
static size_t leave_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* --- opening and closing ----------------------------------------------------------------- */

/* `fd` -1: others accept. */
static bool start_daemon(struct door *door, int fd, struct error *why)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem listens[] = {
        {fd >= 0 ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, fd, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    if (fd < 0)
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    door->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_call, door, MHD_OPTION_ARRAY, listens, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, door, MHD_OPTION_NOTIFY_COMPLETED, on_completed, door,
        MHD_OPTION_NOTIFY_CONNECTION, on_visit, door, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes,
        NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)SILENT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (door->daemon == NULL)
        error_set(why, ERROR_SYSTEM,
                  "the admin server cannot start: no descriptors or memory left");
    return door->daemon != NULL;
}

static bool hand_on(void *context, int fd, const struct sockaddr_storage *address)
{
    struct door *door = context;
    socklen_t bytes =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    bool is_taken = MHD_add_connection(door->daemon, fd, (const struct sockaddr *)address, bytes) ==
                    MHD_YES; /* else it has closed it */

    pump(door);
    return is_taken;
}

static unsigned count_clear(void *context)
{
    return ((const struct door *)context)->clear_count;
}

static void open_front(struct admin_listener *listener, struct door *door, int fd)
{
    const struct conf_admin *conf = listener->admin->options.conf;
    struct front_options options = {
        .loop = listener->admin->options.loop,
        .admin = listener->admin,
        .fd = fd,
        .is_exposed = listener->admin->is_exposed,
        .begins_clear = !conf->has_tls,
        .hand = hand_on,
        .count_clear = count_clear,
        .context = door,
    };

    door->front = front_open(&options);
    listener->handles_open++;
}

static bool open_door(struct admin_listener *listener, int fd, bool is_local, struct error *why)
{
    struct door *door = &listener->doors[listener->door_count];
    uv_loop_t *loop = listener->admin->options.loop;

    door->tag = DOOR_TAG;
    door->admin = listener->admin;
    door->is_local = is_local;
    list_init(&door->visits);
    if (!start_daemon(door, is_local ? fd : -1, why)) {
        close(fd);
        return false;
    }
    if (!is_local)
        open_front(listener, door, fd);
    int epoll_fd = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    CHECK(uv_poll_init(loop, &door->poll, epoll_fd) == 0);
    CHECK(uv_timer_init(loop, &door->timer) == 0);
    CHECK(uv_timer_init(loop, &door->sweeper) == 0);
    CHECK(uv_poll_start(&door->poll, UV_READABLE, on_readable) == 0);
    CHECK(uv_timer_start(&door->sweeper, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
    uv_unref((uv_handle_t *)&door->sweeper);
    listener->handles_open += 3;
    listener->door_count++;
    return true;
}

static bool is_on_read_only_disk(const char *directory)
{
    struct statvfs disk;

    return statvfs(directory, &disk) == 0 && (disk.f_flag & ST_RDONLY) != 0;
}

static bool open_doors(struct admin_listener *listener, struct error *why)
{
    const struct admin_options *options = &listener->admin->options;
    int fd = bind_tcp(&options->conf->listen, options->conf->has_tls, why);

    if (fd < 0 || !open_door(listener, fd, false, why))
        return false;
    log_event(EV_LISTENING, LOG_TEXT("listener", "admin"),
              LOG_TEXT("address", options->conf->listen.text));
    if (options->conf->socket == NULL)
        return true;
    fd = bind_local(options->state_directory, options->conf->socket, &listener->socket_path, why);
    if (fd < 0 && is_on_read_only_disk(options->state_directory)) {
        log_event(EV_ADMIN_FAILED, LOG_TEXT("why", why->text));
        *why = (struct error){0};
        return true; /* the other door is open */
    }
    return fd >= 0 && open_door(listener, fd, true, why);
}

struct admin_listener *admin_listener_open(struct admin *admin, struct error *why)
{
    struct admin_listener *listener = xcalloc(1, sizeof(*listener));

    listener->admin = admin;
    if (open_doors(listener, why))
        return listener;
    admin_listener_close(listener, NULL);
    return NULL;
}

static void free_listener(struct admin_listener *listener)
{
    admin_listener_closed_fn *on_closed = listener->on_closed;
    struct admin *admin = listener->admin;

    xfree(listener->socket_path);
    xfree(listener);
    if (on_closed != NULL)
        on_closed(admin);
}

static void on_part_closed(void *context)
{
    struct admin_listener *listener = context;

    if (--listener->handles_open == 0)
        free_listener(listener);
}

static void on_handle_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

/* The library insists that nothing is suspended when it stops. */
static void resume_all(struct door *door)
{
    LIST_EACH (link, &door->visits) {
        struct visit *visit = container_of(link, struct visit, link);
        if (visit->is_suspended)
            MHD_resume_connection(visit->connection);
    }
}

static void close_handle(struct admin_listener *listener, uv_handle_t *handle)
{
    handle->data = listener;
    uv_close(handle, on_handle_closed);
}

static void close_door(struct admin_listener *listener, struct door *door)
{
    uv_poll_stop(&door->poll); /* before its descriptor goes */
    if (door->front != NULL)
        front_shut(door->front);
    resume_all(door);
    MHD_stop_daemon(door->daemon); /* also closes the socket that it listens at */
    if (door->front != NULL)
        front_close(door->front, on_part_closed, listener);
    close_handle(listener, (uv_handle_t *)&door->poll);
    close_handle(listener, (uv_handle_t *)&door->timer);
    close_handle(listener, (uv_handle_t *)&door->sweeper);
}

/* ---- */

static const struct door *tcp_door(const struct admin_listener *listener)
{
    for (unsigned i = 0; i < listener->door_count; i++)
        if (listener->doors[i].front != NULL)
            return &listener->doors[i];
    return NULL;
}

void admin_listener_adopt(struct admin_listener *listener)
{
    const struct door *door = tcp_door(listener);

    if (door != NULL && !listener->is_closing)
        front_adopt(door->front);
}

struct admin_listener_numbers admin_listener_numbers(const struct admin_listener *listener)
{
    const struct door *door = tcp_door(listener);
    struct admin_listener_numbers numbers = {0};

    if (door != NULL)
        numbers.tls = front_counts(door->front);
    for (unsigned i = 0; i < listener->door_count; i++)
        numbers.open += listener->doors[i].front != NULL ? front_count(listener->doors[i].front)
                                                         : listener->doors[i].clear_count;
    return numbers;
}

void admin_listener_close(struct admin_listener *listener, admin_listener_closed_fn *on_closed)
{
    CHECK(!listener->is_closing);
    listener->is_closing = true;
    listener->on_closed = on_closed;
    if (listener->socket_path != NULL)
        unlink(listener->socket_path);
    if (listener->door_count == 0) {
        free_listener(listener);
        return;
    }
    for (unsigned i = 0; i < listener->door_count; i++)
        close_door(listener, &listener->doors[i]);
}
