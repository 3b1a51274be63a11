/*
 * engine - TLS as a transformation of bytes: ciphertext in, plaintext out, and back.  No sockets,
 * no clock, no waiting.
 *
 *   HANDSHAKE --finished--> OPEN --close_notify--> ENDED
 *       |                    |
 *       +------- FAILED <----+
 *
 * All ciphertext that is fed is used up at once, and all plaintext that it completes comes out.
 * What is to be sent goes to `send` as OpenSSL makes it, without another copy.
 *
 * Owner    the connection      Threads  its worker's
 */
#ifndef TLS_ENGINE_H
#define TLS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "tls/trouble.h"

struct tls_engine;
struct tls_server;
struct tls_session;
struct tls_trust;

enum { TLS_HELD_BYTES = 17 * 1024 };
enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_ENDED, TLS_FAILED };

/* Takes all of it: sends it, or keeps a copy. */
typedef void tls_send_fn(void *context, struct slice ciphertext);

struct tls_engine *tls_engine_accept(const struct tls_server *server, tls_send_fn *send,
                                     void *context);
/* Towards a server: feeding it nothing begins the handshake.  `name` is what its certificate must
 * be for, a host or an address (NULL: any), and, if a host, what is asked for; `session` an earlier
 * one, or NULL. */
struct tls_engine *tls_engine_connect(const struct tls_trust *trust, const char *name,
                                      const struct tls_session *session, tls_send_fn *send,
                                      void *context);
void tls_engine_free(struct tls_engine **engine);
/* Asked once, with the context of `send`, before anything dear is computed for a client that takes
 * up no earlier session.  False: the handshake is refused. */
typedef bool tls_admit_fn(void *context);
void tls_engine_ask_before(struct tls_engine *engine, tls_admit_fn *admit);
/* The newest session that the server gave since the last call, or NULL; the caller's. */
struct tls_session *tls_engine_take_session(struct tls_engine *engine);
void tls_session_free(struct tls_session **session);

/* Takes `ciphertext` and writes the plaintext into `out`, which has room for as many bytes and
 * TLS_HELD_BYTES more, of a record that began earlier; returns how many were written.  The state
 * may be another afterwards. */
size_t tls_engine_feed(struct tls_engine *engine, struct slice ciphertext, char *out);
/* Sends plaintext; OPEN, or ENDED while we have not ended too.  False: neither. */
bool tls_engine_send(struct tls_engine *engine, struct slice plaintext);
/* Says that nothing more comes (close_notify); nothing where the handshake is not over. */
void tls_engine_end(struct tls_engine *engine);

enum tls_state tls_engine_state(const struct tls_engine *engine);
/* Why it has failed, for the log: "no shared cipher"; static. */
const char *tls_engine_why(const struct tls_engine *engine);
/* The same of a server, as one of a few words. */
enum tls_trouble tls_engine_trouble(const struct tls_engine *engine);
/* The peer spoke HTTP in clear text. */
bool tls_engine_was_http(const struct tls_engine *engine);

/* ---- once it is OPEN ---- */

/* The name that the client asked for, lower case; "" for none. */
const char *tls_engine_server_name(const struct tls_engine *engine);
/* TLS_ALPN_H2, TLS_ALPN_HTTP1; 0: nothing was agreed. */
unsigned tls_engine_protocol(const struct tls_engine *engine);
const char *tls_engine_version(const struct tls_engine *engine); /* "TLSv1.3" */
const char *tls_engine_cipher(const struct tls_engine *engine);
bool tls_engine_is_resumed(const struct tls_engine *engine);

/* A client's verified certificate; false: it has shown none. */
struct tls_identity {
    char subject[256];    /* RFC 2253 */
    char fingerprint[65]; /* SHA-256 of the certificate, hex */
    char serial[64];      /* hex */
};
bool tls_engine_identity(const struct tls_engine *engine, struct tls_identity *identity_out);
/* Whether one of its subject alternative names (DNS, e-mail, URI) is this one. */
bool tls_engine_identity_has_name(const struct tls_engine *engine, const char *name);

/* Whether `server` believes the client's certificate, now.  It may be another than the connection
 * began with: an authority may have gone since, or a day passed. */
enum tls_belief { TLS_SHOWN_NONE, TLS_NOT_BELIEVED, TLS_BELIEVED };
/* *why_out: where it is not believed; static. */
enum tls_belief tls_engine_belief(const struct tls_engine *engine, const struct tls_server *server,
                                  const char **why_out);
/* Tells each of its subject alternative names (DNS, e-mail, URI), TLS_NAMES_MAX at most, as text;
 * one with a space, a control character or more than ASCII in it is none. */
enum { TLS_NAMES_MAX = 100 };
typedef void tls_name_fn(void *context, const char *name);
void tls_engine_each_name(const struct tls_engine *engine, tls_name_fn *tell, void *context);
/* The certificate that was shown is for this host, by name; lower case. */
bool tls_engine_is_for(const struct tls_engine *engine, struct slice host);

#endif
