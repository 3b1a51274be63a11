/*
 * certificate - a chain and its private key, read from PEM and checked to belong together.
 *
 * Owner    whoever loaded it      Threads  loading: any; afterwards nobody writes to it
 */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct error;
struct tls_certificate;

enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_ECDSA, TLS_KEY_ED25519, TLS_KEY_KINDS };

struct tls_certificate_facts {
    enum tls_key_kind kind;
    int64_t not_before_ms;    /* wall clock */
    int64_t not_after_ms;     /* of the certificate that ends first, of the chain */
    const char *const *names; /* DNS names it is for, lower case; "*.x" is a wildcard */
    size_t name_count;
    const char *const *addresses; /* IP addresses, as text */
    size_t address_count;
    bool is_self_signed;
    bool is_chain_in_order; /* each was signed by the next */
    bool is_for_servers;    /* or says nothing of what its key is for */
    size_t chain_count;     /* certificates in the file */
};

/* NULL and `why`: no certificate or key in the bytes, a key that is another's, a passphrase. */
struct tls_certificate *tls_certificate_load(struct slice chain_pem, struct slice key_pem,
                                             struct error *why);
/* Certificates alone, to be trusted or looked at: no key. */
struct tls_certificate *tls_certificate_load_public(struct slice chain_pem, struct error *why);
void tls_certificate_free(struct tls_certificate **certificate);
const struct tls_certificate_facts *tls_certificate_facts(const struct tls_certificate *one);
/* False and `why`: OpenSSL would not show it (a small key, a weak signature). */
bool tls_certificate_can_be_shown(const struct tls_certificate *one, struct error *why);
/* Some certificate stands in both files of PEM. */
bool tls_certificates_overlap(struct slice a_pem, struct slice b_pem);
/* "*.example.com" covers a.example.com, not a.b.example.com (RFC 6125 §6.4.3); both lower case. */
bool tls_name_covers(const char *pattern, struct slice name);

#endif
