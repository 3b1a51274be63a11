/*
 * listener - one listening socket per worker and address.
 *
 * Threads  listener_set_*: control.  The rest: the worker's.
 */
#include "proxy/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/model.h"
#include "proxy/client/client.h"
#include "proxy/hold.h"
#include "proxy/limits.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

enum { BACKLOG = 4096, RESUME_MS = 100 };

/* ---- control's side ---- */

/* One address, and the sockets for workers that do not have theirs yet.  Whatever the name of its
 * listener: that may change while the sockets stay. */
struct bound {
    struct bound *next;
    char *address;
    uint16_t port; /* 0: a Unix socket */
    bool is_ipv6;
    bool is_new;    /* prepared, not committed */
    bool is_wanted; /* by the configuration being prepared */
    size_t index;   /* of the listener in that configuration */
    char *path;     /* of the Unix socket that we made, or NULL */
    int sockets[];  /* by worker; -1: handed over */
};

struct listener_set {
    unsigned worker_count;
    struct bound *bound;
};

struct listener_set *listener_set_new(unsigned worker_count)
{
    struct listener_set *set = xcalloc(1, sizeof(*set));

    set->worker_count = worker_count;
    return set;
}

static void free_bound(struct bound *bound, unsigned worker_count)
{
    for (unsigned i = 0; i < worker_count; i++)
        if (bound->sockets[i] >= 0)
            (void)close(bound->sockets[i]); /* never used: nothing can be lost */
    if (bound->path != NULL)
        (void)unlink(bound->path); /* it may be gone already */
    xfree(bound->path);
    xfree(bound->address);
    xfree(bound);
}

void listener_set_free(struct listener_set **holder)
{
    struct listener_set *set = TAKE_POINTER(holder);

    while (set->bound != NULL) {
        struct bound *bound = set->bound;

        set->bound = bound->next;
        free_bound(bound, set->worker_count);
    }
    xfree(set);
}

static socklen_t fill_address(const struct conf_address *address, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;

    memset(out, 0, sizeof(*out));
    if (address->is_ipv6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        memcpy(&v6->sin6_addr, address->ip, 16);
        return sizeof(*v6);
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    memcpy(&v4->sin_addr, address->ip + 12, 4);
    return sizeof(*v4);
}

static int refuse(const struct conf_listener *conf, const char *step, int socket_or_minus_1,
                  struct error *why)
{
    int cause = errno;

    error_set(why, ERROR_SYSTEM, "listener %s: %s: %s: %s%s", conf->name, conf->address.text, step,
              strerror(cause),
              cause == EADDRINUSE ? " (another process listens there)"
              : cause == EACCES   ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
                                  : "");
    if (socket_or_minus_1 >= 0)
        (void)close(socket_or_minus_1);
    return -1;
}

static int bind_ip(const struct conf_listener *conf, bool shares_port, struct error *why)
{
    struct sockaddr_storage address;
    socklen_t bytes = fill_address(&conf->address, &address);
    int on = 1;
    int made = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (made < 0)
        return refuse(conf, "no socket", made, why);
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (shares_port && setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        (conf->address.is_ipv6 &&
         setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0))
        return refuse(conf, "cannot be set up", made, why);
    if (bind(made, (struct sockaddr *)&address, bytes) != 0)
        return refuse(conf, "cannot be bound", made, why);
    return made;
}

/* SO_REUSEPORT would let us bind beside another process of the same user: a plain bind first
 * tells "address in use" apart. */
static bool probe_ip(const struct conf_listener *conf, struct error *why)
{
    int probe = bind_ip(conf, false, why);

    if (probe < 0)
        return false;
    (void)close(probe);
    return true;
}

/* What a process that ended has left behind is removed; anything but a socket stays. */
static bool clear_path(const struct conf_listener *conf, const struct sockaddr_un *address,
                       struct error *why)
{
    struct stat status;
    int probe;

    if (lstat(address->sun_path, &status) != 0)
        return true; /* bind() tells what is wrong, if anything is */
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        refuse(conf, "cannot be bound", -1, why);
        return false;
    }
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        refuse(conf, "no socket", -1, why);
        return false;
    }
    /* EAGAIN: somebody listens, and his queue is full. */
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno == EAGAIN) {
        errno = EADDRINUSE;
        refuse(conf, "cannot be bound", probe, why);
        return false;
    }
    (void)close(probe);
    (void)unlink(address->sun_path);
    return true;
}

static int bind_local(const struct conf_listener *conf, struct error *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made;

    if (strlen(conf->address.host) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return refuse(conf, "cannot be bound", -1, why);
    }
    memcpy(address.sun_path, conf->address.host, strlen(conf->address.host) + 1);
    if (!clear_path(conf, &address, why))
        return -1;
    made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0 || bind(made, (struct sockaddr *)&address, sizeof(address)) != 0)
        return refuse(conf, "cannot be bound", made, why);
    return made;
}

/* Do we listen on that port already, at another address?  Then a plain bind would find ourselves
 * in the way; with SO_REUSEPORT both stand side by side. */
