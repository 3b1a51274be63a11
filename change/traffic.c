/*
 * traffic - see traffic.h; and the sample that the ledger holds.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/thread.h"
#include "change/hits.h"
#include "change/internal.h"
#include "change/peak.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/detect.h"
#include "observe/sample.h"

enum {
    ARENA_BLOCK = 16 * 1024,
    KEYS_AT_LEAST = 200,     /* requests of a pool, before its keys are counted */
    REQUESTS_FOR_A_KEY = 10, /* on average: then hardly a key was not seen yet */
};

/* ---- the sample ---- */

/* Where some were not drawn, or had no room, a host may have been among them. */
static bool is_whole(const struct sample *sample)
{
    for (size_t i = 0; i < sample->single_count; i++)
        if (sample->singles[i].weight > 1)
            return false;
    return sample->other_requests == 0;
}

static void note_hosts(struct ledger *ledger, const struct sample *sample)
{
    if (!is_whole(sample))
        hits_missed_some(ledger, HITS_OF_HOSTS);
    for (size_t i = 0; i < sample->kind_count; i++)
        hits_note(ledger, HITS_OF_HOSTS, sample->kinds[i].host, sample->kinds[i].requests_new);
}

void ledger_take_sample(struct ledger *ledger, struct sample *sample)
{
    ON_CONTROL();
    sample_release(&ledger->sample);
    ledger->sample = sample;
    note_hosts(ledger, sample);
}

struct sample *ledger_sample(const struct ledger *ledger)
{
    return ledger->sample;
}

void ledger_note_route(struct ledger *ledger, const char *route, uint64_t requests)
{
    ON_CONTROL();
    hits_note(ledger, HITS_OF_ROUTES, route, requests);
}

void ledger_missed_routes(struct ledger *ledger)
{
    ON_CONTROL();
    hits_missed_some(ledger, HITS_OF_ROUTES);
}

/* ---- what nobody asked for ---- */

static void add_name(void *context, const char *name, uint64_t requests)
{
    if (requests > 0) /* a name that is no UTF-8 is no route, and no host of one */
        (void)json_object_set_new(context, name, json_integer((json_int_t)requests));
}

static json_t *used(struct ledger *ledger, enum hits_scope scope)
{
    json_t *names;

    if (!hits_are_complete(ledger, scope))
        return NULL;
    names = json_object();
    (void)hits_each(ledger, scope, add_name, names);
    return names;
}

json_t *traffic_used_routes(struct ledger *ledger)
{
    return used(ledger, HITS_OF_ROUTES);
}

json_t *traffic_used_hosts(struct ledger *ledger)
{
    return used(ledger, HITS_OF_HOSTS);
}

/* ---- all of it ---- */

struct known {
    struct detect_traffic traffic;
    struct arena *arena;
};

struct listing {
    struct arena *arena;
    struct detect_hits *items;
    size_t count;
};

static void list_one(void *context, const char *name, uint64_t requests)
{
    struct listing *listing = context;

    listing->items[listing->count++] =
        (struct detect_hits){arena_strdup(listing->arena, name), requests};
}

static struct listing list_hits(struct known *known, struct ledger *ledger, enum hits_scope scope)
{
    size_t room = hits_each(ledger, scope, NULL, NULL);
    struct listing listing = {known->arena,
                              arena_array(known->arena, room, sizeof(struct detect_hits)), 0};

    (void)hits_each(ledger, scope, list_one, &listing);
    return listing;
}

/* ---- keys ---- */

struct key {
    const char *pool; /* a text of the sample: once each */
    uint64_t hash;
    bool has_hash;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *one = a;
    const struct key *two = b;

    if (one->pool != two->pool)
        return (uintptr_t)one->pool < (uintptr_t)two->pool ? -1 : 1;
    if (one->has_hash != two->has_hash)
        return one->has_hash ? 1 : -1;
    return one->hash < two->hash ? -1 : one->hash > two->hash;
}

/* Those of one pool, sorted.  What lacks a key is hashed alike, as if it had one more.  0: too few
 * were seen to say it. */
static uint64_t count_distinct(const struct key *keys, size_t count)
{
    uint64_t distinct = 0;

    for (size_t i = 0; i < count; i++)
        distinct += i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0;
    return count >= KEYS_AT_LEAST && count >= REQUESTS_FOR_A_KEY * distinct ? distinct : 0;
}

static bool hashes(const struct configuration *conf, const char *name)
{
    int index = config_find_pool(conf, name);

    return index >= 0 && conf->pools[index].balance == BALANCE_MAGLEV;
}

static bool any_hashes(const struct configuration *conf)
{
    for (size_t i = 0; conf != NULL && i < conf->pool_count; i++)
        if (conf->pools[i].balance == BALANCE_MAGLEV)
            return true;
    return false;
}

static void set_distinct(struct known *known, const char *pool, uint64_t distinct)
{
    struct detect_pool_traffic *pools =
        (struct detect_pool_traffic *)(uintptr_t)known->traffic.pools;

    for (size_t i = 0; i < known->traffic.pool_count; i++)
        if (strcmp(pools[i].pool, pool) == 0)
            pools[i].distinct_keys = distinct;
}

static void count_keys(struct known *known, const struct ledger *ledger)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    const struct sample *sample = ledger->sample;
    struct key *keys;
    size_t count = 0;

    if (sample == NULL || !any_hashes(conf))
        return;
    keys = xcalloc(sample->single_count + 1, sizeof(*keys));
    for (size_t i = 0; i < sample->single_count; i++)
        if (sample->singles[i].pool != NULL)
            keys[count++] = (struct key){sample->singles[i].pool, sample->singles[i].hash,
                                         sample->singles[i].has_hash};
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && keys[to].pool == keys[from].pool;)
            to++;
        if (hashes(conf, keys[from].pool))
            set_distinct(known, keys[from].pool, count_distinct(&keys[from], to - from));
    }
    xfree(keys);
}

/* ---- pools ---- */

/* False: none had a request. */
static bool fill_pools(struct known *known, struct ledger *ledger)
{
    json_t *peaks = peak_all(ledger);
    struct detect_pool_traffic *pools =
        arena_array(known->arena, json_object_size(peaks), sizeof(*pools));
    bool any = false;
    const char *name;
    json_t *rps;

    known->traffic.pools = pools;
    json_object_foreach(peaks, name, rps)
    {
        any = any || json_number_value(rps) > 0;
        pools[known->traffic.pool_count++] = (struct detect_pool_traffic){
            .pool = arena_strdup(known->arena, name), .peak_rps = json_number_value(rps)};
    }
    json_decref(peaks);
    return any;
}

struct detect_traffic *traffic_known(struct ledger *ledger)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct known *known = arena_alloc(arena, sizeof(*known));
    struct listing routes;
    struct listing hosts;
    bool any;

    known->arena = arena;
    any = fill_pools(known, ledger);
    routes = list_hits(known, ledger, HITS_OF_ROUTES);
    hosts = list_hits(known, ledger, HITS_OF_HOSTS);
    if (!any && routes.count == 0 && hosts.count == 0) {
        arena_free(&arena);
        return NULL;
    }
    known->traffic.routes = routes.items;
    known->traffic.route_count = routes.count;
    known->traffic.hosts = hosts.items;
    known->traffic.host_count = hosts.count;
    count_keys(known, ledger);
    return &known->traffic;
}

void traffic_free(struct detect_traffic **held)
{
    struct detect_traffic *traffic = TAKE_POINTER(held);
    struct arena *arena;

    if (traffic == NULL)
        return;
    arena = container_of(traffic, struct known, traffic)->arena;
    arena_free(&arena);
}
