/*
 * servers - the four servers of a drill: small, quick, and each with an end to what it can bear.
 *
 *   GET  /healthz   "ok", or 503 when it is down        POST /recover   it is well again
 *   GET  /name      its name; so do /, /cart, /pay      anything else   404
 *
 * A server serves `capacity` requests a second, after a rest a second's worth of them at once; what
 * is more is answered 503 at once, as a server does that sheds its load.  Checks are not counted.
 *
 * Owner    the site      Threads  the site's
 * Invariant  A visitor has one request under way at a time.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "cli/drill/internal.h"

struct visitor {
    struct site_server *server;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    unsigned handles;
    bool is_answering;
    bool is_last; /* the connection closes behind the answer */
    size_t have;
    char head[SITE_HEAD_BYTES];
    unsigned answer_bytes;
    char answer[256];
};

/* ---- the end of a visitor ---- */

static void on_closed(struct visitor *visitor)
{
    if (--visitor->handles > 0)
        return;
    visitor->server->visitors--;
    xfree(visitor);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_closed(container_of((uv_timer_t *)handle, struct visitor, timer));
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct visitor *visitor = container_of((uv_tcp_t *)handle, struct visitor, tcp);

    if (!uv_is_closing((uv_handle_t *)&visitor->timer))
        uv_close((uv_handle_t *)&visitor->timer, on_timer_closed);
    on_closed(visitor);
}

static uv_close_cb tcp_closed = on_tcp_closed, timer_closed = on_timer_closed;

static void leave(struct visitor *visitor)
{
    if (!uv_is_closing((uv_handle_t *)&visitor->tcp))
        uv_close((uv_handle_t *)&visitor->tcp, on_tcp_closed);
}

/* ---- what it answers ---- */

static enum site_mood mood_of(const struct site_server *server)
{
    return server->is_mended ? SITE_WELL
                             : (enum site_mood)WORD_READ(server->site->moods[server->index]);
}

/* One request of what it can serve, if there is one left. */
static bool take_token(struct site_server *server)
{
    double capacity = server->site->plan.capacity;
    uint64_t now = clock_ms();

    server->tokens += capacity * (double)(now - server->filled_ms) / 1000.0;
    server->filled_ms = now;
    if (server->tokens > capacity)
        server->tokens = capacity;
    if (server->tokens < 1)
        return false;
    server->tokens -= 1;
    return true;
}

static bool is_page(struct slice path)
{
    static const char *const pages[] = {"/", "/name", "/cart", "/pay"};

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (slice_equal(path, slice_from(pages[i])))
            return true;
    return false;
}

/* The status, the body, and how long it takes. */
static unsigned judge(struct site_server *server, struct slice method, struct slice path,
                      const char **body_out, unsigned *wait_ms_out)
{
    enum site_mood mood = mood_of(server);

    *wait_ms_out = 0;
    *body_out = "not well: POST /recover starts it again\n";
    if (slice_equal(method, SLICE("POST")) && slice_equal(path, SLICE("/recover"))) {
        server->is_mended = true;
        *body_out = NULL;
        return 200;
    }
    if (mood == SITE_DOWN)
        return 503;
    if (slice_equal(path, SLICE("/healthz"))) {
        *body_out = "ok\n";
        return 200;
    }
    if (!is_page(path) || mood == SITE_EMPTY) {
        *body_out = "no such page\n";
        return 404;
    }
    if (mood == SITE_BROKEN) {
        *body_out = "the disk is full\n";
        return 500;
    }
    if (!take_token(server)) {
        *body_out = "too many requests for this server\n";
        return 503;
    }
    WORD_ADD(server->site->served[server->index], 1);
    *wait_ms_out = server->site->plan.latency_ms;
    *body_out = NULL;
    return 200;
}

static void write_answer(struct visitor *visitor, unsigned status, const char *body)
{
    const char *reason = status == 200   ? "OK"
                         : status == 404 ? "Not Found"
                         : status == 500 ? "Internal Server Error"
                                         : "Service Unavailable";
    char name[16];

    (void)snprintf(name, sizeof(name), "s%u\n", visitor->server->index + 1);
    if (body == NULL)
        body = name;
    visitor->answer_bytes = (unsigned)snprintf(
        visitor->answer, sizeof(visitor->answer),
        "HTTP/1.1 %u %s\r\nServer: s%u\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
        "%s\r\n%s",
        status, reason, visitor->server->index + 1, strlen(body),
        visitor->is_last ? "Connection: close\r\n" : "", body);
}

