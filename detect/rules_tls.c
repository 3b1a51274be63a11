/*
 * rules_tls - the T rules: certificates, as far as what their files hold has been read.
 *
 * Owner    nobody      Threads  any
 */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/load.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "tls/certificate.h"

enum { DAY_MS = 24 * 3600 * 1000, SOON_DAYS = 14 };

static struct slice slice_of_content(const struct conf_content *content)
{
    return slice_of(content->bytes, content->count);
}

/* NULL: its files were not read, which is said, or it is no certificate, which T002 says. */
static struct tls_certificate *load(struct detect_run *run, const char *section,
                                    const struct conf_certificate *conf, struct error *why)
{
    if (conf->chain.bytes == NULL || conf->key.bytes == NULL) {
        detect_report_unknown(run, AT(section, conf->name),
                              "unknown: its files are read when a change is submitted");
        return NULL;
    }
    return tls_certificate_load(slice_of_content(&conf->chain), slice_of_content(&conf->key), why);
}

/* That of the admin listener as one of the section; false: it has none. */
static bool of_admin(const struct configuration *conf, struct conf_certificate *out)
{
    const struct conf_admin_tls *tls = &conf->admin.tls;

    if (!conf->admin.has_tls)
        return false;
    *out = (struct conf_certificate){.name = "tls",
                                     .cert_file = tls->cert_file,
                                     .key_file = tls->key_file,
                                     .chain = tls->chain,
                                     .key = tls->key};
    return true;
}

#define FOR_CERTIFICATES(run, one)                                                                 \
    FOR_EACH(conf_certificate, one, (run)->conf->certificates, (run)->conf->certificate_count)

/* ---- T001 ---- */

static void check_time(struct detect_run *run, const char *section,
                       const struct conf_certificate *conf)
{
    struct tls_certificate *certificate = load(run, section, conf, NULL);
    const struct tls_certificate_facts *facts;
    int64_t now_ms = run->subject->now_ms;
    int64_t left_ms;

    if (certificate == NULL)
        return;
    facts = tls_certificate_facts(certificate);
    left_ms = facts->not_after_ms - now_ms;
    if (left_ms <= 0)
        detect_report(run, AT(section, conf->name, "cert_file"),
                      "it, or one of its chain, expired %lld days ago",
                      (long long)(-left_ms / DAY_MS));
    else if (facts->not_before_ms > now_ms)
        detect_report(run, AT(section, conf->name, "cert_file"), "it is valid in %lld days only",
                      (long long)((facts->not_before_ms - now_ms + DAY_MS - 1) / DAY_MS));
    else if (left_ms < (int64_t)SOON_DAYS * DAY_MS)
        detect_report_as(run, FINDING_WARNING, AT(section, conf->name, "cert_file"),
                         "it, or one of its chain, expires in %lld days",
                         (long long)(left_ms / DAY_MS));
    tls_certificate_free(&certificate);
}

void certificate_expires(struct detect_run *run)
{
    struct conf_certificate admin;

    if (run->subject->now_ms == 0)
        return;
    FOR_CERTIFICATES(run, one)
    check_time(run, "certificates", one);
    if (of_admin(run->conf, &admin))
        check_time(run, "admin", &admin);
}

/* ---- T002 ---- */

static void check_sound(struct detect_run *run, const char *section,
                        const struct conf_certificate *conf)
{
    struct error why = {0};
    struct tls_certificate *certificate = load(run, section, conf, &why);

    if ((certificate == NULL && why.text[0] != '\0') ||
        (certificate != NULL && !tls_certificate_can_be_shown(certificate, &why)))
        detect_report(run, AT(section, conf->name), "%s", why.text);
    else if (certificate != NULL && !tls_certificate_facts(certificate)->is_chain_in_order)
        detect_report_as(run, FINDING_WARNING, AT(section, conf->name, "cert_file"),
                         "its %zu certificates are no chain: each is to be signed by the next",
                         tls_certificate_facts(certificate)->chain_count);
    tls_certificate_free(&certificate);
}

