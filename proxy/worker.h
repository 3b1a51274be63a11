/*
 * worker - one thread, one loop, and all that moves in it.
 *
 * A connection stays with the worker that accepted it.  Workers take no locks, write no files and
 * never wait; they learn of the world by messages and live words.
 *
 * Owner    control makes and frees it; while it runs everything here is its own thread's.
 * Threads  worker_start/stop/post: control.  The rest: the worker itself.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/slab.h"
#include "observe/counters.h"
#include "observe/tap.h"
#include "proxy/deadline.h"
#include "proxy/hold.h"
#include "proxy/http/message.h"
#include "proxy/late.h"

enum {
    WORKER_TAG = 0x574f524b,
    WORKER_READ_BLOCK = 128 * 1024,
    WORKER_SEAL_BLOCK = 16 * 1024, /* one record of TLS */
    WORKER_SCRATCH = 512 * 1024,
    WORKER_GATHER = 32,
    WORKER_BROKEN = 256,
    WORKER_SLOTS = 65536, /* of servers and pools, as the registry and the counters give them */
    WORKER_RETRY_SECONDS = 10,
    WORKER_VIOLATION_MS = 100, /* between two that the log has */
    WORKER_PATH_MEMORY = 1024 * 1024 + 1,
};

struct balance_view;
struct client_limit;
struct observer;
struct prober;
struct publisher;
struct ring;
struct route_scratch;
struct snapshot_pool;
struct sticky_key;
struct tap;
struct transport;

/* Called on the worker's thread, as the last thing it does. */
typedef void worker_ended_fn(void *context, unsigned worker);

/* What goes out at the end of this callback, to one connection. */
struct gather {
    struct transport *transport; /* NULL: nothing gathered */
    unsigned count;
    uv_buf_t bufs[WORKER_GATHER];
};

/* Connections to one server (reuse.c); zero until first used. */
struct reuse_list {
    struct list idle;
    struct list opening; /* their requests were cancelled */
    struct list shared;  /* of HTTP/2, that take streams */
    uint32_t count;      /* idle */
    uint32_t opening_count;
    bool is_ready;
    struct tls_session *session; /* with this server, to be taken up again; NULL: none */
    uint64_t session_key;        /* of the trust that it was made under */
};

struct worker_view {
    struct balance_view *view;
    const struct snapshot_pool *built_for;
    uint64_t built_generation;
};

/* A worker's own state of a pool; zero until first used. */
struct worker_pool {
    struct worker_view views[HOLD_ARMS]; /* two snapshots that take turns have one each */
    struct list waiting;                 /* requests in the queue, oldest first */
    uint32_t waiting_count;
    bool is_serving; /* those that wait are being tried, further up the stack */
    bool is_ready;
    uint64_t budget_second; /* retry budget: a ring of seconds */
    uint32_t requests[WORKER_RETRY_SECONDS];
    uint32_t retries[WORKER_RETRY_SECONDS];
};

struct worker {
    uint32_t tag;
    unsigned index;
    unsigned worker_count;
    uv_thread_t thread;
    uv_loop_t loop;
    struct mailbox mailbox;

    /* Given by control, shared. */
    struct publisher *publisher;
    struct prober *prober;
    struct observer *observer;
    struct ring *ring;
    struct tap *tap;
    struct counters *counters;
    struct client_limit *client_limit;
    const struct sticky_key *sticky_key;
    struct worker *const *workers; /* all of them, for wakes */
    uint32_t most_clients;         /* what descriptors allow, over all workers */
    worker_ended_fn *on_ended;
    void *context;

    struct hold *current;
    struct hold *candidate;   /* NULL: nothing is tried */
    uint32_t candidate_below; /* connections with a smaller lot begin under it; 0: none do */
    uint64_t queue_round;     /* see hold.refused_in */
    uint64_t now_ns;          /* clock_ns() at the beginning of this callback */
    int64_t wall_offset_ms;
    int64_t date_second;
    char date[32]; /* of date_second, as HTTP writes it */
    uint64_t random;
    uint16_t lot;         /* of the newest connection (client.h) */
    struct tap_draw draw; /* which requests go to the tap */

    char *read_block;
    char *plain_block; /* what was read over TLS, in clear */
    char *seal_block;  /* a record to be */
    char *scratch;
    size_t scratch_used;
    struct gather gather;
    struct transport *broken[WORKER_BROKEN];
    unsigned broken_count;
    struct message *message;  /* the head being parsed */
    struct message *trailers; /* the trailers being parsed */
    char *path_memory;        /* for paths in normal form */

    struct deadlines deadlines;
    struct late_list late;
    struct route_scratch *route_scratch;
    struct slab client_slab;
    struct slab stream_slab;
    struct slab upstream_slab;
    struct slab server_stream_slab; /* of HTTP/2 to servers */
    struct slab record_slab;
    struct slab tap_slab;
    struct list spare_requests;
    struct list clients;
    struct list listeners;
    uint32_t client_count;
    struct list h2_connections; /* to servers */
    struct reuse_list *reuse;   /* by server slot */
    struct worker_pool *pools;  /* by the pool's counter slot */
    /* By server slot: newest_generation where the current snapshot or the candidate has it. */
    uint64_t *server_generations;
    uint64_t newest_generation;
    uint64_t kept_upstreams;         /* of HTTP/1: idle, or being opened for nobody */
    struct deadline resume_deadline; /* looks again whether accepting may go on */
    /* When the observer was last told of one (HTTP/2), by enum h2_budget_kind; and of a server's.
     */
    uint64_t told_violation_ms[COUNTERS_VIOLATIONS];
    uint64_t told_server_violation_ms[COUNTERS_VIOLATIONS];
    bool has_paused; /* some listener has paused accepting */
    bool is_stopping;
    bool is_closed;
};

struct worker_options {
    unsigned index;
    unsigned worker_count;
    struct publisher *publisher;
    struct prober *prober;
    struct observer *observer;
    struct ring *ring;
    struct tap *tap;
    struct counters *counters;
    struct client_limit *client_limit;
    const struct sticky_key *sticky_key;
    struct worker *const *workers;
    uint32_t most_clients; /* connections of the process, whatever the configuration says */
    worker_ended_fn *on_ended;
    void *context;
};

struct worker *worker_new(const struct worker_options *options);
/* Starts the thread. */
void worker_start(struct worker *worker);
void worker_set_publisher(struct worker *worker, struct publisher *publisher);
/* Accepts no more, lets requests under way end; its thread ends when none is left. */
void worker_stop(struct worker *worker);
/* Ends what is still under way, now. */
void worker_stop_hard(struct worker *worker);
/* Waits for the thread; then frees everything and clears the pointer. */
void worker_join(struct worker **worker);

/* Reads the clock once a callback. */
static inline void worker_note_time(struct worker *worker)
{
    worker->now_ns = clock_ns();
}

static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return worker->now_ns / 1000000;
}

/* Whether the log is to have one more of what a peer may bring about as often as it likes, told
 * last at `told_ms`. */
static inline bool worker_may_tell(const struct worker *worker, uint64_t *told_ms)
{
    if (worker_now_ms(worker) - *told_ms < WORKER_VIOLATION_MS)
        return false;
    *told_ms = worker_now_ms(worker);
    return true;
}

int64_t worker_wall_ms(const struct worker *worker);
/* The Date field's value for now, made anew once a second. */
struct slice worker_date(struct worker *worker);

/* A connection or listener has died: the loop may be able to end. */
void worker_check_stopped(struct worker *worker);

#endif
