/*
 * internal - what the parts of a drill's site share: one loop, and the words between its thread and
 * the first.
 *
 * A handle's `data` is NULL, or points at the callback of its closing: so the site ends them all.
 *
 * Owner    the site.      Threads  the site's, but for the words that say otherwise
 */
#ifndef CLI_DRILL_INTERNAL_H
#define CLI_DRILL_INTERNAL_H

#include <uv.h>

#include "base/slice.h"
#include "cli/drill/site.h"
#include "tls/engine.h"

struct tls_trust;

enum { SITE_HEAD_BYTES = 8192, SITE_VISITORS = 256, SITE_PATIENCE_MS = 5000 };

/* ---- servers.c ---- */

struct site_server {
    struct site *site;
    uv_tcp_t listener;
    unsigned index;
    unsigned visitors;
    bool is_mended; /* somebody asked it to recover */
    double tokens;  /* requests that it can serve now */
    uint64_t filled_ms;
};

int site_server_listen(struct site_server *server, uint16_t port);

/* ---- load.c ---- */

enum { SITE_SHOTS = 512 };

/* One request, on a connection of its own. */
struct site_shot {
    struct site *site;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uint64_t begun_ms;
    bool is_busy;
    unsigned have;
    char first[16];         /* of the status line */
    struct tls_engine *tls; /* NULL: clear text */
    bool is_asked;          /* the request was sent */
    bool is_stuck;          /* bytes of TLS could not be sent */
    char sink[4096];
};

struct site_load {
    uv_timer_t timer;
    struct site_shot *shots;
    uint64_t begun_ns; /* 0: not yet */
    uint64_t due;      /* requests since then */
    uint64_t sent;
    char request[512];
    unsigned request_bytes;
    struct tls_trust *trust; /* NULL: clear text */
    char plain[sizeof(((struct site_shot *)NULL)->sink) + TLS_HELD_BYTES];
};

/* False and `why`: what is to be trusted is no certificate. */
bool site_load_open(struct site *site, struct error *why);
void site_load_close(struct site *site);

/* ---- desk.c ---- */

struct site_desk {
    struct site *site;
    uv_tcp_t listener;
    unsigned visitors;
};

int site_desk_listen(struct site_desk *desk, uint16_t port);

/* ---- the site ---- */

struct site {
    struct site_plan plan;
    uv_loop_t loop;
    uv_thread_t thread;
    bool has_thread;
    uv_async_t wake;
    struct site_server servers[SITE_SERVERS];
    struct site_load load;
    struct site_desk desk;
    bool is_ending; /* the site's thread */
    struct site_note *notes;
    /* written by the site's thread */
    _Atomic uint64_t made;
    _Atomic uint64_t failed;
    _Atomic uint64_t served[SITE_SERVERS];
    _Atomic unsigned noted;
    /* written by the first thread */
    _Atomic int moods[SITE_SERVERS];
    _Atomic unsigned load_port; /* 0: no load yet */
    _Atomic bool is_to_end;
};

/* For words that one thread writes. */
#define WORD_READ(word)         atomic_load_explicit(&(word), memory_order_relaxed)
#define WORD_WRITE(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)
#define WORD_ADD(word, value)   WORD_WRITE(word, WORD_READ(word) + (value))

/* Binds and listens on loopback; a libuv error, or 0. */
int site_listen(struct site *site, uv_tcp_t *listener, uint16_t port, uv_connection_cb on_client);
uint16_t site_port_of(const uv_tcp_t *listener);

/* The bytes up to and with the empty line; 0: not whole yet. */
size_t site_head_length(const char *bytes, size_t count);
/* The value of a field in a head, trimmed; empty where it is not there. */
struct slice site_field(struct slice head, const char *name);

#endif
