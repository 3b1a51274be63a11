/*
 * override - orders to one server at run time: drain, maint, ready, weight; durable, with a reason
 * and an end, guarded by capacity.
 *
 * They are not part of a revision: a reload, an apply or a restart keeps them.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_OVERRIDE_H
#define CHANGE_OVERRIDE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct actor;
struct ledger;
struct refusal;

enum { OVERRIDE_WEIGHT_KEEP = -1, OVERRIDE_WEIGHT_CONFIGURED = -2 };
#define OVERRIDE_LASTS_MAX_MS (30ULL * 24 * 60 * 60 * 1000)

struct override_order {
    const char *pool;
    const char *server;
    const char *state;  /* "drain", "maint", "ready", or NULL: as it is */
    int64_t weight;     /* 0 to 1000; or as it is; or as configured, again */
    const char *reason; /* or NULL */
    uint64_t lasts_ms;  /* 0: until it is taken back */
};

struct override {
    char *pool;
    char *server;
    char *state;    /* or NULL: as configured */
    int64_t weight; /* -1: as configured */
    char *by;
    char *reason; /* or NULL */
    int64_t since_ms;
    int64_t expires_ms; /* 0: never */
};

/* At once, when the guard passes: stored, audited, in force.  *guard_out (may be NULL) gets the
 * numbers that it went by.  False: capacity-guard with these numbers, not-found, invalid-field,
 * audit-unavailable. */
bool override_set(struct ledger *ledger, const struct actor *actor,
                  const struct override_order *order, json_t **guard_out, struct refusal *refusal);
/* The one in force, or NULL. */
const struct override *override_get(struct ledger *ledger, const char *pool, const char *server);
/* What is in the store is in force, and nothing else; servers that no configuration names yet get
 * theirs as soon as one does. */
void override_restore(struct ledger *ledger);
/* Ends those whose time is over. */
void override_tick(struct ledger *ledger);
/* Those that came with a change, in the transaction of its step; in force after its commit and
 * override_restore(). */
struct store_txn;
void override_apply_change(struct ledger *ledger, struct store_txn *txn, const json_t *overrides,
                           const char *by, const char *change);
/* Takes those back that came with a change and that nobody has ordered anew, likewise. */
void override_revert_change(struct ledger *ledger, struct store_txn *txn, const char *change);
/* {pool, server, state, weight, by, reason, since, expires} */
json_t *override_shown(const struct override *one);
/* All of them. */
json_t *override_list(struct ledger *ledger);

#endif
