/*
 * counters - rows by worker and slot, and the names behind the slots.
 *
 * Each worker has one mapping of its own for all scopes: room for every slot, zero pages
 * until somebody counts, so rows of two workers never share a cache line.  Names are looked
 * up by control only; a slot's name is written before the scope's count, which others acquire.
 *
 * Owner    control.      Threads  counters_slot: control; the rest: any
 */
#include "observe/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    COUNTERS_TAG = 0x434f554e,
    SLOTS = COUNTERS_SLOTS,
    TABLE_CELLS = 2 * SLOTS, /* a power of two */
    TEXT_TABLE_BYTES = SLOTS * sizeof(char *),
    CELL_TABLE_BYTES = TABLE_CELLS * sizeof(uint32_t),
};

/* One worker's rows; mapped whole. */
struct worker_rows {
    _Alignas(64) struct process_row process;
    _Alignas(64) struct listener_row listeners[SLOTS];
    _Alignas(64) struct route_row routes[SLOTS];
    _Alignas(64) struct pool_row pools[SLOTS];
    _Alignas(64) struct server_row servers[SLOTS];
    _Alignas(64) struct candidate_row candidate;
    _Alignas(64) struct candidate_row candidate_pools[SLOTS];
    _Alignas(64) counter candidate_picks[SLOTS];
};

struct scope {
    _Atomic uint32_t count; /* slots given */
    uint32_t *cells;        /* open addressing; slot, 0: empty; control only */
    char **names;           /* by slot; fixed once counted */
    char **pools;           /* by slot; SCOPE_SERVER only */
};

struct counters {
    uint32_t tag;
    unsigned worker_count;
    struct scope scopes[COUNTER_SCOPES];
    struct worker_rows *rows[]; /* by worker */
};

static void scope_init(struct scope *scope, bool has_pools)
{
    scope->cells = xmap(CELL_TABLE_BYTES);
    scope->names = xmap(TEXT_TABLE_BYTES);
    scope->names[0] = xstrdup("other");
    if (has_pools) {
        scope->pools = xmap(TEXT_TABLE_BYTES);
        scope->pools[0] = xstrdup("other");
    }
    atomic_store_explicit(&scope->count, 1, memory_order_release);
}

static void scope_fini(struct scope *scope)
{
    uint32_t count = atomic_load_explicit(&scope->count, memory_order_acquire);

    for (uint32_t slot = 0; slot < count; slot++) {
        xfree(scope->names[slot]);
        if (scope->pools != NULL)
            xfree(scope->pools[slot]);
    }
    xunmap(scope->cells, CELL_TABLE_BYTES);
    xunmap(scope->names, TEXT_TABLE_BYTES);
    xunmap(scope->pools, TEXT_TABLE_BYTES);
}

struct counters *counters_new(unsigned worker_count)
{
    struct counters *counters =
        xcalloc(1, sizeof(*counters) + worker_count * sizeof(struct worker_rows *));

    counters->tag = COUNTERS_TAG;
    counters->worker_count = worker_count;
    for (unsigned i = 0; i < COUNTER_SCOPES; i++)
        scope_init(&counters->scopes[i], i == SCOPE_SERVER);
    for (unsigned i = 0; i < worker_count; i++) {
        counters->rows[i] = xmap(sizeof(struct worker_rows));
        /* One row must not cost two megabytes; where the kernel has no huge pages this fails. */
        (void)madvise(counters->rows[i], sizeof(struct worker_rows), MADV_NOHUGEPAGE);
    }
    return counters;
}

void counters_free(struct counters **held)
{
    struct counters *counters = TAKE_POINTER(held);

    if (counters == NULL)
        return;
    CHECK_OBJ(counters, COUNTERS_TAG);
    for (unsigned i = 0; i < COUNTER_SCOPES; i++)
        scope_fini(&counters->scopes[i]);
    for (unsigned i = 0; i < counters->worker_count; i++)
        xunmap(counters->rows[i], sizeof(struct worker_rows));
    counters->tag = 0;
    xfree(counters);
}

