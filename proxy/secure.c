/*
 * secure - see secure.h.
 *
 * Owner    the snapshot      Threads  control
 */
#include "proxy/secure.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/staple.h"
#include "tls/trust.h"

/* Loaded once each, however many listeners show them. */
struct loaded {
    const struct configuration *conf;
    const struct secure_means *means;
    struct tls_certificate **certificates; /* by their place in the configuration */
};

static struct slice content_slice(const struct conf_content *content)
{
    return content->bytes != NULL ? slice_of(content->bytes, content->count) : SLICE("");
}

static void staple(struct loaded *loaded, const struct conf_certificate *conf,
                   struct tls_certificate *certificate)
{
    struct slice der = SLICE("");

    if (conf->ocsp_file != NULL && loaded->means->staple != NULL)
        der = loaded->means->staple(loaded->means->context, conf, certificate);
    if (der.len > 0)
        tls_certificate_staple(certificate, der);
}

static const struct tls_certificate *load(struct loaded *loaded, const char *name,
                                          struct error *why)
{
    const struct conf_certificate *conf = config_find_certificate(loaded->conf, name);
    size_t index;
    bool is_new;
    struct error cause = {0};

    CHECK(conf != NULL); /* validation saw to it */
    index = (size_t)(conf - loaded->conf->certificates);
    is_new = loaded->certificates[index] == NULL;
    if (is_new)
        loaded->certificates[index] =
            tls_certificate_load(content_slice(&conf->chain), content_slice(&conf->key), &cause);
    if (is_new && loaded->certificates[index] != NULL)
        staple(loaded, conf, loaded->certificates[index]);
    if (loaded->certificates[index] == NULL)
        error_set(why, ERROR_INVALID, "certificate %s (%s, %s): %s", name, conf->cert_file,
                  conf->key_file, cause.text);
    return loaded->certificates[index];
}

static void drop(struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->conf->certificate_count; i++)
        tls_certificate_free(&loaded->certificates[i]);
    xfree(loaded->certificates);
}

static struct loaded begin(const struct configuration *conf, const struct secure_means *means)
{
    return (struct loaded){
        .conf = conf,
        .means = means,
        .certificates = xcalloc(conf->certificate_count + 1, sizeof(struct tls_certificate *)),
    };
}

static const enum tls_profile profiles[] = {
    [TLS_PROFILE_MODERN] = TLS_MODERN,
    [TLS_PROFILE_INTERMEDIATE] = TLS_INTERMEDIATE,
    [TLS_PROFILE_OLD] = TLS_OLD,
};
static const enum tls_client_auth auths[] = {
    [CLIENT_AUTH_OFF] = TLS_CLIENT_AUTH_OFF,
    [CLIENT_AUTH_REQUEST] = TLS_CLIENT_AUTH_REQUEST,
    [CLIENT_AUTH_REQUIRE] = TLS_CLIENT_AUTH_REQUIRE,
};

static unsigned alpn_of(const struct conf_listener_tls *conf)
{
    return (conf->alpn & CONF_ALPN_H2 ? TLS_ALPN_H2 : 0u) |
           (conf->alpn & CONF_ALPN_HTTP1 ? TLS_ALPN_HTTP1 : 0u);
}

static struct tls_server *make(struct loaded *loaded, const struct conf_listener *listener,
                               struct tls_tickets *tickets, struct error *why)
{
    const struct conf_listener_tls *conf = &listener->tls;
    struct tls_choice *choices = xcalloc(conf->certificates.count, sizeof(*choices));
    struct tls_server_options options = {
        .name = listener->name,
        .choices = choices,
        .choice_count = conf->certificates.count,
        .profile = profiles[conf->profile],
        .is_1_3_only = conf->min_version == TLS_VERSION_1_3,
        .alpn = alpn_of(conf),
        .refuses_unknown = conf->unknown_sni == UNKNOWN_SNI_REJECT,
        .client_auth = auths[conf->client_auth.mode],
        .client_ca_pem = content_slice(&conf->client_auth.ca),
        .tickets = tickets,
    };
    struct tls_server *server = NULL;
    bool is_loaded = true;

    for (size_t i = 0; i < conf->certificates.count && is_loaded; i++) {
        const char *name = conf->certificates.items[i];
        const struct conf_certificate *certificate = config_find_certificate(loaded->conf, name);

        choices[i].certificate = load(loaded, name, why);
        choices[i].names = certificate->names.items;
        choices[i].name_count = certificate->names.count;
        is_loaded = choices[i].certificate != NULL;
    }
    if (is_loaded)
        server = tls_server_new(&options, why);
    xfree(choices);
    return server;
}

/* ---- towards servers ---- */

const char *secure_server_name(const struct conf_pool_tls *tls, const struct conf_server *server)
{
    if (strcmp(tls->sni, "auto") != 0)
        return tls->sni;
    return server->address.kind == ADDRESS_UNIX ? NULL : server->address.host;
}

static uint64_t mix_content(uint64_t key, const struct conf_content *content)
{
    return hash_mix(key ^ hash_slice(&HASH_STABLE, content_slice(content)));
}

static uint64_t key_of(const struct configuration *conf, const struct conf_pool *pool)
{
    const struct conf_pool_tls *tls = &pool->tls;
    uint64_t key = hash_slice(&HASH_STABLE, slice_from(tls->sni)) + tls->verifies;
    const struct conf_certificate *shown =
        tls->client_certificate != NULL ? config_find_certificate(conf, tls->client_certificate)
                                        : NULL;

    key = mix_content(key + pool->protocol * 2u, &tls->ca);
    if (shown != NULL)
        key = mix_content(mix_content(key, &shown->chain), &shown->key);
    return key | 1; /* never that of clear text */
}

