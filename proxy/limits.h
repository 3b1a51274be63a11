/*
 * limits - what spans workers: connections of the process and per client, and request rates.
 *
 * The exceptions to one writer a word (docs/threads.md): atomics that every worker adds to, and
 * takes back from on overshoot.  Tables have a fixed size and are hashed under a random key, so
 * no peer can make them grow.
 *
 * Owner    control makes and frees them.      Threads  any
 */
#ifndef PROXY_LIMITS_H
#define PROXY_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- connections ---- */

struct client_limit;

struct client_limit *client_limit_new(void);
void client_limit_free(struct client_limit **limit);

/* One more connection of the process; false when there are `most` already. */
bool client_limit_take(struct client_limit *limit, uint32_t most);
void client_limit_give(struct client_limit *limit);
uint32_t client_limit_count(const struct client_limit *limit);

/* One more connection of this client (`key`: a hash of listener and address).  A count-min
 * sketch: it may refuse too early when tables are crowded, never too late. */
bool client_limit_take_address(struct client_limit *limit, uint64_t key, uint32_t most);
void client_limit_give_address(struct client_limit *limit, uint64_t key);

/* ---- request rates ---- */

struct rate_store; /* the tables, by route; they outlive snapshots */
struct rate_table;

struct rate_store *rate_store_new(void);
void rate_store_free(struct rate_store **store);
/* The table of that name, made when it is new.  Control. */
struct rate_table *rate_store_table(struct rate_store *store, const char *name);

/* The generic cell rate algorithm on one word a key.  True: the request may pass.  Else
 * `*wait_ms_out` says when it could. */
bool rate_table_pass(struct rate_table *table, uint64_t key, uint32_t per_second, uint32_t burst,
                     uint64_t now_ns, uint64_t *wait_ms_out);

#endif
