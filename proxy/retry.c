/*
 * retry - the budget of a pool.
 *
 * Threads  the worker's
 */
#include "proxy/retry.h"

#include "proxy/queue.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

/* Clears the seconds that have passed since the last look. */
static unsigned turn_to(struct worker_pool *own, uint64_t second)
{
    uint64_t passed = second - own->budget_second;

    if (passed > WORKER_RETRY_SECONDS)
        passed = WORKER_RETRY_SECONDS;
    for (uint64_t i = 0; i < passed; i++) {
        unsigned slot = (unsigned)((second - i) % WORKER_RETRY_SECONDS);

        own->requests[slot] = own->retries[slot] = 0;
    }
    own->budget_second = second;
    return (unsigned)(second % WORKER_RETRY_SECONDS);
}

static unsigned slot_now(struct request *req, struct worker_pool **own_out)
{
    *own_out = worker_pool_of(req->worker, req->pool);
    return turn_to(*own_out, req->worker->now_ns / 1000000000u);
}

void retry_note_request(struct request *req)
{
    struct worker_pool *own;
    unsigned slot = slot_now(req, &own);

    own->requests[slot]++;
}

bool retry_allowed(struct request *req)
{
    const struct conf_pool *conf = req->pool->conf;
    struct worker_pool *own;
    unsigned slot = slot_now(req, &own);
    uint64_t requests = 0;
    uint64_t retries = 0;
    uint64_t floor = (uint64_t)conf->retry.min_per_second * WORKER_RETRY_SECONDS;
    uint64_t allowed;

    for (unsigned i = 0; i < WORKER_RETRY_SECONDS; i++) {
        requests += own->requests[i];
        retries += own->retries[i];
    }
    floor = (floor + req->worker->worker_count - 1) / req->worker->worker_count;
    allowed = requests * conf->retry.budget_percent / 100;
    if (retries >= (allowed > floor ? allowed : floor))
        return false;
    own->retries[slot]++;
    return true;
}
