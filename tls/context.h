/*
 * context - what a listener says about TLS, compiled: certificates by name, versions, ciphers,
 * whose client certificates are believed.
 *
 * Profiles are Mozilla's server side recommendations (version 5.7): `modern` speaks TLS 1.3 only,
 * `intermediate` 1.2 and 1.3 with forward secrecy and authenticated encryption, `old` also takes
 * what clients of ten years ago can.  Never renegotiation, never compression.
 *
 * Owner    the snapshot; connections that began under it keep what they need of it
 * Threads  making and freeing: control; afterwards any worker
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct error;
struct tls_certificate;
struct tls_server;
struct tls_tickets;

enum tls_profile { TLS_MODERN, TLS_INTERMEDIATE, TLS_OLD };
enum tls_client_auth { TLS_CLIENT_AUTH_OFF, TLS_CLIENT_AUTH_REQUEST, TLS_CLIENT_AUTH_REQUIRE };
enum { TLS_ALPN_H2 = 1, TLS_ALPN_HTTP1 = 2 };

/* One certificate of a listener, and the names that get it; none: those that it carries. */
struct tls_choice {
    const struct tls_certificate *certificate;
    const char *const *names;
    size_t name_count;
};

struct tls_server_options {
    const char *name;                 /* of the listener: sessions of one do not serve at another */
    const struct tls_choice *choices; /* the first is the default */
    size_t choice_count;
    enum tls_profile profile;
    bool is_1_3_only;
    unsigned alpn;        /* TLS_ALPN_... */
    bool prefers_http1;   /* of two protocols */
    bool refuses_unknown; /* a name without a certificate gets no handshake */
    enum tls_client_auth client_auth;
    struct slice client_ca_pem;
    struct tls_tickets *tickets; /* NULL: no resumption by tickets */
};

struct tls_server *tls_server_new(const struct tls_server_options *options, struct error *why);
/* A client that was given the certificate for `asked` (SNI; "" for none) may ask for `host` too: it
 * would have got the same one.  Both lower case. */
bool tls_server_serves_alike(const struct tls_server *server, const char *asked, struct slice host);
/* One of its certificates is for this host, by name; lower case. */
bool tls_server_is_for(const struct tls_server *server, struct slice host);
/* One more reference; each is given back by tls_server_free(). */
struct tls_server *tls_server_hold(struct tls_server *server);
void tls_server_free(struct tls_server **server);

#endif
