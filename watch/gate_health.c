/*
 * gate_health - see gate_health.h.
 *
 * Owner    nobody.      Threads  control
 */
#include "watch/gate_health.h"

#include <stdatomic.h>

#include "config/model.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"

struct standing {
    bool is_ordered_out; /* drained, or in maintenance */
    bool is_up;
    bool is_unknown;
};

static uint32_t word(const _Atomic uint32_t *live)
{
    return atomic_load_explicit(live, memory_order_relaxed);
}

/* Of all its addresses together: one that is up is enough. */
static struct standing standing_of(const struct snapshot_pool *pool, size_t conf_server)
{
    struct standing standing = {.is_ordered_out =
                                    pool->conf->servers[conf_server].state != SERVER_READY};

    for (size_t i = 0; i < pool->server_count; i++) {
        const struct balance_live *live = &pool->servers[i]->live;

        if (pool->server_conf[i] != conf_server)
            continue;
        standing.is_ordered_out = word(&live->admin) != ADMIN_READY; /* the same of all of them */
        if (word(&live->ejected) != 0)
            continue;
        if (word(&live->health) == HEALTH_UP)
            standing.is_up = true;
        if (word(&live->health) == HEALTH_UNKNOWN)
            standing.is_unknown = true;
    }
    return standing;
}

void gate_health_of(const struct snapshot_pool *pool, struct gate_health *at_least_out,
                    struct gate_health *at_most_out)
{
    *at_least_out = *at_most_out = (struct gate_health){0, 0};
    for (size_t i = 0; i < pool->conf->server_count; i++) {
        struct standing standing = standing_of(pool, i);

        if (standing.is_ordered_out)
            continue;
        at_least_out->servers++;
        at_most_out->servers++;
        at_least_out->healthy += standing.is_up;
        at_most_out->healthy += standing.is_up || standing.is_unknown;
    }
}

bool gate_is_serving(const struct snapshot_pool *pool, size_t server)
{
    struct standing standing = standing_of(pool, server);

    return !standing.is_ordered_out && standing.is_up;
}

bool gate_is_failing(const struct snapshot_pool *pool, size_t server)
{
    struct standing standing = standing_of(pool, server);

    return !standing.is_ordered_out && !standing.is_up;
}

struct gate_health gate_health_worse(struct gate_health a, struct gate_health b)
{
    if (a.servers == 0)
        return b;
    if (b.servers == 0)
        return a;
    return a.healthy * b.servers <= b.healthy * a.servers ? a : b;
}
