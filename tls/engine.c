/*
 * engine - see engine.h.
 *
 * OpenSSL reads from the bytes that are being fed, and writes straight to `send`: what it copies
 * itself is all the copying there is.
 *
 * Owner    the connection      Threads  its worker's
 */
#include "tls/engine.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "tls/internal.h"

enum {
    RECORD_BYTES = 16 * 1024,
    /* Steps of OpenSSL's machine once it is open, two or three a KeyUpdate: an honest peer renews
     * its keys after some hundred gigabytes. */
    MOST_NOTHING = 100,
};

/* ---- the way in and out of OpenSSL ---- */

static int bio_read(BIO *bio, char *out, size_t room, size_t *count_out)
{
    struct tls_engine *engine = BIO_get_data(bio);
    size_t count = engine->input.len < room ? engine->input.len : room;

    BIO_clear_retry_flags(bio);
    if (engine->said_nothing > MOST_NOTHING) {
        engine->why = "messages of TLS, and nothing said";
        return 0;
    }
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(out, engine->input.at, count);
    engine->input = slice_after(engine->input, count);
    *count_out = count;
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t count, size_t *count_out)
{
    struct tls_engine *engine = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    engine->send(engine->context, slice_of(bytes, count));
    *count_out = count;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* Made once, when the first engine is: on control, for the listener's own test of its context, or
 * under OpenSSL's run-once. */
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "twokey");
    CHECK(method != NULL && BIO_meth_set_read_ex(method, bio_read) == 1 &&
          BIO_meth_set_write_ex(method, bio_write) == 1 &&
          BIO_meth_set_ctrl(method, bio_control) == 1);
}

/* Keys that are renewed again and again, renegotiations that are refused: some bytes for the peer,
 * derived keys and an answer for us. */
static void on_step(const SSL *ssl, int where, int value)
{
    struct tls_engine *engine = SSL_get_app_data(ssl);

    (void)value;
    if (engine->state == TLS_OPEN && (where & (SSL_CB_LOOP | SSL_CB_WRITE_ALERT)) != 0 &&
        engine->said_nothing <= MOST_NOTHING)
        engine->said_nothing++;
}

/* ---- life ---- */

static struct tls_engine *make(SSL_CTX *ssl_context, tls_send_fn *send, void *context)
{
    struct tls_engine *engine = xcalloc(1, sizeof(*engine));
    BIO *bio;

    CHECK(CRYPTO_THREAD_run_once(&method_once, make_method) == 1);
    engine->tag = TLS_ENGINE_TAG;
    engine->send = send;
    engine->context = context;
    engine->ssl = SSL_new(ssl_context);
    bio = BIO_new(method);
    CHECK(engine->ssl != NULL && bio != NULL);
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    SSL_set_bio(engine->ssl, bio, bio);
    SSL_set_app_data(engine->ssl, engine);
    SSL_set_info_callback(engine->ssl, on_step);
    return engine;
}

struct tls_engine *tls_engine_accept(const struct tls_server *server, tls_send_fn *send,
                                     void *context)
{
    struct tls_engine *engine = make(tls_server_ssl_context(server), send, context);

    engine->server = server;
    SSL_set_accept_state(engine->ssl);
    return engine;
}

static bool is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);

    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

/* RFC 6066 §3: addresses are not asked for; RFC 6125 §6: the certificate must be for the name. */
static void expect_name(struct tls_engine *engine, const char *name)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(engine->ssl);

    bool is_set;

    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(name))
        is_set = X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1;
    else
        is_set = X509_VERIFY_PARAM_set1_host(expected, name, 0) == 1 &&
                 SSL_set_tlsext_host_name(engine->ssl, name) == 1;
    if (is_set)
        return;
    engine->state = TLS_FAILED; /* never without the name */
    engine->why = "the server's name cannot be asked for";
    engine->trouble = TLS_TROUBLE_OTHER;
}

struct tls_engine *tls_engine_connect(const struct tls_trust *trust, const char *name,
                                      const struct tls_session *session, tls_send_fn *send,
                                      void *context)
{
    struct tls_engine *engine = make(tls_trust_ssl_context(trust), send, context);

    if (name != NULL)
        expect_name(engine, name);
    if (session != NULL) /* one that cannot be used is none */
        (void)SSL_set_session(engine->ssl, (SSL_SESSION *)(uintptr_t)session);
    SSL_set_connect_state(engine->ssl);
    ERR_clear_error();
    return engine;
}

void tls_engine_ask_before(struct tls_engine *engine, tls_admit_fn *admit)
{
    CHECK_OBJ(engine, TLS_ENGINE_TAG);
    engine->admit = admit;
}

struct tls_session *tls_engine_take_session(struct tls_engine *engine)
{
    SSL_SESSION *session = engine->session;

    engine->session = NULL;
    return (struct tls_session *)session;
}

