/*
 * attempt - one try at a server: chosen, its place taken, asked for a connection; and what follows
 * when the try fails.
 *
 * Owner    the request.      Threads  the worker's
 */
#include "proxy/attempt.h"

#include "base/check.h"
#include "observe/counters.h"
#include "proxy/hold.h"
#include "proxy/queue.h"
#include "proxy/request.h"
#include "proxy/request_end.h"
#include "proxy/retry.h"
#include "proxy/snapshot.h"
#include "proxy/tapping.h"
#include "proxy/upstream/outlier.h"
#include "proxy/upstream/server.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker.h"

void attempt_leave_server(struct request *req)
{
    struct worker *worker = req->worker;
    struct server *server = req->server;

    if (server == NULL)
        return;
    load_end(server, worker->index);
    count_less(&server_row_of(req)->in_flight);
    count_less(&pool_row_of(req)->in_flight);
    req->server = NULL;
    if (!req->holds_place)
        return;
    req->holds_place = false;
    server_give_place(server, req->pool->balance.servers[req->server_index].max_connections);
    queue_place_is_free(worker, req->pool);
}

static enum failure refusal_failure(enum balance_refusal refusal)
{
    return refusal == REFUSAL_CEILING ? FAILURE_SHARE_CEILING : FAILURE_NO_SERVER;
}

enum pick { PICKED, PICK_FULL, PICK_REFUSED };

/* Chooses a server and takes its place. */
static enum pick pick_server(struct request *req)
{
    struct balance_view *view = pool_view(req->worker, req->hold, req->pool);

    req->choice.now_ms = worker_now_ms(req->worker);
    for (unsigned tries = 0; tries < BALANCE_MAX_TRIED; tries++) {
        int index = balance_pick(view, &req->choice);
        uint32_t places;

        if (req->choice.ceiling_hit)
            count_one(&pool_row_of(req)->spills);
        if (index == BALANCE_NO_SERVER)
            return req->choice.refusal == REFUSAL_FULL ? PICK_FULL : PICK_REFUSED;
        places = req->pool->balance.servers[index].max_connections;
        if (server_take_place(req->pool->servers[index], places)) {
            req->server_index = index;
            req->server = req->pool->servers[index];
            req->holds_place = places > 0;
            return PICKED;
        }
        /* another worker was faster */
    }
    return PICK_FULL;
}

static void stand_in_line(struct request *req)
{
    if (!queue_enter(req)) {
        request_fail(req, FAILURE_QUEUE_FULL, NULL);
        return;
    }
    request_enter(req, REQUEST_QUEUED);
    queue_look_again(req->worker, req->hold, req->pool);
}

static void count_attempt(struct request *req)
{
    struct worker *worker = req->worker;

    req->attempts++;
    req->attempt_ns = worker->now_ns;
    req->sent_to_server = 0;
    load_begin(req->server, worker->index);
    count_one(&server_row_of(req)->requests);
    if (req->attempts > 1)
        count_one(&server_row_of(req)->retries);
    else if (req->choice.reason == REASON_STICKY)
        count_one(&server_row_of(req)->sticky);
    count_one(&server_row_of(req)->in_flight);
    count_one(&pool_row_of(req)->in_flight);
    count_one(&pool_row_of(req)->picked[req->choice.reason]);
    if (req->hold->arm != ARM_RUNNING && req->attempts == 1)
        count_one(
            counters_candidate_picks(worker->counters, worker->index, req->server->counter_slot));
    if (req->tap != NULL)
        tapping_give(req);
    request_enter(req, REQUEST_CONNECTING);
}

/* Asks the chosen server for a connection. */
static void go_to_server(struct request *req)
{
    enum failure failure;

    count_attempt(req);
    req->upstream = req->is_fresh_wanted ? NULL : upstream_reuse(req);
    req->was_reused = req->upstream != NULL;
    if (req->upstream != NULL) {
        request_connected(req);
        return;
    }
    req->connect_from_ns = req->worker->now_ns;
    failure = upstream_open(req);
    if (failure != FAILURE_NONE)
        request_upstream_failed(req, failure);
}

/* Picks a server not tried yet and goes there.  Runs again after a failure that failure.def calls
 * retryable; only then it may overtake those that wait. */
