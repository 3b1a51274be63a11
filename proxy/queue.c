/*
 * queue - requests that wait for a place at a server of their pool, oldest first.
 *
 * Threads  the worker's, but for the message that wakes others
 */
#include "proxy/queue.h"

#include "base/check.h"
#include "base/memory.h"
#include "observe/counters.h"
#include "proxy/hold.h"
#include "proxy/request.h"
#include "proxy/request_end.h"
#include "proxy/snapshot.h"
#include "proxy/transport.h"
#include "proxy/upstream/server.h"
#include "proxy/worker.h"

/* One's own goes first when it came at nearly the same time as the oldest: a message to another
 * worker costs the server some of its time. */
enum { NEARLY_NS = 5 * 1000 * 1000 };

/* How often the first in line looks whether a server has come back. */
enum { LOOK_MS = 100 };

struct wake {
    struct mail mail;
    uint32_t pool_slot;
    uint64_t passed; /* workers, by bit, whose requests the free place is no use to */
};

static struct request *first_of(const struct worker_pool *own)
{
    return container_of(own->waiting.next, struct request, link);
}

static void tell_oldest(const struct worker *worker, const struct worker_pool *own,
                        struct pool_live *live)
{
    atomic_store_explicit(&live->waiting_from_ns[worker->index],
                          own->waiting_count > 0 ? first_of(own)->queued_from_ns : 0,
                          memory_order_seq_cst);
}

bool queue_has_older(const struct snapshot_pool *pool)
{
    return atomic_load_explicit(&pool->live->waiting, memory_order_seq_cst) > 0;
}

/* Equal steps that end when the timeout does. */
static void set_deadline(struct request *req)
{
    uint64_t timeout_ms = req->pool->conf->queue.timeout_ms;
    uint64_t steps = (timeout_ms + LOOK_MS - 1) / LOOK_MS;

    deadline_set(&req->worker->deadlines, &req->queue_deadline, (timeout_ms + steps - 1) / steps);
}

/* In line, of those that began under the same configuration. */
static bool is_first_of_its_kind(const struct worker_pool *own, const struct request *req)
{
    return first_of(own) == req ||
           container_of(req->link.prev, struct request, link)->hold != req->hold;
}

bool queue_goes_on(struct request *req)
{
    const struct worker_pool *own = worker_pool_of(req->worker, req->pool);
    uint64_t waited_ms = (req->worker->now_ns - req->queued_from_ns) / 1000000;

    if (waited_ms >= req->pool->conf->queue.timeout_ms)
        return false;
    set_deadline(req);
    if (is_first_of_its_kind(own, req))
        queue_look_again(req->worker, req->hold, req->pool);
    return true;
}

bool queue_enter(struct request *req)
{
    struct worker_pool *own = worker_pool_of(req->worker, req->pool);
    _Atomic uint32_t *waiting = &req->pool->live->waiting;

    if (atomic_fetch_add_explicit(waiting, 1, memory_order_seq_cst) >=
        req->pool->conf->queue.length) {
        atomic_fetch_sub_explicit(waiting, 1, memory_order_relaxed);
        return false;
    }
    req->queued_from_ns = req->worker->now_ns;
    list_append(&own->waiting, &req->link);
    own->waiting_count++;
    tell_oldest(req->worker, own, req->pool->live);
    count_one(&pool_row_of(req)->queued);
    count_one(&pool_row_of(req)->queue_length);
    set_deadline(req);
    return true;
}

void queue_leave(struct request *req)
{
    struct worker_pool *own = worker_pool_of(req->worker, req->pool);

    CHECK(own->waiting_count > 0);
    own->waiting_count--;
    list_remove(&req->link);
    tell_oldest(req->worker, own, req->pool->live);
    deadline_clear(&req->queue_deadline);
    count_less(&pool_row_of(req)->queue_length);
    atomic_fetch_sub_explicit(&req->pool->live->waiting, 1, memory_order_relaxed);
}

/* ---- whose turn it is ---- */

static void give_turn(struct worker *worker, const struct snapshot_pool *pool, uint64_t passed);
static bool has_place(const struct snapshot_pool *pool);

static bool look_again_under(struct worker *worker, struct hold *hold, uint32_t pool_slot)
{
    const struct snapshot *snapshot = hold != NULL ? hold->snapshot : NULL;

    for (size_t i = 0; snapshot != NULL && i < snapshot->pool_count; i++) {
        if (snapshot->pools[i].counter_slot != pool_slot)
            continue;
        queue_look_again(worker, hold, &snapshot->pools[i]);
        return true;
    }
    return false;
}

/* Those that waited here have gone: by the newest snapshot that has the pool, whoever waits
 * elsewhere. */
static void pass_on(struct worker *worker, uint32_t pool_slot)
{
    if (!look_again_under(worker, worker->current, pool_slot))
        (void)look_again_under(worker, worker->candidate, pool_slot);
}

