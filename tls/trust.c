/*
 * trust - see trust.h.
 *
 * Owner    the snapshot      Threads  making: control; afterwards any
 */
#include "tls/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "tls/internal.h"

static bool trust_pem(SSL_CTX *context, struct slice pem, struct error *why)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    unsigned count = 0;
    X509 *ca;

    while ((ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count++;
        (void)X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca); /* twice is no harm */
        X509_free(ca);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (count > 0)
        return true;
    error_set(why, ERROR_INVALID, "there is no certificate in its ca_file");
    return false;
}

static bool show(SSL_CTX *context, const struct tls_certificate *one, struct error *why)
{
    if (SSL_CTX_use_cert_and_key(context, one->leaf, one->key, one->chain, 1) == 1)
        return true;
    tls_error_set(why, "its client_certificate cannot be used");
    return false;
}

/* Sessions are handed to the engine that got them: no cache, which would have a lock. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_engine *engine = SSL_get_app_data(ssl);

    SSL_SESSION_free(engine->session);
    engine->session = session;
    return 1; /* it is ours */
}

static bool set_up(SSL_CTX *context, const struct tls_trust_options *options, struct error *why)
{
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_set_verify(context, options->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        tls_error_set(why, "TLS cannot be set up");
        return false;
    }
    if (options->asks_for_h2 &&
        SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2", 3) != 0) {
        tls_error_set(why, "ALPN cannot be set up");
        return false;
    }
    if (options->certificate != NULL && !show(context, options->certificate, why))
        return false;
    if (options->ca_pem.len > 0)
        return trust_pem(context, options->ca_pem, why);
    if (options->verifies && SSL_CTX_set_default_verify_paths(context) != 1) {
        tls_error_set(why, "the system's authorities cannot be read");
        return false;
    }
    return true;
}

struct tls_trust *tls_trust_new(const struct tls_trust_options *options, struct error *why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    CHECK(context != NULL);
    if (set_up(context, options, why))
        return (struct tls_trust *)context;
    SSL_CTX_free(context);
    return NULL;
}

SSL_CTX *tls_trust_ssl_context(const struct tls_trust *trust)
{
    return (SSL_CTX *)(uintptr_t)trust;
}

struct tls_trust *tls_trust_hold(struct tls_trust *trust)
{
    CHECK(SSL_CTX_up_ref(tls_trust_ssl_context(trust)) == 1);
    return trust;
}

void tls_trust_free(struct tls_trust **holder)
{
    struct tls_trust *trust = *holder;

    *holder = NULL;
    if (trust != NULL)
        SSL_CTX_free(tls_trust_ssl_context(trust));
}
