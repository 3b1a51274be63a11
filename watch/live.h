/*
 * live - a pool as people see it: the addresses of a configured server taken together, with what
 * runs, what was ordered, and what was observed.
 *
 * Owner    the arena it was read into.      Threads  control only
 */
#ifndef WATCH_LIVE_H
#define WATCH_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/summary.h"
#include "proxy/balance/balance.h"

struct arena;
struct conf_server;
struct ledger;
struct server;
struct snapshot_pool;

struct live_address {
    const struct server *server;
    enum balance_health health;
    enum balance_standing standing;
    bool is_ejected;
    bool is_eligible;  /* a request may go there now; in a panic that may be one that is down */
    uint64_t since_ms; /* wall clock, of its health; 0: never changed */
    const char *last_check;
    uint32_t slow_start_percent;
    uint32_t in_flight;
    uint32_t weight; /* effective, scaled; 0 when not eligible */
    const char *why;
    const char *last_handshake; /* why the last one of TLS failed; NULL: it did not */
};

struct live_server {
    const struct conf_server *conf;
    struct live_address *addresses;
    size_t address_count;
    enum balance_admin admin;
    uint32_t weight_override; /* or BALANCE_NO_OVERRIDE */
    enum balance_health health;
    uint64_t since_ms;
    bool is_ejected;
    bool is_eligible;
    uint32_t slow_start_percent;
    const char *why;
    uint32_t in_flight;
    uint64_t weight; /* effective, scaled */
    double share;    /* 0 to 1 over 60 s; negative when there was no request */
    double expected; /* 0 to 1; negative when none is eligible */
    struct summary_rates rates;
};

struct live_pool {
    const struct snapshot_pool *pool;
    struct live_server *servers;
    size_t server_count;
    size_t eligible_count;
    bool is_panic;
    const char *state; /* "ok", "degraded", "panic", "down" */
    uint32_t in_flight;
    uint32_t waiting;
    struct summary_rates rates;
};

/* Who ordered what, and the observer's last second; NULL: not known. */
struct live_source {
    struct ledger *ledger;
    const struct summary *summary;
};

struct live_pool *live_pool_read(const struct live_source *source, const struct snapshot_pool *pool,
                                 struct arena *arena);
/* What the observer last said of a counter slot; all zero when it said nothing yet. */
struct summary_rates live_server_rates(const struct summary *summary, uint32_t counter_slot);
struct summary_rates live_pool_rates(const struct summary *summary, uint32_t counter_slot);

const char *live_health_word(enum balance_health health);
const char *live_admin_word(enum balance_admin admin);
const char *live_balance_word(const struct snapshot_pool *pool);

#endif
