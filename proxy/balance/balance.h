/*
 * balance - which server of a pool gets this request; pure: no I/O, no clock, no locks, and no
 * allocation while picking.
 *
 * Eligibility (health, ejection, drain, maint, weight 0, backup tier, panic, slow start, full,
 * share ceiling) is computed here, once, before any method orders the candidates.
 *
 *   balance_pool   what a snapshot says of a pool; immutable
 *   balance_live   the words that change while it runs; each has one writing thread
 *   balance_view   one worker's cursor and what it derived from the live words; rebuilt when
 *                  the pool's epoch moved
 *
 * Owner    pool: the snapshot.  live: the registry.  view: one worker.
 * Threads  balance_pool_build: control.  The rest: the view's worker, or control with a view
 *          of its own (explain).
 */
#ifndef PROXY_BALANCE_BALANCE_H
#define PROXY_BALANCE_BALANCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct arena;

enum { BALANCE_MAX_WORKERS = 64, BALANCE_NO_SERVER = -1, BALANCE_NO_OVERRIDE = 0x7fffffff };
/* Weights are scaled by this, so that a server's weight can be shared among its addresses. */
enum { BALANCE_WEIGHT_SCALE = 840 };

enum balance_method {
    METHOD_ROUND_ROBIN,    /* smooth, weighted */
    METHOD_LEAST_REQUESTS, /* weighted; two random choices above 16 servers */
    METHOD_RANDOM,         /* two choices */
    METHOD_PEAK_EWMA,      /* latency x in-flight, with a penalty for errors */
    METHOD_MAGLEV,         /* 65537 entries, bounded load 150 % */
};

enum balance_health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };
enum balance_admin { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINT };

/* Each word: relaxed atomics, one writer (named), any reader. */
struct balance_live {
    _Atomic uint32_t health;          /* enum balance_health; prober */
    _Atomic uint32_t ejected;         /* 0 or 1; prober */
    _Atomic uint64_t ramp_from_ms;    /* clock_ms() at which slow start began, 0: none; prober */
    _Atomic uint32_t admin;           /* enum balance_admin; control */
    _Atomic uint32_t weight_override; /* unscaled, or BALANCE_NO_OVERRIDE; control */
    /* Shared by all workers, and only used where max_connections is set: fetch-add, undone on
     * overshoot (docs/threads.md, "Limits that span workers"). */
    _Atomic uint32_t active;
    /* Failures in a row, all workers; fetch-add on failure, stored 0 on success after one. */
    _Atomic uint32_t failures;
    /* In-flight requests: one word a worker, each in that worker's own row of cache lines. */
    _Atomic uint32_t *in_flight[BALANCE_MAX_WORKERS];
    uint32_t worker_count;
};

struct balance_server {
    const struct balance_live *live;
    uint64_t name_hash;       /* HASH_STABLE over the server's name and address ordinal */
    uint32_t weight;          /* configured, scaled */
    uint32_t weight_share;    /* this many addresses share the server's weight (>= 1) */
    uint32_t max_connections; /* 0: unlimited */
    bool is_backup;
};

struct balance_pool {
    enum balance_method method;
    const struct balance_server *servers;
    uint32_t count;
    uint32_t panic_percent;        /* 0: never */
    bool panic_fails;              /* panic_mode "fail" */
    uint32_t slow_start_ms;        /* 0: off */
    uint32_t max_share_percent;    /* 0: no ceiling */
    const uint16_t *maglev;        /* 65537 indexes, METHOD_MAGLEV only */
    const _Atomic uint64_t *epoch; /* bumped after a live word of this pool has changed */
};

enum balance_reason { /* why this server: metric label and access-log word */
                      REASON_BALANCER,
                      REASON_HASH,
                      REASON_STICKY,
                      REASON_RETRY,
                      REASON_PANIC,
                      REASON_SPILL, /* the ceiling, bounded load, or the backup tier */
                      REASON_ONLY_ONE_LEFT,
                      REASON_COUNT,
};
extern const char *const balance_reason_words[REASON_COUNT];

enum balance_refusal { /* why none */
                       REFUSAL_NONE,
                       REFUSAL_NO_SERVER, /* none is eligible */
                       REFUSAL_FULL, /* all eligible ones are at max_connections: worth queueing */
                       REFUSAL_CEILING, /* max_share_percent leaves nobody */
};

enum { BALANCE_MAX_TRIED = 8 };

/* One request's wish, kept over its attempts. */
struct balance_choice {
    uint64_t now_ms; /* clock_ms(), as the loop knows it */
    uint64_t
        hash; /* of the hash_on value, METHOD_MAGLEV; else of the client, where sticky is set */
    bool has_hash;
    int sticky; /* first address of the server that the cookie names, or BALANCE_NO_SERVER */
    uint32_t tried[BALANCE_MAX_TRIED]; /* avoided while another is there */
    uint32_t tried_count;
    enum balance_reason reason;   /* out */
    enum balance_refusal refusal; /* out */
    bool ceiling_hit;             /* out: some server was passed over because of its ceiling */
};

struct balance_view;

/* Fills pool->maglev (from `arena`) and whatever else is precomputed; servers, count, method and
 * the options are filled by the caller before. */
void balance_pool_build(struct balance_pool *pool, struct arena *arena);

/* A view of `pool` for one worker: 48 to 60 bytes a server.  `older` (of an earlier snapshot of the
 * pool, or NULL) gives its cursor, averages and counts to the servers that are still there (matched
 * by `live`); it may be freed afterwards, and its pool may be gone already. */
struct balance_view *balance_view_new(const struct balance_pool *pool,
                                      const struct balance_view *older, uint64_t seed);
void balance_view_free(struct balance_view **view);

/* The index of the server, or BALANCE_NO_SERVER with choice->refusal.
 *
 * A server that drains (or weighs 0) serves nobody new, but keeps those whose cookie names it.
 * With max_share_percent a server gets at most that share of what this view was asked for of
 * late, refusals included: with too few servers left a part of the requests is refused, unless
 * healthy backups take it. */
int balance_pick(struct balance_view *view, struct balance_choice *choice);

/* What came of it, for the methods that learn. */
void balance_note(struct balance_view *view, int server, uint64_t latency_us, bool failed,
                  uint64_t now_ms);

/* For status and explain. */
enum balance_standing {
    STANDING_ELIGIBLE,
    STANDING_DOWN,
    STANDING_UNKNOWN, /* not checked yet, while others are */
    STANDING_EJECTED,
    STANDING_DRAINED,
    STANDING_MAINT,
    STANDING_WEIGHT_0,
    STANDING_FULL,
    STANDING_BACKUP, /* healthy, but primaries serve */
};
extern const char *const balance_standing_words[];
enum balance_standing balance_standing(struct balance_view *view, uint32_t server, uint64_t now_ms);
bool balance_is_panic(struct balance_view *view, uint64_t now_ms);
/* Effective weight now (slow start and override in), 0 when not eligible; scaled. */
uint32_t balance_effective_weight(struct balance_view *view, uint32_t server, uint64_t now_ms);
uint32_t balance_in_flight(const struct balance_live *live);
/* 10 to 100: how far a slow start has come. */
uint32_t balance_ramp_percent(const struct balance_live *live, uint32_t slow_start_ms,
                              uint64_t now_ms);

#endif
