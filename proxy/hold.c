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
#include "proxy/worker.h"

static void let_go_if_unused(struct hold *hold)
{
    if (hold->is_current || hold->pins > 0)
        return;
    publish_let_go(hold->worker->publisher, hold->snapshot);
    hold->tag = 0;
    xfree(hold);
}

static void retire(struct worker *worker)
{
    struct hold *old = worker->current;

    worker->current = NULL;
    if (old == NULL)
        return;
    old->is_current = false;
    let_go_if_unused(old);
}

void hold_adopt(struct worker *worker, struct snapshot *snapshot)
{
    struct hold *hold = xcalloc(1, sizeof(*hold));

    ON_WORKER(worker->index);
    *hold =
        (struct hold){.tag = HOLD_TAG, .is_current = true, .worker = worker, .snapshot = snapshot};
    retire(worker);
    worker->current = hold;
}

void hold_end(struct worker *worker)
{
    ON_WORKER(worker->index);
    retire(worker);
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
