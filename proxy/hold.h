/*
 * hold - a worker's grip on the snapshots it still needs.
 *
 * New requests use the newest snapshot; older ones stay until their last request ends.  Pins are
 * plain integers: one worker, one thread.  The only step another thread can see is the message
 * that a snapshot was let go.
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

struct hold {
    uint32_t tag;
    uint32_t pins; /* requests that began under it */
    bool is_current;
    struct worker *worker;
    struct snapshot *snapshot;
};

/* Makes `snapshot` the current one. */
void hold_adopt(struct worker *worker, struct snapshot *snapshot);
/* Lets go of the current one, for good: the worker ends. */
void hold_end(struct worker *worker);

static inline struct hold *hold_pin(struct hold *hold)
{
    hold->pins++;
    return hold;
}
void hold_unpin(struct hold **held);

#endif
