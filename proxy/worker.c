/*
 * worker - one thread, one loop, and all that moves in it.
 *
 * Owner    control makes and frees it.      Threads  as worker.h says
 */
#include "proxy/worker.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/thread.h"
#include "observe/record.h"
#include "proxy/client/client.h"
#include "proxy/client/client_h2.h"
#include "proxy/hold.h"
#include "proxy/http/headers.h"
#include "proxy/listener.h"
#include "proxy/request.h"
#include "proxy/route/route.h"
#include "proxy/transport.h"
#include "proxy/upstream/h2_connection.h"
#include "proxy/upstream/reuse.h"
#include "proxy/upstream/upstream_h1.h"
#include "proxy/upstream/upstream_h2.h"
#include "tls/engine.h"

enum { CHUNK = 64, TAP_CHUNK = 16 };

struct order {
    struct mail mail;
};

/* ---- time ---- */

int64_t worker_wall_ms(const struct worker *worker)
{
    return (int64_t)worker_now_ms(worker) + worker->wall_offset_ms;
}

struct slice worker_date(struct worker *worker)
{
    int64_t second = worker_wall_ms(worker) / 1000;

    if (second != worker->date_second) {
        /* The wall clock may have been set since: looked at once a second, like the text. */
        worker->wall_offset_ms = clock_wall_ms() - (int64_t)worker_now_ms(worker);
        second = worker_wall_ms(worker) / 1000;
        worker->date_second = second;
        clock_http_date(second * 1000, worker->date);
    }
    return slice_from(worker->date);
}

/* ---- life ---- */

static void after_deadline(void *context)
{
    transport_end_callback(context);
}

static void on_resume_due(struct deadline *deadline)
{
    struct worker *worker = container_of(deadline, struct worker, resume_deadline);

    worker_note_time(worker);
    listener_resume_all(worker);
}

static void open_loop(struct worker *worker)
{
    CHECK(uv_loop_init(&worker->loop) == 0);
    CHECK(mailbox_open(&worker->mailbox, &worker->loop, worker) == 0);
    deadlines_open(&worker->deadlines, &worker->loop, after_deadline, worker);
    late_open(worker);
    deadline_init(&worker->resume_deadline, on_resume_due);
}

static void make_memory(struct worker *worker)
{
    worker->read_block = xmap(WORKER_READ_BLOCK);
    worker->plain_block = xmap(WORKER_READ_BLOCK + TLS_HELD_BYTES);
    worker->seal_block = xmap(WORKER_SEAL_BLOCK);
    worker->scratch = xmap(WORKER_SCRATCH);
    worker->path_memory = xmap(WORKER_PATH_MEMORY);
    worker->message = xmap(sizeof(*worker->message));
    worker->trailers = xmap(sizeof(*worker->trailers));
    worker->reuse = xmap(WORKER_SLOTS * sizeof(*worker->reuse));
    worker->pools = xmap(WORKER_SLOTS * sizeof(*worker->pools));
    worker->server_generations = xmap(WORKER_SLOTS * sizeof(*worker->server_generations));
    slab_init(&worker->client_slab, sizeof(struct client), CHUNK);
    slab_init(&worker->stream_slab, sizeof(struct client_stream), CHUNK);
    slab_init(&worker->upstream_slab, sizeof(struct upstream_h1), CHUNK);
    slab_init(&worker->server_stream_slab, sizeof(struct upstream_h2), CHUNK);
    slab_init(&worker->record_slab, sizeof(struct record), CHUNK);
    slab_init(&worker->tap_slab, sizeof(struct tap_cell), TAP_CHUNK);
}

static void free_memory(struct worker *worker)
{
    for (unsigned slot = 0; slot < WORKER_SLOTS; slot++)
        for (unsigned arm = 0; arm < HOLD_ARMS; arm++)
            if (worker->pools[slot].views[arm].view != NULL)
                balance_view_free(&worker->pools[slot].views[arm].view);
    request_stock_fini(worker);
    slab_fini(&worker->client_slab);
    slab_fini(&worker->stream_slab);
    slab_fini(&worker->upstream_slab);
    slab_fini(&worker->server_stream_slab);
    slab_fini(&worker->record_slab);
    slab_fini(&worker->tap_slab);
    xunmap(worker->read_block, WORKER_READ_BLOCK);
    xunmap(worker->plain_block, WORKER_READ_BLOCK + TLS_HELD_BYTES);
    xunmap(worker->seal_block, WORKER_SEAL_BLOCK);
    xunmap(worker->scratch, WORKER_SCRATCH);
    xunmap(worker->path_memory, WORKER_PATH_MEMORY);
    xunmap(worker->message, sizeof(*worker->message));
    xunmap(worker->trailers, sizeof(*worker->trailers));
    reuse_fini(worker);
    xunmap(worker->reuse, WORKER_SLOTS * sizeof(*worker->reuse));
    xunmap(worker->pools, WORKER_SLOTS * sizeof(*worker->pools));
    xunmap(worker->server_generations, WORKER_SLOTS * sizeof(*worker->server_generations));
}

