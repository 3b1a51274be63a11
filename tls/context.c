/*
 * context - see context.h.
 *
 * One OpenSSL context a listener, which a connection begins and ends with, and one that only
 * carries certificates for each set of them: taking that on in the handshake costs a tenth of
 * loading a certificate into the connection.  All of it hangs on the listener's context, whose
 * references OpenSSL counts: a connection that outlives its configuration keeps it.
 *
 * Owner    the snapshot      Threads  making: control; letting go: any; afterwards any worker reads
 */
#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/check.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "tls/internal.h"

enum { SERVER_TAG = 0x544c5353, NAME_BYTES = 256 };

/* A name, and for each kind of key the place of its certificate, plus 1. */
struct named {
    char *name; /* lower case; "*.x"; NULL: the slot is free */
    uint32_t of_kind[TLS_KEY_KINDS];
    SSL_CTX *carrier; /* of these certificates; NULL: the listener's own context has them */
};

struct tls_server {
    uint32_t tag;
    SSL_CTX *context;
    struct tls_tickets *tickets; /* NULL: none */
    struct named *table;         /* open addressing */
    size_t slots;                /* a power of two */
    struct named fallback;
    bool refuses_unknown;
    unsigned char alpn[16]; /* as on the wire, best first */
    unsigned alpn_bytes;
};

/* ---- names ---- */

static struct named *slot_of(const struct tls_server *server, struct slice name)
{
    size_t at = (size_t)hash_slice(hash_process_key(), name) & (server->slots - 1);

    while (server->table[at].name != NULL && !slice_equal(slice_from(server->table[at].name), name))
        at = (at + 1) & (server->slots - 1);
    return &server->table[at];
}

/* The first that was named counts. */
static void add_to(struct named *named, enum tls_key_kind kind, size_t identity)
{
    if (named->of_kind[kind] == 0)
        named->of_kind[kind] = (uint32_t)identity + 1;
}

static const char *const *names_of(const struct tls_choice *choice, size_t *count_out)
{
    const struct tls_certificate_facts *facts = tls_certificate_facts(choice->certificate);

    *count_out = choice->name_count > 0 ? choice->name_count : facts->name_count;
    return choice->name_count > 0 ? choice->names : facts->names;
}

/* It has the default's first name: the same site, with another kind of key. */
static bool is_of_default(const struct tls_server_options *options, size_t choice)
{
    size_t count, default_count;
    const char *const *names = names_of(&options->choices[choice], &count);
    const char *const *defaults = names_of(&options->choices[0], &default_count);

    return choice == 0 || (count > 0 && default_count > 0 && strcmp(names[0], defaults[0]) == 0);
}

static void add_choice(struct tls_server *server, const struct tls_server_options *options,
                       size_t choice)
{
    enum tls_key_kind kind = tls_certificate_facts(options->choices[choice].certificate)->kind;
    size_t count;
    const char *const *names = names_of(&options->choices[choice], &count);

    for (size_t i = 0; i < count; i++) {
        struct named *named = slot_of(server, slice_from(names[i]));

        if (named->name == NULL)
            named->name = xstrdup(names[i]);
        add_to(named, kind, choice);
    }
    if (is_of_default(options, choice))
        add_to(&server->fallback, kind, choice);
}

static void fill_table(struct tls_server *server, const struct tls_server_options *options)
{
    size_t total = 0, count;

    for (size_t i = 0; i < options->choice_count; i++) {
        (void)names_of(&options->choices[i], &count);
        total += count;
    }
    for (server->slots = 2; server->slots < 2 * total;)
        server->slots *= 2;
    server->table = xcalloc(server->slots, sizeof(struct named));
    for (size_t i = 0; i < options->choice_count; i++)
        add_choice(server, options, i);
}

/* Exact, then the wildcard one label up; NULL: none. */
static const struct named *find_named(const struct tls_server *server, struct slice name)
{
    char wildcard[NAME_BYTES];
    const struct named *found = slot_of(server, name);
    const char *dot = memchr(name.at, '.', name.len);
    size_t rest;

    if (found->name != NULL || dot == NULL || dot == name.at)
        return found->name != NULL ? found : NULL;
    rest = name.len - (size_t)(dot - name.at);
    if (rest + 1 > sizeof(wildcard))
        return NULL;
    wildcard[0] = '*';
    memcpy(wildcard + 1, dot, rest);
    found = slot_of(server, slice_of(wildcard, rest + 1));
    return found->name != NULL ? found : NULL;
}

