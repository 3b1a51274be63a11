/*
 * share - see share.h.
 *
 * Owner    whoever called share_pool_init()      Threads  any
 */
#include "change/share.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/model.h"

void share_pool_init(struct share_pool *shares, const struct conf_pool *pool)
{
    *shares = (struct share_pool){.count = pool != NULL ? pool->server_count : 0};
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

/* ---- shares ---- */

static double weight_of(const struct share_server *server, bool of_backups)
{
    return share_is_in_service(server) && server->is_backup == of_backups ? server->weight : 0;
}

static double total_weight(const struct share_pool *shares, bool of_backups)
{
    double total = 0;

    for (size_t i = 0; i < shares->count; i++)
        total += weight_of(&shares->servers[i], of_backups);
    return total;
}

static bool should_serve(const struct share_server *server)
{
    return server->is_ready && !server->is_backup;
}

static void compute_capacity(struct share_pool *shares)
{
    bool all_declare = true;
    double total = 0;

    for (size_t i = 0; i < shares->count; i++)
        if (should_serve(&shares->servers[i]) && shares->servers[i].capacity_rps == 0)
            all_declare = false;
    for (size_t i = 0; i < shares->count; i++)
        if (should_serve(&shares->servers[i]))
            total += all_declare ? shares->servers[i].capacity_rps : 1;
    for (size_t i = 0; i < shares->count; i++) {
        struct share_server *server = &shares->servers[i];

        server->capacity = 0;
        if (should_serve(server))
            server->capacity = (all_declare ? server->capacity_rps : 1) / total;
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
    bool of_backups = !(total_weight(shares, false) > 0);
    double total = total_weight(shares, of_backups);

    for (size_t i = 0; i < shares->count; i++) {
        struct share_server *server = &shares->servers[i];

        server->share = total > 0 ? weight_of(server, of_backups) / total : 0;
    }
    compute_capacity(shares);
    compute_sums(shares);
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