/* Who may have signed the certificates of people. */
static void check_admin_ca(struct detect_run *run)
{
    const struct conf_admin_tls *tls = &run->conf->admin.tls;
    struct tls_certificate *ca;
    struct error why = {0};

    if (tls->client_ca.bytes == NULL)
        return;
    ca = tls_certificate_load_public(slice_of_content(&tls->client_ca), &why);
    if (ca == NULL)
        detect_report(run, AT("admin", "tls", "client_ca_file"), "%s", why.text);
    tls_certificate_free(&ca);
}

void certificate_is_no_good(struct detect_run *run)
{
    struct conf_certificate admin;

    FOR_CERTIFICATES(run, one)
    check_sound(run, "certificates", one);
    if (of_admin(run->conf, &admin))
        check_sound(run, "admin", &admin);
    check_admin_ca(run);
}

/* ---- T003 ---- */

static bool list_covers(const char *const *names, size_t count, const char *host)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], host) == 0 || tls_name_covers(names[i], slice_from(host)))
            return true;
    return false;
}

/* Certificates in the order of the section, each loaded once for all hosts; NULL: not looked at, or
 * not known. */
struct loaded {
    const struct configuration *conf;
    struct tls_certificate **certificates;
};

static struct loaded load_all(const struct configuration *conf)
{
    struct loaded loaded = {conf,
                            xcalloc(conf->certificate_count + 1, sizeof(*loaded.certificates))};

    for (size_t i = 0; i < conf->certificate_count; i++) {
        const struct conf_certificate *one = &conf->certificates[i];

        if (one->names.count == 0 && one->chain.bytes != NULL)
            loaded.certificates[i] =
                tls_certificate_load_public(slice_of_content(&one->chain), NULL);
    }
    return loaded;
}

static void free_all(struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->conf->certificate_count; i++)
        tls_certificate_free(&loaded->certificates[i]);
    xfree(loaded->certificates);
}

/* True too where it cannot be known. */
static bool certificate_covers(const struct loaded *loaded, const struct conf_certificate *conf,
                               const char *host)
{
    const struct tls_certificate *certificate =
        loaded->certificates[conf - loaded->conf->certificates];

    if (conf->names.count > 0)
        return list_covers(conf->names.items, conf->names.count, host);
    return certificate == NULL || list_covers(tls_certificate_facts(certificate)->names,
                                              tls_certificate_facts(certificate)->name_count, host);
}

static bool listener_covers(const struct loaded *loaded, const struct conf_listener *listener,
                            const char *host)
{
    const struct conf_strings *names = &listener->tls.certificates;

    for (size_t i = 0; i < names->count; i++) {
        const struct conf_certificate *one = config_find_certificate(loaded->conf, names->items[i]);

        if (one == NULL || certificate_covers(loaded, one, host))
            return true;
    }
    return false;
}

static bool arrives_at(const struct conf_route *route, const struct conf_listener *listener)
{
    return route->scheme != SCHEME_HTTP && listener->has_tls &&
           (route->listeners.count == 0 || detect_has_text(&route->listeners, listener->name));
}

void host_has_no_certificate(struct detect_run *run)
{
    struct loaded loaded = load_all(run->conf);

    FOR_ROUTES(run, route)
    FOR_LISTENERS(run, listener)
    for (size_t i = 0; i < route->hosts.count && arrives_at(route, listener); i++)
        if (!listener_covers(&loaded, listener, route->hosts.items[i]))
            detect_report(run, AT("routes", route->name, "hosts"),
                          "%s arrives at listener %s, whose %zu certificates are for other names",
                          route->hosts.items[i], listener->name, listener->tls.certificates.count);
    free_all(&loaded);
}

/* ---- T004 ---- */

void servers_are_not_verified(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    if (pool->has_tls && !pool->tls.verifies)
        detect_report(run, AT("pools", pool->name, "tls", "verify"),
                      "any certificate will do for its %zu servers", pool->server_count);
}

/* ---- T005 ---- */

