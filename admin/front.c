/*
 * front - see front.h.
 *
 * Owner    admin/listener.c      Threads  control only
 */
#include "admin/front.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "admin/caller.h"
#include "admin/internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "proxy/snapshot.h"
#include "tls/context.h"

enum { FRONT_TAG = 0x46524e54, HANDLES = 3 };
enum { ACCEPT_AT_ONCE = 16, LOOK_MS = 250, FULL_MS = 50, FAILED_MS = 500, SECOND_MS = 1000 };
enum { RATES = 256 };

struct front {
    uint32_t tag;
    struct front_options options;
    struct tls_server *server; /* of what runs, or the last that had one; NULL: none had */
    bool is_clear;             /* what runs has none, and the address is loopback */
    uv_poll_t poll;
    uv_timer_t pause; /* nobody is accepted while it runs */
    uv_timer_t looker;
    struct list callers; /* the oldest first */
    unsigned caller_count;
    unsigned handles_open;
    bool is_shut;
    struct front_counts counts;
    uint64_t second_ms; /* when the second began that the next two count */
    unsigned in_second;
    uint16_t of_address[RATES]; /* two of one hash share a place */
    void (*on_closed)(void *context);
    void *closed_context;
};

static void on_acceptable(uv_poll_t *poll, int status, int events);

/* ---- callers ---- */

static bool on_open(void *context, struct caller *caller, int fd)
{
    struct front *front = context;

    front->counts.handshakes++;
    return front->options.hand(front->options.context, fd, caller_socket_address(caller));
}

static void on_refused(void *context, const struct caller *caller, const char *why)
{
    struct front *front = context;

    front->counts.failures++;
    log_event(EV_ADMIN_HANDSHAKE_FAILED, LOG_TEXT("source", caller_address(caller)),
              LOG_TEXT("why", why));
}

static void finish(struct front *front)
{
    void (*on_closed)(void *) = front->on_closed;
    void *context = front->closed_context;

    if (front->handles_open > 0 || front->caller_count > 0)
        return;
    tls_server_free(&front->server);
    front->tag = 0;
    xfree(front);
    on_closed(context);
}

static void on_gone(void *context)
{
    struct front *front = context;

    front->caller_count--;
    finish(front);
}

static const struct caller_ops caller_ops = {on_open, on_refused, on_gone};

struct caller *front_find(struct front *front, int fd)
{
    CHECK_OBJ(front, FRONT_TAG);
    LIST_EACH (link, &front->callers)
        if (caller_handed(caller_of_link(link)) == fd)
            return caller_of_link(link);
    return NULL;
}

/* ---- places ---- */

static unsigned count_all(const struct front *front)
{
    return front->caller_count + front->options.count_clear(front->options.context);
}

/* False: everybody has shaken hands. */
static bool make_place(struct front *front)
{
    LIST_EACH (link, &front->callers) {
        struct caller *caller = caller_of_link(link);

        if (caller_state(caller) != CALLER_SHAKING)
            continue;
        on_refused(front, caller, "another caller needs the place");
        caller_close(caller);
        return true;
    }
    return false;
}

/* The address alone, without the port. */
static struct slice host_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET6)
        return slice_of((const char *)&v6->sin6_addr, sizeof(v6->sin6_addr));
    return slice_of((const char *)&v4->sin_addr, sizeof(v4->sin_addr));
}

static unsigned count_of(const struct front *front, const struct sockaddr_storage *address)
{
    unsigned count = 0;

    LIST_EACH (link, &front->callers)
        count +=
            slice_equal(host_of(caller_socket_address(caller_of_link(link))), host_of(address));
    return count;
}

/* False: too many this second. */
static bool take_rate(struct front *front, const struct sockaddr_storage *address)
{
    size_t rate = hash_slice(hash_process_key(), host_of(address)) % RATES;

    if (front->in_second >= FRONT_RATE || front->of_address[rate] >= FRONT_RATE_OF_ADDRESS)
        return false;
    front->in_second++;
    front->of_address[rate]++;
    return true;
}

/* Who waits comes before who comes. */
static void begin_second(struct front *front)
{
    uint64_t now_ms = clock_ms();

    if (now_ms - front->second_ms < SECOND_MS)
        return;
    front->second_ms = now_ms;
    front->in_second = 0;
    memset(front->of_address, 0, sizeof(front->of_address));
    LIST_EACH (link, &front->callers) {
        struct caller *caller = caller_of_link(link);

        if (!caller_has_begun(caller) && take_rate(front, caller_socket_address(caller)))
            caller_begin(caller);
    }
}

/* ---- accepting ---- */

static void on_look(uv_timer_t *timer)
{
    struct front *front = container_of(timer, struct front, looker);
    uint64_t now_ms = clock_ms();

    LIST_EACH_SAFE (link, &front->callers)
        caller_look(caller_of_link(link), now_ms);
    begin_second(front);
}

static void listen_again(struct front *front)
{
    CHECK(uv_poll_start(&front->poll, UV_READABLE, on_acceptable) == 0);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct front *front = container_of(timer, struct front, pause);

    if (!front->is_shut)
        listen_again(front);
}

