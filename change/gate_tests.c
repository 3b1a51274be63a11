/*
 * gate_tests - see gate_tests.h.
 *
 * Two rules for failures, each a practical limit and a statistical one:
 *
 *   excess       ratio above what is tolerated, and Fisher's exact test says p < 1e-6
 *   overwhelming few requests, but n * KL(ratio || tolerated) >= 24 (Chernoff): no such start of a
 *                healthy arm in a lifetime of looking each ten seconds
 *
 * Owner    nobody (pure).      Threads  any
 */
#include "change/gate_tests.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

static const double ALPHA = 1e-6;
static const double EVIDENCE = 24;         /* as the distribution monitor's L */
static const double LATENCY_EVIDENCE = 14; /* -ln(1e-6), rounded up */
static const double TOLERATED_NEW = 0.05;  /* without a baseline */
static const double TOLERATED_FEW = 0.2;   /* at least, where there are few requests */
static const double LEAST_EXCESS = 0.005;
static const double SLOW_PART = 0.01; /* p99 */

enum { SLOWER_US = 100 * 1000, SLOWER_TIMES = 2, TERMS_MAX = 1000 * 1000 };

/* ---- bounds ---- */

static double ratio_of(struct gate_counts counts)
{
    return counts.requests > 0 ? (double)counts.failed / (double)counts.requests : 0;
}

/* Of two coins; natural logarithm. */
static double divergence(double a, double b)
{
    double sum = 0;

    if (a > 0)
        sum += a * log(a / b);
    if (a < 1)
        sum += (1 - a) * log((1 - a) / (1 - b));
    return sum;
}

/* That an arm whose true ratio is `tolerated` fails so much has probability exp(-evidence), or
 * less. */
static double evidence_of(struct gate_counts counts, double tolerated)
{
    double ratio = ratio_of(counts);

    return ratio > tolerated ? (double)counts.requests * divergence(ratio, tolerated) : 0;
}

static double log_choose(double n, double k)
{
    int sign; /* lgamma() would write a variable of the process */

    return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

/* The tail of the hypergeometric distribution: of all that failed, `after.failed` or more are
 * after's.  Terms fall from there on where it is above the mean. */
double gate_fisher(struct gate_counts before, struct gate_counts after)
{
    double all = (double)before.requests + (double)after.requests;
    double failed = (double)before.failed + (double)after.failed;
    double here = (double)after.requests;
    double most = fmin(failed, here);
    double k = (double)after.failed;
    double term;
    double sum = 0;

    if (k * all <= failed * here) /* not above the mean */
        return 1;
    term = exp(log_choose(here, k) + log_choose(all - here, failed - k) - log_choose(all, failed));
    for (unsigned i = 0; i < TERMS_MAX && k <= most; i++, k++) {
        sum += term;
        if (term < sum * 1e-12)
            break;
        term *= (failed - k) * (here - k) / ((k + 1) * (all - here - failed + k + 1));
    }
    return fmin(sum, 1);
}

/* ---- failures ---- */

/* Half as much again as before, at least half a per cent of all; near 1, a quarter of what is left.
 */
static double tolerated_after(double before)
{
    return before + fmax(LEAST_EXCESS, fmin(before / 2, (1 - before) / 4));
}

static bool is_excess(struct gate_counts before, struct gate_counts after, double tolerated)
{
    if (after.requests < GATE_REQUESTS || ratio_of(after) <= tolerated)
        return false;
    if (before.requests < GATE_REQUESTS)
        return evidence_of(after, tolerated) >= -log(ALPHA);
    return gate_fisher(before, after) < ALPHA;
}

static double tolerated_of(struct gate_counts before)
{
    return before.requests >= GATE_REQUESTS ? tolerated_after(ratio_of(before)) : TOLERATED_NEW;
}

bool gate_still_fails(struct gate_counts before, struct gate_counts newest)
{
    return newest.requests == 0 || ratio_of(newest) > tolerated_of(before);
}

struct gate_reading gate_test_errors(struct gate_counts before, struct gate_counts after)
{
    struct gate_reading reading = {.word = GATE_PASS};
    bool has_baseline = before.requests >= GATE_REQUESTS;
    double tolerated = tolerated_of(before);
    char was[64] = "nothing to compare with";

    if (is_excess(before, after, tolerated) ||
        evidence_of(after, fmax(tolerated, TOLERATED_FEW)) >= EVIDENCE)
        reading.word = GATE_FAIL;
    else if (after.requests < GATE_REQUESTS)
        reading.word = GATE_INCONCLUSIVE;
    if (has_baseline)
        (void)snprintf(was, sizeof(was), "before %.2f%% of %llu", 100 * ratio_of(before),
                       (unsigned long long)before.requests);
    (void)snprintf(
        reading.why, sizeof(reading.why), "%llu of %llu failed, %.2f%% (%s, tolerated %.2f%%)%s",
        (unsigned long long)after.failed, (unsigned long long)after.requests, 100 * ratio_of(after),
        was, 100 * tolerated, reading.word == GATE_INCONCLUSIVE ? "; it takes 200 to tell" : "");
    return reading;
}

/* ---- latency ---- */

static uint64_t count_all(const uint64_t buckets[HISTOGRAM_BUCKETS])
{
    uint64_t all = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        all += buckets[i];
    return all;
}

uint64_t gate_quantile_us(const uint64_t buckets[HISTOGRAM_BUCKETS], double quantile)
{
    double wanted = quantile * (double)count_all(buckets);
    double passed = 0;

    if (wanted <= 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        passed += (double)buckets[i];
        if (passed >= wanted)
            return histogram_edge_us(i);
    }
    return histogram_edge_us(HISTOGRAM_BUCKETS - 2); /* longer than can be told */
}

/* Requests of buckets that begin at `limit_us` or later: all of them took at least that. */
static struct gate_counts slower_than(const uint64_t buckets[HISTOGRAM_BUCKETS], uint64_t limit_us)
{
    struct gate_counts counts = {.requests = count_all(buckets)};

    for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram_edge_us(i - 1) >= limit_us)
            counts.failed += buckets[i];
    }
    return counts;
}

