/*
 * internal - what the files of tls/ share; nobody outside includes it.
 *
 * Threads  as each header says
 */
#ifndef TLS_INTERNAL_H
#define TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/engine.h"
#include "tls/tickets.h"
#include "tls/trouble.h"
#include "tls/trust.h"

struct error;

struct tls_certificate {
    X509 *leaf;
    STACK_OF(X509) * chain; /* those above the leaf; NULL: none */
    EVP_PKEY *key;          /* NULL: public only */
    struct tls_certificate_facts facts;
    char **names;
    char **addresses; /* likewise */
};

/* The first error that OpenSSL holds, in words; the rest is dropped. */
const char *tls_error_text(char *out, size_t room);
void tls_error_set(struct error *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of the listener that a connection came to; NULL: none. */
struct tls_tickets *tls_server_tickets(const SSL *ssl);
SSL_CTX *tls_server_ssl_context(const struct tls_server *server);
SSL_CTX *tls_trust_ssl_context(const struct tls_trust *trust);
/* tickets.c: the callback of SSL_CTX_set_tlsext_ticket_key_evp_cb(). */
int tls_tickets_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int seals);

int64_t tls_time_ms(const ASN1_TIME *time);
/* staple.c: the callback of SSL_CTX_set_tlsext_status_cb(). */
int tls_staple_callback(SSL *ssl, void *unused);
/* Of X509_V_… and the first error that OpenSSL holds. */
enum tls_trouble tls_trouble_of(long verified, unsigned long code);

/* Of a connection, for the callbacks of its context. */
struct tls_engine {
    uint32_t tag;
    SSL *ssl;
    const struct tls_server *server; /* towards clients; lives as long as `ssl` */
    enum tls_state state;
    tls_send_fn *send;
    tls_admit_fn *admit; /* NULL: everybody; or it has been asked */
    void *context;
    struct slice input; /* what is being fed */
    const char *why;
    enum tls_trouble trouble; /* once it has failed */
    bool was_http;
    bool has_ended;       /* close_notify was sent */
    uint8_t said_nothing; /* messages of TLS itself since there was plaintext */
    SSL_SESSION *session; /* the newest that a server gave us, or NULL */
    char server_name[256];
};
enum { TLS_ENGINE_TAG = 0x544c5345 };

#endif
