/*
 * conditions - what a route asks for beside host and path, and which of two equals goes first.
 *
 * Threads  any
 */
#include <stdio.h>
#include <string.h>

#include "proxy/route/internal.h"

static bool has_method(const struct route *route, struct slice method)
{
    for (size_t i = 0; i < route->method_count; i++)
        if (slice_equal(route->methods[i], method))
            return true;
    return route->method_count == 0;
}

static bool has_listener(const struct route *route, uint32_t listener)
{
    for (size_t i = 0; i < route->listener_count; i++)
        if (route->listeners[i] == listener)
            return true;
    return route->listener_count == 0;
}

/* The first condition that fails, or NULL. */
static const struct route_condition_header *failing_header(const struct route *route,
                                                           const struct route_query *query,
                                                           struct slice *value_out)
{
    for (size_t i = 0; i < route->header_count; i++) {
        const struct route_condition_header *wanted = &route->headers[i];

        *value_out = slice_of(NULL, 0);
        if (query->header == NULL ||
            !query->header(query->header_context, wanted->name, value_out) ||
            !slice_equal(*value_out, wanted->value))
            return wanted;
    }
    return NULL;
}

static void tell_methods(const struct route *route, struct slice method, char why_not[WHY_BYTES])
{
    int used =
        snprintf(why_not, WHY_BYTES, "method %.*s is not among", (int)(method.len % 40), method.at);

    for (size_t i = 0; i < route->method_count && used < WHY_BYTES; i++)
        used += snprintf(why_not + used, WHY_BYTES - (size_t)used, "%s %.*s", i > 0 ? "," : "",
                         SLICE_ARGS(route->methods[i]));
}

static void tell_header(const struct route_condition_header *wanted, struct slice value,
                        char why_not[WHY_BYTES])
{
    if (value.at == NULL)
        snprintf(why_not, WHY_BYTES, "header %.*s is missing", SLICE_ARGS(wanted->name));
    else
        snprintf(why_not, WHY_BYTES, "header %.*s is not \"%.*s\"", SLICE_ARGS(wanted->name),
                 SLICE_ARGS(wanted->value));
}

bool route_conditions_hold(const struct route *route, const struct route_query *query,
                           char why_not[WHY_BYTES])
{
    struct slice value = {NULL, 0};

    if (!has_listener(route, query->listener)) {
        if (why_not != NULL)
            slice_copy(SLICE("other listener"), why_not, WHY_BYTES);
        return false;
    }
    if (route->scheme != 0 && query->is_https != (route->scheme == 2)) {
        if (why_not != NULL)
            slice_copy(query->is_https ? SLICE("http only") : SLICE("https only"), why_not,
                       WHY_BYTES);
        return false;
    }
    if (!has_method(route, query->method)) {
        if (why_not != NULL)
            tell_methods(route, query->method, why_not);
        return false;
    }
    const struct route_condition_header *failing = failing_header(route, query, &value);
    if (failing != NULL && why_not != NULL)
        tell_header(failing, value, why_not);
    return failing == NULL;
}

int route_compare(const struct route *a, const struct route *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if ((a->method_count > 0) != (b->method_count > 0))
        return a->method_count > 0 ? -1 : 1;
    if (a->header_count != b->header_count)
        return a->header_count > b->header_count ? -1 : 1;
    int names = strcmp(a->name, b->name);
    if (names != 0)
        return names;
    return a < b ? -1 : a > b;
}
