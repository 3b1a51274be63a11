/*
 * gate_arms - see gate_arms.h.
 *
 * Owner    watch/gate_watch.c.      Threads  control only
 */
#include "watch/gate_arms.h"

#include <stdio.h>

enum { MINUTE_S = 60, MISSED = 10 };

static struct gate_reading said(enum gate_word word, const char *why)
{
    struct gate_reading reading = {.word = word};

    (void)snprintf(reading.why, sizeof(reading.why), "%s", why);
    return reading;
}

void gate_reading_of_pool(struct gate_reading *reading, const char *pool)
{
    struct gate_reading named = {.word = reading->word};

    (void)snprintf(named.why, sizeof(named.why), "pool %.60s: %.170s", pool, reading->why);
    *reading = named;
}

/* What it is held against: itself, or those in whose place it is. */
static const struct pool_counts *baseline_of(const struct gate_arm *arm)
{
    if (arm->before.all.requests < GATE_REQUESTS && arm->instead.all.requests >= GATE_REQUESTS)
        return &arm->instead;
    return &arm->before;
}

static bool is_loud(const struct gate_arm *arm)
{
    return baseline_of(arm)->all.requests >= GATE_REQUESTS ||
           arm->since.all.requests >= GATE_REQUESTS;
}

/* It is meant to get nothing, and does. */
static bool is_idle_by_plan(const struct gate_arm *arm)
{
    return arm->is_quiet_by_plan && arm->since.all.requests == 0;
}

/* ---- errors ---- */

/* By its rate of before, so many would have come in the last minute that none of them is no chance:
 * P = exp(-MISSED). */
static bool has_vanished(const struct gate_arms *arms, const struct gate_arm *arm)
{
    const struct pool_counts *before = baseline_of(arm);

    return arms->is_minute_over && arm->recent.all.requests == 0 && arms->before_seconds > 0 &&
           before->all.requests * MINUTE_S >= MISSED * arms->before_seconds;
}

static struct gate_reading errors_of(const struct gate_arms *arms, const struct gate_arm *arm)
{
    struct gate_counts before = baseline_of(arm)->all;
    struct gate_reading reading = gate_test_errors(before, arm->since.all);
    struct gate_reading recent = gate_test_errors(before, arm->recent.all);

    if (recent.word == GATE_FAIL)
        reading = recent;
    if (reading.word == GATE_FAIL && !gate_still_fails(before, arm->newest)) {
        reading = said(GATE_INCONCLUSIVE, "many requests failed since apply, but not those of the "
                                          "last ten seconds");
    } else if (reading.word == GATE_PASS && has_vanished(arms, arm))
        reading = said(GATE_INCONCLUSIVE, "no request in the last minute, and there were before");
    gate_reading_of_pool(&reading, arm->pool);
    return reading;
}

static void add_counts(struct gate_counts *sum, struct gate_counts more)
{
    sum->requests += more.requests;
    sum->failed += more.failed;
}

struct gate_reading gate_arms_errors(const struct gate_arms *arms)
{
    struct gate_reading all = said(GATE_PASS, "no pool that is changed is meant to get requests");
    struct gate_counts quiet_before = {0};
    struct gate_counts quiet_since = {0};
    bool has_loud = false;
    bool has_quiet = false;

    for (size_t i = 0; i < arms->count; i++) {
        const struct gate_arm *arm = &arms->arms[i];
        struct gate_reading one = errors_of(arms, arm);

        if (is_idle_by_plan(arm))
            continue;
        if (one.word == GATE_FAIL || is_loud(arm)) {
            if (!has_loud)
                all = one;
            gate_worse(&all, &one);
            has_loud = true;
            continue;
        }
        add_counts(&quiet_before, baseline_of(arm)->all);
        add_counts(&quiet_since, arm->since.all);
        has_quiet = true;
    }
    if (has_loud || !has_quiet)
        return all;
    return gate_test_errors(quiet_before, quiet_since);
}

/* ---- latency ---- */

static struct gate_reading latency_of(const struct gate_arm *arm)
{
    const struct pool_counts *before = baseline_of(arm);
    const struct pool_counts *after =
        arm->recent.all.requests >= GATE_REQUESTS ? &arm->recent : &arm->since;
    struct gate_reading reading = gate_test_latency(before->latency, after->latency);

    if (before->all.requests < GATE_REQUESTS && after->all.requests >= GATE_REQUESTS)
        reading = said(GATE_PASS, "nothing to compare with: it had no requests before");
    gate_reading_of_pool(&reading, arm->pool);
    return reading;
}

struct gate_reading gate_arms_latency(const struct gate_arms *arms)
{
    struct gate_reading all = said(GATE_PASS, "no pool that is changed is meant to get requests");
    bool has_loud = false;
    bool has_quiet = false;

    for (size_t i = 0; i < arms->count; i++) {
        const struct gate_arm *arm = &arms->arms[i];
        struct gate_reading one;

        if (is_idle_by_plan(arm))
            continue;
        if (!is_loud(arm)) {
            has_quiet = true;
            continue;
        }
        one = latency_of(arm);
        if (!has_loud)
            all = one;
        gate_worse(&all, &one);
        has_loud = true;
    }
    if (!has_loud && has_quiet)
        return said(GATE_INCONCLUSIVE,
                    "no pool that is changed had 200 requests, before or since apply");
    return all;
}

/* ---- health ---- */

struct gate_reading gate_arms_health(const struct gate_arms *arms)
{
    struct gate_reading all = said(GATE_PASS, "no pool is changed");

    for (size_t i = 0; i < arms->count; i++) {
        const struct gate_arm *arm = &arms->arms[i];
        struct gate_reading one = gate_test_health(arm->health_before, arm->healthy_at_least);

        if (one.word == GATE_FAIL &&
            gate_test_health(arm->health_before, arm->healthy_at_most).word == GATE_PASS)
            one = said(GATE_INCONCLUSIVE, "servers that are new have not been checked yet");
        gate_reading_of_pool(&one, arm->pool);
        if (i == 0)
            all = one;
        gate_worse(&all, &one);
    }
    return all;
}

/* ---- connections ---- */

/* Few connections carry many requests, so that few say nothing: whether requests come at all is
 * seen by the errors. */
struct gate_reading gate_arms_refusals(struct gate_counts before, struct gate_counts since,
                                       struct gate_counts newest)
{
    struct gate_reading reading = gate_test_errors(before, since);
    char why[GATE_WHY_TEXT];

    if (reading.word == GATE_INCONCLUSIVE ||
        (reading.word == GATE_FAIL && !gate_still_fails(before, newest)))
        reading.word = GATE_PASS;
    (void)snprintf(why, sizeof(why),
                   "%llu of %llu connections refused, or their handshake failed, since apply",
                   (unsigned long long)since.failed, (unsigned long long)since.requests);
    return said(reading.word, why);
}
