/*
 * renewals - certificates that took the place of approved ones without a change
 * (policy.certificate_watch).
 *
 * A revision and its digest stay what was approved.  Beside them the store has, for each chain and
 * key that were approved, which ones took their place: wherever the approved copies are about to
 * run (at a start, an apply, a rollback), the newest do.  What was read for approval after that
 * stands for itself: whoever names the old files again gets them.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_RENEWALS_H
#define CHANGE_RENEWALS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct configuration;
struct ledger;

/* `map` ({"path": "sha256:…"}) as it is to run: a new value.  `read_ms`: when it was read. */
json_t *renewals_over(struct ledger *ledger, const json_t *map, int64_t read_ms,
                      const struct configuration *conf);

#endif
