/*
 * renewals - whether the files of certificates, or of admin.tls, have been renewed, and may be
 * taken up without a change (policy.certificate_watch).
 *
 * They may when nothing that was approved changes but the time: the same names, the same kind of
 * key, a chain in order, a key that belongs to it, valid now, and no sooner over than what runs.
 * Anything else wants a change, and is told.
 *
 * Owner    cli/serve.c      Threads  control; reads the disk
 */
#ifndef WATCH_RENEWALS_H
#define WATCH_RENEWALS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "change/ledger.h"

struct configuration;
struct renewals;

/* `configuration_directory` is a root of files where none are configured; borrowed. */
struct renewals *renewals_new(const char *configuration_directory);
void renewals_free(struct renewals **renewals);

/* Looks at the files of `running`; *count_out of those returned are to be taken up.  They live, and
 * point into `running`, until the next look.  Files that changed since the look before are judged
 * at the next one: who writes them may not be done. */
const struct ledger_renewal *renewals_look(struct renewals *renewals,
                                           const struct configuration *running, int64_t wall_ms,
                                           size_t *count_out);
/* Those of the last look were not taken up after all: why.  They are tried again in a while. */
void renewals_failed(struct renewals *renewals, const char *why);
void renewals_add_alerts(const struct renewals *renewals, json_t *list);

#endif
