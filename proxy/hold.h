/*
 * hold - a worker's grip on the snapshots it still needs.
 *
 * New requests use the newest snapshot; older ones stay until their last request ends.  While a
 * change is tried on a share of the connections there is a second newest one, the candidate, with
 * an arm of its own.  Pins are plain integers: one worker, one thread.  The only step another
 * thread can see is the message that a snapshot was let go.
 *
 * Owner    one worker.      Threads  the worker's
 */
#ifndef PROXY_HOLD_H
#define PROXY_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct snapshot;
struct worker;

enum { HOLD_TAG = 0x484f4c44 };

/* Which of two snapshots that both begin requests: indexes what is kept apart for them. */
enum hold_arm { ARM_RUNNING, ARM_CANDIDATE, HOLD_ARMS };

struct hold {
    uint32_t tag;
    uint32_t pins;       /* requests that began under it */
    uint8_t arm;         /* enum hold_arm */
    bool is_current;     /* requests begin under it */
    uint64_t refused_in; /* the last round of the queue that found no place by it (queue.c) */
    struct worker *worker;
    struct snapshot *snapshot;
};

/* Makes `snapshot` the current one. */
void hold_adopt(struct worker *worker, struct snapshot *snapshot);
/* Lets go of both, for good: the worker ends. */
void hold_end(struct worker *worker);
/* Makes `snapshot` the candidate; NULL: there is none any more. */
void hold_try(struct worker *worker, struct snapshot *snapshot);

static inline struct hold *hold_pin(struct hold *hold)
{
    hold->pins++;
    return hold;
}
void hold_unpin(struct hold **held);

#endif
