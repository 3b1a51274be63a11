/*
 * import - what conf.d said when it was taken over last.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_IMPORT_H
#define CHANGE_IMPORT_H

#include "change/internal.h"

/* The change is applied: where it was made of conf.d, that is the last import now. */
void import_took_over(struct step *step, const struct change *change);
/* The digest of the last import; false: there is none. */
bool import_digest(struct ledger *ledger, char digest_out[DIGEST_TEXT]);

#endif
