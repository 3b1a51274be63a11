/*
 * tap - a part of the requests, told by one worker to the observer: who asked for what, and which
 * server it was given.
 *
 *   all requests, up to TAP_PER_SECOND a worker; beyond that one of each N, drawn at random, and it
 *   stands for N (its weight).  What is not drawn costs a decrement and a branch.
 *
 * A full tap loses samples, and counts what they stood for; nobody waits.  Never in it: bodies,
 * query strings, cookies, values of headers that carry credentials.
 *
 * Owner    control makes and frees it.
 * Threads  claim/publish, tap_draw: the worker; take/done: the observer
 */
#ifndef OBSERVE_TAP_H
#define OBSERVE_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

enum {
    TAP_CELLS = 1024,
    TAP_PER_SECOND = 1000,
    TAP_HEADERS = 8,
    TAP_HEADER_BYTES = 60, /* of a name, and of a value */
    TAP_HOST_BYTES = 255,
    TAP_PATH_BYTES = 256,
    TAP_METHOD_BYTES = 32,
    /* Everything fits, whatever it is. */
    TAP_TEXT_BYTES =
        TAP_HOST_BYTES + TAP_PATH_BYTES + TAP_METHOD_BYTES + 2 * TAP_HEADERS * TAP_HEADER_BYTES + 1,
};
#define TAP_NONE UINT32_MAX

struct tap_header {
    uint8_t name_bytes;
    uint8_t value_bytes;
    bool is_kept_back; /* a credential, or too long: no value */
    bool is_held;      /* the route that the request took asks for it */
};

/* Things are named by their slots in the counters, which keep their meaning for good. */
struct tap_cell {
    uint64_t client_hash;
    uint64_t hash;
    uint32_t weight;
    uint32_t listener;
    uint32_t route; /* or TAP_NONE, as those that follow */
    uint32_t pool;
    uint32_t server; /* of the first attempt */
    uint32_t sticky;
    uint16_t host_bytes;
    uint16_t path_bytes;
    uint16_t text_bytes; /* all of it */
    uint8_t method_bytes;
    uint8_t header_count;
    uint8_t reason; /* enum balance_reason, where there is a server */
    bool is_https;
    bool has_hash;
    bool is_path_cut;
    struct tap_header headers[TAP_HEADERS];
    char text[TAP_TEXT_BYTES]; /* host, path, method, then name and value of each header */
};

/* Appends to the text what there is room for (all that keeps within the bounds above); returns the
 * bytes put. */
static inline uint16_t tap_put(struct tap_cell *cell, struct slice text, size_t most)
{
    size_t room = sizeof(cell->text) - cell->text_bytes;
    size_t len = text.len < most ? text.len : most;

    if (len > room)
        len = room;
    if (len > 0)
        memcpy(cell->text + cell->text_bytes, text.at, len);
    cell->text_bytes = (uint16_t)(cell->text_bytes + len);
    return (uint16_t)len;
}

struct tap {
    _Alignas(64) _Atomic uint64_t head; /* worker */
    uint64_t origin;                    /* the head that has cell 0; the worker moves it */
    _Atomic uint64_t lost;              /* requests that lost samples stood for; worker */
    _Alignas(64) _Atomic uint64_t tail; /* observer */
    uint64_t head_seen;                 /* observer's copy of head */
    uint64_t origin_seen;               /* and of origin */
    struct tap_cell *cells;
};

struct tap *tap_new(void);
void tap_free(struct tap **tap);

/* A copy of the cell goes to the observer; false: the tap is full, it is lost. */
bool tap_give(struct tap *tap, const struct tap_cell *cell);

/* The oldest, or NULL; tap_done() gives its cell back. */
const struct tap_cell *tap_take(struct tap *tap);
void tap_done(struct tap *tap);

/* Which requests are told.  Each block of `every` requests has one, drawn at random in it. */
struct tap_draw {
    uint32_t skip; /* so many are passed over before the next one; the caller counts it down */
    uint32_t rest; /* of the block of the next one, behind it */
    uint32_t every;
    uint32_t taken; /* in this second */
    uint32_t doubles_at;
    uint64_t second;
    uint64_t seen; /* requests that those of this second stand for */
};

void tap_draw_init(struct tap_draw *draw);
/* The one whose turn it is was reached: its weight.  Draws the next. */
uint32_t tap_draw_take(struct tap_draw *draw, uint64_t now_ns, uint64_t random_bits);

#endif
