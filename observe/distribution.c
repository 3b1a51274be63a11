/*
 * distribution - see distribution.h; the formulas and their sources are in docs/distribution.md.
 *
 * Owner    the caller      Threads  any
 */
#include "observe/distribution.h"

#include <math.h>

/* How much more than expected is tolerated: at most `ratio` times as much, and at most `part` of
 * what is left to everything. */
static const struct tolerance {
    double ratio;
    double part;
} tolerances[] = {
    [DISTRIBUTION_FAST] = {2.0, 0.6},
    [DISTRIBUTION_SLOW] = {1.5, 0.3},
};

#define NOTHING     1e-6 /* an expected share below this is none */
#define STRAY       0.01 /* what a server that should get none may get */
#define MOST_OF_ALL 0.8
/* A pool of which exactly half is gone is not concentrated, whatever way the dice fell. */
#define HALF_IS_LEFT 0.97

const char *const distribution_ref_words[REF_COUNT] = {
    [REF_CONFIGURED] = "configured",
    [REF_CAPACITY] = "capacity",
    [REF_PREVIOUS] = "previous",
};

const char *distribution_state_word(enum distribution_state state)
{
    switch (state) {
    case DISTRIBUTION_OK: return "ok";
    case DISTRIBUTION_WARN: return "warn";
    case DISTRIBUTION_PAGE: return "page";
    case DISTRIBUTION_INSUFFICIENT: break;
    }
    return "insufficient";
}

double distribution_tolerated(double expected, enum distribution_speed speed)
{
    const struct tolerance *tolerance = &tolerances[speed];
    double from = expected < NOTHING ? STRAY : expected;

    return fmin(tolerance->ratio * from, from + tolerance->part * (1 - from));
}

double distribution_divergence(double a, double b)
{
    double sum = 0;

    if (a > 0)
        sum += b > 0 ? a * log(a / b) : INFINITY;
    if (a < 1)
        sum += b < 1 ? (1 - a) * log((1 - a) / (1 - b)) : INFINITY;
    return sum;
}

static uint64_t sum_of(const uint64_t *picks, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += picks[i];
    return sum;
}

static double effective(uint64_t requests, double dispersion)
{
    return (double)requests / (dispersion > 1 ? dispersion : 1);
}

struct distribution_over distribution_over_share(const uint64_t *picks, const double *expected,
                                                 size_t count, double dispersion,
                                                 enum distribution_speed speed)
{
    struct distribution_over found = {0};
    uint64_t requests = sum_of(picks, count);
    double n = effective(requests, dispersion);
    double furthest = -INFINITY;

    for (size_t i = 0; i < count && requests > 0; i++) {
        double share = (double)picks[i] / (double)requests;
        double tolerated = distribution_tolerated(expected[i], speed);
        double evidence = share > tolerated ? n * distribution_divergence(share, tolerated) : 0;
        double distance = evidence > 0 ? evidence : share - tolerated;

        if (distance <= furthest)
            continue;
        furthest = distance;
        found = (struct distribution_over){
            evidence >= DISTRIBUTION_EVIDENCE, i, share, expected[i], tolerated, evidence};
    }
    return found;
}

/* What a server may get at least; by the fast rule anything at all will do. */
static double least_of(double expected, enum distribution_speed speed)
{
    return speed == DISTRIBUTION_FAST ? expected : expected / tolerances[speed].ratio;
}

struct distribution_over distribution_under_share(const uint64_t *picks, const double *expected,
                                                  size_t count, double dispersion,
                                                  enum distribution_speed speed)
{
    struct distribution_over found = {0};
    uint64_t requests = sum_of(picks, count);
    double n = effective(requests, dispersion);

    for (size_t i = 0; i < count && requests > 0; i++) {
        double share = (double)picks[i] / (double)requests;
        double least = least_of(expected[i], speed);
        double evidence;

        if (expected[i] < NOTHING || (speed == DISTRIBUTION_FAST ? picks[i] > 0 : share >= least))
            continue;
        evidence = n * distribution_divergence(share, least);
        if (evidence > found.evidence)
            found = (struct distribution_over){
                evidence >= DISTRIBUTION_EVIDENCE, i, share, expected[i], least, evidence};
    }
    return found;
}

bool distribution_is_enough(uint64_t requests, const double *expected, size_t count,
                            double dispersion)
{
    double n = effective(requests, dispersion);

    for (size_t i = 0; i < count; i++) {
        if (expected[i] < NOTHING || expected[i] > MOST_OF_ALL)
            continue;
        if (n * -log(distribution_tolerated(expected[i], DISTRIBUTION_FAST)) <
            DISTRIBUTION_EVIDENCE)
            return false;
    }
    return requests > 0;
}

double distribution_tvd(const double *a, const double *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += fabs(a[i] - b[i]);
    return sum / 2;
}

double distribution_n_eff(const double *shares, size_t count)
{
    double squares = 0;

    for (size_t i = 0; i < count; i++)
        squares += shares[i] * shares[i];
    return squares > 0 ? 1 / squares : 0;
}

double distribution_concentrated_below(const double *expected, size_t count)
{
    double due = distribution_n_eff(expected, count);

    return due < 2 - NOTHING ? 0 : HALF_IS_LEFT * fmax(1.5, due / 2);
}

bool distribution_is_concentrated(double effective_requests, const double *shares,
                                  const double *expected, size_t count)
{
    return effective_requests >= DISTRIBUTION_CONCENTRATED_N &&
           distribution_n_eff(shares, count) < distribution_concentrated_below(expected, count);
}

double distribution_g(const uint64_t *picks, const double *expected, size_t count)
{
    double requests = (double)sum_of(picks, count);
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        if (picks[i] > 0 && expected[i] >= NOTHING)
            sum += (double)picks[i] * log((double)picks[i] / (requests * expected[i]));
    return sum > 0 ? 2 * sum : 0;
}

double distribution_g_median(size_t count)
{
    double freedom = count > 1 ? (double)(count - 1) : 1;

    return freedom * pow(1 - 2 / (9 * freedom), 3);
}

static double ln_gamma(double x)
{
    int sign;

    return lgamma_r(x, &sign);
}

double distribution_bayes(const uint64_t *picks, const double *expected, size_t count,
                          double dispersion)
{
    double scale = dispersion > 1 ? dispersion : 1;
    double prior = 0;
    double requests = 0;
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        prior += expected[i] >= NOTHING; /* who is to get none is not part of the comparison */
    for (size_t i = 0; i < count; i++) {
        double a = prior * expected[i];
        double x = (double)picks[i] / scale;

        if (expected[i] < NOTHING)
            continue;
        sum += ln_gamma(a + x) - ln_gamma(a) - x * log(expected[i]);
        requests += x;
    }
    return requests > 0 ? sum + ln_gamma(prior) - ln_gamma(prior + requests) : 0;
}
