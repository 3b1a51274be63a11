/*
 * maglev - the same server for the same hash, in every process, with a bound on its load.
 *
 * The table is filled from the hashes of the servers' names, so it depends neither on their
 * order nor on their health.  A request whose server cannot take it hashes again: only the keys
 * of the server that is gone move.  A weight that changes while running (slow start, override)
 * turns a part of the keys away, each key always alike.
 *
 * Owner    table: the pool.  The rest: the view's worker.      Threads  the view's
 * Source   Eisenbud et al.: Maglev (NSDI 2016); Mirrokni et al.: consistent hashing with bounded
 *          loads (2016)
 */
#include <stdlib.h>

#include "base/memory.h"
#include "proxy/balance/internal.h"

enum { PROBES = 64, UNBOUNDED_LOAD = 4, BOUND_PERCENT = 150, LOAD_AGE = 64 };
#define NEXT_HASH UINT64_C(0x9e3779b97f4a7c15)

/* ---- the table ---- */

struct turn {
    uint64_t hash;
    uint32_t server;
    uint32_t position; /* next in its permutation of the entries */
    uint32_t skip;
    double share; /* of the heaviest one's turns */
    double given;
};

static uint64_t mean_weight(const struct balance_pool *pool)
{
    uint64_t sum = 0, count = 0;

    for (uint32_t i = 0; i < pool->count; i++) {
        sum += pool->servers[i].weight;
        count += pool->servers[i].weight > 0;
    }
    return count > 0 ? (sum + count - 1) / count : 1;
}

uint64_t maglev_table_weight(const struct balance_pool *pool, uint32_t server)
{
    uint32_t weight = pool->servers[server].weight;

    return weight > 0 ? weight : mean_weight(pool);
}

static int compare_turns(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct turn *turns_new(const struct balance_pool *pool)
{
    struct turn *turns = xcalloc(pool->count, sizeof(*turns));
    uint64_t most = 1;

    for (uint32_t i = 0; i < pool->count; i++)
        if (maglev_table_weight(pool, i) > most)
            most = maglev_table_weight(pool, i);
    for (uint32_t i = 0; i < pool->count; i++) {
        uint64_t hash = pool->servers[i].name_hash;

        turns[i] = (struct turn){
            .hash = hash,
            .server = i,
            .position = (uint32_t)(hash_mix(hash) % MAGLEV_ENTRIES),
            .skip = (uint32_t)(hash_mix(hash + NEXT_HASH) % (MAGLEV_ENTRIES - 1)) + 1,
            .share = (double)maglev_table_weight(pool, i) / (double)most,
        };
    }
    qsort(turns, pool->count, sizeof(*turns), compare_turns);
    return turns;
}

/* `taken` has a bit an entry, so that all of it stays in the nearest cache: the last entries are
 * found after many probes. */
static void take_entry(uint16_t *table, uint64_t *taken, struct turn *turn)
{
    uint32_t position = turn->position;

    while (taken[position / 64] >> position % 64 & 1) {
        position += turn->skip;
        if (position >= MAGLEV_ENTRIES)
            position -= MAGLEV_ENTRIES;
    }
    taken[position / 64] |= UINT64_C(1) << position % 64;
    table[position] = (uint16_t)turn->server;
    turn->position = position;
}

void maglev_fill(uint16_t *table, const struct balance_pool *pool)
{
    struct turn *turns = turns_new(pool);
    uint64_t *taken = xcalloc(MAGLEV_ENTRIES / 64 + 1, sizeof(*taken));
    uint32_t filled = 0;

    for (uint32_t round = 1; filled < MAGLEV_ENTRIES; round++) {
        for (uint32_t i = 0; i < pool->count && filled < MAGLEV_ENTRIES; i++) {
            if (turns[i].share * round < turns[i].given + 1 - 1e-9)
                continue;
            turns[i].given += 1;
            take_entry(table, taken, &turns[i]);
            filled++;
        }
    }
    xfree(taken);
    xfree(turns);
}

/* ---- the pick ---- */

/* Sums over a large pool are kept for the loop's millisecond, or 64 picks. */
static uint64_t load_of_all(struct balance_view *view, uint64_t now_ms)
{
    if (view->candidate_count > SCAN_AT_MOST && view->load_ms == now_ms &&
        ++view->load_age < LOAD_AGE)
        return view->load;
    view->load = 0;
    for (uint32_t i = 0; i < view->candidate_count; i++)
        view->load += balance_load(view->servers[view->candidates[i]].live);
    view->load_ms = now_ms;
    view->load_age = 0;
    return view->load;
}

static bool is_over_bound(struct balance_view *view, const struct view_server *server,
                          uint64_t now_ms)
{
    uint64_t load = balance_load(server->live);

    if (load < UNBOUNDED_LOAD)
        return false;
    uint64_t all = (load_of_all(view, now_ms) + 1) * BOUND_PERCENT * server->weight;
    uint64_t bound = (all + view->total_weight * 100 - 1) / (view->total_weight * 100);
    return load + 1 > bound;
}

/* Of the keys that the table gives a server, those that its weight of the moment lets it keep. */
static bool keeps_key(const struct balance_view *view, uint32_t server, uint64_t hash)
{
    double ratio =
        (double)view->servers[server].weight / (double)maglev_table_weight(view->pool, server);
    uint64_t draw = hash_mix(hash ^ view->pool->servers[server].name_hash) >> 32;

    return (double)draw * view->best_ratio < ratio * 4294967296.0;
}

int maglev_pick(struct balance_view *view, struct balance_attempt *attempt)
{
    uint64_t hash = attempt->choice->hash;

    if (!attempt->choice->has_hash)
        return random_pick(view, attempt);
    for (uint32_t i = 0; i < PROBES; i++, hash = hash_mix(hash + NEXT_HASH)) {
        uint32_t server = view->pool->maglev[hash % MAGLEV_ENTRIES];

        if (view->servers[server].weight == 0)
            continue;
        if (view->is_reweighted && !keeps_key(view, server, hash))
            continue;
        if (!balance_takes(view, attempt, server))
            continue;
        if (!is_over_bound(view, &view->servers[server], attempt->choice->now_ms))
            return (int)server;
        attempt->is_over = true;
    }
    for (uint32_t i = 0; i < view->candidate_count; i++) {
        uint32_t server = view->candidates[(hash + i) % view->candidate_count];

        if (balance_takes(view, attempt, server))
            return (int)server;
    }
    return BALANCE_NO_SERVER;
}
