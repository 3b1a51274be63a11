/*
 * distributions - how each pool's requests are spread over its servers, against what is due; what
 * is wrong with it, and by what cause.
 *
 * Each second the shares that are due are read from the snapshot that runs and its live words, and
 * how many requests came; each ten seconds the counters of servers, and it is decided
 * (observe/monitor.h).  A pool keeps what was seen of it over reloads, by its name and those of its
 * servers.  A pool without requests costs a look at one counter.
 *
 * Owner    watch.      Threads  control only
 */
#ifndef WATCH_DISTRIBUTIONS_H
#define WATCH_DISTRIBUTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/distribution.h"

struct arena;
struct buffer;
struct counters;
struct distributions;
struct publisher;

struct distributions *distributions_new(struct counters *counters, unsigned worker_count,
                                        struct publisher *publisher);
void distributions_free(struct distributions **distributions);

/* What runs, what is due and what came is taken up, also between two ticks: for who asks.  `now_ms`
 * is clock_ms().  False: nothing runs yet. */
bool distributions_look(struct distributions *distributions, uint64_t now_ms);
/* Each second. */
void distributions_tick(struct distributions *distributions, uint64_t now_ms);

/* Adds what is raised, as alerts. */
void distributions_add_alerts(const struct distributions *distributions, json_t *alerts);

/* GET /v1/pools/{pool}/distribution; NULL: nothing is known of such a pool yet. */
json_t *distributions_shown(const struct distributions *distributions, const char *pool);
/* twokey_pool_… and twokey_server_share…, in the Prometheus text format. */
void distributions_write_metrics(const struct distributions *distributions, struct buffer *out);

/* ---- since the last change: for the gate ---- */

struct distributions_server {
    const char *name;
    uint64_t picks;             /* first attempts, sticky ones too */
    double expected[REF_COUNT]; /* 0 to 1; what was due while these came */
};

/* One reference's word on what came since the change. */
struct distributions_verdict {
    bool is_known;  /* this reference says something of this pool */
    bool is_enough; /* requests to tell; else neither good nor bad */
    bool was_over;  /* already in the last five minutes before the change: not its doing */
    struct distribution_over over;  /* DISTRIBUTION_FAST; .server is a place in `servers` */
    struct distribution_over under; /* starved */
    double bayes;                   /* ln; an alarm from DISTRIBUTION_BAYES on */
};

/* `picks` and `expected` go to distribution_over_share() as they are, `dispersion` too. */
struct distributions_since {
    uint64_t generation; /* of the snapshot that ran first with the configuration that runs */
    uint64_t began_ms;   /* clock_ms() when it was first seen to run; the epoch begins there */
    uint64_t requests;
    double dispersion;
    struct distributions_server *servers; /* in the order of the configuration */
    size_t server_count;
    struct distributions_verdict verdicts[REF_COUNT];
};

/* False: no such pool.  An epoch begins with each configuration that comes to run, by an apply, a
 * rollback or a reload; new addresses of a name begin none. */
bool distributions_since_change(const struct distributions *distributions, const char *pool,
                                struct arena *arena, struct distributions_since *out);

#endif
