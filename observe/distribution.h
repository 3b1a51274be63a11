/*
 * distribution - whether the servers of a pool get the shares that they should; pure.
 *
 * One of these a pool.  Each second it is told what each server was picked for and which shares
 * were due in that second; each ten seconds it decides.  Three references:
 *
 *   configured   by effective weight (or, for least_requests, weight over service time)
 *   capacity     by declared capacity over the servers that should be in service
 *   previous     what they had in the hour before the last change
 *
 * An alarm needs practical and statistical significance together: a share above what is tolerated,
 * and a Chernoff bound that chance does not explain it (docs/distribution.md has the rules, their
 * sources and what they cost in false alarms).
 *
 * Owner    whoever made it      Threads  one at a time; no clock of its own
 */
#ifndef OBSERVE_DISTRIBUTION_H
#define OBSERVE_DISTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum distribution_ref { REF_CONFIGURED, REF_CAPACITY, REF_PREVIOUS, REF_COUNT };
enum distribution_state {
    DISTRIBUTION_INSUFFICIENT = -1,
    DISTRIBUTION_OK = 0,
    DISTRIBUTION_WARN = 1, /* a ticket */
    DISTRIBUTION_PAGE = 2,
};
enum { DISTRIBUTION_WINDOWS = 3 }; /* 60 s, 5 min, 15 min */

extern const char *const distribution_ref_words[REF_COUNT]; /* "configured", … */
const char *distribution_state_word(enum distribution_state state);

/* ---- the tests, by themselves; the gate uses them too ---- */

enum distribution_speed { DISTRIBUTION_FAST, DISTRIBUTION_SLOW };

struct distribution_over {
    bool is_over;
    size_t server;   /* the one furthest over */
    double share;    /* that it got */
    double expected; /* that it should have had */
    double tolerated;
    double evidence; /* n_e * KL; an alarm from 24 on */
};

/* Some server got more than is tolerated, and chance does not explain it.  `picks` of `count`
 * servers; `expected` adds up to 1; `dispersion` is phi, at least 1. */
struct distribution_over distribution_over_share(const uint64_t *picks, const double *expected,
                                                 size_t count, double dispersion,
                                                 enum distribution_speed speed);
/* n is enough for an all-to-one among these to be seen. */
bool distribution_is_enough(uint64_t requests, const double *expected, size_t count,
                            double dispersion);
double distribution_tvd(const double *a, const double *b, size_t count);
/* 1 / sum of squares; 0 where all are 0. */
double distribution_n_eff(const double *shares, size_t count);

#endif
