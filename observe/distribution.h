/*
 * distribution - whether the servers of a pool get the shares that they should; the tests, pure.
 *
 * An alarm needs practical and statistical significance together: a share above what is tolerated,
 * and a Chernoff bound that chance does not explain it (docs/distribution.md has the rules, their
 * sources and what they cost in false alarms).  monitor.h applies them to a pool over time.
 *
 * Owner    the caller      Threads  any; no clock, no memory of its own
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

/* Evidence is what a test has against chance: -ln of the bound of its probability. */
#define DISTRIBUTION_EVIDENCE 24.0

enum distribution_speed { DISTRIBUTION_FAST, DISTRIBUTION_SLOW };

struct distribution_over {
    bool is_over;
    size_t server;   /* the one furthest over */
    double share;    /* that it got */
    double expected; /* that it should have had */
    double tolerated;
    double evidence; /* n_e * KL; an alarm from 24 on */
};

/* What a server of this expected share may get at most before it is worth telling.  One that is
 * expected to get nothing may get a hundredth: requests under way when it was drained. */
double distribution_tolerated(double expected, enum distribution_speed speed);
/* a ln(a/b) + (1-a) ln((1-a)/(1-b)): how far a share a is from a share b, for each request. */
double distribution_divergence(double a, double b);

/* Some server got more than is tolerated, and chance does not explain it.  `picks` of `count`
 * servers; `expected` adds up to 1; `dispersion` is phi, at least 1. */
struct distribution_over distribution_over_share(const uint64_t *picks, const double *expected,
                                                 size_t count, double dispersion,
                                                 enum distribution_speed speed);
/* Some server got far less: nothing at all (FAST), or below expected / 1.5 (SLOW). */
struct distribution_over distribution_under_share(const uint64_t *picks, const double *expected,
                                                  size_t count, double dispersion,
                                                  enum distribution_speed speed);
/* n is enough for an all-to-one among these to be seen, whichever server it is; those that are to
 * get more than four fifths anyhow are not counted. */
bool distribution_is_enough(uint64_t requests, const double *expected, size_t count,
                            double dispersion);
double distribution_tvd(const double *a, const double *b, size_t count);
/* 1 / sum of squares; 0 where all are 0. */
double distribution_n_eff(const double *shares, size_t count);
/* Below this n_eff a pool that should be spread as expected uses too few of its servers, given as
 * many requests (n / phi); 0: a pool of one. */
#define DISTRIBUTION_CONCENTRATED_N 100.0
double distribution_concentrated_below(const double *expected, size_t count);
bool distribution_is_concentrated(double effective_requests, const double *shares,
                                  const double *expected, size_t count);

/* 2 sum x ln(x / E): about chi-squared of (servers - 1) degrees of freedom where requests are
 * independent.  Over its median it is the dispersion of one window. */
double distribution_g(const uint64_t *picks, const double *expected, size_t count);
double distribution_g_median(size_t count);

/* ---- the second layer: one sequential test an epoch; tickets and the gate, never a page ---- */

/* ln of the Bayes factor of "some other shares" against `expected` (Dirichlet-multinomial, prior
 * count * expected).  By Ville's inequality it is ever above DISTRIBUTION_BAYES with a probability
 * of at most 1e-6 an epoch, however often one looks. */
#define DISTRIBUTION_BAYES 13.815510557964274
double distribution_bayes(const uint64_t *picks, const double *expected, size_t count,
                          double dispersion);

#endif
