/*
 * gate_spread - see gate_spread.h.
 *
 * Owner    watch/gate_watch.c.      Threads  control only
 */
#include "watch/gate_spread.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/model.h"
#include "observe/distribution.h"
#include "proxy/snapshot.h"
#include "watch/distributions.h"
#include "watch/gate_due.h"
#include "watch/gate_health.h"

/* ---- the prediction ---- */

const json_t *gate_predicted_pool(const json_t *prediction, const char *pool)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(prediction, "pools"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "pool"));

        if (name != NULL && strcmp(name, pool) == 0)
            return row;
    }
    return NULL;
}

bool gate_predicts_none(const json_t *prediction, const char *pool)
{
    const json_t *rate = json_object_get(
        json_object_get(gate_predicted_pool(prediction, pool), "requests_per_second"), "after");
    const json_t *before = json_object_get(
        json_object_get(gate_predicted_pool(prediction, pool), "requests_per_second"), "before");

    return json_is_number(rate) && json_is_number(before) && json_number_value(rate) <= 0 &&
           json_number_value(before) > 0;
}

bool gate_is_led_to(const struct snapshot *snapshot, const struct snapshot_pool *pool)
{
    for (size_t i = 0; i < snapshot->route_count; i++) {
        const struct snapshot_route *route = &snapshot->routes[i];

        if (route->pool == pool)
            return true;
        for (size_t k = 0; k < route->split_count; k++)
            if (route->split[k].pool == pool)
                return true;
    }
    return false;
}

double gate_predicted_share(const json_t *row, const char *server)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(row, "servers"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const json_t *after = json_object_get(json_object_get(one, "share"), "after");

        if (name != NULL && strcmp(name, server) == 0)
            return json_is_number(after) ? json_number_value(after) : -1;
    }
    return -1;
}

/* ---- against it ---- */

struct spread {
    uint64_t *picks;
    double *expected;
    const char **names;
    size_t count;
    uint64_t requests;
    const char *gone; /* it had requests, and fails now; NULL: nobody */
};

/* Those in service, their expected shares made to add up to 1 again.  False: nothing was due. */
static bool fill(struct spread *spread, const struct snapshot_pool *pool,
                 const struct gate_due *due)
{
    double sum = 0;

    for (size_t i = 0; i < pool->conf->server_count; i++) {
        if (due->picks[i] > 0 && gate_is_failing(pool, i))
            spread->gone = pool->conf->servers[i].name;
        if (!gate_is_serving(pool, i))
            continue;
        spread->names[spread->count] = pool->conf->servers[i].name;
        spread->picks[spread->count] = due->picks[i];
        spread->expected[spread->count] = due->due[i];
        spread->requests += due->picks[i];
        sum += due->due[i];
        spread->count++;
    }
    for (size_t i = 0; i < spread->count && sum > 0; i++)
        spread->expected[i] /= sum;
    return sum > 0;
}

static struct gate_reading judge(const struct spread *spread, double dispersion)
{
    struct gate_reading reading = {.word = GATE_PASS};
    struct distribution_over over = distribution_over_share(
        spread->picks, spread->expected, spread->count, dispersion, DISTRIBUTION_FAST);

    if (over.is_over) {
        reading.word = GATE_FAIL;
        (void)snprintf(reading.why, sizeof(reading.why),
                       "%.60s got %.1f%% of %llu requests, approved were %.1f%%",
                       spread->names[over.server], 100 * over.share,
                       (unsigned long long)spread->requests, 100 * over.expected);
        return reading;
    }
    if (spread->gone != NULL) { /* perhaps it fails because it got too much */
        reading.word = GATE_INCONCLUSIVE;
        (void)snprintf(reading.why, sizeof(reading.why), "%.60s had requests, and is out now",
                       spread->gone);
        return reading;
    }
    if (!distribution_is_enough(spread->requests, spread->expected, spread->count, dispersion))
        reading.word = GATE_INCONCLUSIVE;
    (void)snprintf(reading.why, sizeof(reading.why), "%llu requests, %s",
                   (unsigned long long)spread->requests,
                   reading.word == GATE_PASS ? "spread as approved" : "too few to tell");
    return reading;
}

struct gate_reading gate_spread_predicted(const struct snapshot_pool *pool,
                                          const struct gate_due *due, double dispersion,
                                          bool *is_known_out)
{
    size_t room = pool->conf->server_count + 1;
    struct spread spread = {.picks = xcalloc(room, sizeof(*spread.picks)),
                            .expected = xcalloc(room, sizeof(*spread.expected)),
                            .names = xcalloc(room, sizeof(*spread.names))};
    struct gate_reading reading = {.word = GATE_INCONCLUSIVE};

    *is_known_out = due->is_known && fill(&spread, pool, due);
    if (*is_known_out)
        reading = judge(&spread, dispersion);
    xfree(spread.picks);
    xfree(spread.expected);
    xfree(spread.names);
    return reading;
}

/* ---- what the monitor says ---- */

const char *gate_words_of_capacity(const struct snapshot_pool *pool)
{
    for (size_t i = 0; i < pool->conf->server_count; i++)
        if (!pool->conf->servers[i].is_backup && pool->conf->servers[i].capacity_rps == 0)
            return "by capacity (equal parts, as not every capacity_rps is declared) it is due";
    return "by capacity it is due";
}

static void fail_by(struct gate_reading *reading, const struct distributions_since *since,
                    const struct distribution_over *found, const char *reference)
{
    *reading = (struct gate_reading){.word = GATE_FAIL};
    (void)snprintf(reading->why, sizeof(reading->why),
                   "%.60s got %.1f%% of %llu requests; %s %.1f%%",
                   since->servers[found->server].name, 100 * found->share,
                   (unsigned long long)since->requests, reference, 100 * found->expected);
}

struct gate_reading gate_spread_monitored(const struct snapshot_pool *pool,
                                          const struct distributions_since *since, bool is_changed)
{
    const struct distributions_verdict *capacity = &since->verdicts[REF_CAPACITY];
    const struct distributions_verdict *previous = &since->verdicts[REF_PREVIOUS];
    struct gate_reading reading = {.word = GATE_PASS, .why = "spread as it should be"};
    struct gate_health at_least, at_most;

    gate_health_of(pool, &at_least, &at_most);
    if (at_least.healthy < at_least.servers)
        return reading;
    if (capacity->is_known && !capacity->was_over && capacity->over.is_over)
        fail_by(&reading, since, &capacity->over, gate_words_of_capacity(pool));
    else if (!is_changed && previous->is_known && !previous->was_over && previous->over.is_over)
        fail_by(&reading, since, &previous->over, "not changed, and before it had");
    else if (!is_changed && previous->is_known && !previous->was_over && previous->under.is_over)
        fail_by(&reading, since, &previous->under, "not changed, and before it had");
    return reading;
}
