/*
 * forecast - see forecast.h.
 *
 * Owner    the caller      Threads  control
 */
#include "change/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "change/internal.h"
#include "change/override.h"
#include "change/peak.h"
#include "detect/detect.h"
#include "detect/impact.h"
#include "observe/sample.h"
#include "proxy/upstream/registry.h"

/* ---- orders ---- */

static struct detect_override *orders_in_force(const struct ledger *ledger)
{
    struct detect_override *orders = xcalloc(ledger->override_count + 1, sizeof(*orders));

    for (size_t i = 0; i < ledger->override_count; i++)
        orders[i] = (struct detect_override){.pool = ledger->overrides[i].pool,
                                             .server = ledger->overrides[i].server,
                                             .state = ledger->overrides[i].state,
                                             .weight = ledger->overrides[i].weight};
    return orders;
}

static struct detect_override *orders_that_come(const json_t *overrides, size_t *count_out)
{
    struct detect_override *orders = xcalloc(json_array_size(overrides) + 1, sizeof(*orders));
    json_t *order;
    size_t i;

    json_array_foreach(overrides, i, order)
    {
        const json_t *weight = json_object_get(order, "weight");

        orders[i] = (struct detect_override){
            .pool = json_string_value(json_object_get(order, "pool")),
            .server = json_string_value(json_object_get(order, "server")),
            .state = json_string_value(json_object_get(order, "state")),
            .weight = json_is_integer(weight) ? json_integer_value(weight) : -1,
        };
    }
    *count_out = json_array_size(overrides);
    return orders;
}

/* ---- who is not in service ---- */

/* A server may have several addresses: it is down when all of them are. */
struct address {
    const char *pool;
    const char *server;
    bool is_down;
};

struct addresses {
    struct address *items;
    size_t count;
    size_t room;
};

static void add_address(void *context, struct server *server)
{
    struct addresses *all = context;
    bool is_down =
        atomic_load_explicit(&server->live.health, memory_order_relaxed) == HEALTH_DOWN ||
        atomic_load_explicit(&server->live.ejected, memory_order_relaxed) != 0;

    if (all->count == all->room) {
        all->room = all->room * 2 + 64;
        all->items = xrealloc(all->items, all->room * sizeof(*all->items));
    }
    all->items[all->count++] = (struct address){server->pool->name, server->name, is_down};
}

/* Those that are up come first of a server. */
static int compare_addresses(const void *a, const void *b)
{
    const struct address *x = a, *y = b;
    int order = strcmp(x->pool, y->pool);

    if (order == 0)
        order = strcmp(x->server, y->server);
    return order != 0 ? order : x->is_down - y->is_down;
}

static bool is_same_server(const struct address *a, const struct address *b)
{
    return strcmp(a->pool, b->pool) == 0 && strcmp(a->server, b->server) == 0;
}

static struct impact_down *servers_down(const struct ledger *ledger, size_t *count_out)
{
    struct addresses all = {0};
    struct impact_down *down;
    size_t count = 0;

    if (ledger->options.registry != NULL)
        registry_each_server(ledger->options.registry, add_address, &all);
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(*all.items), compare_addresses);
    down = xcalloc(all.count + 1, sizeof(*down));
    for (size_t i = 0; i < all.count; i++)
        if (all.items[i].is_down && (i == 0 || !is_same_server(&all.items[i], &all.items[i - 1])))
            down[count++] = (struct impact_down){all.items[i].pool, all.items[i].server};
    xfree(all.items);
    *count_out = count;
    return down;
}

/* ---- peaks ---- */

static int compare_peaks(const void *a, const void *b)
{
    return strcmp(((const struct impact_peak *)a)->pool, ((const struct impact_peak *)b)->pool);
}

/* Their names live in `json`. */
static struct impact_peak *peaks_of(json_t *json, size_t *count_out)
{
    struct impact_peak *peaks = xcalloc(json_object_size(json) + 1, sizeof(*peaks));
    const char *pool;
    json_t *value;
    size_t count = 0;

    json_object_foreach(json, pool, value) peaks[count++] =
        (struct impact_peak){pool, json_number_value(value)};
    if (count > 0)
        qsort(peaks, count, sizeof(*peaks), compare_peaks);
    *count_out = count;
    return peaks;
}

struct impact *forecast_of(const struct forecast_question *question, struct error *why)
{
    struct ledger *ledger = question->ledger;
    json_t *peaks_json = peak_all(ledger);
    size_t down_count;
    size_t ordered_count;
    size_t peak_count;
    struct detect_override *overrides = orders_in_force(ledger);
    struct detect_override *ordered = orders_that_come(question->overrides, &ordered_count);
    struct impact_down *down = servers_down(ledger, &down_count);
    struct impact_peak *peaks = peaks_of(peaks_json, &peak_count);
    struct impact_subject subject = {
        .base = question->base,
        .target = question->target,
        .sample = ledger_sample(ledger),
        .overrides = overrides,
        .override_count = ledger->override_count,
        .ordered = ordered,
        .ordered_count = ordered_count,
        .down = down,
        .down_count = down_count,
        .peaks = peaks,
        .peak_count = peak_count,
    };
    struct impact *impact = impact_of(&subject, why);

    xfree(overrides);
    xfree(ordered);
    xfree(down);
    xfree(peaks);
    json_decref(peaks_json);
    return impact;
}