/* Whom a name gets: NULL where it gets nobody. */
static const struct named *given_for(const struct tls_server *server, struct slice name)
{
    const struct named *named = name.len > 0 ? find_named(server, name) : NULL;

    if (named == NULL && !server->refuses_unknown)
        named = &server->fallback;
    return named;
}

/* ---- callbacks: any worker ---- */

static int context_index = -1; /* of ex data; set once, before there is a worker */

/* Not through SSL_get_SSL_CTX(), which may be a carrier by now. */
static const struct tls_server *server_of(const SSL *ssl)
{
    const struct tls_server *server = ((struct tls_engine *)SSL_get_app_data(ssl))->server;

    CHECK_OBJ(server, SERVER_TAG);
    return server;
}

struct tls_tickets *tls_server_tickets(const SSL *ssl)
{
    return server_of(ssl)->tickets;
}

static void note_name(struct tls_engine *engine, const char *asked)
{
    size_t len = asked != NULL ? strlen(asked) : 0;

    if (len >= sizeof(engine->server_name))
        len = 0; /* no name is that long: it gets what no name gets */
    if (len > 0 && asked[len - 1] == '.')
        len--;
    for (size_t i = 0; i < len; i++)
        engine->server_name[i] = ascii_lower(asked[i]);
    engine->server_name[len] = '\0';
}

/* By now it is known whether a session is taken up; keys are agreed on and signed after this.  A
 * client that is asked for another share of a key (HelloRetryRequest) comes here twice. */
static bool is_admitted(SSL *ssl, struct tls_engine *engine)
{
    tls_admit_fn *admit = engine->admit;

    engine->admit = NULL;
    return admit == NULL || SSL_session_reused(ssl) == 1 || admit(engine->context);
}

