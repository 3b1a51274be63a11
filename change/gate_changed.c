/*
 * gate_changed - which pools a change may have changed: by their own section, by routes that lead
 * to them, by orders that came with it; all of them where what is common to all was changed.
 *
 * Owner    answers are the caller's      Threads  any
 */
#include "change/gate.h"

#include <string.h>

/* What of the configuration no request notices. */
static bool is_apart(const char *section)
{
    static const char *const apart[] = {"pools", "routes", "people", "policy", "admin", "observe"};

    for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
        if (strcmp(section, apart[i]) == 0)
            return true;
    }
    return false;
}

static bool is_same(const json_t *a, const json_t *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(a, b));
}

/* Listeners, certificates, the process. */
static bool is_common_changed(const json_t *base, const json_t *target)
{
    const json_t *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)target, key, value)
    {
        if (!is_apart(key) && !is_same(value, json_object_get(base, key)))
            return true;
    }
    json_object_foreach((json_t *)(uintptr_t)base, key, value)
    {
        if (!is_apart(key) && json_object_get(target, key) == NULL)
            return true;
    }
    return false;
}

/* ---- the pools of a route ---- */

typedef void pool_of_route_fn(void *context, const char *pool);

static void each_pool(const json_t *route, pool_of_route_fn *each, void *context)
{
    json_t *split = json_object_get(route, "split");
    const char *pool = json_string_value(json_object_get(route, "pool"));
    const char *key;
    json_t *weight;

    if (pool != NULL)
        each(context, pool);
    json_object_foreach(split, key, weight)
    {
        each(context, key);
    }
}

struct collecting {
    json_t *changed;
    const json_t *pools;  /* of the target */
    const json_t *before; /* the route as it was */
    const char *pool;
};

static void add(void *context, const char *pool)
{
    struct collecting *collecting = context;

    if (json_object_get(collecting->pools, pool) != NULL &&
        json_object_get(collecting->changed, pool) == NULL)
        json_object_set_new(collecting->changed, pool, json_array());
}

static void add_one_before(void *context, const char *pool)
{
    struct collecting *collecting = context;
    json_t *list = json_object_get(collecting->changed, collecting->pool);
    json_t *there;
    size_t i;

    if (strcmp(pool, collecting->pool) == 0)
        return;
    json_array_foreach(list, i, there)
    {
        if (strcmp(json_string_value(there), pool) == 0)
            return;
    }
    json_array_append_new(list, json_string(pool));
}

static void add_before(void *context, const char *pool)
{
    struct collecting *collecting = context;

    if (json_object_get(collecting->changed, pool) == NULL)
        return;
    collecting->pool = pool;
    each_pool(collecting->before, add_one_before, collecting);
}

/* ---- the whole ---- */

static void add_changed_pools(struct collecting *collecting, const json_t *base, bool is_all)
{
    json_t *before = json_object_get(base, "pools");
    json_t *pool;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)collecting->pools, name, pool)
    {
        if (is_all || !is_same(pool, json_object_get(before, name)))
            add(collecting, name);
    }
}

static void add_changed_routes(struct collecting *collecting, const json_t *from, const json_t *to)
{
    json_t *route;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)from, name, route)
    {
        json_t *other = json_object_get(to, name);

        if (is_same(route, other))
            continue;
        each_pool(route, add, collecting);
        each_pool(other, add, collecting);
    }
}

static void add_ordered(struct collecting *collecting, const json_t *overrides)
{
    const json_t *order;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)overrides, i, order)
    {
        const char *pool = json_string_value(json_object_get(order, "pool"));

        if (pool != NULL)
            add(collecting, pool);
    }
}

json_t *gate_changed_pools(const json_t *base, const json_t *target, const json_t *overrides)
{
    const json_t *routes = json_object_get(target, "routes");
    const json_t *routes_before = json_object_get(base, "routes");
    struct collecting collecting = {.changed = json_object(),
                                    .pools = json_object_get(target, "pools")};
    const char *name;
    json_t *route;

    add_changed_pools(&collecting, base, is_common_changed(base, target));
    add_changed_routes(&collecting, routes, routes_before);
    add_changed_routes(&collecting, routes_before, routes);
    add_ordered(&collecting, overrides);
    json_object_foreach((json_t *)(uintptr_t)routes, name, route)
    {
        collecting.before = json_object_get(routes_before, name);
        each_pool(route, add_before, &collecting);
    }
    return collecting.changed;
}