void tls_session_free(struct tls_session **holder)
{
    SSL_SESSION_free((SSL_SESSION *)*holder);
    *holder = NULL;
}

void tls_engine_free(struct tls_engine **holder)
{
    struct tls_engine *engine = TAKE_POINTER(holder);

    if (engine == NULL)
        return;
    CHECK_OBJ(engine, TLS_ENGINE_TAG);
    SSL_SESSION_free(engine->session);
    SSL_free(engine->ssl);
    engine->tag = 0;
    xfree(engine);
}

/* ---- failing ---- */

static void note_failure(struct tls_engine *engine)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    long verified = SSL_get_verify_result(engine->ssl);

    engine->state = TLS_FAILED;
    engine->trouble = tls_trouble_of(verified, code);
    engine->was_http = ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
    if (engine->why == NULL && verified != X509_V_OK)
        engine->why = X509_verify_cert_error_string(verified);
    if (engine->why == NULL)
        engine->why = reason != NULL ? reason : "the peer broke off";
    ERR_clear_error();
}

/* After a call that did not succeed: more bytes, an end, or a failure. */
static void judge(struct tls_engine *engine, int result)
{
    switch (SSL_get_error(engine->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: break;
    case SSL_ERROR_ZERO_RETURN: engine->state = TLS_ENDED; break;
    default: note_failure(engine);
    }
}

/* ---- feeding ---- */

static void go_on_shaking_hands(struct tls_engine *engine)
{
    int result = SSL_do_handshake(engine->ssl);

    if (result == 1)
        engine->state = TLS_OPEN;
    else
        judge(engine, result);
}

size_t tls_engine_feed(struct tls_engine *engine, struct slice ciphertext, char *out)
{
    size_t room = ciphertext.len + TLS_HELD_BYTES;
    size_t total = 0;
    size_t count;

    CHECK_OBJ(engine, TLS_ENGINE_TAG);
    engine->input = ciphertext;
    if (engine->state == TLS_HANDSHAKE)
        go_on_shaking_hands(engine);
    while (engine->state == TLS_OPEN) {
        int result = SSL_read_ex(engine->ssl, out + total, room - total, &count);

        if (result != 1) {
            judge(engine, result);
            break;
        }
        total += count;
        engine->said_nothing = 0;
    }
    engine->input = (struct slice){NULL, 0};
    return total;
}

/* ---- sending ---- */

/* Who has ended speaks no more, but may be spoken to (RFC 8446 §6.1). */
static bool may_send(const struct tls_engine *engine)
{
    return engine->state == TLS_OPEN || (engine->state == TLS_ENDED && !engine->has_ended);
}

bool tls_engine_send(struct tls_engine *engine, struct slice plaintext)
{
    CHECK_OBJ(engine, TLS_ENGINE_TAG);
    while (plaintext.len > 0 && may_send(engine)) {
        size_t part = plaintext.len < RECORD_BYTES ? plaintext.len : RECORD_BYTES;
        size_t written;

        if (SSL_write_ex(engine->ssl, plaintext.at, part, &written) != 1) {
            note_failure(engine);
            return false;
        }
        plaintext = slice_after(plaintext, written);
    }
    return may_send(engine);
}

void tls_engine_end(struct tls_engine *engine)
{
    CHECK_OBJ(engine, TLS_ENGINE_TAG);
    if (engine->has_ended || (engine->state != TLS_OPEN && engine->state != TLS_ENDED))
        return;
    engine->has_ended = true;
    (void)SSL_shutdown(engine->ssl); /* the peer's own is not waited for */
    ERR_clear_error();
}

/* ---- what is known ---- */

enum tls_state tls_engine_state(const struct tls_engine *engine)
{
    return engine->state;
}

const char *tls_engine_why(const struct tls_engine *engine)
{
    return engine->why != NULL ? engine->why : "";
}

enum tls_trouble tls_engine_trouble(const struct tls_engine *engine)
{
    return engine->trouble;
}

bool tls_engine_was_http(const struct tls_engine *engine)
{
    return engine->was_http;
}

const char *tls_engine_server_name(const struct tls_engine *engine)
{
    return engine->server_name;
}

unsigned tls_engine_protocol(const struct tls_engine *engine)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(engine->ssl, &name, &len);
    if (len == 2 && memcmp(name, "h2", 2) == 0)
        return TLS_ALPN_H2;
    return len > 0 ? TLS_ALPN_HTTP1 : 0;
}

const char *tls_engine_version(const struct tls_engine *engine)
{
    return SSL_get_version(engine->ssl);
}

const char *tls_engine_cipher(const struct tls_engine *engine)
{
    return SSL_get_cipher_name(engine->ssl);
}

bool tls_engine_is_resumed(const struct tls_engine *engine)
{
    return SSL_session_reused(engine->ssl) == 1;
}

/* ---- who the peer is ---- */

