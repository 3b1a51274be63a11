/*
 * secure - the TLS side of a snapshot's listeners: certificates loaded, contexts made.
 *
 * Owner    the snapshot      Threads  control
 */
#ifndef PROXY_SECURE_H
#define PROXY_SECURE_H

#include <stdbool.h>

struct configuration;
struct error;
struct snapshot;
struct tls_tickets;

/* Makes the contexts of all listeners with TLS; what their files hold must have been read
 * (config/contents.h).  False and `why`: which certificate, what is wrong with it. */
bool secure_listeners(struct snapshot *snapshot, struct tls_tickets *tickets, struct error *why);
/* Those of a snapshot of the same configuration. */
void secure_listeners_like(struct snapshot *snapshot, const struct snapshot *same);
void secure_free(struct snapshot *snapshot);

/* What secure_listeners() would refuse of the certificates alone. */
bool secure_check(const struct configuration *conf, struct error *why);

#endif