static void pause_for(struct front *front, uint64_t ms)
{
    CHECK(uv_poll_stop(&front->poll) == 0);
    CHECK(uv_timer_start(&front->pause, on_pause_over, ms, 0) == 0);
}

static void greet(struct front *front, int fd, const struct sockaddr_storage *address)
{
    const int yes = 1;
    struct caller *caller;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)); /* only saves time */
    if (front->is_clear) {
        (void)front->options.hand(front->options.context, fd, address);
        return;
    }
    if (count_of(front, address) >= FRONT_OF_ADDRESS) {
        front->counts.refused++;
        (void)close(fd);
        return;
    }
    caller = caller_open(front->options.loop, fd, address, front->server, &caller_ops, front);
    list_append(&front->callers, caller_link(caller));
    front->caller_count++;
    if (take_rate(front, address))
        caller_begin(caller);
}

/* Lets one caller in who waits.  False: nobody waits, or nobody is let in for a while;
 * on_acceptable is called again when that is over. */
static bool accept_one(struct front *front)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof(address);
    int fd;

    begin_second(front);
    if (count_all(front) >= FRONT_PLACES && !make_place(front)) {
        pause_for(front, FULL_MS);
        return false;
    }
    fd = accept4(front->options.fd, (struct sockaddr *)&address, &bytes,
                 SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        greet(front, fd, &address);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_event(EV_ADMIN_FAILED, LOG_TEXT("why", strerror(errno)));
        pause_for(front, FAILED_MS);
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct front *front = container_of(poll, struct front, poll);

    (void)status; /* accept4() says what is wrong */
    (void)events;
    CHECK_OBJ(front, FRONT_TAG);
    for (int i = 0; i < ACCEPT_AT_ONCE && !front->is_shut; i++)
        if (!accept_one(front))
            break;
}

/* ---- life ---- */

void front_adopt(struct front *front)
{
    const struct snapshot *snapshot = admin_snapshot(front->options.admin);

    ON_CONTROL();
    CHECK_OBJ(front, FRONT_TAG);
    if (snapshot == NULL || front->is_shut)
        return;
    if (snapshot->admin_tls == NULL && front->options.is_exposed)
        log_event(EV_CONFIG_FINDING,
                  LOG_TEXT("message",
                           "the admin listener is at an address that is not loopback: it "
                           "goes on with TLS, as it was, until twokey is restarted"));
    if (snapshot->admin_tls != NULL && snapshot->admin_tls != front->server) {
        tls_server_free(&front->server);
        front->server = tls_server_hold(snapshot->admin_tls);
    }
    front->is_clear = snapshot->admin_tls == NULL && !front->options.is_exposed;
    if ((front->is_clear || front->server != NULL) &&
        !uv_is_active((const uv_handle_t *)&front->pause))
        listen_again(front);
}

struct front *front_open(const struct front_options *options)
{
    struct front *front = xcalloc(1, sizeof(*front));

    ON_CONTROL();
    front->tag = FRONT_TAG;
    front->options = *options;
    front->is_clear = options->begins_clear && !options->is_exposed;
    list_init(&front->callers);
    CHECK(uv_poll_init(options->loop, &front->poll, options->fd) == 0);
    CHECK(uv_timer_init(options->loop, &front->pause) == 0);
    CHECK(uv_timer_init(options->loop, &front->looker) == 0);
    CHECK(uv_timer_start(&front->looker, on_look, LOOK_MS, LOOK_MS) == 0);
    uv_unref((uv_handle_t *)&front->looker);
    front->handles_open = HANDLES;
    if (front->is_clear)
        listen_again(front);
    return front;
}

void front_shut(struct front *front)
{
    CHECK_OBJ(front, FRONT_TAG);
    if (front->is_shut)
        return;
    front->is_shut = true;
    CHECK(uv_poll_stop(&front->poll) == 0);
    CHECK(uv_timer_stop(&front->pause) == 0);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct front *front = handle->data;

    front->handles_open--;
    finish(front);
}

void front_close(struct front *front, void (*on_closed)(void *context), void *context)
{
    uv_handle_t *handles[HANDLES] = {(uv_handle_t *)&front->poll, (uv_handle_t *)&front->pause,
                                     (uv_handle_t *)&front->looker};

    CHECK_OBJ(front, FRONT_TAG);
    CHECK(front->is_shut && front->on_closed == NULL);
    front->on_closed = on_closed;
    front->closed_context = context;
    while (!list_is_empty(&front->callers))
        caller_finish(caller_of_link(front->callers.next));
    for (unsigned i = 0; i < HANDLES; i++) {
        handles[i]->data = front;
        uv_close(handles[i], on_handle_closed);
    }
    (void)close(front->options.fd); /* the loop has let go of it */
}

unsigned front_count(const struct front *front)
{
    return count_all(front);
}

struct front_counts front_counts(const struct front *front)
{
    return front->counts;
}
