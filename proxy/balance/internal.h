/*
 * internal - what balance.c and its methods share; nobody outside this folder includes it.
 *
 * A method orders candidates.  Whether a server may be taken at all is balance.c's alone:
 * methods see only view->candidates, and ask balance_admit() before they take one.
 *
 * Owner    the view's worker.      Threads  the view's
 */
#ifndef PROXY_BALANCE_INTERNAL_H
#define PROXY_BALANCE_INTERNAL_H

#include "base/hash.h"
#include "proxy/balance/balance.h"

enum { BALANCE_VIEW_TAG = 0x42564957, MAGLEV_ENTRIES = 65537, SCAN_AT_MOST = 16 };

/* One server, as one worker sees it: 48 bytes. */
struct view_server {
    const struct balance_live *live;
    int64_t credit;    /* in weights: what it is owed, view->total_weight is one request */
    uint64_t noted_ms; /* when latency_us and errors were last true */
    uint32_t weight;   /* effective and scaled; 0: not a candidate */
    uint32_t picks;    /* of late, for the share ceiling */
    float latency_us;  /* peak average; 0: nothing known */
    float errors;      /* average, 0 to 1 */
};

struct balance_view {
    uint32_t tag;
    uint32_t server_count;
    uint32_t candidate_count;
    const struct balance_pool *pool;
    const struct balance_ops *ops;
    uint32_t *candidates; /* those that serve, in order; behind them the spares */
    uint64_t *sums;       /* of the candidates' weights up to each; NULL for round robin */
    uint64_t total_weight;
    uint64_t epoch;
    uint64_t refreshed_ms;
    uint64_t random;
    uint64_t load; /* in-flight requests of all candidates, as of load_ms; maglev */
    uint64_t load_ms;
    uint32_t load_age;
    uint32_t cursor;      /* position in candidates that is next in turn */
    uint32_t last;        /* server that was last in turn */
    uint32_t spare_count; /* healthy backups that stand by behind the candidates */
    uint32_t spare_cursor;
    uint32_t picks; /* of late, refused ones too, for the share ceiling */
    double mean_weight;
    double best_ratio; /* maglev: the largest effective weight for one weight in the table */
    bool is_built;
    bool has_equal_weights;
    bool has_ceiling;
    bool is_limited; /* by the ceiling, or some server by max_connections */
    bool is_ramping;
    bool is_panic;
    bool is_backup_tier;
    bool is_reweighted; /* maglev: effective weights are no longer those of the table */
    struct view_server servers[];
};

/* One pass over the candidates. */
struct balance_attempt {
    struct balance_choice *choice;
    bool tried_too;   /* a server that was tried may be taken again */
    bool saw_full;    /* out */
    bool saw_ceiling; /* out */
    bool is_over;     /* out: one was passed over because it had more than its load's bound */
};

enum admission { ADMITTED, ADMISSION_TRIED, ADMISSION_FULL, ADMISSION_CEILING };

typedef int balance_method_fn(struct balance_view *view, struct balance_attempt *attempt);

/* What balancing by one method takes. */
struct balance_ops {
    const char *name;
    balance_method_fn *pick; /* a candidate that is admitted, or BALANCE_NO_SERVER */
    bool learns;             /* from balance_note() */
    bool draws;              /* by weight: needs view->sums */
};

balance_method_fn round_robin_pick, least_requests_pick, random_pick, peak_ewma_pick, maglev_pick;

enum admission balance_admit_limited(const struct balance_view *view,
                                     struct balance_attempt *attempt, uint32_t server);

/* May this candidate be taken now?  Tells the attempt what stood in the way. */
static inline enum admission balance_admit(const struct balance_view *view,
                                           struct balance_attempt *attempt, uint32_t server)
{
    if (!view->is_limited && attempt->choice->tried_count == 0)
        return ADMITTED;
    return balance_admit_limited(view, attempt, server);
}

/* The same for methods that ask in order of preference: a server over its ceiling was wanted. */
static inline bool balance_takes(const struct balance_view *view, struct balance_attempt *attempt,
                                 uint32_t server)
{
    enum admission admission = balance_admit(view, attempt, server);

    if (admission == ADMISSION_CEILING)
        attempt->choice->ceiling_hit = true;
    return admission == ADMITTED;
}

/* Two different admitted candidates, drawn by weight; returns how many there are. */
uint32_t balance_draw_two(struct balance_view *view, struct balance_attempt *attempt,
                          uint32_t pair_out[2]);

/* Half after each half-life, straight in between; 1 at 0. */
double balance_decay(uint64_t elapsed_ms, uint64_t half_life_ms);

/* The share of errors of late, 0 while there are few enough to forgive. */
#define BALANCE_ERRORS_FORGIVEN 0.2f
double balance_errors_left(const struct view_server *server, uint64_t now_ms);
static inline double balance_errors(const struct view_server *server, uint64_t now_ms)
{
    return server->errors <= BALANCE_ERRORS_FORGIVEN ? 0 : balance_errors_left(server, now_ms);
}

/* balance_in_flight(), in line. */
static inline uint32_t balance_load(const struct balance_live *live)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < live->worker_count; i++)
        sum += atomic_load_explicit(live->in_flight[i], memory_order_relaxed);
    return sum;
}

/* What errors cost, in requests: more than the busiest one compared with has in flight, so that
 * failing fast never looks like being idle. */
static inline double balance_penalty(double errors, uint32_t most_in_flight)
{
    return errors == 0 ? 0 : errors * (10 + 2 * (double)most_in_flight);
}

/* The table of METHOD_MAGLEV, MAGLEV_ENTRIES long. */
void maglev_fill(uint16_t *table, const struct balance_pool *pool);
/* What a server weighs in the table: its weight, or the mean of the others when that is 0. */
uint64_t maglev_table_weight(const struct balance_pool *pool, uint32_t server);

#endif
