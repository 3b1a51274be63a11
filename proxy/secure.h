/*
 * secure - the TLS side of a snapshot, towards clients, servers and callers of the admin API:
 * certificates loaded, contexts made.
 *
 * Owner    the snapshot      Threads  control
 */
#ifndef PROXY_SECURE_H
#define PROXY_SECURE_H

#include <stdbool.h>

struct error;
struct snapshot;
struct tls_tickets;

/* Makes the contexts of all listeners and pools with TLS, and of the admin listener; what their files hold must have been read
 * (config/contents.h).  False and `why`: which certificate, what is wrong with it. */
bool secure_snapshot(struct snapshot *snapshot, struct tls_tickets *tickets, struct error *why);
/* Those of a snapshot of the same configuration. */
void secure_snapshot_like(struct snapshot *snapshot, const struct snapshot *same);
void secure_free(struct snapshot *snapshot);

struct conf_pool_tls;
struct conf_server;
/* What the certificate of the server must be for; NULL: any name. */
const char *secure_server_name(const struct conf_pool_tls *tls, const struct conf_server *server);

#endif
