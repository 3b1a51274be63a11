/*
 * limits - what spans workers.
 *
 * Threads  any, but rate_store_*: control
 * Source   the generic cell rate algorithm: ITU-T I.371; count-min sketch: Cormode,
 *          Muthukrishnan (2005)
 */
#include "proxy/limits.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"

enum { SKETCH_ROWS = 4, SKETCH_CELLS = 65536, RATE_CELLS = 65536 };

/* ---- connections ---- */

struct client_limit {
    _Alignas(64) _Atomic uint32_t connections;
    _Alignas(64) _Atomic uint32_t cells[SKETCH_ROWS][SKETCH_CELLS];
};

struct client_limit *client_limit_new(void)
{
    return xmap(sizeof(struct client_limit));
}

void client_limit_free(struct client_limit **limit)
{
    xunmap(TAKE_POINTER(limit), sizeof(struct client_limit));
}

bool client_limit_take(struct client_limit *limit, uint32_t most)
{
    if (atomic_fetch_add_explicit(&limit->connections, 1, memory_order_relaxed) < most)
        return true;
    client_limit_give(limit);
    return false;
}

void client_limit_give(struct client_limit *limit)
{
    atomic_fetch_sub_explicit(&limit->connections, 1, memory_order_relaxed);
}

uint32_t client_limit_count(const struct client_limit *limit)
{
    return atomic_load_explicit(&limit->connections, memory_order_relaxed);
}

static _Atomic uint32_t *cell_of(struct client_limit *limit, unsigned row, uint64_t key)
{
    return &limit->cells[row][(key >> (16 * row)) & (SKETCH_CELLS - 1)];
}

bool client_limit_take_address(struct client_limit *limit, uint64_t key, uint32_t most)
{
    uint32_t least = UINT32_MAX;

    for (unsigned row = 0; row < SKETCH_ROWS; row++) {
        uint32_t before =
            atomic_fetch_add_explicit(cell_of(limit, row, key), 1, memory_order_relaxed);

        least = before < least ? before : least;
    }
    if (least < most)
        return true;
    client_limit_give_address(limit, key);
    return false;
}

void client_limit_give_address(struct client_limit *limit, uint64_t key)
{
    for (unsigned row = 0; row < SKETCH_ROWS; row++)
        atomic_fetch_sub_explicit(cell_of(limit, row, key), 1, memory_order_relaxed);
}

/* ---- request rates ---- */

struct rate_table {
    struct rate_table *next;
    char *name;
    _Atomic uint64_t *cells; /* when the bucket will be empty again: clock_ns() */
};

struct rate_store {
    struct rate_table *tables;
};

struct rate_store *rate_store_new(void)
{
    return xcalloc(1, sizeof(struct rate_store));
}

void rate_store_free(struct rate_store **holder)
{
    struct rate_store *store = TAKE_POINTER(holder);

    while (store->tables != NULL) {
        struct rate_table *table = store->tables;

        store->tables = table->next;
        xunmap(table->cells, RATE_CELLS * sizeof(*table->cells));
        xfree(table->name);
        xfree(table);
    }
    xfree(store);
}

struct rate_table *rate_store_table(struct rate_store *store, const char *name)
{
    struct rate_table *table = store->tables;

    while (table != NULL && strcmp(table->name, name) != 0)
        table = table->next;
    if (table != NULL)
        return table;
    table = xcalloc(1, sizeof(*table));
    table->name = xstrdup(name);
    table->cells = xmap(RATE_CELLS * sizeof(*table->cells));
    table->next = store->tables;
    store->tables = table;
    return table;
}

bool rate_table_pass(struct rate_table *table, uint64_t key, uint32_t per_second, uint32_t burst,
                     uint64_t now_ns, uint64_t *wait_ms_out)
{
    _Atomic uint64_t *cell = &table->cells[key & (RATE_CELLS - 1)];
    uint64_t interval = 1000000000u / per_second;
    uint64_t tolerance = interval * (burst > 0 ? burst - 1 : 0);
    uint64_t empty_at = atomic_load_explicit(cell, memory_order_relaxed);

    for (;;) {
        uint64_t from = empty_at > now_ns ? empty_at : now_ns;

        if (from - now_ns > tolerance) {
            *wait_ms_out = (from - now_ns - tolerance) / 1000000 + 1;
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(cell, &empty_at, from + interval,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}
