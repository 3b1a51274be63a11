/*
 * revoked - changes that were applied with an approval that does not count any more (E-14).
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_REVOKED_H
#define CHANGE_REVOKED_H

#include <jansson.h>

struct ledger;

/* Adds an alert for each of them. */
void revoked_add_alerts(struct ledger *ledger, json_t *list);

#endif
