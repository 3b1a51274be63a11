/*
 * gate_due - see gate_due.h.
 *
 * Owner    who embeds it.      Threads  control
 */
#include "watch/gate_due.h"

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "proxy/balance/balance.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"
#include "watch/gate_health.h"
#include "watch/gate_spread.h"

/* So that something is due before the first request came. */
static const double HAIR = 1e-6;

/* How much of its share one in service takes: of all its addresses that are up. */
static double pace_of(const struct snapshot_pool *pool, size_t server, uint64_t now_ms)
{
    double sum = 0;
    unsigned up = 0;

    if (!gate_is_serving(pool, server))
        return 0;
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct balance_live *live = &pool->servers[i]->live;

        if (pool->server_conf[i] != server ||
            atomic_load_explicit(&live->health, memory_order_relaxed) != HEALTH_UP)
            continue;
        sum += balance_ramp_percent(live, pool->balance.slow_start_ms, now_ms) / 100.0;
        up++;
    }
    return up > 0 ? sum / up : 0;
}

static double *find_paces(const struct snapshot_pool *pool, uint64_t now_ms)
{
    double *paces = xcalloc(pool->conf->server_count + 1, sizeof(*paces));

    for (size_t i = 0; i < pool->conf->server_count; i++)
        paces[i] = pace_of(pool, i, now_ms);
    return paces;
}

void gate_due_begin(struct gate_due *due, const struct snapshot_pool *pool, const uint64_t *counted,
                    uint64_t now_ms)
{
    size_t room = pool->conf->server_count + 1;

    *due = (struct gate_due){.count = pool->conf->server_count,
                             .picks = xcalloc(room, sizeof(uint64_t)),
                             .due = xcalloc(room, sizeof(double)),
                             .counted = xcalloc(room, sizeof(uint64_t)),
                             .paces = find_paces(pool, now_ms)};
    memcpy(due->counted, counted, due->count * sizeof(*counted));
}

static uint64_t note_picks(struct gate_due *due, const uint64_t *counted)
{
    uint64_t requests = 0;

    for (size_t i = 0; i < due->count; i++) {
        uint64_t came = counted[i] > due->counted[i] ? counted[i] - due->counted[i] : 0;

        due->picks[i] += came;
        due->counted[i] = counted[i];
        requests += came;
    }
    return requests;
}

/* By the approved shares, at the pace of each. */
static void add_due(struct gate_due *due, const double *shares, const double *paces,
                    double requests)
{
    double sum = 0;

    for (size_t i = 0; i < due->count; i++)
        sum += shares[i] * paces[i];
    for (size_t i = 0; i < due->count && sum > 0; i++)
        due->due[i] += requests * shares[i] * paces[i] / sum;
}

/* Between two looks it went from the one state to the other: half of the requests are of each. */
void gate_due_note(struct gate_due *due, const struct snapshot_pool *pool, const json_t *prediction,
                   const uint64_t *counted, uint64_t now_ms)
{
    const json_t *row = gate_predicted_pool(prediction, pool->conf->name);
    double *shares = xcalloc(due->count + 1, sizeof(*shares));
    double *paces = find_paces(pool, now_ms);
    double requests;

    CHECK(due->count == pool->conf->server_count);
    due->is_known = true;
    for (size_t i = 0; i < due->count; i++) {
        shares[i] = gate_predicted_share(row, pool->conf->servers[i].name);
        due->is_known = due->is_known && shares[i] >= 0;
    }
    requests = (double)note_picks(due, counted);
    if (due->is_known) {
        add_due(due, shares, due->paces, (requests + HAIR) / 2);
        add_due(due, shares, paces, (requests + HAIR) / 2);
    }
    xfree(shares);
    xfree(due->paces);
    due->paces = paces;
}

void gate_due_fini(struct gate_due *due)
{
    xfree(due->picks);
    xfree(due->due);
    xfree(due->counted);
    xfree(due->paces);
    *due = (struct gate_due){0};
}