static void write_hex(const unsigned char *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void write_subject(X509 *certificate, char *out, size_t room)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    (void)X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    len = BIO_get_mem_data(bio, &text);
    (void)snprintf(out, room, "%.*s", len > 0 ? (int)len : 0, len > 0 ? text : "");
    BIO_free(bio);
}

static void write_serial(X509 *certificate, char *out, size_t room)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number != NULL ? BN_bn2hex(number) : NULL;

    (void)snprintf(out, room, "%s", text != NULL ? text : "");
    OPENSSL_free(text);
    BN_free(number);
}

bool tls_engine_identity(const struct tls_engine *engine, struct tls_identity *identity_out)
{
    X509 *certificate = SSL_get0_peer_certificate(engine->ssl);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (certificate == NULL || SSL_get_verify_result(engine->ssl) != X509_V_OK)
        return false;
    *identity_out = (struct tls_identity){0};
    write_subject(certificate, identity_out->subject, sizeof(identity_out->subject));
    write_serial(certificate, identity_out->serial, sizeof(identity_out->serial));
    if (X509_digest(certificate, EVP_sha256(), digest, &len) == 1 && len == 32)
        write_hex(digest, len, identity_out->fingerprint);
    return true;
}

/* Empty where it is of another kind. */
static struct slice text_of(const GENERAL_NAME *name)
{
    const ASN1_IA5STRING *text;

    switch (name->type) {
    case GEN_DNS: text = name->d.dNSName; break;
    case GEN_EMAIL: text = name->d.rfc822Name; break;
    case GEN_URI: text = name->d.uniformResourceIdentifier; break;
    default: return SLICE("");
    }
    return slice_of((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static bool is_named(const GENERAL_NAME *name, const char *wanted)
{
    struct slice text = text_of(name);

    return text.len > 0 && slice_equal_nocase(text, slice_from(wanted));
}

bool tls_engine_identity_has_name(const struct tls_engine *engine, const char *name)
{
    X509 *certificate = SSL_get0_peer_certificate(engine->ssl);
    GENERAL_NAMES *names;
    bool has = false;

    if (certificate == NULL || SSL_get_verify_result(engine->ssl) != X509_V_OK)
        return false;
    names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && !has; i++)
        has = is_named(sk_GENERAL_NAME_value(names, i), name);
    GENERAL_NAMES_free(names);
    return has;
}

/* ---- whom somebody else believes ---- */

static bool verify(X509_STORE_CTX *check, X509_STORE *store, X509 *certificate,
                   STACK_OF(X509) * chain, int level)
{
    if (X509_STORE_CTX_init(check, store, certificate, chain) != 1 ||
        X509_STORE_CTX_set_default(check, "ssl_client") != 1)
        return false;
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(check), level);
    return X509_verify_cert(check) == 1;
}

enum tls_belief tls_engine_belief(const struct tls_engine *engine, const struct tls_server *server,
                                  const char **why_out)
{
    X509 *certificate = SSL_get0_peer_certificate(engine->ssl);
    SSL_CTX *context = tls_server_ssl_context(server);
    X509_STORE_CTX *check;
    bool is_good;

    if (certificate == NULL)
        return TLS_SHOWN_NONE;
    if (SSL_CTX_get_verify_mode(context) == SSL_VERIFY_NONE ||
        SSL_get_verify_result(engine->ssl) != X509_V_OK) {
        *why_out = "nobody's certificates are believed any more";
        return TLS_NOT_BELIEVED;
    }
    check = X509_STORE_CTX_new();
    CHECK(check != NULL);
    is_good = verify(check, SSL_CTX_get_cert_store(context), certificate,
                     SSL_get_peer_cert_chain(engine->ssl), SSL_CTX_get_security_level(context));
    if (!is_good)
        *why_out = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check));
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return is_good ? TLS_BELIEVED : TLS_NOT_BELIEVED;
}

static void tell_name(struct slice text, tls_name_fn *tell, void *context)
{
    char copy[512];

    if (text.len == 0 || text.len >= sizeof(copy))
        return;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] <= 0x20 || (unsigned char)text.at[i] >= 0x7f)
            return;
    slice_copy(text, copy, sizeof(copy));
    tell(context, copy);
}

void tls_engine_each_name(const struct tls_engine *engine, tls_name_fn *tell, void *context)
{
    X509 *certificate = SSL_get0_peer_certificate(engine->ssl);
    GENERAL_NAMES *names = certificate != NULL
                               ? X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL)
                               : NULL;
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;

    for (int i = 0; i < count && i < TLS_NAMES_MAX; i++)
        tell_name(text_of(sk_GENERAL_NAME_value(names, i)), tell, context);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

bool tls_engine_is_for(const struct tls_engine *engine, struct slice host)
{
    return engine->server != NULL && tls_server_is_for(engine->server, host);
}
