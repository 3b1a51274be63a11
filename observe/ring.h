/*
 * ring - records from one worker to the observer: one writer, one reader, never blocks.
 *
 * A full ring drops the record and counts it: traffic never waits for a disk.
 *
 * Owner    control makes and frees it.      Threads  claim/publish: the worker; take/done: observer
 */
#ifndef OBSERVE_RING_H
#define OBSERVE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "observe/record.h"

enum { RING_CELLS = 8192 };

struct ring {
    _Alignas(64) _Atomic uint64_t head; /* worker */
    uint64_t tail_seen;                 /* worker's copy of tail */
    uint64_t origin;                    /* the head that has cell 0; the worker moves it */
    _Atomic uint64_t dropped;           /* worker */
    _Alignas(64) _Atomic uint64_t tail; /* observer */
    uint64_t head_seen;                 /* observer's copy of head */
    uint64_t origin_seen;               /* and of origin */
    struct record *cells;
};

struct ring *ring_new(void);
void ring_free(struct ring **ring);

/* The cell to fill, or NULL (full: counted). */
struct record *ring_claim(struct ring *ring);
/* Hands the claimed cell over; true when the observer should be woken (a quarter is full). */
bool ring_publish(struct ring *ring);

/* The oldest record, or NULL; ring_done() gives its cell back. */
const struct record *ring_take(struct ring *ring);
void ring_done(struct ring *ring);

#endif
