/*
 * capacity - see capacity.h.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "change/capacity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config/model.h"
#include "detect/share.h"

static const double weight_limit = 0.05;
static const double use_limit = 0.8;
static const double hair = 1e-9;

struct judgement {
    const struct capacity_question *question;
    struct share_pool now;
    struct share_pool after;
    json_t *numbers;
    char *why;
};

static void fails(struct judgement *judgement, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fails(struct judgement *judgement, const char *format, ...)
{
    size_t len = strlen(judgement->why);
    va_list arguments;

    if (len > 0)
        len += (size_t)snprintf(judgement->why + len, CAPACITY_WHY_TEXT - len, "; ");
    if (len >= CAPACITY_WHY_TEXT)
        return;
    va_start(arguments, format);
    (void)vsnprintf(judgement->why + len, CAPACITY_WHY_TEXT - len, format, arguments);
    va_end(arguments);
}

/* ---- before and after ---- */

static bool is_of_pool(const struct capacity_question *question, const json_t *override)
{
    const char *pool = json_string_value(json_object_get(override, "pool"));

    return pool != NULL && strcmp(pool, question->pool->name) == 0;
}

static void fill_shares(const struct capacity_question *question, struct share_pool *shares)
{
    share_pool_init(shares, question->pool);
    for (size_t i = 0; i < json_array_size(question->in_force); i++) {
        const json_t *one = json_array_get(question->in_force, i);
        const json_t *weight = json_object_get(one, "weight");

        if (is_of_pool(question, one))
            (void)share_override(shares, json_string_value(json_object_get(one, "server")),
                                 json_string_value(json_object_get(one, "state")),
                                 json_is_integer(weight) ? json_integer_value(weight) : -1);
    }
    for (size_t i = 0; i < question->down_count; i++) {
        struct share_server *server = share_find(shares, question->down[i]);

        if (server != NULL)
            server->is_down = true;
    }
    share_compute(shares);
}

static void judgement_init(struct judgement *judgement, const struct capacity_question *question)
{
    *judgement = (struct judgement){.question = question};
    fill_shares(question, &judgement->now);
    fill_shares(question, &judgement->after);
    (void)share_override(&judgement->after, question->server, question->state, question->weight);
    share_compute(&judgement->after);
}

static void judgement_fini(struct judgement *judgement)
{
    share_pool_fini(&judgement->now);
    share_pool_fini(&judgement->after);
}

/* Whatever its health. */
static bool is_wanted(const struct share_pool *shares, const char *name)
{
    const struct share_server *server = share_find(shares, name);

    return server != NULL && server->is_ready && server->weight > 0;
}

static bool takes_out(const struct judgement *judgement)
{
    const char *server = judgement->question->server;

    return is_wanted(&judgement->now, server) && !is_wanted(&judgement->after, server);
}

bool capacity_is_drain(const struct capacity_question *question)
{
    struct judgement judgement;
    bool is_drain;

    judgement_init(&judgement, question);
    is_drain = takes_out(&judgement);
    judgement_fini(&judgement);
    return is_drain;
}

/* ---- what stays ---- */

/* Backups and the others apart: one cannot stand in for the other here. */
struct tier {
    size_t servers;
    size_t eligible_before;
    size_t eligible_after;
    bool is_capacity_known;
    double capacity_after;
    double largest_after;
};

static struct tier tier_of(const struct judgement *judgement)
{
    bool of_backups = share_find(&judgement->now, judgement->question->server)->is_backup;
    struct tier tier = {.is_capacity_known = !of_backups};

    for (size_t i = 0; i < judgement->now.count; i++) {
        const struct share_server *before = &judgement->now.servers[i];
        const struct share_server *after = &judgement->after.servers[i];

        if (before->is_backup != of_backups)
            continue;
        tier.servers++;
        tier.eligible_before += share_is_in_service(before);
        if (before->capacity_rps == 0)
            tier.is_capacity_known = false;
        if (!share_is_in_service(after))
            continue;
        tier.eligible_after++;
        tier.capacity_after += after->capacity_rps;
        if (after->capacity_rps > tier.largest_after)
            tier.largest_after = after->capacity_rps;
    }
    return tier;
}

