/*
 * secure - the TLS side of a snapshot, towards clients, servers and callers of the admin API:
 * certificates loaded, contexts made.
 *
 * Owner    the snapshot      Threads  control
 */
#ifndef PROXY_SECURE_H
#define PROXY_SECURE_H

#include <stdbool.h>

#include "base/slice.h"

struct conf_certificate;
struct error;
struct snapshot;
struct tls_certificate;
struct tls_tickets;

/* What is not of the configuration: the keys of tickets, and what authorities say of certificates
 * (DER; empty: nothing that could be shown). */
typedef struct slice secure_staple_fn(void *context, const struct conf_certificate *conf,
                                      const struct tls_certificate *certificate);
struct secure_means {
    struct tls_tickets *tickets;
    secure_staple_fn *staple; /* NULL: none */
    void *context;
};

/* Makes the contexts of all listeners and pools with TLS, and of the admin listener; what their
 * files hold must have been read (config/contents.h).  False and `why`: which certificate, what is
 * wrong with it. */
bool secure_snapshot(struct snapshot *snapshot, const struct secure_means *means,
                     struct error *why);
/* Those of a snapshot of the same configuration. */
void secure_snapshot_like(struct snapshot *snapshot, const struct snapshot *same);
void secure_free(struct snapshot *snapshot);

struct conf_pool_tls;
struct conf_server;
/* What the certificate of the server must be for; NULL: any name. */
const char *secure_server_name(const struct conf_pool_tls *tls, const struct conf_server *server);

#endif
