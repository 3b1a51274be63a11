/*
 * queue - requests that wait for a place at a server of their pool.
 *
 * Threads  the worker's, but for the message that wakes others
 */
#include "proxy/queue.h"

#include "base/check.h"
#include "base/memory.h"
#include "observe/counters.h"
#include "proxy/request.h"
#include "proxy/request_end.h"
#include "proxy/snapshot.h"
#include "proxy/transport.h"
#include "proxy/upstream/server.h"
#include "proxy/worker.h"

struct wake {
    struct mail mail;
    uint32_t pool_slot;
};

bool queue_enter(struct request *req)
{
    struct worker_pool *own = worker_pool_of(req->worker, req->pool);
    _Atomic uint32_t *waiting = &req->pool->live->waiting;

    if (atomic_fetch_add_explicit(waiting, 1, memory_order_relaxed) >=
        req->pool->conf->queue.length) {
        atomic_fetch_sub_explicit(waiting, 1, memory_order_relaxed);
        return false;
    }
    req->queued_from_ns = req->worker->now_ns;
    list_append(&own->waiting, &req->link);
    own->waiting_count++;
    count_one(&pool_row_of(req)->queued);
    count_one(&pool_row_of(req)->queue_length);
    deadline_set(&req->worker->deadlines, &req->queue_deadline, req->pool->conf->queue.timeout_ms);
    return true;
}

void queue_leave(struct request *req)
{
    struct worker_pool *own = worker_pool_of(req->worker, req->pool);

    CHECK(own->waiting_count > 0);
    own->waiting_count--;
    list_remove(&req->link);
    deadline_clear(&req->queue_deadline);
    count_less(&pool_row_of(req)->queue_length);
    atomic_fetch_sub_explicit(&req->pool->live->waiting, 1, memory_order_relaxed);
}

/* Lets the oldest try; it may come to stand in line again, at the end. */
static void serve_one(struct worker_pool *own)
{
    struct request *req = container_of(own->waiting.next, struct request, link);

    queue_leave(req);
    request_try_queued(req);
}

static void on_wake(struct mail *mail, void *receiver)
{
    struct wake *wake = container_of(mail, struct wake, mail);
    struct worker *worker = receiver;
    struct worker_pool *own = &worker->pools[wake->pool_slot];

    xfree(wake);
    worker_note_time(worker);
    if (own->waiting_count > 0)
        serve_one(own);
    transport_end_callback(worker);
}

static void wake_others(struct worker *worker, const struct snapshot_pool *pool)
{
    for (unsigned i = 0; i < worker->worker_count; i++) {
        struct wake *wake;

        if (i == worker->index)
            continue;
        wake = xcalloc(1, sizeof(*wake));
        wake->mail.handle = on_wake;
        wake->pool_slot = pool->counter_slot;
        if (!mailbox_post(&worker->workers[i]->mailbox, &wake->mail))
            xfree(wake);
    }
}

void queue_place_is_free(struct worker *worker, const struct snapshot_pool *pool)
{
    struct worker_pool *own = worker_pool_of(worker, pool);

    if (own->waiting_count > 0)
        serve_one(own);
    else if (atomic_load_explicit(&pool->live->waiting, memory_order_relaxed) > 0)
        wake_others(worker, pool);
}