struct worker *worker_new(const struct worker_options *options)
{
    struct worker *worker = xcalloc(1, sizeof(*worker));

    headers_init();
    worker->tag = WORKER_TAG;
    worker->index = options->index;
    worker->worker_count = options->worker_count;
    worker->publisher = options->publisher;
    worker->prober = options->prober;
    worker->observer = options->observer;
    worker->ring = options->ring;
    worker->tap = options->tap;
    tap_draw_init(&worker->draw);
    worker->counters = options->counters;
    worker->client_limit = options->client_limit;
    worker->sticky_key = options->sticky_key;
    worker->workers = options->workers;
    worker->most_clients = options->most_clients;
    worker->on_ended = options->on_ended;
    worker->context = options->context;
    worker->random = random_seed();
    worker->lot = (uint16_t)(worker->random % CLIENT_LOTS);
    worker->route_scratch = route_scratch_new();
    list_init(&worker->spare_requests);
    list_init(&worker->clients);
    list_init(&worker->listeners);
    list_init(&worker->h2_connections);
    make_memory(worker);
    open_loop(worker);
    worker_note_time(worker);
    return worker;
}

void worker_set_publisher(struct worker *worker, struct publisher *publisher)
{
    worker->publisher = publisher;
}

static void run(void *context)
{
    struct worker *worker = context;

    thread_take_role(THREAD_WORKER, worker->index);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    worker->on_ended(worker->context, worker->index);
}

void worker_start(struct worker *worker)
{
    CHECK(uv_thread_create(&worker->thread, run, worker) == 0);
}

/* ---- the end ---- */

void worker_check_stopped(struct worker *worker)
{
    if (!worker->is_stopping || worker->is_closed || worker->client_count > 0 ||
        !list_is_empty(&worker->listeners))
        return;
    worker->is_closed = true;
    reuse_close_all(worker);
    h2_connection_close_all(worker);
    hold_end(worker);
    deadline_clear(&worker->resume_deadline);
    deadlines_close(&worker->deadlines);
    late_close(worker);
    mailbox_close(&worker->mailbox);
}

static void on_stop(struct mail *mail, void *receiver)
{
    struct worker *worker = receiver;

    xfree(container_of(mail, struct order, mail));
    if (worker->is_stopping)
        return;
    worker_note_time(worker);
    worker->is_stopping = true;
    listener_close_all(worker);
    reuse_close_all(worker);
    LIST_EACH_SAFE (link, &worker->clients)
        client_retire(container_of(link, struct client, link));
    transport_end_callback(worker);
    worker_check_stopped(worker);
}

static void on_stop_hard(struct mail *mail, void *receiver)
{
    struct worker *worker = receiver;

    xfree(container_of(mail, struct order, mail));
    worker_note_time(worker);
    LIST_EACH_SAFE (link, &worker->clients)
        client_abort(container_of(link, struct client, link));
    transport_end_callback(worker);
}

static void post(struct worker *worker, mail_fn *handle)
{
    struct order *order = xcalloc(1, sizeof(*order));

    order->mail.handle = handle;
    if (!mailbox_post(&worker->mailbox, &order->mail))
        xfree(order); /* it has ended already */
}

void worker_stop(struct worker *worker)
{
    post(worker, on_stop);
}

void worker_stop_hard(struct worker *worker)
{
    post(worker, on_stop_hard);
}

void worker_join(struct worker **holder)
{
    struct worker *worker = TAKE_POINTER(holder);

    CHECK(uv_thread_join(&worker->thread) == 0);
    CHECK(uv_loop_close(&worker->loop) == 0);
    route_scratch_free(&worker->route_scratch);
    free_memory(worker);
    worker->tag = 0;
    xfree(worker);
}
