/*
 * h2_budget - buckets of events, one a kind.
 *
 * Threads  any; pure
 */
#include "proxy/http/h2_budget.h"

#include <string.h>

/* Refilling more often than this is work for nothing. */
enum { EVENT = H2_BUDGET_EVENT, REFILL_MS = 100 };

static const struct {
    const char *name;
    uint32_t burst;
    uint32_t per_second;
} rows[H2_BUDGET_COUNT] = {
#define H2_BUDGET(identifier, name, burst, per_second, help) {(name), (burst), (per_second)},
#include "proxy/http/h2_budget.def"
#undef H2_BUDGET
};

void h2_budget_init(struct h2_budget *budget)
{
    budget->at_ms = 0;
    for (unsigned kind = 0; kind < H2_BUDGET_COUNT; kind++)
        budget->left[kind] = rows[kind].burst * EVENT;
}

/* `amount` in thousandths. */
static void put_back(struct h2_budget *budget, unsigned kind, uint64_t amount)
{
    uint32_t full = rows[kind].burst * EVENT;
    uint32_t missing = full - budget->left[kind];

    budget->left[kind] = amount >= missing ? full : budget->left[kind] + (uint32_t)amount;
}

void h2_budget_refill(struct h2_budget *budget, uint64_t now_ms)
{
    uint64_t passed = now_ms - budget->at_ms;

    if (budget->at_ms == 0 || now_ms < budget->at_ms) {
        budget->at_ms = now_ms;
        return;
    }
    if (passed < REFILL_MS)
        return;
    budget->at_ms = now_ms;
    /* A bucket is full long before a day is over: no product below can wrap. */
    passed = passed < 86400000 ? passed : 86400000;
    for (unsigned kind = 0; kind < H2_BUDGET_COUNT; kind++)
        put_back(budget, kind, passed * rows[kind].per_second * EVENT / 1000);
}

bool h2_budget_spend(struct h2_budget *budget, enum h2_budget_kind kind)
{
    if (budget->left[kind] < EVENT)
        return false;
    budget->left[kind] -= EVENT;
    return true;
}

void h2_budget_earn(struct h2_budget *budget, enum h2_budget_kind kind, uint32_t thousandths)
{
    put_back(budget, kind, thousandths);
}

const char *h2_budget_name(enum h2_budget_kind kind)
{
    return rows[kind].name;
}

enum h2_budget_kind h2_budget_find(const char *name)
{
    unsigned kind = 0;

    while (kind < H2_BUDGET_PROTOCOL && strcmp(rows[kind].name, name) != 0)
        kind++;
    return (enum h2_budget_kind)kind;
}
