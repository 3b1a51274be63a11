/*
 * h2_budget - how much of each cheap trick a peer may play on one connection; a table
 * (h2_budget.def).
 *
 * Each kind is a bucket that starts full: an event takes one out, time and honest work put back.
 *
 * Owner    the connection's frames.      Threads  any; pure
 */
#ifndef PROXY_HTTP_H2_BUDGET_H
#define PROXY_HTTP_H2_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum h2_budget_kind {
#define H2_BUDGET(identifier, name, burst, per_second, help) H2_BUDGET_##identifier,
#include "proxy/http/h2_budget.def"
#undef H2_BUDGET
    H2_BUDGET_COUNT
};

struct h2_budget {
    uint64_t at_ms;                 /* 0: no time was told yet */
    uint32_t left[H2_BUDGET_COUNT]; /* in thousandths of an event */
};

void h2_budget_init(struct h2_budget *budget);
/* What has come back since the last time. */
void h2_budget_refill(struct h2_budget *budget, uint64_t now_ms);
/* False: there is none left. */
bool h2_budget_spend(struct h2_budget *budget, enum h2_budget_kind kind);
/* What honest work is worth, in thousandths of an event. */
enum { H2_BUDGET_EVENT = 1000 };
void h2_budget_earn(struct h2_budget *budget, enum h2_budget_kind kind, uint32_t thousandths);

const char *h2_budget_name(enum h2_budget_kind kind);
/* Of that name; H2_BUDGET_PROTOCOL where there is none. */
enum h2_budget_kind h2_budget_find(const char *name);

#endif
