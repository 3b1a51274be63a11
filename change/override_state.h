/*
 * override_state - what override.c and override_order.c share.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_OVERRIDE_STATE_H
#define CHANGE_OVERRIDE_STATE_H

#include <jansson.h>
#include <stdbool.h>

struct ledger;
struct override;

enum { OVERRIDE_KEY_TEXT = 192 };

/* rt/<pool>/<server> */
void override_key(const char *pool, const char *server, char key_out[OVERRIDE_KEY_TEXT]);
struct override *override_find(const struct ledger *ledger, const char *pool, const char *server);
/* It overrides nothing. */
bool override_is_empty(const struct override *one);
json_t *override_stored(const struct override *one);
/* Takes `next`, which is in the store: it is in force from now on; an empty one ends what was. */
void override_adopt(struct ledger *ledger, struct override *next);
/* Frees its texts. */
void override_clear(struct override *one);

#endif