struct gate_reading gate_test_latency(const uint64_t before[HISTOGRAM_BUCKETS],
                                      const uint64_t after[HISTOGRAM_BUCKETS])
{
    struct gate_reading reading = {.word = GATE_PASS};
    uint64_t p99_before = gate_quantile_us(before, 1 - SLOW_PART);
    uint64_t p99_after = gate_quantile_us(after, 1 - SLOW_PART);
    uint64_t limit_us = SLOWER_TIMES * p99_before > p99_before + SLOWER_US
                            ? SLOWER_TIMES * p99_before
                            : p99_before + SLOWER_US;
    struct gate_counts slow = slower_than(after, limit_us);
    bool is_known = count_all(before) >= GATE_REQUESTS && slow.requests >= GATE_REQUESTS;

    if (!is_known)
        reading.word = GATE_INCONCLUSIVE;
    else if (evidence_of(slow, SLOW_PART) >= LATENCY_EVIDENCE)
        reading.word = GATE_FAIL;
    (void)snprintf(reading.why, sizeof(reading.why),
                   "p99 %.0f ms of %llu requests (before %.0f ms of %llu); %llu took over %.0f ms",
                   (double)p99_after / 1000, (unsigned long long)slow.requests,
                   (double)p99_before / 1000, (unsigned long long)count_all(before),
                   (unsigned long long)slow.failed, (double)limit_us / 1000);
    return reading;
}

/* ---- health ---- */

struct gate_reading gate_test_health(struct gate_health before, struct gate_health after)
{
    struct gate_reading reading = {.word = GATE_PASS};
    struct gate_health was = before.servers > 0 ? before : (struct gate_health){1, 1};

    /* healthy / servers, without rounding */
    if (after.healthy * was.servers < was.healthy * after.servers)
        reading.word = GATE_FAIL;
    (void)snprintf(reading.why, sizeof(reading.why),
                   "%llu of %llu servers healthy (before %s%llu of %llu)",
                   (unsigned long long)after.healthy, (unsigned long long)after.servers,
                   before.servers > 0 ? "" : "not there: ", (unsigned long long)before.healthy,
                   (unsigned long long)before.servers);
    return reading;
}

/* ---- together ---- */

void gate_worse(struct gate_reading *one, const struct gate_reading *other)
{
    static const int badness[] = {[GATE_PASS] = 0, [GATE_INCONCLUSIVE] = 1, [GATE_FAIL] = 2};

    if (badness[other->word] > badness[one->word])
        *one = *other;
}