static struct tls_trust *trust(struct loaded *loaded, const struct conf_pool *pool,
                               struct error *why)
{
    const struct conf_pool_tls *conf = &pool->tls;
    struct tls_trust_options options = {.verifies = conf->verifies,
                                        .ca_pem = content_slice(&conf->ca),
                                        .asks_for_h2 = pool->protocol == PROTOCOL_H2};
    struct error cause = {0};
    struct tls_trust *made;

    if (conf->client_certificate != NULL) {
        options.certificate = load(loaded, conf->client_certificate, why);
        if (options.certificate == NULL)
            return NULL;
    }
    made = tls_trust_new(&options, &cause);
    if (made == NULL)
        error_set(why, ERROR_INVALID, "TLS of pool %s: %s", pool->name, cause.text);
    return made;
}

/* Who was believed as one name is not as another, whatever its address. */
static void key_servers(struct snapshot_pool *pool)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct conf_server *server = &pool->conf->servers[pool->server_conf[i]];
        const char *name = secure_server_name(&pool->conf->tls, server);
        uint64_t hash = name != NULL ? hash_slice(&HASH_STABLE, slice_from(name)) : 0;

        pool->server_trust_keys[i] = hash_mix(pool->trust_key ^ hash) | 1;
    }
}

/* ---- the admin listener ---- */

/* Without tickets: each handshake looks at the caller's certificate anew. */
static struct tls_server *make_admin(const struct conf_admin_tls *conf,
                                     const struct tls_certificate *certificate, struct error *why)
{
    struct tls_choice choice = {.certificate = certificate};
    struct tls_server_options options = {
        .name = "admin",
        .choices = &choice,
        .choice_count = 1,
        .profile = TLS_INTERMEDIATE,
        .alpn = TLS_ALPN_HTTP1,
    };
    struct error cause = {0};
    struct tls_server *made;

    if (conf->client_ca_file != NULL) {
        options.client_auth = TLS_CLIENT_AUTH_REQUEST;
        options.client_ca_pem = content_slice(&conf->client_ca);
    }
    made = tls_server_new(&options, &cause);
    if (made == NULL)
        error_set(why, ERROR_INVALID, "admin.tls (%s%s%s): %s", conf->cert_file,
                  conf->client_ca_file != NULL ? ", " : "",
                  conf->client_ca_file != NULL ? conf->client_ca_file : "", cause.text);
    return made;
}

static bool secure_admin(struct snapshot *snapshot, struct error *why)
{
    const struct conf_admin_tls *conf = &snapshot->conf->admin.tls;
    struct tls_certificate *certificate;
    struct error cause = {0};

    if (!snapshot->conf->admin.has_tls)
        return true;
    certificate =
        tls_certificate_load(content_slice(&conf->chain), content_slice(&conf->key), &cause);
    if (certificate == NULL) {
        error_set(why, ERROR_INVALID, "admin.tls (%s, %s): %s", conf->cert_file, conf->key_file,
                  cause.text);
        return false;
    }
    snapshot->admin_tls = make_admin(conf, certificate, why);
    tls_certificate_free(&certificate);
    return snapshot->admin_tls != NULL;
}

/* ---- the whole ---- */

static bool secure_listeners(struct snapshot *snapshot, struct loaded *loaded,
                             struct tls_tickets *tickets, struct error *why)
{
    for (size_t i = 0; i < snapshot->listener_count; i++) {
        struct snapshot_listener *listener = &snapshot->listeners[i];

        if (!listener->conf->has_tls)
            continue;
        listener->tls = make(loaded, listener->conf, tickets, why);
        if (listener->tls == NULL)
            return false;
    }
    return true;
}

static bool secure_pools(struct snapshot *snapshot, struct loaded *loaded, struct error *why)
{
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        struct snapshot_pool *pool = &snapshot->pools[i];

        if (!pool->conf->has_tls)
            continue;
        pool->trust = trust(loaded, pool->conf, why);
        pool->trust_key = key_of(snapshot->conf, pool->conf);
        if (pool->trust == NULL)
            return false;
        key_servers(pool);
    }
    return true;
}

bool secure_snapshot(struct snapshot *snapshot, const struct secure_means *means, struct error *why)
{
    struct loaded loaded = begin(snapshot->conf, means);
    bool ok = secure_listeners(snapshot, &loaded, means->tickets, why) &&
              secure_pools(snapshot, &loaded, why) && secure_admin(snapshot, why);

    drop(&loaded);
    return ok;
}

void secure_snapshot_like(struct snapshot *snapshot, const struct snapshot *same)
{
    CHECK(snapshot->listener_count == same->listener_count);
    CHECK(snapshot->pool_count == same->pool_count);
    for (size_t i = 0; i < snapshot->listener_count; i++)
        if (same->listeners[i].tls != NULL)
            snapshot->listeners[i].tls = tls_server_hold(same->listeners[i].tls);
    if (same->admin_tls != NULL)
        snapshot->admin_tls = tls_server_hold(same->admin_tls);
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        if (same->pools[i].trust == NULL)
            continue;
        snapshot->pools[i].trust = tls_trust_hold(same->pools[i].trust);
        snapshot->pools[i].trust_key = same->pools[i].trust_key;
        key_servers(&snapshot->pools[i]);
    }
}

void secure_free(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->listener_count; i++)
        tls_server_free(&snapshot->listeners[i].tls);
    for (size_t i = 0; i < snapshot->pool_count; i++)
        tls_trust_free(&snapshot->pools[i].trust);
    tls_server_free(&snapshot->admin_tls);
}