/* The place may be one that only a newer configuration knows: then nobody looks for it by the
 * older one of those that wait longest. */
static void take_turn(struct worker *worker, const struct request *first, uint64_t passed)
{
    const struct snapshot_pool *pool = first->pool;
    struct hold *held = hold_pin(first->hold);

    if (held != worker->current || worker->candidate != NULL || has_place(pool))
        give_turn(worker, pool, passed);
    hold_unpin(&held);
}

static void on_wake(struct mail *mail, void *receiver)
{
    struct wake *wake = container_of(mail, struct wake, mail);
    struct worker *worker = receiver;
    uint32_t pool_slot = wake->pool_slot;
    uint64_t passed = wake->passed;
    const struct worker_pool *own = &worker->pools[pool_slot];

    xfree(wake);
    worker_note_time(worker);
    if (own->waiting_count > 0)
        take_turn(worker, first_of(own), passed);
    else
        pass_on(worker, pool_slot);
    transport_end_callback(worker);
}

static void wake_other(struct worker *worker, const struct snapshot_pool *pool, unsigned other,
                       uint64_t passed)
{
    struct wake *wake = xcalloc(1, sizeof(*wake));

    wake->mail.handle = on_wake;
    wake->pool_slot = pool->counter_slot;
    wake->passed = passed;
    if (!mailbox_post(&worker->workers[other]->mailbox, &wake->mail))
        xfree(wake);
}

/* 0: nobody waits there, or it has passed. */
static uint64_t waiting_from(const struct pool_live *live, unsigned worker, uint64_t passed)
{
    if (passed >> worker & 1)
        return 0;
    return atomic_load_explicit(&live->waiting_from_ns[worker], memory_order_seq_cst);
}

/* The worker whose turn it is; worker_count: nobody waits. */
static unsigned find_next(const struct worker *worker, const struct pool_live *live,
                          uint64_t passed)
{
    unsigned oldest = worker->worker_count;
    uint64_t own_ns = waiting_from(live, worker->index, passed);
    uint64_t least_ns = UINT64_MAX;

    for (unsigned i = 0; i < worker->worker_count; i++) {
        uint64_t from_ns = waiting_from(live, i, passed);

        if (from_ns == 0 || from_ns >= least_ns)
            continue;
        least_ns = from_ns;
        oldest = i;
    }
    return own_ns != 0 && own_ns < least_ns + NEARLY_NS ? worker->index : oldest;
}

/* Lets the first one try; if there is no place by its configuration, the first one behind it of
 * each other one, which may allow more. */
static bool serve_own(struct worker *worker, struct worker_pool *own)
{
    uint64_t round = ++worker->queue_round;

    LIST_EACH (link, &own->waiting) {
        struct request *req = container_of(link, struct request, link);

        if (req->hold->refused_in == round)
            continue;
        req->hold->refused_in = round;
        if (request_try_queued(req))
            return true;
    }
    return false;
}

/* Lets the oldest try, one after the other, until one finds no place or another worker's turn has
 * come.  What began under an older configuration holds up nobody; while a change is tried there are
 * two that count, and a place that one of them has no use for is offered on. */
static void serve(struct worker *worker, struct worker_pool *own, const struct snapshot_pool *pool,
                  uint64_t passed)
{
    bool has_served = false;

    for (;;) {
        unsigned next = find_next(worker, pool->live, passed);

        if (next == worker->worker_count)
            return;
        if (next != worker->index) {
            wake_other(worker, pool, next, passed);
            return;
        }
        if (serve_own(worker, own)) {
            has_served = true;
            continue;
        }
        if (first_of(own)->hold == worker->current && (has_served || worker->candidate == NULL))
            return;
        passed |= UINT64_C(1) << worker->index;
    }
}

static void give_turn(struct worker *worker, const struct snapshot_pool *pool, uint64_t passed)
{
    struct worker_pool *own = worker_pool_of(worker, pool);

    /* One that fails at once frees its place again: the loop further up goes on with it. */
    if (own->is_serving || !queue_has_older(pool))
        return;
    own->is_serving = true;
    serve(worker, own, pool, passed);
    own->is_serving = false;
}

void queue_place_is_free(struct worker *worker, const struct snapshot_pool *pool)
{
    give_turn(worker, pool, 0);
}

static bool has_place(const struct snapshot_pool *pool)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct balance_live *live = &pool->servers[i]->live;
        uint32_t places = pool->balance.servers[i].max_connections;

        if (atomic_load_explicit(&live->health, memory_order_relaxed) != HEALTH_DOWN &&
            (places == 0 || atomic_load_explicit(&live->active, memory_order_seq_cst) < places))
            return true;
    }
    return false;
}

void queue_look_again(struct worker *worker, struct hold *hold, const struct snapshot_pool *pool)
{
    struct hold *held = hold_pin(hold);

    if (has_place(pool))
        queue_place_is_free(worker, pool);
    hold_unpin(&held);
}