static bool is_own_port(const struct listener_set *set, const struct conf_address *address)
{
    for (const struct bound *bound = set->bound; bound != NULL; bound = bound->next)
        if (bound->port == address->port && bound->is_ipv6 == address->is_ipv6)
            return true;
    return false;
}

/* A Unix socket is one, shared by all workers; the kernel spreads TCP over one socket each. */
static bool bind_all(const struct listener_set *set, const struct conf_listener *conf,
                     struct bound *bound, struct error *why)
{
    bool is_local = conf->address.kind == ADDRESS_UNIX;

    if (!is_local && !is_own_port(set, &conf->address) && !probe_ip(conf, why))
        return false;
    for (unsigned i = 0; i < set->worker_count; i++) {
        if (!is_local)
            bound->sockets[i] = bind_ip(conf, true, why);
        else if (i == 0)
            bound->sockets[i] = bind_local(conf, why);
        else
            bound->sockets[i] = dup(bound->sockets[0]);
        if (bound->sockets[i] < 0)
            return false;
        if (is_local && i == 0)
            bound->path = xstrdup(conf->address.host);
        if (listen(bound->sockets[i], BACKLOG) != 0) {
            refuse(conf, "cannot listen", -1, why);
            return false;
        }
    }
    bound->port = is_local ? 0 : conf->address.port;
    bound->is_ipv6 = conf->address.is_ipv6;
    return true;
}

static struct bound *find_bound(struct listener_set *set, const struct conf_listener *conf)
{
    for (struct bound *bound = set->bound; bound != NULL; bound = bound->next)
        if (strcmp(bound->address, conf->address.text) == 0)
            return bound;
    return NULL;
}

static bool prepare_one(struct listener_set *set, const struct conf_listener *conf, size_t index,
                        struct error *why)
{
    struct bound *bound = find_bound(set, conf);

    if (bound == NULL) {
        bound = xcalloc(1, sizeof(*bound) + set->worker_count * sizeof(int));
        for (unsigned i = 0; i < set->worker_count; i++)
            bound->sockets[i] = -1;
        bound->address = xstrdup(conf->address.text);
        bound->is_new = true;
        bound->next = set->bound;
        set->bound = bound;
        if (!bind_all(set, conf, bound, why))
            return false;
    }
    bound->is_wanted = true;
    bound->index = index;
    return true;
}

/* Keeps those for which `keep_new` and `keep_unwanted` speak. */
static void sweep(struct listener_set *set, bool keep_new, bool keep_unwanted)
{
    struct bound **at = &set->bound;

    while (*at != NULL) {
        struct bound *bound = *at;

        if ((bound->is_new && !keep_new) || (!bound->is_wanted && !keep_unwanted)) {
            *at = bound->next;
            free_bound(bound, set->worker_count);
        } else {
            bound->is_new = false;
            at = &bound->next;
        }
    }
}

bool listener_set_prepare(struct listener_set *set, const struct configuration *configuration,
                          struct error *why)
{
    for (struct bound *bound = set->bound; bound != NULL; bound = bound->next)
        bound->is_wanted = false;
    for (size_t i = 0; i < configuration->listener_count; i++)
        if (!prepare_one(set, &configuration->listeners[i], i, why)) {
            listener_set_abort(set);
            return false;
        }
    return true;
}

void listener_set_commit(struct listener_set *set)
{
    sweep(set, true, false);
}

void listener_set_abort(struct listener_set *set)
{
    sweep(set, false, true);
}

int listener_set_take(struct listener_set *set, size_t index, unsigned worker)
{
    for (struct bound *bound = set->bound; bound != NULL; bound = bound->next)
        if (bound->is_wanted && bound->index == index) {
            int taken = bound->sockets[worker];

            bound->sockets[worker] = -1;
            return taken;
        }
    return -1;
}

/* ---- the worker's side ---- */

static struct listener *listener_of(const void *handle)
{
    return (struct listener *)(uintptr_t)handle; /* the handle is the first member */
}

static void die_if_unused(struct listener *listener)
{
    struct worker *worker = listener->worker;

    if (!listener->is_closed || listener->clients > 0)
        return;
    list_remove(&listener->link);
    xfree(listener->address);
    xfree(listener);
    worker_check_stopped(worker);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = listener_of(handle);

    listener->is_closed = true;
    die_if_unused(listener);
}

void listener_client_died(struct listener *listener)
{
    CHECK(listener->clients > 0);
    listener->clients--;
    die_if_unused(listener);
}

static uint32_t most_connections(const struct worker *worker)
{
    uint32_t configured = worker->current->snapshot->conf->process.max_connections;

    return configured < worker->most_clients ? configured : worker->most_clients;
}

