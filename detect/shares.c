/*
 * shares - see shares.h.
 *
 * Owner    the caller      Threads  any
 */
#include "detect/shares.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/model.h"

static bool is_in_tier(const struct conf_server *server, bool backups)
{
    return server->state == SERVER_READY && server->is_backup == backups;
}

/* Counts the ready ones of a tier; their weights and capacities together. */
static uint64_t count_tier(struct shares *shares, const struct conf_pool *pool, bool backups)
{
    uint64_t weights = 0;

    shares->ready = 0;
    shares->eligible = 0;
    shares->capacity = 0;
    shares->has_capacities = true;
    shares->uses_backups = backups;
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct conf_server *server = &pool->servers[i];

        if (!is_in_tier(server, backups))
            continue;
        shares->ready++;
        shares->eligible += server->weight > 0;
        shares->capacity += server->capacity_rps;
        shares->has_capacities = shares->has_capacities && server->capacity_rps > 0;
        weights += server->weight;
    }
    if (shares->ready == 0 || !shares->has_capacities) {
        shares->has_capacities = false;
        shares->capacity = 0;
    }
    return weights;
}

void shares_init(struct shares *shares, const struct conf_pool *pool)
{
    uint64_t weights;

    *shares = (struct shares){
        .expected = xcalloc(pool->server_count + 1, sizeof(double)),
        .fair = xcalloc(pool->server_count + 1, sizeof(double)),
        .count = pool->server_count,
    };
    for (size_t i = 0; i < pool->server_count; i++)
        shares->primaries += !pool->servers[i].is_backup;
    weights = count_tier(shares, pool, false);
    if (weights == 0 && count_tier(shares, pool, true) == 0)
        weights = count_tier(shares, pool, false); /* nobody: say so of the primaries */
    else if (weights == 0)
        weights = count_tier(shares, pool, true);
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct conf_server *server = &pool->servers[i];

        if (!is_in_tier(server, shares->uses_backups))
            continue;
        if (weights > 0)
            shares->expected[i] = (double)server->weight / (double)weights;
        shares->fair[i] = shares->has_capacities ? server->capacity_rps / shares->capacity
                                                 : 1.0 / (double)shares->ready;
    }
}

void shares_fini(struct shares *shares)
{
    xfree(shares->expected);
    xfree(shares->fair);
    *shares = (struct shares){0};
}

size_t shares_top(const struct shares *shares)
{
    size_t top = 0;

    for (size_t i = 1; i < shares->count; i++)
        if (shares->expected[i] > shares->expected[top])
            top = i;
    return top;
}

double shares_distance(const double *a, const double *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
    return sum / 2;
}

static size_t place_of(const struct conf_pool *pool, const char *name)
{
    for (size_t i = 0; i < pool->server_count; i++)
        if (strcmp(pool->servers[i].name, name) == 0)
            return i;
    return pool->server_count;
}

double shares_moved_away(const struct conf_pool *before, const struct conf_pool *after)
{
    struct shares old;
    struct shares new;
    double *kept = xcalloc(after->server_count + 1, sizeof(double));
    double *fair = xcalloc(after->server_count + 1, sizeof(double));
    double sum = 0;
    double fair_sum = 0;
    double moved;

    shares_init(&old, before);
    shares_init(&new, after);
    /* Who is new gets nothing of the old shares, and nothing is expected of him then. */
    for (size_t i = 0; i < after->server_count; i++) {
        size_t at = place_of(before, after->servers[i].name);

        if (at < before->server_count) {
            kept[i] = old.expected[at];
            fair[i] = new.fair[i];
        }
        sum += kept[i];
        fair_sum += fair[i];
    }
    for (size_t i = 0; i < after->server_count && sum > 0; i++) {
        kept[i] /= sum;
        fair[i] = fair_sum > 0 ? fair[i] / fair_sum : 0;
    }
    moved = shares_distance(new.expected, new.fair, new.count);
    if (sum > 0)
        moved -= shares_distance(kept, fair, new.count);
    shares_fini(&old);
    shares_fini(&new);
    xfree(kept);
    xfree(fair);
    return moved;
}
