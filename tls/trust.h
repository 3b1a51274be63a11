/*
 * trust - what a pool says about TLS to its servers, compiled: whose certificates are believed, and
 * which one is shown.
 *
 * Owner    the snapshot; connections that began under it keep what they need of it
 * Threads  making: control; letting go: any; afterwards any worker, and the prober
 */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdbool.h>

#include "base/slice.h"

struct error;
struct tls_certificate;
struct tls_trust;

struct tls_trust_options {
    bool verifies;                             /* false: any certificate will do */
    struct slice ca_pem;                       /* empty: the system's authorities */
    const struct tls_certificate *certificate; /* that we show; NULL: none */
    bool asks_for_h2;                          /* by ALPN, and for nothing else */
};

struct tls_trust *tls_trust_new(const struct tls_trust_options *options, struct error *why);
/* One more reference; each is given back by tls_trust_free(). */
struct tls_trust *tls_trust_hold(struct tls_trust *trust);
void tls_trust_free(struct tls_trust **trust);

#endif