/* One connection waits; libuv accepts no more until it is taken. */
static void take_one(struct listener *listener)
{
    struct worker *worker = listener->worker;

    if (!client_limit_take(worker->client_limit, most_connections(worker))) {
        listener->is_paused = true;
        worker->has_paused = true;
        if (!deadline_is_set(&worker->resume_deadline))
            deadline_set(&worker->deadlines, &worker->resume_deadline, RESUME_MS);
        return;
    }
    listener->is_paused = false;
    client_accept(listener);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = listener_of(stream);
    struct worker *worker = listener->worker;

    worker_note_time(worker);
    if (status < 0) {
        count_one(&counters_process(worker->counters, worker->index)->accept_failures);
        return;
    }
    if (listener->now == NULL || uv_is_closing(&listener->handle.any))
        return;
    take_one(listener);
    transport_end_callback(worker);
}

void listener_resume_all(struct worker *worker)
{
    if (!worker->has_paused)
        return;
    worker->has_paused = false;
    LIST_EACH_SAFE (link, &worker->listeners) {
        struct listener *listener = container_of(link, struct listener, link);

        if (listener->is_paused && listener->now != NULL && !uv_is_closing(&listener->handle.any))
            take_one(listener);
    }
}

/* The listener is, or is still, part of the configuration that runs. */
static void set_now(struct listener *listener, const struct snapshot_listener *now)
{
    listener->now = now;
    listener->numbers = *now->conf;
}

static void close_listener(struct listener *listener)
{
    if (!uv_is_closing(&listener->handle.any))
        uv_close(&listener->handle.any, on_closed);
}

static void open_listener(struct worker *worker, const struct snapshot_listener *now, int made)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));
    bool is_local = now->conf->address.kind == ADDRESS_UNIX;
    int error;

    listener->worker = worker;
    listener->address = xstrdup(now->conf->address.text);
    set_now(listener, now);
    listener->counter_slot = now->counter_slot;
    listener->is_local = is_local;
    list_append(&worker->listeners, &listener->link);
    error = is_local ? uv_pipe_init(&worker->loop, &listener->handle.pipe, 0)
                     : uv_tcp_init(&worker->loop, &listener->handle.tcp);
    CHECK(error == 0);
    error = is_local ? uv_pipe_open(&listener->handle.pipe, made)
                     : uv_tcp_open(&listener->handle.tcp, made);
    CHECK(error == 0); /* control bound it and listens already */
    CHECK(uv_listen(&listener->handle.stream, BACKLOG, on_connection) == 0);
}

/* By its address: its name may be another one now. */
static struct listener *find_listener(struct worker *worker, const struct conf_listener *conf)
{
    LIST_EACH (link, &worker->listeners) {
        struct listener *listener = container_of(link, struct listener, link);

        if (!uv_is_closing(&listener->handle.any) &&
            strcmp(listener->address, conf->address.text) == 0)
            return listener;
    }
    return NULL;
}

/* What is open is counted under the new name from now on. */
static void move_clients(struct listener *listener, uint32_t to_slot)
{
    struct worker *worker = listener->worker;
    struct listener_row *from =
        counters_listener(worker->counters, worker->index, listener->counter_slot);
    struct listener_row *to = counters_listener(worker->counters, worker->index, to_slot);

    LIST_EACH (link, &worker->clients) {
        const struct client *client = container_of(link, struct client, link);
        uint64_t is_idle = client->state == CLIENT_IDLE;

        if (client->listener != listener)
            continue;
        count_less(&from->connections_open);
        count_one(&to->connections_open);
        count_add(&from->connections_idle, -is_idle);
        count_add(&to->connections_idle, is_idle);
    }
    listener->counter_slot = to_slot;
}

static void keep_listener(struct listener *listener, const struct snapshot_listener *now)
{
    set_now(listener, now);
    if (now->counter_slot != listener->counter_slot)
        move_clients(listener, now->counter_slot);
}

static void retire_clients(struct worker *worker)
{
    LIST_EACH_SAFE (link, &worker->clients) {
        struct client *client = container_of(link, struct client, link);

        if (client->listener->now == NULL)
            client_retire(client);
    }
}

void listener_adopt(struct worker *worker, const struct snapshot *snapshot, const int *sockets)
{
    bool has_closed = false;

    LIST_EACH (link, &worker->listeners)
        container_of(link, struct listener, link)->now = NULL;
    for (size_t i = 0; i < snapshot->listener_count && !worker->is_stopping; i++) {
        struct listener *listener = find_listener(worker, snapshot->listeners[i].conf);

        if (listener != NULL)
            keep_listener(listener, &snapshot->listeners[i]);
        else if (sockets[i] >= 0)
            open_listener(worker, &snapshot->listeners[i], sockets[i]);
    }
    LIST_EACH_SAFE (link, &worker->listeners) {
        struct listener *listener = container_of(link, struct listener, link);

        if (listener->now == NULL && !uv_is_closing(&listener->handle.any)) {
            close_listener(listener);
            has_closed = true;
        }
    }
    if (has_closed)
        retire_clients(worker);
}

void listener_close_all(struct worker *worker)
{
    LIST_EACH_SAFE (link, &worker->listeners)
        close_listener(container_of(link, struct listener, link));
}
