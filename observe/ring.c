/*
 * ring - records from one worker to the observer: one writer, one reader, never blocks.
 *
 *   head  records ever published; the worker stores it with release
 *   tail  records ever given back; the observer stores it with release
 *
 * Each side keeps its last look at the other's word and looks again only when that one says
 * "filling" or "empty", so that in the steady state the two cache lines stay where they are.
 *
 * When the worker finds the ring empty it begins again at the first cell (the origin), so that
 * in calm times a few cells are used that stay in its cache, not eight megabytes in turn.  The
 * observer reads the origin only while a record lies there, and then it stands still.
 *
 * Owner    control.      Threads  claim/publish: the worker; take/done: the observer
 */
#include "observe/ring.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum { WAKE_AT = RING_CELLS / 4, LOOK_AT = 64 };

_Static_assert((RING_CELLS & (RING_CELLS - 1)) == 0, "a cell's index is a mask away");

struct ring *ring_new(void)
{
    /* Mapped, not allocated: aligned to its cache lines, and untouched cells cost nothing. */
    struct ring *ring = xmap(sizeof(*ring));

    ring->cells = xmap(RING_CELLS * sizeof(struct record));
    return ring;
}

void ring_free(struct ring **held)
{
    struct ring *ring = TAKE_POINTER(held);

    if (ring == NULL)
        return;
    xunmap(ring->cells, RING_CELLS * sizeof(struct record));
    xunmap(ring, sizeof(*ring));
}

/* How far is the observer?  Its word stays in this cache while it does not move. */
static void look_at_tail(struct ring *ring, uint64_t head)
{
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (ring->tail_seen == head)
        ring->origin = head;
}

struct record *ring_claim(struct ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (head - ring->origin >= LOOK_AT)
        look_at_tail(ring, head);
    if (head - ring->tail_seen == RING_CELLS) {
        uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);

        atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
        return NULL;
    }
    return &ring->cells[(head - ring->origin) % RING_CELLS];
}

bool ring_publish(struct ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + 1;

    atomic_store_explicit(&ring->head, head, memory_order_release);
    if (head - ring->tail_seen < WAKE_AT)
        return false;
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return head - ring->tail_seen >= WAKE_AT;
}

const struct record *ring_take(struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen)
            return NULL;
        ring->origin_seen = ring->origin;
    }
    return &ring->cells[(tail - ring->origin_seen) % RING_CELLS];
}

void ring_done(struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    CHECK(tail != ring->head_seen);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}
