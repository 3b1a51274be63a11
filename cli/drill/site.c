/*
 * site - see site.h: the thread, its loop, and what its parts share.
 *
 * Owner    the play      Threads  site_loop() and what it calls: the site's.  The rest: the first.
 */
#include "cli/drill/site.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "cli/drill/internal.h"

/* ---- what the parts share ---- */

int site_listen(struct site *site, uv_tcp_t *listener, uint16_t port, uv_connection_cb on_client)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int failed;

    CHECK(uv_tcp_init(&site->loop, listener) == 0);
    failed = uv_tcp_bind(listener, (const struct sockaddr *)&at, 0);
    return failed != 0 ? failed : uv_listen((uv_stream_t *)listener, 512, on_client);
}

uint16_t site_port_of(const uv_tcp_t *listener)
{
    struct sockaddr_in at = {0};
    int room = sizeof(at);

    (void)uv_tcp_getsockname(listener, (struct sockaddr *)&at, &room);
    return ntohs(at.sin_port);
}

size_t site_head_length(const char *bytes, size_t count)
{
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);

    return end == NULL ? 0 : (size_t)(end - bytes) + 4;
}

struct slice site_field(struct slice head, const char *name)
{
    size_t len = strlen(name);

    while (head.len > 0) {
        const char *end = memchr(head.at, '\n', head.len);
        size_t line = end == NULL ? head.len : (size_t)(end - head.at) + 1;

        if (line > len && head.at[len] == ':' && strncasecmp(head.at, name, len) == 0)
            return slice_trim(slice_of(head.at + len + 1, line - len - 1 - (end != NULL)));
        head = slice_after(head, line);
    }
    return slice_of("", 0);
}

/* ---- the thread ---- */

static void close_handle(uv_handle_t *handle, void *context)
{
    const uv_close_cb *on_closed = handle->data;

    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed != NULL ? *on_closed : NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct site *site = container_of(wake, struct site, wake);

    if (!WORD_READ(site->is_to_end) || site->is_ending)
        return;
    site->is_ending = true;
    uv_walk(&site->loop, close_handle, NULL);
}

static void site_loop(void *context)
{
    struct site *site = context;

    uv_run(&site->loop, UV_RUN_DEFAULT);
}

/* ---- for the first thread ---- */

static bool listen_everywhere(struct site *site, struct error *why)
{
    int failed = site_desk_listen(&site->desk, site->plan.desk_port);
    uint16_t port = site->plan.desk_port;

    for (unsigned i = 0; failed == 0 && i < SITE_SERVERS; i++) {
        port = site->plan.server_ports[i];
        failed = site_server_listen(&site->servers[i], port);
    }
    if (failed == 0)
        return true;
    error_set(why, ERROR_SYSTEM, "127.0.0.1:%u: %s (--port N takes others: N to N+5)", port,
              uv_strerror(failed));
    return false;
}

struct site *site_open(const struct site_plan *plan, struct error *why)
{
    struct site *site = xcalloc(1, sizeof(*site));

    site->plan = *plan;
    site->notes = xcalloc(SITE_NOTES, sizeof(*site->notes));
    CHECK(uv_loop_init(&site->loop) == 0);
    CHECK(uv_async_init(&site->loop, &site->wake, on_wake) == 0);
    site->desk.site = site;
    for (unsigned i = 0; i < SITE_SERVERS; i++) {
        site->servers[i].site = site;
        site->servers[i].index = i;
    }
    if (!site_load_open(site, why) || !listen_everywhere(site, why)) {
        WORD_WRITE(site->is_to_end, true);
        on_wake(&site->wake);
        site_loop(site);
        site_close(&site);
        return NULL;
    }
    CHECK(uv_thread_create(&site->thread, site_loop, site) == 0);
    site->has_thread = true;
    return site;
}

void site_close(struct site **holder)
{
    struct site *site = TAKE_POINTER(holder);

    if (site->has_thread) {
        WORD_WRITE(site->is_to_end, true);
        CHECK(uv_async_send(&site->wake) == 0);
        CHECK(uv_thread_join(&site->thread) == 0);
    }
    CHECK(uv_loop_close(&site->loop) == 0);
    site_load_close(site);
    xfree(site->notes);
    xfree(site);
}

uint16_t site_desk_port(const struct site *site)
{
    return site_port_of(&site->desk.listener);
}

uint16_t site_server_port(const struct site *site, unsigned server)
{
    return site_port_of(&site->servers[server].listener);
}

void site_send_load(struct site *site, uint16_t port)
{
    WORD_WRITE(site->load_port, port);
}

void site_set_mood(struct site *site, unsigned server, enum site_mood mood)
{
    WORD_WRITE(site->moods[server], (int)mood);
}

void site_read(const struct site *site, struct site_counts *counts_out)
{
    counts_out->failed = WORD_READ(site->failed);
    counts_out->made = WORD_READ(site->made);
    for (unsigned i = 0; i < SITE_SERVERS; i++)
        counts_out->served[i] = WORD_READ(site->served[i]);
}

unsigned site_note_count(const struct site *site)
{
    return atomic_load_explicit(&site->noted, memory_order_acquire);
}

const struct site_note *site_note(const struct site *site, unsigned index)
{
    return &site->notes[index];
}