/* Which certificate both show to clients of HTTP/2 that take them for one; NULL: none. */
static const char *shared_certificate(const struct conf_listener *a, const struct conf_listener *b)
{
    if (!a->has_tls || !b->has_tls || (a->tls.alpn & b->tls.alpn & CONF_ALPN_H2) == 0 ||
        a->address.port == 0 || a->address.port != b->address.port)
        return NULL;
    for (size_t i = 0; i < a->tls.certificates.count; i++)
        if (detect_has_text(&b->tls.certificates, a->tls.certificates.items[i]))
            return a->tls.certificates.items[i];
    return NULL;
}

/* A route for one of the two; NULL: none. */
static const struct conf_route *route_of_one(struct detect_run *run, const struct conf_listener *a,
                                             const struct conf_listener *b)
{
    FOR_ROUTES(run, route)
    if (arrives_at(route, a) != arrives_at(route, b))
        return route;
    return NULL;
}

void clients_take_the_wrong_listener(struct detect_run *run)
{
    FOR_LISTENERS(run, a)
    for (const struct conf_listener *b = a + 1; b < a_end; b++) {
        const char *certificate = shared_certificate(a, b);
        const struct conf_route *route = certificate != NULL ? route_of_one(run, a, b) : NULL;

        if (route != NULL)
            detect_report(run, AT("listeners", b->name, "tls", "certificates"),
                          "%s is shown by listener %s too, and route %s is for one of the two only",
                          certificate, a->name, route->name);
    }
}

/* ---- T006 ---- */

static void compare_authorities(struct detect_run *run, const struct conf_listener *before,
                                const struct conf_listener *after)
{
    const struct conf_client_auth *was = &before->tls.client_auth;
    const struct conf_client_auth *is = &after->tls.client_auth;

    if (!before->has_tls || !after->has_tls || was->mode == CLIENT_AUTH_OFF ||
        is->mode != CLIENT_AUTH_REQUIRE)
        return;
    if (was->ca.bytes == NULL || is->ca.bytes == NULL)
        detect_report_unknown(run, AT("listeners", after->name, "tls", "client_auth", "ca_file"),
                              "unknown: the file is read when a change is submitted");
    else if (!tls_certificates_overlap(slice_of_content(&was->ca), slice_of_content(&is->ca)))
        detect_report(run, AT("listeners", after->name, "tls", "client_auth", "ca_file"),
                      "%s has none of the authorities that signed the certificates of today's "
                      "clients",
                      is->ca_file);
}

/* Tokens go on: certificates are never required of people. */
static void compare_admin(struct detect_run *run)
{
    const struct conf_admin_tls *was = &run->base->admin.tls;
    const struct conf_admin_tls *is = &run->conf->admin.tls;

    if (was->client_ca_file == NULL || is->client_ca_file == NULL)
        return;
    if (was->client_ca.bytes == NULL || is->client_ca.bytes == NULL)
        detect_report_unknown(run, AT("admin", "tls", "client_ca_file"),
                              "unknown: the file is read when a change is submitted");
    else if (!tls_certificates_overlap(slice_of_content(&was->client_ca),
                                       slice_of_content(&is->client_ca)))
        detect_report(run, AT("admin", "tls", "client_ca_file"),
                      "%s has none of the authorities that signed the certificates of people: "
                      "with those they can no longer call the admin API",
                      is->client_ca_file);
}

void clients_are_refused(struct detect_run *run)
{
    compare_admin(run);
    FOR_LISTENERS(run, listener)
    {
        const struct conf_listener *before = detect_listener(run->base, listener->name);

        if (before != NULL)
            compare_authorities(run, before, listener);
    }
}

/* ---- T007 ---- */

void weak_versions(struct detect_run *run)
{
    FOR_LISTENERS(run, listener)
    if (listener->has_tls && listener->tls.profile == TLS_PROFILE_OLD)
        detect_report(run, AT("listeners", listener->name, "tls", "profile"),
                      "\"old\" takes cipher suites without forward secrecy");
}
