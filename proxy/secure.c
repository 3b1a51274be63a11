/*
 * secure - see secure.h.
 *
 * Owner    the snapshot      Threads  control
 */
#include "proxy/secure.h"

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "tls/certificate.h"
#include "tls/context.h"

/* Loaded once each, however many listeners show them. */
struct loaded {
    const struct configuration *conf;
    struct tls_certificate **certificates; /* by their place in the configuration */
};

static struct slice content_slice(const struct conf_content *content)
{
    return content->bytes != NULL ? slice_of(content->bytes, content->count) : SLICE("");
}

static const struct tls_certificate *load(struct loaded *loaded, const char *name,
                                          struct error *why)
{
    const struct conf_certificate *conf = config_find_certificate(loaded->conf, name);
    size_t index;
    struct error cause = {0};

    CHECK(conf != NULL); /* validation saw to it */
    index = (size_t)(conf - loaded->conf->certificates);
    if (loaded->certificates[index] == NULL)
        loaded->certificates[index] =
            tls_certificate_load(content_slice(&conf->chain), content_slice(&conf->key), &cause);
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

static struct loaded begin(const struct configuration *conf)
{
    return (struct loaded){
        .conf = conf,
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
        .alpn = TLS_ALPN_HTTP1,
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

bool secure_listeners(struct snapshot *snapshot, struct tls_tickets *tickets, struct error *why)
{
    struct loaded loaded = begin(snapshot->conf);
    bool ok = true;

    for (size_t i = 0; i < snapshot->listener_count && ok; i++) {
        struct snapshot_listener *listener = &snapshot->listeners[i];

        if (listener->conf->has_tls)
            listener->tls = make(&loaded, listener->conf, tickets, why);
        ok = !listener->conf->has_tls || listener->tls != NULL;
    }
    drop(&loaded);
    return ok;
}

void secure_listeners_like(struct snapshot *snapshot, const struct snapshot *same)
{
    CHECK(snapshot->listener_count == same->listener_count);
    for (size_t i = 0; i < snapshot->listener_count; i++)
        if (same->listeners[i].tls != NULL)
            snapshot->listeners[i].tls = tls_server_hold(same->listeners[i].tls);
}

void secure_free(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->listener_count; i++)
        tls_server_free(&snapshot->listeners[i].tls);
}

bool secure_check(const struct configuration *conf, struct error *why)
{
    struct loaded loaded = begin(conf);
    bool ok = true;

    for (size_t i = 0; i < conf->certificate_count && ok; i++)
        ok = load(&loaded, conf->certificates[i].name, why) != NULL;
    drop(&loaded);
    return ok;
}
