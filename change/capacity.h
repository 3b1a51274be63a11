/*
 * capacity - whether a pool can do without a server, or with other weights, at once; pure.
 *
 * A server may leave service when what stays can bear it:
 *
 *   every capacity declared   what stays bears the peak even without its largest server, and none
 *                             would be used more than 80 %
 *   else                      half of the pool's servers stay eligible, and at least one
 *   always                    at most one other server was taken out in the last 10 minutes
 *
 * A weight may change while all changes of the last hour together move 5 % of the requests at most.
 * All overrides in force count, and so does health: what was asked for one by one is judged as a
 * whole.
 *
 * Owner    results are the caller's      Threads  any
 */
#ifndef CHANGE_CAPACITY_H
#define CHANGE_CAPACITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_pool;

enum { CAPACITY_DRAIN_MS = 10 * 60 * 1000, CAPACITY_WEIGHT_MS = 60 * 60 * 1000 };

struct capacity_question {
    const struct conf_pool *pool;
    const char *server;      /* one of the pool's */
    const char *state;       /* that it is to have: "ready", "drain", "maint"; NULL: as it is */
    int64_t weight;          /* the same; -1: as it is */
    const json_t *in_force;  /* overrides, as override_list() tells */
    const json_t *events;    /* what was ordered in this pool: [{server, kind, at, was}]; kind
                                "drain", or "weight" and what it was before */
    const char *const *down; /* servers that are not healthy, or ejected */
    size_t down_count;
    double peak_rps; /* of the last seven days, as far as known */
    int64_t peak_since_ms;
    int64_t now_ms;
};

enum { CAPACITY_WHY_TEXT = 400 };

/* *numbers_out: what was looked at; why: what does not hold, in words, when the answer is no. */
bool capacity_allows(const struct capacity_question *question, json_t **numbers_out,
                     char why_out[CAPACITY_WHY_TEXT]);
/* The order takes the server out of service: it counts as a drain. */
bool capacity_is_drain(const struct capacity_question *question);

#endif