void attempt_begin(struct request *req)
{
    enum pick pick = PICK_FULL;

    if (req->attempts > 0 || !queue_has_older(req->pool))
        pick = pick_server(req);
    if (pick == PICKED)
        go_to_server(req);
    else if (pick == PICK_FULL)
        stand_in_line(req);
    else
        request_fail(req, refusal_failure(req->choice.refusal), NULL);
}

bool request_try_queued(struct request *req)
{
    enum pick pick = pick_server(req);

    if (pick == PICK_FULL)
        return false;
    queue_leave(req);
    request_enter(req, REQUEST_ROUTING);
    req->queued_us += (uint32_t)((req->worker->now_ns - req->queued_from_ns) / 1000);
    if (pick == PICKED)
        go_to_server(req);
    else
        request_fail(req, refusal_failure(req->choice.refusal), NULL);
    return true;
}

/* ---- the queue ---- */

void attempt_on_queue_due(struct deadline *deadline)
{
    struct request *req = container_of(deadline, struct request, queue_deadline);

    worker_note_time(req->worker);
    if (queue_goes_on(req))
        return;
    queue_leave(req);
    count_one(&pool_row_of(req)->queue_timeouts);
    request_fail(req, FAILURE_QUEUE_TIMEOUT, NULL);
}

/* ---- what came of it ---- */

void attempt_note_success(struct request *req)
{
    uint16_t status = req->server_status;
    bool failed = status == 502 || status == 503 || status == 504 ||
                  (status >= 500 && req->pool->conf->ejection.count_5xx);

    if (req->state == REQUEST_TUNNEL || req->failure != FAILURE_NONE)
        return;
    outlier_note(req->server, &req->pool->conf->ejection, req->worker->prober, failed);
    balance_note(pool_view(req->worker, req->hold, req->pool), req->server_index,
                 (req->worker->now_ns - req->attempt_ns) / 1000, status >= 500,
                 worker_now_ms(req->worker));
}

static void note_outcome(struct request *req, enum failure failure)
{
    struct worker *worker = req->worker;
    bool failed = failure_rows[failure].blames_server;

    if (failed)
        count_one(&server_row_of(req)->failures);
    if (failed || failure == FAILURE_NONE) {
        outlier_note(req->server, &req->pool->conf->ejection, worker->prober, failed);
        balance_note(pool_view(worker, req->hold, req->pool), req->server_index,
                     (worker->now_ns - req->attempt_ns) / 1000, failed, worker_now_ms(worker));
    }
}

static bool may_retry(struct request *req, enum failure failure)
{
    enum failure_retry rule = failure_rows[failure].retry;

    if (rule == FAILURE_RETRY_NO || req->is_response_started || req->interims > 0)
        return false;
    if (rule == FAILURE_RETRY_IDEMPOTENT && !method_is_idempotent(req->method))
        return false;
    /* What went to the server must still be whole here. */
    return !req->has_sent_trailers && req->sent_to_server == buffer_length(&req->replay);
}

/* A reused connection that ended before a response byte, or a stream that the server did not look
 * at: once more on a fresh one, blaming nobody. */
static bool retry_fresh(struct request *req, enum failure failure)
{
    if ((failure != FAILURE_REUSED_CLOSED && failure != FAILURE_STREAM_REFUSED) ||
        req->was_fresh_retried || !may_retry(req, failure))
        return false;
    req->was_fresh_retried = true;
    req->is_fresh_wanted = true;
    return true;
}

static bool retry_elsewhere(struct request *req, enum failure failure)
{
    if (req->retries_left == 0 || !may_retry(req, failure))
        return false;
    if (!retry_allowed(req)) {
        count_one(&pool_row_of(req)->retries_refused);
        return false;
    }
    req->retries_left--;
    req->choice.sticky = BALANCE_NO_SERVER;
    if (req->choice.tried_count < BALANCE_MAX_TRIED)
        req->choice.tried[req->choice.tried_count++] = (uint32_t)req->server_index;
    return true;
}

void request_upstream_failed(struct request *req, enum failure failure)
{
    bool again;

    CHECK_OBJ(req, REQUEST_TAG);
    note_outcome(req, failure);
    if (req->upstream != NULL)
        upstream_drop(&req->upstream);
    again = retry_fresh(req, failure) || retry_elsewhere(req, failure);
    attempt_leave_server(req);
    if (!again) {
        request_fail(req, failure, NULL);
        return;
    }
    count_one(&pool_row_of(req)->retries);
    request_enter(req, REQUEST_ROUTING);
    attempt_begin(req);
}