/* ---- a request ---- */

static void look(struct visitor *visitor);

static void on_written(uv_write_t *write, int failed)
{
    struct visitor *visitor = container_of(write, struct visitor, write);

    visitor->is_answering = false;
    if (failed != 0 || visitor->is_last)
        leave(visitor);
    else
        look(visitor);
}

static void on_due(uv_timer_t *timer)
{
    struct visitor *visitor = container_of(timer, struct visitor, timer);
    uv_buf_t bytes = uv_buf_init(visitor->answer, visitor->answer_bytes);

    if (uv_write(&visitor->write, (uv_stream_t *)&visitor->tcp, &bytes, 1, on_written) != 0)
        leave(visitor);
}

/* "GET /name?x HTTP/1.1": the method, and the path without its query. */
static void take_line(struct slice head, struct slice *method_out, struct slice *path_out)
{
    const char *space = memchr(head.at, ' ', head.len);
    size_t len = 0;

    *method_out = slice_of(head.at, space == NULL ? 0 : (size_t)(space - head.at));
    *path_out = slice_after(head, method_out->len + (space != NULL));
    while (len < path_out->len && memchr("? \r\n", path_out->at[len], 4) == NULL)
        len++;
    *path_out = slice_of(path_out->at, len);
}

/* Is a whole request there? */
static void look(struct visitor *visitor)
{
    size_t len = site_head_length(visitor->head, visitor->have);
    struct slice head = slice_of(visitor->head, len);
    struct slice method;
    struct slice path;
    const char *body;
    unsigned wait_ms;
    unsigned status;

    if (len == 0 || visitor->is_answering) {
        if (len == 0 && visitor->have == sizeof(visitor->head))
            leave(visitor);
        return;
    }
    take_line(head, &method, &path);
    visitor->is_answering = true;
    /* bodies are not read: a request that has one is the connection's last */
    visitor->is_last = site_field(head, "Content-Length").len > 0 ||
                       site_field(head, "Transfer-Encoding").len > 0 ||
                       slice_equal_nocase(site_field(head, "Connection"), SLICE("close"));
    status = judge(visitor->server, method, path, &body, &wait_ms);
    write_answer(visitor, status, body);
    visitor->have -= len;
    memmove(visitor->head, visitor->head + len, visitor->have);
    CHECK(uv_timer_start(&visitor->timer, on_due, wait_ms, 0) == 0);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room_out)
{
    struct visitor *visitor = container_of((uv_tcp_t *)handle, struct visitor, tcp);

    (void)wanted;
    *room_out = uv_buf_init(visitor->head + visitor->have,
                            (unsigned)(sizeof(visitor->head) - visitor->have));
}

static void on_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct visitor *visitor = container_of((uv_tcp_t *)stream, struct visitor, tcp);

    (void)room;
    if (count < 0) {
        leave(visitor);
        return;
    }
    visitor->have += (size_t)count;
    look(visitor);
}

static void on_client(uv_stream_t *listener, int failed)
{
    struct site_server *server = container_of((uv_tcp_t *)listener, struct site_server, listener);
    struct visitor *visitor;

    if (failed != 0 || server->site->is_ending)
        return;
    visitor = xcalloc(1, sizeof(*visitor));
    visitor->server = server;
    visitor->handles = 2;
    server->visitors++;
    CHECK(uv_tcp_init(&server->site->loop, &visitor->tcp) == 0);
    CHECK(uv_timer_init(&server->site->loop, &visitor->timer) == 0);
    visitor->tcp.data = &tcp_closed;
    visitor->timer.data = &timer_closed;
    if (uv_accept(listener, (uv_stream_t *)&visitor->tcp) != 0 ||
        server->visitors > SITE_VISITORS ||
        uv_read_start((uv_stream_t *)&visitor->tcp, give_room, on_bytes) != 0)
        leave(visitor);
}

int site_server_listen(struct site_server *server, uint16_t port)
{
    server->filled_ms = clock_ms();
    return site_listen(server->site, &server->listener, port, on_client);
}
