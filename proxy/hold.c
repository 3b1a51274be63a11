/*
 * hold - a worker's grip on the snapshots it still needs.
 *
 * Threads  the worker's
 */
#include "proxy/hold.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/thread.h"
#include "proxy/publish.h"
#include "proxy/request_end.h"
#include "proxy/worker.h"

static void let_go_if_unused(struct hold *hold)
{
    if (hold->is_current || hold->pins > 0)
        return;
    if (hold->arm == ARM_CANDIDATE)
        pool_views_drop(hold->worker, hold);
    publish_let_go(hold->worker->publisher, hold->snapshot);
    hold->tag = 0;
    xfree(hold);
}

static void retire(struct hold **held)
{
    struct hold *old = TAKE_POINTER(held);

    if (old == NULL)
        return;
    old->is_current = false;
    let_go_if_unused(old);
}

static struct hold *new_hold(struct worker *worker, struct snapshot *snapshot, enum hold_arm arm)
{
    struct hold *hold = xcalloc(1, sizeof(*hold));

    *hold = (struct hold){.tag = HOLD_TAG,
                          .arm = (uint8_t)arm,
                          .is_current = true,
                          .worker = worker,
                          .snapshot = snapshot};
    return hold;
}

void hold_adopt(struct worker *worker, struct snapshot *snapshot)
{
    ON_WORKER(worker->index);
    retire(&worker->current);
    worker->current = new_hold(worker, snapshot, ARM_RUNNING);
}

void hold_try(struct worker *worker, struct snapshot *snapshot)
{
    ON_WORKER(worker->index);
    retire(&worker->candidate);
    if (snapshot != NULL)
        worker->candidate = new_hold(worker, snapshot, ARM_CANDIDATE);
}

void hold_end(struct worker *worker)
{
    ON_WORKER(worker->index);
    worker->candidate_below = 0;
    retire(&worker->candidate);
    retire(&worker->current);
}

void hold_unpin(struct hold **held)
{
    struct hold *hold = TAKE_POINTER(held);

    CHECK_OBJ(hold, HOLD_TAG);
    ON_WORKER(hold->worker->index);
    CHECK(hold->pins > 0);
    hold->pins--;
    let_go_if_unused(hold);
}
