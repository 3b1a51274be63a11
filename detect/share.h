/*
 * share - which part of a pool's requests each server gets, as far as weights tell; pure.
 *
 * In service: ready, of weight above 0, and not known to be down.  Backups get something only while
 * no other server of the pool is in service.  Below panic_percent health is not asked any more, as
 * proxy/balance has it.  What a server should get is told in two ways:
 *
 *   capacity   by declared capacity over the ready primaries, whoever serves now
 *   fair       the same over the ready ones of those that serve: the primaries, or the backups
 *
 * in equal parts where one of them declares none.
 *
 * Owner    whoever called share_pool_init()      Threads  any
 */
#ifndef DETECT_SHARE_H
#define DETECT_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_pool;

struct share_server {
    const char *name; /* borrowed */
    uint32_t weight;
    uint32_t capacity_rps; /* 0: unknown */
    bool is_ready;
    bool is_backup;
    bool is_down;    /* not healthy, or ejected, now; set by who knows */
    double share;    /* 0 to 1 */
    double capacity; /* the same, by capacity */
    double fair;
};

/* Those that serve, or would: the primaries where nobody can. */
struct share_tier {
    bool is_of_backups;
    size_t ready;    /* weight 0 too */
    size_t eligible; /* of those, in service */
    bool is_capacity_known;
    double capacity_rps; /* of the ready ones; 0 when one is not known */
    double largest_rps;
};

struct share_pool {
    struct share_server *servers; /* sorted by name, as they are configured */
    size_t count;
    size_t primaries; /* whatever their state */
    size_t in_service;
    uint32_t panic_percent;
    bool panic_fails;
    bool is_panic;
    struct share_tier tier;
    bool is_capacity_known; /* of every server in service */
    double capacity_rps;    /* of all in service; 0 when not known */
    double largest_rps;     /* of one of them */
};

/* As configured; NULL: no server at all. */
void share_pool_init(struct share_pool *shares, const struct conf_pool *pool);
void share_pool_fini(struct share_pool *shares);
struct share_server *share_find(const struct share_pool *shares, const char *server);
bool share_is_in_service(const struct share_server *server);
/* `state`: "ready", "drain", "maint", NULL: as it is; `weight` below 0: as it is.  False: no such
 * server.  share_compute() comes after it. */
bool share_override(struct share_pool *shares, const char *server, const char *state,
                    int64_t weight);
void share_compute(struct share_pool *shares);
/* The one with the greatest share; NULL: there is none. */
const struct share_server *share_top(const struct share_pool *shares);

/* Total variation distance: the part of the requests that goes elsewhere, 0 to 1. */
double share_distance(const struct share_pool *a, const struct share_pool *b);
/* The same between the shares of `now` and the capacity shares of `reference`, over the servers of
 * `reference` alone. */
double share_distance_to_capacity(const struct share_pool *now, const struct share_pool *reference);
/* How much further from the capacities the shares are than they were, both over the servers that
 * are there afterwards; below 0: nearer. */
double share_moved_away(const struct share_pool *before, const struct share_pool *after);

/* With `peak_rps` requests a second: one server can fail and the rest bears it (C001), and none is
 * used more than 80 % (C002).  Only where is_capacity_known. */
bool share_survives_one(const struct share_pool *shares, double peak_rps);
/* The highest load of one server as part of its capacity; those that declare none are left out. */
double share_utilisation(const struct share_pool *shares, double peak_rps);

#endif
