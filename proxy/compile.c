/*
 * compile - see compile.h.
 *
 * Owner    nobody.      Threads  any; pure
 */
#include "proxy/compile.h"

#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "config/load.h"
#include "proxy/route/route.h"

/* ---- routes ---- */

static void fill_spec(const struct configuration *conf, const struct conf_route *route,
                      struct arena *scratch, struct route_spec *spec)
{
    struct route_condition_header *headers =
        arena_array(scratch, route->header_count, sizeof(*headers));
    uint32_t *listeners = arena_array(scratch, route->listeners.count, sizeof(*listeners));

    for (size_t i = 0; i < route->header_count; i++)
        headers[i] = (struct route_condition_header){slice_from(route->headers[i].name),
                                                     slice_from(route->headers[i].value)};
    for (size_t i = 0; i < route->listeners.count; i++)
        listeners[i] = (uint32_t)config_find_listener(conf, route->listeners.items[i]);
    *spec = (struct route_spec){
        .name = route->name,
        .hosts = route->hosts.items,
        .host_count = route->hosts.count,
        .path = route->path,
        .path_prefix = route->path_prefix,
        .path_regex = route->path_regex,
        .methods = route->methods.items,
        .method_count = route->methods.count,
        .headers = headers,
        .header_count = route->header_count,
        .listeners = listeners,
        .listener_count = route->listeners.count,
        .scheme = (int)route->scheme,
        .priority = route->priority,
    };
}

struct route_table *compile_routes(const struct configuration *conf, struct error *why)
{
    struct arena *scratch = arena_new(64 * 1024);
    struct route_spec *specs = arena_array(scratch, conf->route_count, sizeof(*specs));
    struct route_table *table;

    for (size_t i = 0; i < conf->route_count; i++)
        fill_spec(conf, &conf->routes[i], scratch, &specs[i]);
    table = route_table_build(specs, conf->route_count, why);
    arena_free(&scratch);
    return table;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_texts(const struct conf_strings *a, const struct conf_strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool same_headers(const struct conf_route *a, const struct conf_route *b)
{
    if (a->header_count != b->header_count)
        return false;
    for (size_t i = 0; i < a->header_count; i++)
        if (strcmp(a->headers[i].name, b->headers[i].name) != 0 ||
            strcmp(a->headers[i].value, b->headers[i].value) != 0)
            return false;
    return true;
}

static bool same_conditions(const struct conf_route *a, const struct conf_route *b)
{
    return strcmp(a->name, b->name) == 0 && same_texts(&a->hosts, &b->hosts) &&
           same_text(a->path, b->path) && same_text(a->path_prefix, b->path_prefix) &&
           same_text(a->path_regex, b->path_regex) && same_texts(&a->methods, &b->methods) &&
           same_headers(a, b) && same_texts(&a->listeners, &b->listeners) &&
           a->scheme == b->scheme && a->priority == b->priority;
}

bool compile_routes_alike(const struct configuration *a, const struct configuration *b)
{
    if (a->route_count != b->route_count)
        return false;
    for (size_t i = 0; i < a->route_count; i++)
        if (!same_conditions(&a->routes[i], &b->routes[i]))
            return false;
    return true;
}

/* ---- pools ---- */

static enum balance_method method_of(enum conf_balance balance)
{
    switch (balance) {
    case BALANCE_LEAST_REQUESTS: return METHOD_LEAST_REQUESTS;
    case BALANCE_RANDOM: return METHOD_RANDOM;
    case BALANCE_PEAK_EWMA: return METHOD_PEAK_EWMA;
    case BALANCE_MAGLEV: return METHOD_MAGLEV;
    default: return METHOD_ROUND_ROBIN;
    }
}

void compile_pool(const struct conf_pool *conf, struct balance_pool *pool)
{
    pool->method = method_of(conf->balance);
    pool->panic_percent = conf->panic_percent;
    pool->panic_fails = conf->panic_mode == PANIC_FAIL;
    pool->slow_start_ms = (uint32_t)conf->slow_start_ms;
    pool->max_share_percent = conf->max_share_percent;
}

/* The hash of the name, and of which address of it: the same in every process. */
static uint64_t name_hash(const char *name, size_t ordinal)
{
    uint64_t hash = hash_slice(&HASH_STABLE, slice_from(name));

    return ordinal == 0 ? hash : hash_mix(hash + ordinal);
}

struct balance_server compile_server(const struct conf_server *conf,
                                     const struct balance_live *live, size_t ordinal, size_t count)
{
    return (struct balance_server){
        .live = live,
        .name_hash = name_hash(conf->name, ordinal),
        .weight = (uint32_t)(conf->weight * BALANCE_WEIGHT_SCALE / count),
        .weight_share = (uint32_t)count,
        .max_connections = conf->max_connections,
        .is_backup = conf->is_backup,
    };
}

enum balance_admin compile_admin(enum conf_server_state state)
{
    return state == SERVER_DRAIN ? ADMIN_DRAIN : state == SERVER_MAINT ? ADMIN_MAINT : ADMIN_READY;
}