unsigned counters_worker_count(const struct counters *counters)
{
    return counters->worker_count;
}

static bool is_slot_of(const struct scope *scope, uint32_t slot, const char *pool, const char *name)
{
    return strcmp(scope->names[slot], name) == 0 &&
           (scope->pools == NULL || strcmp(scope->pools[slot], pool) == 0);
}

static uint64_t name_hash(const char *pool, const char *name)
{
    const struct hash_key *key = hash_process_key();

    return hash_slice(key, slice_from(name)) ^ hash_mix(hash_slice(key, slice_from(pool)));
}

uint32_t counters_slot(struct counters *counters, enum counter_scope which, const char *pool,
                       const char *name)
{
    struct scope *scope = &counters->scopes[which];
    uint32_t count = atomic_load_explicit(&scope->count, memory_order_relaxed);
    uint64_t cell;

    ON_CONTROL();
    CHECK_OBJ(counters, COUNTERS_TAG);
    if (which == SCOPE_PROCESS)
        return 0;
    if (scope->pools == NULL)
        pool = "";
    CHECK(pool != NULL && name != NULL);
    for (cell = name_hash(pool, name) % TABLE_CELLS; scope->cells[cell] != 0;
         cell = (cell + 1) % TABLE_CELLS)
        if (is_slot_of(scope, scope->cells[cell], pool, name))
            return scope->cells[cell];
    if (count == SLOTS)
        return 0;
    scope->names[count] = xstrdup(name);
    if (scope->pools != NULL)
        scope->pools[count] = xstrdup(pool);
    scope->cells[cell] = count;
    atomic_store_explicit(&scope->count, count + 1, memory_order_release);
    return count;
}

uint32_t counters_slot_count(const struct counters *counters, enum counter_scope scope)
{
    return atomic_load_explicit(&counters->scopes[scope].count, memory_order_acquire);
}

const char *counters_slot_name(const struct counters *counters, enum counter_scope scope,
                               uint32_t slot)
{
    CHECK(slot < counters_slot_count(counters, scope));
    return counters->scopes[scope].names[slot];
}

const char *counters_slot_pool(const struct counters *counters, uint32_t server_slot)
{
    CHECK(server_slot < counters_slot_count(counters, SCOPE_SERVER));
    return counters->scopes[SCOPE_SERVER].pools[server_slot];
}

/* The row functions are called at the end of each request: an address, no look-up. */

struct process_row *counters_process(struct counters *counters, unsigned worker)
{
    CHECK(worker < counters->worker_count);
    return &counters->rows[worker]->process;
}

struct listener_row *counters_listener(struct counters *counters, unsigned worker, uint32_t slot)
{
    CHECK(worker < counters->worker_count && slot < SLOTS);
    return &counters->rows[worker]->listeners[slot];
}

struct route_row *counters_route(struct counters *counters, unsigned worker, uint32_t slot)
{
    CHECK(worker < counters->worker_count && slot < SLOTS);
    return &counters->rows[worker]->routes[slot];
}

struct pool_row *counters_pool(struct counters *counters, unsigned worker, uint32_t slot)
{
    CHECK(worker < counters->worker_count && slot < SLOTS);
    return &counters->rows[worker]->pools[slot];
}

struct server_row *counters_server(struct counters *counters, unsigned worker, uint32_t slot)
{
    CHECK(worker < counters->worker_count && slot < SLOTS);
    return &counters->rows[worker]->servers[slot];
}

struct candidate_row *counters_candidate(struct counters *counters, unsigned worker)
{
    CHECK(worker < counters->worker_count);
    return &counters->rows[worker]->candidate;
}

struct candidate_row *counters_candidate_pool(struct counters *counters, unsigned worker,
                                              uint32_t slot)
{
    CHECK(worker < counters->worker_count && slot < SLOTS);
    return &counters->rows[worker]->candidate_pools[slot];
}

counter *counters_candidate_picks(struct counters *counters, unsigned worker, uint32_t slot)
{
    CHECK(worker < counters->worker_count && slot < SLOTS);
    return &counters->rows[worker]->candidate_picks[slot];
}
