/*
 * shares - which part of a pool's requests each server is to get, by weights, and which it ought to
 * get, by capacities.
 *
 *   expected   weight over the sum of weights, of the servers that take requests
 *   fair       capacity over the sum of capacities; equal parts where one capacity is not known
 *
 * Who takes requests: the ready primaries with a weight above 0, or, when there is none, the
 * backups.  All are taken as healthy.
 *
 * Owner    the caller, until shares_fini()      Threads  any
 */
#ifndef DETECT_SHARES_H
#define DETECT_SHARES_H

#include <stdbool.h>
#include <stddef.h>

struct conf_pool;
struct conf_server;

struct shares {
    double *expected; /* by the server's place in the pool; add up to 1, or all are 0 */
    double *fair;     /* of the ready servers of that tier */
    size_t count;
    size_t primaries; /* whatever their state */
    size_t ready;     /* of the tier that serves, weight 0 too */
    size_t eligible;  /* of those, with a weight */
    double capacity;  /* of the ready ones; 0 when one is not known */
    bool has_capacities;
    bool uses_backups;
};

void shares_init(struct shares *shares, const struct conf_pool *pool);
void shares_fini(struct shares *shares);
/* The place of the greatest expected share. */
size_t shares_top(const struct shares *shares);

/* Total variation distance of two ways to spread requests: half the sum of the differences. */
double shares_distance(const double *a, const double *b, size_t count);

/* How much further from the capacities the new shares are than the old ones, both over the servers
 * that are there afterwards; below 0: nearer. */
double shares_moved_away(const struct conf_pool *before, const struct conf_pool *after);

#endif