/* Called for resumed sessions too. */
static int on_server_name(SSL *ssl, int *alert, void *unused)
{
    const struct tls_server *server = server_of(ssl);
    struct tls_engine *engine = SSL_get_app_data(ssl);
    const struct named *named;

    (void)unused;
    if (!is_admitted(ssl, engine)) {
        engine->why = "more handshakes a second than the listener takes";
        *alert = SSL_AD_HANDSHAKE_FAILURE;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    note_name(engine, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    named = given_for(server, slice_from(engine->server_name));
    if (named == NULL) {
        engine->why = "no certificate for the name that was asked for";
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (named->carrier != NULL && SSL_set_SSL_CTX(ssl, named->carrier) == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                   const unsigned char *offered, unsigned offered_bytes, void *unused)
{
    const struct tls_server *server = server_of(ssl);
    unsigned char *chosen = NULL;

    (void)unused;
    if (SSL_select_next_proto(&chosen, out_bytes, server->alpn, server->alpn_bytes, offered,
                              offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
        ((struct tls_engine *)SSL_get_app_data(ssl))->why = "no protocol in common (ALPN)";
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 §3.2 */
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void on_context_freed(void *parent, void *held, CRYPTO_EX_DATA *data, int index, long argl,
                             void *argp)
{
    struct tls_server *server = held;

    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    if (server == NULL)
        return;
    CHECK_OBJ(server, SERVER_TAG);
    for (size_t i = 0; i < server->slots; i++) {
        xfree(server->table[i].name);
        SSL_CTX_free(server->table[i].carrier);
    }
    xfree(server->table);
    server->tag = 0;
    xfree(server);
}

/* ---- what may be spoken ---- */

#define CIPHERS_1_3    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define MODERN_CIPHERS "ECDHE-ECDSA-AES128-GCM-SHA256"
#define INTERMEDIATE_CIPHERS                                                                       \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define OLD_CIPHERS                                                                                \
    INTERMEDIATE_CIPHERS ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"                     \
                         "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-GCM-SHA256:"          \
                         "AES256-GCM-SHA384:AES128-SHA256:AES128-SHA:AES256-SHA"

static const char *const ciphers_of[] = {
    [TLS_MODERN] = MODERN_CIPHERS, /* not used: TLS 1.3 has its own three */
    [TLS_INTERMEDIATE] = INTERMEDIATE_CIPHERS,
    [TLS_OLD] = OLD_CIPHERS,
};

static bool set_strength(SSL_CTX *context, const struct tls_server_options *options)
{
    bool is_1_3_only = options->is_1_3_only || options->profile == TLS_MODERN;

    /* Our order, but for clients that would rather have ChaCha20: those without AES in hardware. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_SINGLE_ECDH_USE | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    return SSL_CTX_set_min_proto_version(context, is_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION) ==
               1 &&
           SSL_CTX_set_cipher_list(context, ciphers_of[options->profile]) == 1 &&
           SSL_CTX_set_ciphersuites(context, CIPHERS_1_3) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

static void set_alpn(struct tls_server *server, const struct tls_server_options *options)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    static const unsigned char http1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    bool has_h2 = (options->alpn & TLS_ALPN_H2) != 0;
    bool has_http1 = (options->alpn & TLS_ALPN_HTTP1) != 0;
    unsigned char *at = server->alpn;

    if (has_h2 && !options->prefers_http1) {
        memcpy(at, h2, sizeof(h2));
        at += sizeof(h2);
    }
    if (has_http1) {
        memcpy(at, http1, sizeof(http1));
        at += sizeof(http1);
    }
    if (has_h2 && options->prefers_http1) {
        memcpy(at, h2, sizeof(h2));
        at += sizeof(h2);
    }
    server->alpn_bytes = (unsigned)(at - server->alpn);
    if (server->alpn_bytes > 0)
        SSL_CTX_set_alpn_select_cb(server->context, on_alpn, NULL);
}

/* ---- client certificates ---- */

static bool trust_ca(SSL_CTX *context, struct slice pem, struct error *why)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    unsigned count = 0;
    X509 *ca;

    while ((ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count++;
        (void)X509_STORE_add_cert(store, ca); /* twice the same is no harm */
        (void)SSL_CTX_add_client_CA(context, ca);
        X509_free(ca);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (count > 0)
        return true;
    error_set(why, ERROR_INVALID, "client_auth.ca_file: there is no certificate in it");
    return false;
}

static bool set_client_auth(SSL_CTX *context, const struct tls_server_options *options,
                            struct error *why)
{
    int mode = SSL_VERIFY_PEER;

    if (options->client_auth == TLS_CLIENT_AUTH_OFF)
        return true;
    if (options->client_auth == TLS_CLIENT_AUTH_REQUIRE)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    return trust_ca(context, options->client_ca_pem, why);
}

/* A session of another listener, or of one that asked for another proof, is none here. */
static bool set_session_context(SSL_CTX *context, const struct tls_server_options *options)
{
    struct digest ca = digest_of(options->client_ca_pem);
    char mode = (char)('0' + (int)options->client_auth);
    struct digest whole;
    char text[512];
    size_t len = strnlen(options->name, 256);

    memcpy(text, options->name, len);
    text[len++] = '\n';
    text[len++] = mode;
    memcpy(text + len, ca.bytes, sizeof(ca.bytes));
    whole = digest_of(slice_of(text, len + sizeof(ca.bytes)));
    return SSL_CTX_set_session_id_context(context, whole.bytes, sizeof(whole.bytes)) == 1;
}

static bool set_sessions(SSL_CTX *context, const struct tls_server_options *options)
{
    /* Tickets only: a cache would be shared by the workers, under a lock. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, TLS_TICKET_ROTATION_S);
    if (options->tickets == NULL) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
        return true;
    }
    SSL_CTX_set_num_tickets(context, 2);
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, tls_tickets_callback) == 1 &&
           set_session_context(context, options);
}

/* ---- certificates ---- */

static bool put_certificates(SSL_CTX *context, const struct named *named,
                             const struct tls_server_options *options)
{
    for (int kind = 0; kind < TLS_KEY_KINDS; kind++) {
        const struct tls_certificate *one;

        if (named->of_kind[kind] == 0)
            continue;
        one = options->choices[named->of_kind[kind] - 1].certificate;
        if (SSL_CTX_use_cert_and_key(context, one->leaf, one->key, one->chain, 1) != 1)
            return false;
    }
    /* OpenSSL asks the one that has the certificates. */
    return SSL_CTX_set_tlsext_status_cb(context, tls_staple_callback) == 1;
}

/* Names of one set share a carrier: sets are found again by their first certificate's place. */
static SSL_CTX *shared_carrier(const struct named *named, const struct named *const *by_first)
{
    for (int kind = 0; kind < TLS_KEY_KINDS; kind++) {
        const struct named *other =
            named->of_kind[kind] > 0 ? by_first[named->of_kind[kind] - 1] : NULL;

        if (other != NULL && other != named && other->carrier != NULL &&
            memcmp(other->of_kind, named->of_kind, sizeof(named->of_kind)) == 0) {
            CHECK(SSL_CTX_up_ref(other->carrier) == 1);
            return other->carrier;
        }
    }
    return NULL;
}

static SSL_CTX *new_carrier(const struct named *named, const struct tls_server_options *options)
{
    SSL_CTX *carrier = SSL_CTX_new(TLS_server_method());

    CHECK(carrier != NULL);
    /* Without it a connection would forget whose sessions it may take up. */
    if (put_certificates(carrier, named, options) && set_session_context(carrier, options))
        return carrier;
    SSL_CTX_free(carrier);
    return NULL;
}

static bool set_carriers(struct tls_server *server, const struct tls_server_options *options)
{
    const struct named **by_first = xcalloc(options->choice_count, sizeof(*by_first));
    bool ok = true;

    for (size_t i = 0; i < server->slots && ok; i++) {
        struct named *named = &server->table[i];

        if (named->name == NULL ||
            memcmp(named->of_kind, server->fallback.of_kind, sizeof(named->of_kind)) == 0)
            continue;
        named->carrier = shared_carrier(named, by_first);
        if (named->carrier == NULL)
            named->carrier = new_carrier(named, options);
        ok = named->carrier != NULL;
        for (int kind = 0; kind < TLS_KEY_KINDS; kind++)
            if (named->of_kind[kind] > 0)
                by_first[named->of_kind[kind] - 1] = named;
    }
    xfree(by_first);
    return ok && put_certificates(server->context, &server->fallback, options);
}

/* ---- life ---- */

static bool set_up(struct tls_server *server, const struct tls_server_options *options,
                   struct error *why)
{
    SSL_CTX *context = server->context;

    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    set_alpn(server, options);
    if (!set_strength(context, options) || !set_sessions(context, options) ||
        !set_carriers(server, options)) {
        tls_error_set(why, "TLS of listener %s cannot be set up", options->name);
        return false;
    }
    return set_client_auth(context, options, why);
}

struct tls_server *tls_server_new(const struct tls_server_options *options, struct error *why)
{
    struct tls_server *server = xcalloc(1, sizeof(*server));

    CHECK(options->choice_count > 0);
    if (context_index < 0)
        context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_freed);
    server->tag = SERVER_TAG;
    server->refuses_unknown = options->refuses_unknown;
    server->context = SSL_CTX_new(TLS_server_method());
    CHECK(server->context != NULL && context_index >= 0);
    server->tickets = options->tickets;
    fill_table(server, options);
    CHECK(SSL_CTX_set_ex_data(server->context, context_index, server) == 1);
    if (!set_up(server, options, why))
        tls_server_free(&server);
    return server;
}

bool tls_server_serves_alike(const struct tls_server *server, const char *asked, struct slice host)
{
    const struct named *a, *b;

    CHECK_OBJ(server, SERVER_TAG);
    if (asked[0] == '\0' || slice_equal(slice_from(asked), host))
        return true; /* who asks for no name has been promised none */
    a = given_for(server, slice_from(asked));
    b = given_for(server, host);
    return a == b ||
           (a != NULL && b != NULL && memcmp(a->of_kind, b->of_kind, sizeof(a->of_kind)) == 0);
}

bool tls_server_is_for(const struct tls_server *server, struct slice host)
{
    CHECK_OBJ(server, SERVER_TAG);
    return host.len > 0 && find_named(server, host) != NULL;
}

struct tls_server *tls_server_hold(struct tls_server *server)
{
    CHECK_OBJ(server, SERVER_TAG);
    CHECK(SSL_CTX_up_ref(server->context) == 1);
    return server;
}

void tls_server_free(struct tls_server **holder)
{
    struct tls_server *server = *holder;

    *holder = NULL;
    if (server != NULL)
        SSL_CTX_free(server->context); /* frees the rest with the last connection */
}

SSL_CTX *tls_server_ssl_context(const struct tls_server *server)
{
    CHECK_OBJ(server, SERVER_TAG);
    return server->context;
}
