/*
 * share - see share.h.
 *
 * Owner    whoever called share_pool_init()      Threads  any
 */
#include "detect/share.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/model.h"

void share_pool_init(struct share_pool *shares, const struct conf_pool *pool)
{
    *shares = (struct share_pool){
        .count = pool != NULL ? pool->server_count : 0,
        .panic_percent = pool != NULL ? pool->panic_percent : 0,
        .panic_fails = pool != NULL && pool->panic_mode == PANIC_FAIL,
    };
    shares->servers = xcalloc(shares->count + 1, sizeof(*shares->servers));
    for (size_t i = 0; i < shares->count; i++) {
        const struct conf_server *server = &pool->servers[i];

        shares->servers[i] = (struct share_server){.name = server->name,
                                                   .weight = server->weight,
                                                   .capacity_rps = server->capacity_rps,
                                                   .is_ready = server->state == SERVER_READY,
                                                   .is_backup = server->is_backup};
    }
    share_compute(shares);
}

void share_pool_fini(struct share_pool *shares)
{
    xfree(shares->servers);
    *shares = (struct share_pool){0};
}

static int by_name(const void *name, const void *server)
{
    return strcmp(name, ((const struct share_server *)server)->name);
}

struct share_server *share_find(const struct share_pool *shares, const char *server)
{
    return bsearch(server, shares->servers, shares->count, sizeof(*shares->servers), by_name);
}

bool share_is_in_service(const struct share_server *server)
{
    return server->is_ready && server->weight > 0 && !server->is_down;
}

bool share_override(struct share_pool *shares, const char *server, const char *state,
                    int64_t weight)
{
    struct share_server *found = share_find(shares, server);

    if (found == NULL)
        return false;
    if (state != NULL)
        found->is_ready = strcmp(state, "ready") == 0;
    if (weight >= 0)
        found->weight = (uint32_t)weight;
    return true;
}

/* ---- who serves ---- */

static bool is_wanted(const struct share_server *server, bool of_backups)
{
    return server->is_ready && server->weight > 0 && server->is_backup == of_backups;
}

static size_t count_healthy(const struct share_pool *shares, bool of_backups)
{
    size_t healthy = 0;

    for (size_t i = 0; i < shares->count; i++)
        healthy += is_wanted(&shares->servers[i], of_backups) && !shares->servers[i].is_down;
    return healthy;
}

/* As choose_candidates() of proxy/balance decides: too few are healthy, and no backup stands in. */
static void judge_panic(struct share_pool *shares)
{
    size_t wanted = 0;
    size_t primaries = count_healthy(shares, false);
    size_t backups = count_healthy(shares, true);

    for (size_t i = 0; i < shares->count; i++)
        wanted += is_wanted(&shares->servers[i], false);
    shares->is_panic =
        primaries * 100 < wanted * shares->panic_percent && !(primaries == 0 && backups > 0);
    shares->tier.is_of_backups = !shares->is_panic && primaries == 0 && backups > 0;
}

static bool serves(const struct share_pool *shares, const struct share_server *server)
{
    if (!is_wanted(server, shares->tier.is_of_backups))
        return false;
    return shares->is_panic ? !shares->panic_fails : !server->is_down;
}

/* ---- shares ---- */

static void compute_shares(struct share_pool *shares)
{
    double total = 0;

    for (size_t i = 0; i < shares->count; i++)
        if (serves(shares, &shares->servers[i]))
            total += shares->servers[i].weight;
    for (size_t i = 0; i < shares->count; i++) {
        struct share_server *server = &shares->servers[i];

        server->share = serves(shares, server) ? server->weight / total : 0;
    }
}

static bool is_in_tier(const struct share_server *server, bool of_backups)
{
    return server->is_ready && server->is_backup == of_backups;
}

static void compute_tier(struct share_pool *shares)
{
    struct share_tier *tier = &shares->tier;

    *tier = (struct share_tier){.is_of_backups = tier->is_of_backups, .is_capacity_known = true};
    shares->primaries = 0;
    for (size_t i = 0; i < shares->count; i++) {
        const struct share_server *server = &shares->servers[i];

        shares->primaries += !server->is_backup;
        if (!is_in_tier(server, tier->is_of_backups))
            continue;
        tier->ready++;
        tier->eligible += share_is_in_service(server);
        tier->capacity_rps += server->capacity_rps;
        tier->largest_rps = fmax(tier->largest_rps, server->capacity_rps);
        if (server->capacity_rps == 0)
            tier->is_capacity_known = false;
    }
    if (tier->ready == 0)
        tier->is_capacity_known = false;
    if (!tier->is_capacity_known)
        tier->capacity_rps = tier->largest_rps = 0;
}

