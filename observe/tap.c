/*
 * tap - see tap.h.
 *
 *   head  samples ever given; the worker stores it with release
 *   tail  samples ever given back; the observer stores it with release
 *
 * As in ring.c, a worker that finds it empty begins again at the first cell, so that a few cells
 * are used, not all in turn.
 *
 * Owner    control.      Threads  as tap.h says
 */
#include "observe/tap.h"

#include <stddef.h>

#include "base/check.h"
#include "base/memory.h"

enum { MOST_EVERY = 1u << 20 };
static const uint64_t second_ns = 1000000000;

struct tap *tap_new(void)
{
    /* Mapped, not allocated: aligned to its cache lines, and untouched cells cost nothing. */
    struct tap *tap = xmap(sizeof(*tap));

    tap->cells = xmap(TAP_CELLS * sizeof(struct tap_cell));
    return tap;
}

void tap_free(struct tap **held)
{
    struct tap *tap = TAKE_POINTER(held);

    if (tap == NULL)
        return;
    xunmap(tap->cells, TAP_CELLS * sizeof(struct tap_cell));
    xunmap(tap, sizeof(*tap));
}

bool tap_give(struct tap *tap, const struct tap_cell *cell)
{
    uint64_t head = atomic_load_explicit(&tap->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&tap->tail, memory_order_acquire);

    if (tail == head)
        tap->origin = head;
    if (head - tail == TAP_CELLS) {
        uint64_t lost = atomic_load_explicit(&tap->lost, memory_order_relaxed);

        atomic_store_explicit(&tap->lost, lost + cell->weight, memory_order_relaxed);
        return false;
    }
    memcpy(&tap->cells[(head - tap->origin) % TAP_CELLS], cell,
           offsetof(struct tap_cell, text) + cell->text_bytes);
    atomic_store_explicit(&tap->head, head + 1, memory_order_release);
    return true;
}

const struct tap_cell *tap_take(struct tap *tap)
{
    uint64_t tail = atomic_load_explicit(&tap->tail, memory_order_relaxed);

    if (tail == tap->head_seen) {
        tap->head_seen = atomic_load_explicit(&tap->head, memory_order_acquire);
        if (tail == tap->head_seen)
            return NULL;
        tap->origin_seen = tap->origin;
    }
    return &tap->cells[(tail - tap->origin_seen) % TAP_CELLS];
}

void tap_done(struct tap *tap)
{
    uint64_t tail = atomic_load_explicit(&tap->tail, memory_order_relaxed);

    CHECK(tail != tap->head_seen);
    atomic_store_explicit(&tap->tail, tail + 1, memory_order_release);
}

/* ---- which ones ---- */

void tap_draw_init(struct tap_draw *draw)
{
    *draw = (struct tap_draw){.every = 1, .doubles_at = TAP_PER_SECOND};
}

/* By what was seen of late; within a second that brings more than it should, fewer and fewer. */
static void set_rate(struct tap_draw *draw, uint64_t second)
{
    if (second != draw->second) {
        uint64_t a_second = draw->seen / (second - draw->second);
        uint64_t every = (a_second + TAP_PER_SECOND - 1) / TAP_PER_SECOND;

        draw->every = every < 1 ? 1 : every > MOST_EVERY ? MOST_EVERY : (uint32_t)every;
        draw->second = second;
        draw->seen = draw->taken = 0;
        draw->doubles_at = TAP_PER_SECOND;
    } else if (draw->taken >= draw->doubles_at && draw->every < MOST_EVERY) {
        draw->every *= 2;
        draw->doubles_at += TAP_PER_SECOND / 2;
    }
}

uint32_t tap_draw_take(struct tap_draw *draw, uint64_t now_ns, uint64_t random_bits)
{
    uint32_t weight = draw->every;
    uint32_t at;

    set_rate(draw, now_ns / second_ns);
    draw->taken++;
    draw->seen += weight;
    at = (uint32_t)(random_bits >> 32) % draw->every;
    draw->skip = draw->rest + at;
    draw->rest = draw->every - 1 - at;
    return weight;
}
