/*
 * staple - what a certificate's authority says of it (OCSP, RFC 6960), shown in the handshake to
 * clients that ask (RFC 6066 §8).
 *
 * Owner    the certificate has a copy      Threads  any; afterwards nobody writes to it
 */
#ifndef TLS_STAPLE_H
#define TLS_STAPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct error;
struct tls_certificate;

struct tls_staple_facts {
    int64_t this_update_ms; /* wall clock */
    int64_t next_update_ms;
    bool is_revoked;
};

/* True: `der` is about this certificate, says that it is good, is signed by who may, and is of
 * `now_ms`.  Else `why`; what is known by then is in *facts_out, 0 for the rest. */
bool tls_staple_check(const struct tls_certificate *one, struct slice der, int64_t now_ms,
                      struct tls_staple_facts *facts_out, struct error *why);
/* Shown by every context that is made of the certificate from now on. */
void tls_certificate_staple(struct tls_certificate *one, struct slice der);

#endif