/* The parts of the ready ones of a tier, by capacity; equal where one of them declares none. */
struct parts {
    bool of_backups;
    bool all_declare;
    double ready;
    double total_rps;
};

static struct parts parts_of(const struct share_pool *shares, bool of_backups)
{
    struct parts parts = {.of_backups = of_backups, .all_declare = true};

    for (size_t i = 0; i < shares->count; i++) {
        if (!is_in_tier(&shares->servers[i], of_backups))
            continue;
        parts.ready++;
        parts.total_rps += shares->servers[i].capacity_rps;
        parts.all_declare = parts.all_declare && shares->servers[i].capacity_rps > 0;
    }
    return parts;
}

static double part_of(const struct parts *parts, const struct share_server *server)
{
    if (!is_in_tier(server, parts->of_backups))
        return 0;
    return parts->all_declare ? server->capacity_rps / parts->total_rps : 1 / parts->ready;
}

static void compute_capacity(struct share_pool *shares)
{
    struct parts capacity = parts_of(shares, false);
    struct parts fair = parts_of(shares, shares->tier.is_of_backups);

    for (size_t i = 0; i < shares->count; i++) {
        shares->servers[i].capacity = part_of(&capacity, &shares->servers[i]);
        shares->servers[i].fair = part_of(&fair, &shares->servers[i]);
    }
}

static void compute_sums(struct share_pool *shares)
{
    shares->in_service = 0;
    shares->capacity_rps = shares->largest_rps = 0;
    shares->is_capacity_known = true;
    for (size_t i = 0; i < shares->count; i++) {
        const struct share_server *server = &shares->servers[i];

        if (!share_is_in_service(server))
            continue;
        shares->in_service++;
        shares->capacity_rps += server->capacity_rps;
        shares->largest_rps = fmax(shares->largest_rps, server->capacity_rps);
        if (server->capacity_rps == 0)
            shares->is_capacity_known = false;
    }
    if (shares->in_service == 0)
        shares->is_capacity_known = false;
    if (!shares->is_capacity_known)
        shares->capacity_rps = shares->largest_rps = 0;
}

void share_compute(struct share_pool *shares)
{
    judge_panic(shares);
    compute_shares(shares);
    compute_tier(shares);
    compute_capacity(shares);
    compute_sums(shares);
}

const struct share_server *share_top(const struct share_pool *shares)
{
    const struct share_server *top = shares->count > 0 ? &shares->servers[0] : NULL;

    for (size_t i = 1; i < shares->count; i++)
        if (shares->servers[i].share > top->share)
            top = &shares->servers[i];
    return top;
}

/* ---- distances ---- */

double share_distance(const struct share_pool *a, const struct share_pool *b)
{
    double sum = 0;

    for (size_t i = 0; i < a->count; i++) {
        const struct share_server *other = share_find(b, a->servers[i].name);

        sum += fabs(a->servers[i].share - (other != NULL ? other->share : 0));
    }
    for (size_t i = 0; i < b->count; i++)
        if (share_find(a, b->servers[i].name) == NULL)
            sum += b->servers[i].share;
    return sum / 2;
}

double share_distance_to_capacity(const struct share_pool *now, const struct share_pool *reference)
{
    double sum = 0;
    double kept = 0;

    for (size_t i = 0; i < reference->count; i++) {
        const struct share_server *server = share_find(now, reference->servers[i].name);

        kept += server != NULL ? server->share : 0;
    }
    for (size_t i = 0; i < reference->count; i++) {
        const struct share_server *server = share_find(now, reference->servers[i].name);
        double share = server != NULL && kept > 0 ? server->share / kept : 0;

        sum += fabs(share - reference->servers[i].capacity);
    }
    return sum / 2;
}

double share_moved_away(const struct share_pool *before, const struct share_pool *after)
{
    double moved = share_distance_to_capacity(after, after);

    if (before->in_service > 0) /* else whatever comes to the pool is new to it */
        moved -= share_distance_to_capacity(before, after);
    return moved;
}

/* ---- capacity ---- */

bool share_survives_one(const struct share_pool *shares, double peak_rps)
{
    return shares->capacity_rps - shares->largest_rps >= peak_rps &&
           share_utilisation(shares, peak_rps) <= 0.8 + 1e-9;
}

double share_utilisation(const struct share_pool *shares, double peak_rps)
{
    double highest = 0;

    for (size_t i = 0; i < shares->count; i++) {
        const struct share_server *server = &shares->servers[i];

        if (server->capacity_rps > 0)
            highest = fmax(highest, server->share * peak_rps / server->capacity_rps);
    }
    return highest;
}
