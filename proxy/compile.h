/*
 * compile - from what people wrote to what routes and balances: the table of routes and the rows
 * of pools that a snapshot is made of.  Forecasts of a change are made with the same.
 *
 * Owner    nobody: functions over a configuration.      Threads  any; pure
 */
#ifndef PROXY_COMPILE_H
#define PROXY_COMPILE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/model.h"
#include "proxy/balance/balance.h"

struct error;
struct route_table;

/* The table of all routes, route i of the configuration being route i of it; NULL and `why`: a
 * regular expression does not compile. */
struct route_table *compile_routes(const struct configuration *conf, struct error *why);
/* Both have the same routes by name, and the same requests take each. */
bool compile_routes_alike(const struct configuration *a, const struct configuration *b);

/* Method, panic, slow start and ceiling; servers, count and epoch are the caller's. */
void compile_pool(const struct conf_pool *conf, struct balance_pool *pool_out);
/* Address number `ordinal` of the `count` that share the server's weight. */
struct balance_server compile_server(const struct conf_server *conf,
                                     const struct balance_live *live, size_t ordinal, size_t count);
enum balance_admin compile_admin(enum conf_server_state state);

#endif