static json_t *rounded(double value)
{
    return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static void judge_numbers(struct judgement *judgement, const struct tier *tier)
{
    const struct capacity_question *question = judgement->question;
    double rest = tier->capacity_after - tier->largest_after;
    double use = share_utilisation(&judgement->after, question->peak_rps);
    char since[CLOCK_RFC3339_TEXT];

    json_object_set_new(judgement->numbers, "capacity_rps",
                        json_pack("{s:o, s:o, s:o}", "after", rounded(tier->capacity_after),
                                  "largest", rounded(tier->largest_after), "without_largest",
                                  rounded(rest)));
    json_object_set_new(judgement->numbers, "peak",
                        json_pack("{s:o, s:s}", "rps", rounded(question->peak_rps), "since",
                                  clock_rfc3339(question->peak_since_ms, since)));
    json_object_set_new(
        judgement->numbers, "utilisation",
        json_pack("{s:o, s:o}", "highest", rounded(use), "limit", rounded(use_limit)));
    if (tier->eligible_after == 0)
        fails(judgement, "no server would be left");
    if (rest + hair < question->peak_rps)
        fails(judgement,
              "without its largest server the rest serves %.0f requests a second, and the peak is "
              "%.0f",
              rest, question->peak_rps);
    if (use > use_limit + hair)
        fails(judgement, "a server would be used %.1f %% at the peak, and 80 %% is the limit",
              use * 100);
}

static void judge_heads(struct judgement *judgement, const struct tier *tier)
{
    size_t needed = (tier->servers + 1) / 2;

    json_object_set_new(judgement->numbers, "needed", json_integer((json_int_t)needed));
    if (tier->eligible_after == 0 || tier->eligible_after < needed)
        fails(judgement, "%zu of %zu servers would stay eligible, and at least %zu must",
              tier->eligible_after, tier->servers, needed);
}

/* ---- what was ordered of late ---- */

/* kind, and not older than that; NULL for others. */
static const char *recent(const struct capacity_question *question, const json_t *event,
                          const char *kind, int64_t within_ms)
{
    const char *is = json_string_value(json_object_get(event, "kind"));
    int64_t at_ms = json_integer_value(json_object_get(event, "at"));

    if (is == NULL || strcmp(is, kind) != 0 || question->now_ms - at_ms >= within_ms)
        return NULL;
    return json_string_value(json_object_get(event, "server"));
}

static bool holds(const json_t *names, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++)
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0)
            return true;
    return false;
}

static void judge_pace(struct judgement *judgement)
{
    const struct capacity_question *question = judgement->question;
    json_t *others = json_array();

    for (size_t i = 0; i < json_array_size(question->events); i++) {
        const char *server =
            recent(question, json_array_get(question->events, i), "drain", CAPACITY_DRAIN_MS);

        if (server != NULL && strcmp(server, question->server) != 0 && !holds(others, server))
            json_array_append_new(others, json_string(server));
    }
    if (json_array_size(others) > 1)
        fails(judgement,
              "%zu other servers of the pool were taken out in the last 10 minutes, and "
              "one is the limit",
              json_array_size(others));
    json_object_set_new(judgement->numbers, "drains_in_10_minutes", others);
}

static void judge_drain(struct judgement *judgement)
{
    struct tier tier = tier_of(judgement);

    json_object_set_new(judgement->numbers, "capacity",
                        json_string(tier.is_capacity_known ? "known" : "unknown"));
    json_object_set_new(judgement->numbers, "servers", json_integer((json_int_t)tier.servers));
    json_object_set_new(judgement->numbers, "eligible",
                        json_pack("{s:I, s:I}", "before", (json_int_t)tier.eligible_before, "after",
                                  (json_int_t)tier.eligible_after));
    if (tier.is_capacity_known)
        judge_numbers(judgement, &tier);
    else
        judge_heads(judgement, &tier);
    judge_pace(judgement);
}

/* ---- weights ---- */

/* As they were an hour ago, all else as it will be: the first change since then says it. */
static void weights_then(const struct judgement *judgement, struct share_pool *then)
{
    const struct capacity_question *question = judgement->question;

    share_pool_init(then, question->pool);
    for (size_t i = 0; i < then->count; i++) {
        then->servers[i] = judgement->after.servers[i];
        then->servers[i].weight = judgement->now.servers[i].weight;
    }
    for (size_t i = json_array_size(question->events); i-- > 0;) {
        const json_t *event = json_array_get(question->events, i);
        const char *server = recent(question, event, "weight", CAPACITY_WEIGHT_MS);

        if (server != NULL)
            (void)share_override(then, server, NULL,
                                 json_integer_value(json_object_get(event, "was")));
    }
    share_compute(then);
}

static bool changes_weight(const struct judgement *judgement)
{
    const char *server = judgement->question->server;

    return share_find(&judgement->now, server)->weight !=
           share_find(&judgement->after, server)->weight;
}

static void judge_weights(struct judgement *judgement)
{
    struct share_pool then;
    double moved;

    weights_then(judgement, &then);
    moved = share_distance(&then, &judgement->after);
    share_pool_fini(&then);
    json_object_set_new(
        judgement->numbers, "tvd",
        json_pack("{s:o, s:o}", "predicted", rounded(moved), "limit", rounded(weight_limit)));
    if (moved > weight_limit + hair)
        fails(judgement,
              "with the changes of weight of the last hour %.1f %% of the requests would have "
              "moved, and 5 %% is the limit",
              moved * 100);
}

bool capacity_allows(const struct capacity_question *question, json_t **numbers_out,
                     char why_out[CAPACITY_WHY_TEXT])
{
    struct judgement judgement;

    judgement_init(&judgement, question);
    judgement.numbers =
        json_pack("{s:s, s:s}", "pool", question->pool->name, "server", question->server);
    judgement.why = why_out;
    why_out[0] = '\0';
    if (takes_out(&judgement))
        judge_drain(&judgement);
    if (changes_weight(&judgement))
        judge_weights(&judgement);
    *numbers_out = judgement.numbers;
    judgement_fini(&judgement);
    return why_out[0] == '\0';
}
