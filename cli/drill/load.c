/*
 * load - the clients of a drill: requests at a fixed rate, each on a connection of its own, each
 * counted as made and, when it is answered 4xx or 5xx, or not at all, as failed.
 *
 * Requests are due by the clock: a proxy that stalls is charged for all that wait.  Over TLS each
 * has a handshake of its own, and a certificate that nobody should believe is a failure like any
 * other.
 *
 * Owner    the site      Threads  the site's
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "cli/drill/internal.h"
#include "tls/trust.h"

#define SITE_HOST "shop.example"

enum { TICK_MS = 10, STATUS_AT = 9, STATUS_END = 12 }; /* "HTTP/1.1 200" */

static void on_shot_closed(uv_handle_t *handle)
{
    struct site_shot *shot = container_of((uv_tcp_t *)handle, struct site_shot, tcp);

    tls_engine_free(&shot->tls);
    shot->is_busy = false;
}

static uv_close_cb shot_closed = on_shot_closed;

static void end_shot(struct site_shot *shot)
{
    if (uv_is_closing((uv_handle_t *)&shot->tcp))
        return;
    if (!shot->site->is_ending && (shot->have < STATUS_END || shot->first[STATUS_AT] > '3'))
        WORD_ADD(shot->site->failed, 1);
    uv_close((uv_handle_t *)&shot->tcp, on_shot_closed);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room_out)
{
    struct site_shot *shot = container_of((uv_tcp_t *)handle, struct site_shot, tcp);

    (void)wanted;
    *room_out = uv_buf_init(shot->sink, sizeof(shot->sink));
}

static void take_answer(struct site_shot *shot, const char *bytes, size_t count)
{
    size_t wanted = sizeof(shot->first) - shot->have;

    if (wanted > count)
        wanted = count;
    memcpy(shot->first + shot->have, bytes, wanted);
    shot->have += (unsigned)wanted;
}

static void on_sent(uv_write_t *write, int failed)
{
    struct site_shot *shot = container_of(write, struct site_shot, write);

    if (failed != 0)
        end_shot(shot);
}

static bool ask(struct site_shot *shot)
{
    struct site_load *load = &shot->site->load;
    uv_buf_t bytes = uv_buf_init(load->request, load->request_bytes);

    return uv_write(&shot->write, (uv_stream_t *)&shot->tcp, &bytes, 1, on_sent) == 0;
}

/* ---- over TLS ---- */

static void send_tls(void *context, struct slice ciphertext)
{
    struct site_shot *shot = context;
    uv_buf_t bytes = uv_buf_init((char *)(uintptr_t)ciphertext.at, (unsigned)ciphertext.len);

    /* a few kilobytes to a fresh socket of loopback: there is room */
    if (uv_try_write((uv_stream_t *)&shot->tcp, &bytes, 1) != (int)ciphertext.len)
        shot->is_stuck = true;
}

/* False: it has come to nothing. */
static bool go_on_tls(struct site_shot *shot, struct slice ciphertext)
{
    struct site_load *load = &shot->site->load;
    size_t count = tls_engine_feed(shot->tls, ciphertext, load->plain);

    take_answer(shot, load->plain, count);
    if (tls_engine_state(shot->tls) == TLS_OPEN && !shot->is_asked) {
        shot->is_asked = true;
        (void)tls_engine_send(shot->tls, slice_of(load->request, load->request_bytes));
    }
    return tls_engine_state(shot->tls) != TLS_FAILED && !shot->is_stuck;
}

static bool begin_tls(struct site_shot *shot)
{
    shot->tls = tls_engine_connect(shot->site->load.trust, SITE_HOST, NULL, send_tls, shot);
    return go_on_tls(shot, slice_of("", 0));
}

/* ---- either way ---- */

static void on_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct site_shot *shot = container_of((uv_tcp_t *)stream, struct site_shot, tcp);

    if (count < 0)
        end_shot(shot);
    else if (shot->tls == NULL)
        take_answer(shot, room->base, (size_t)count);
    else if (!go_on_tls(shot, slice_of(room->base, (size_t)count)))
        end_shot(shot);
}

static void on_connected(uv_connect_t *connect, int failed)
{
    struct site_shot *shot = container_of(connect, struct site_shot, connect);

    if (failed != 0 || uv_read_start((uv_stream_t *)&shot->tcp, give_room, on_bytes) != 0 ||
        !(shot->site->load.trust != NULL ? begin_tls(shot) : ask(shot)))
        end_shot(shot);
}

static void shoot(struct site_shot *shot, unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    shot->is_busy = true;
    shot->begun_ms = clock_ms();
    shot->have = 0;
    shot->is_asked = shot->is_stuck = false;
    CHECK(uv_tcp_init(&shot->site->loop, &shot->tcp) == 0);
    shot->tcp.data = &shot_closed;
    if (uv_tcp_connect(&shot->connect, &shot->tcp, (const struct sockaddr *)&at, on_connected) != 0)
        end_shot(shot);
}

static struct site_shot *idle_shot(struct site_load *load)
{
    for (unsigned i = 0; i < SITE_SHOTS; i++)
        if (!load->shots[i].is_busy)
            return &load->shots[i];
    return NULL;
}

static void end_late(struct site_load *load)
{
    uint64_t now = clock_ms();

    for (unsigned i = 0; i < SITE_SHOTS; i++)
        if (load->shots[i].is_busy && now - load->shots[i].begun_ms > SITE_PATIENCE_MS) {
            load->shots[i].have = 0; /* half an answer is none */
            end_shot(&load->shots[i]);
        }
}

static void on_tick(uv_timer_t *timer)
{
    struct site_load *load = container_of(timer, struct site_load, timer);
    struct site *site = container_of(load, struct site, load);
    unsigned port = WORD_READ(site->load_port);

    if (port == 0)
        return;
    if (load->begun_ns == 0)
        load->begun_ns = clock_ns();
    end_late(load);
    load->due = (clock_ns() - load->begun_ns) / 1000000 * site->plan.rate / 1000;
    for (; load->sent < load->due; load->sent++) {
        struct site_shot *shot = idle_shot(load);

        WORD_ADD(site->made, 1);
        if (shot != NULL)
            shoot(shot, port);
        else
            WORD_ADD(site->failed, 1); /* all wait: so would this one */
    }
}

bool site_load_open(struct site *site, struct error *why)
{
    struct site_load *load = &site->load;
    const char *trusted = site->plan.trusted;
    struct tls_trust_options options = {.verifies = true, .ca_pem = slice_from(trusted)};

    load->shots = xcalloc(SITE_SHOTS, sizeof(*load->shots));
    for (unsigned i = 0; i < SITE_SHOTS; i++)
        load->shots[i].site = site;
    load->request_bytes = (unsigned)snprintf(load->request, sizeof(load->request),
                                             "GET /name HTTP/1.1\r\nHost: " SITE_HOST
                                             "\r\n%sConnection: close\r\n\r\n",
                                             site->plan.fields);
    CHECK(load->request_bytes < sizeof(load->request));
    CHECK(uv_timer_init(&site->loop, &load->timer) == 0);
    CHECK(uv_timer_start(&load->timer, on_tick, TICK_MS, TICK_MS) == 0);
    load->trust = trusted == NULL ? NULL : tls_trust_new(&options, why);
    return trusted == NULL || load->trust != NULL;
}

void site_load_close(struct site *site)
{
    tls_trust_free(&site->load.trust);
    xfree(site->load.shots);
}
