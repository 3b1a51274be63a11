/*
 * resolver - the addresses behind the names of servers, kept fresh.
 *
 * Each name is asked for again every 10 s, every 2 s while it fails (± 10 %).  A name that fails,
 * or that suddenly has fewer addresses than `discovery` allows, keeps its last ones.
 *
 * Owner    the registry.      Threads  control; look-ups run on libuv's pool
 */
#ifndef PROXY_UPSTREAM_RESOLVER_H
#define PROXY_UPSTREAM_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { RESOLVER_MAX_ADDRESSES = 16 };

/* IPv4 is kept as IPv4-mapped IPv6, as in conf_address. */
struct resolved {
    uint8_t ip[16];
    bool is_ipv6;
};

struct resolver;
typedef void resolver_fn(void *context);

/* `on_change` is called when a set changed, once for all changes of 100 ms. */
struct resolver *resolver_new(uv_loop_t *loop, resolver_fn *on_change, void *context);
/* Ends timers and look-ups; a look-up under way ends by itself, without effect. */
void resolver_close(struct resolver *resolver);
/* After resolver_close and once the loop has closed its handles. */
void resolver_free(struct resolver **resolver);

/* A new list of names: begin, each name, end.  A name wanted twice obeys the stricter limits.
 * What the list lacks is not asked for any more, and forgotten with the list after. */
void resolver_begin(struct resolver *resolver);
void resolver_want(struct resolver *resolver, const char *host, uint32_t min_endpoints,
                   uint32_t max_shrink_percent);
/* `on_first` is called from the loop once each name was answered, at the latest after
 * `patience_ms`; that of a later list replaces one still waiting. */
void resolver_end(struct resolver *resolver, uint64_t patience_ms, resolver_fn *on_first,
                  void *context);

/* Sorted, without repeats; valid until the loop runs again.  0: not known (yet). */
size_t resolver_addresses(const struct resolver *resolver, const char *host,
                          const struct resolved **addresses_out);

#endif
