/*
 * validate - references, addresses and sums across a configuration.
 *
 * Owner    nobody      Threads  one at a time
 */
#include "config/validate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/document.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "config/pointer.h"
#include "config/suggest.h"
#include "config/text.h"

enum { SUGGESTIONS_MAX = 200 };

struct validation {
    struct configuration *conf;
    const struct documents *documents;
    struct findings *findings;
    struct pointer pointer;
    size_t suggestions; /* looked for; each costs a pass over all names */
};

/* A finding at /section/name/a/b; parts that are NULL are left out. */
static void report(struct validation *v, enum finding_severity severity, const char *rule,
                   const char *const path[7], const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void report(struct validation *v, enum finding_severity severity, const char *rule,
                   const char *const path[7], const char *format, ...)
{
    char message[1024];
    const char *file = NULL;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    v->pointer.depth = 0;
    for (size_t i = 0; i < 7 && path[i] != NULL; i++)
        pointer_push(&v->pointer, path[i]);
    if (v->documents != NULL && path[0] != NULL)
        file = documents_file_of(v->documents, path[0], path[1] != NULL ? path[1] : "");
    finding_add(v->findings, severity, rule, file, pointer_text(&v->pointer), "%s", message);
}

#define AT(...) ((const char *const[7]){__VA_ARGS__})

/* ---- addresses ---- */

static bool same_ip(const struct conf_address *a, const struct conf_address *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Could not both be bound at once. */
static bool is_overlap(const struct conf_address *a, const struct conf_address *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == ADDRESS_UNIX)
        return strcmp(a->host, b->host) == 0;
    if (a->port != b->port || a->is_ipv6 != b->is_ipv6)
        return false;
    return same_ip(a, b) || text_is_any_address(a) || text_is_any_address(b);
}

/* A connection to `server` would arrive at `listener`. */
static bool leads_to(const struct conf_address *server, const struct conf_address *listener)
{
    if (server->kind == ADDRESS_UNIX || listener->kind == ADDRESS_UNIX)
        return server->kind == listener->kind && strcmp(server->host, listener->host) == 0;
    if (server->port != listener->port || server->port == 0)
        return false;
    if (server->kind == ADDRESS_NAME)
        return text_is_loopback(server) &&
               (text_is_loopback(listener) || text_is_any_address(listener));
    if (text_is_any_address(server))
        return text_is_any_address(listener) || text_is_loopback(listener);
    return same_ip(server, listener) || (text_is_any_address(listener) && text_is_loopback(server));
}

/* The first of `others` at the same address, one finding for each listener at most. */
static const struct conf_listener *overlapping(const struct conf_listener *one,
                                               const struct conf_listener *others, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (others[i].address.text != NULL && is_overlap(&one->address, &others[i].address))
            return &others[i];
    return NULL;
}

static void check_listener_addresses(struct validation *v)
{
    const struct configuration *conf = v->conf;

    for (size_t i = 0; i < conf->listener_count; i++) {
        const struct conf_listener *one = &conf->listeners[i];
        const struct conf_listener *other;

        if (one->address.text == NULL)
            continue;
        other = overlapping(one, conf->listeners, i);
        if (other != NULL)
            report(v, FINDING_BLOCK, "R008", AT("listeners", one->name, "address"),
                   "%s is taken by listener %s (%s)", one->address.text, other->name,
                   other->address.text);
        if (is_overlap(&one->address, &conf->admin.listen))
            report(v, FINDING_BLOCK, "R008", AT("listeners", one->name, "address"),
                   "%s is taken by admin.listen (%s)", one->address.text, conf->admin.listen.text);
    }
}

static void check_admin(struct validation *v)
{
    const struct conf_address *listen = &v->conf->admin.listen;

    if (listen->kind == ADDRESS_UNIX)
        report(v, FINDING_BLOCK, "config", AT("admin", "listen"),
               "%s is not an IP address and port (a Unix socket goes into \"socket\")",
               listen->text);
    else if (!text_is_loopback(listen) && !v->conf->admin.has_tls)
        report(v, FINDING_BLOCK, "S001", AT("admin", "listen"),
               "%s is not a loopback address, and without admin.tls tokens would cross the network "
               "in the clear (127.0.0.1 or [::1], or TLS)",
               listen->text);
    else if (!text_is_loopback(listen) && v->conf->person_count == 0)
        report(v, FINDING_BLOCK, "S001", AT("admin", "listen"),
               "%s is not a loopback address, and nobody is configured: there would be nobody to "
               "let in from elsewhere (people, or 127.0.0.1 or [::1])",
               listen->text);
}

/* Nobody can show a certificate that nobody may have signed. */
static void check_certificate_names(struct validation *v)
{
    const struct configuration *conf = v->conf;

    if (conf->admin.tls.client_ca_file != NULL)
        return;
    for (size_t i = 0; i < conf->person_count; i++)
        if (conf->people[i].certificate_names.count > 0)
            report(v, FINDING_WARNING, "config",
                   AT("people", conf->people[i].name, "certificate_names"),
                   "has no effect: admin.tls has no client_ca_file, so that nobody is asked for a "
                   "certificate");
}

static void check_loop(struct validation *v, const struct conf_pool *pool,
                       const struct conf_server *server)
{
    const struct configuration *conf = v->conf;

    if (server->address.text == NULL)
        return;
    for (size_t i = 0; i < conf->listener_count; i++) {
        const struct conf_listener *listener = &conf->listeners[i];

        if (listener->address.text == NULL || !leads_to(&server->address, &listener->address))
            continue;
        report(v, FINDING_BLOCK, "R007",
               AT("pools", pool->name, "servers", server->name, "address"),
               "%s is twokey's own listener %s (%s): requests would go round in circles",
               server->address.text, listener->name, listener->address.text);
        break;
    }
    if (leads_to(&server->address, &conf->admin.listen))
        report(v, FINDING_BLOCK, "R007",
               AT("pools", pool->name, "servers", server->name, "address"),
               "%s is twokey's own admin listener, which must not be reachable through it",
               server->address.text);
}

/* ---- pools ---- */

static void check_ceiling(struct validation *v, const struct conf_pool *pool)
{
    size_t primaries = 0;

    for (size_t i = 0; i < pool->server_count; i++)
        primaries += !pool->servers[i].is_backup;
    if (pool->max_share_percent > 0 && primaries > 0 && primaries * pool->max_share_percent < 100)
        report(v, FINDING_WARNING, "config", AT("pools", pool->name, "max_share_percent"),
               "%u %% for each of %zu servers does not add up to 100 %%: the rest of the requests "
               "goes to them all the same",
               pool->max_share_percent, primaries);
}

static void check_pools(struct validation *v)
{
    const struct configuration *conf = v->conf;

    for (size_t i = 0; i < conf->pool_count; i++) {
        const struct conf_pool *pool = &conf->pools[i];

        for (size_t j = 0; j < pool->server_count; j++)
            check_loop(v, pool, &pool->servers[j]);
        check_ceiling(v, pool);
    }
}

/* ---- routes ---- */

/* "; did you mean "shop"?", or nothing. */
static const char *suggest(struct validation *v, const char *name, const void *items, size_t count,
                           size_t item_bytes, char out[128])
{
    struct suggestion suggestion;

    out[0] = '\0';
    if (v->suggestions++ >= SUGGESTIONS_MAX)
        return out;
    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < count; i++)
        suggestion_offer(&suggestion, *(const char *const *)(const void *)((const char *)items +
                                                                           i * item_bytes));
    if (suggestion.best != NULL)
        (void)snprintf(out, 128, "; did you mean \"%s\"?", suggestion.best);
    return out;
}

/* The pool's index; CONFIG_NONE and a finding when there is none. */
static int resolve_pool(struct validation *v, const char *name, const char *const path[7])
{
    int pool = config_find_pool(v->conf, name);
    char hint[128];

    if (pool == CONFIG_NONE)
        report(
            v, FINDING_BLOCK, "R004", path, "there is no pool \"%s\"%s", name,
            suggest(v, name, v->conf->pools, v->conf->pool_count, sizeof(struct conf_pool), hint));
    return pool;
}

static void resolve_listeners(struct validation *v, const struct conf_route *route)
{
    char hint[128];

    for (size_t i = 0; i < route->listeners.count; i++) {
        const char *name = route->listeners.items[i];

        if (config_find_listener(v->conf, name) == CONFIG_NONE)
            report(v, FINDING_BLOCK, "R004", AT("routes", route->name, "listeners"),
                   "there is no listener \"%s\"%s", name,
                   suggest(v, name, v->conf->listeners, v->conf->listener_count,
                           sizeof(struct conf_listener), hint));
    }
}

static void resolve_route(struct validation *v, struct conf_route *route)
{
    route->pool = CONFIG_NONE;
    if (route->action == ACTION_POOL && route->pool_name != NULL)
        route->pool = resolve_pool(v, route->pool_name, AT("routes", route->name, "pool"));
    for (size_t i = 0; i < route->split_count; i++)
        route->split[i].pool =
            resolve_pool(v, route->split[i].pool_name,
                         AT("routes", route->name, "split", route->split[i].pool_name));
    resolve_listeners(v, route);
}

/* ---- TLS ---- */

static void check_identity_header(struct validation *v, const struct conf_listener *listener,
                                  const char *key, const char *name)
{
    char lowered[64];
    const char *why;
    size_t i;

    if (name == NULL)
        return;
    for (i = 0; name[i] != '\0' && i + 1 < sizeof(lowered); i++)
        lowered[i] = ascii_lower(name[i]);
    lowered[i] = '\0';
    why = name[i] != '\0' ? "is too long (at most 63)" : text_check_editable_field(lowered);
    if (why != NULL)
        report(v, FINDING_BLOCK, "config",
               AT("listeners", listener->name, "tls", "client_auth", "headers", key), "\"%s\" %s",
               name, why);
}

static void check_tls(struct validation *v, const struct conf_listener *listener)
{
    const struct conf_listener_tls *tls = &listener->tls;
    char item[24];
    char hint[128];

    for (size_t i = 0; i < tls->certificates.count; i++) {
        const char *name = tls->certificates.items[i];

        (void)snprintf(item, sizeof(item), "%zu", i);
        if (config_find_certificate(v->conf, name) == NULL)
            report(v, FINDING_BLOCK, "R004",
                   AT("listeners", listener->name, "tls", "certificates", item),
                   "there is no certificate \"%s\"%s", name,
                   suggest(v, name, v->conf->certificates, v->conf->certificate_count,
                           sizeof(struct conf_certificate), hint));
    }
    if (tls->certificates.count == 0)
        report(v, FINDING_BLOCK, "config", AT("listeners", listener->name, "tls", "certificates"),
               "there is none: nobody could be sure whom he speaks to");
    if (tls->client_auth.mode != CLIENT_AUTH_OFF && tls->client_auth.ca_file == NULL)
        report(v, FINDING_BLOCK, "config", AT("listeners", listener->name, "tls", "client_auth"),
               "has no \"ca_file\": who may have signed the certificates of clients");
    check_identity_header(v, listener, "subject", tls->client_auth.headers.subject);
    check_identity_header(v, listener, "fingerprint", tls->client_auth.headers.fingerprint);
    check_identity_header(v, listener, "serial", tls->client_auth.headers.serial);
}

static bool is_host_or_address(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:", *c) ==
            NULL)
            return false;
    return text[0] != '\0';
}

static void check_pool_tls(struct validation *v, const struct conf_pool *pool)
{
    const struct conf_pool_tls *tls = &pool->tls;
    char hint[128];

    if (!is_host_or_address(tls->sni))
        report(v, FINDING_BLOCK, "config", AT("pools", pool->name, "tls", "sni"),
               "\"%s\" is neither a host nor an address, nor \"auto\"", tls->sni);
    if (tls->client_certificate != NULL &&
        config_find_certificate(v->conf, tls->client_certificate) == NULL)
        report(v, FINDING_BLOCK, "R004", AT("pools", pool->name, "tls", "client_certificate"),
               "there is no certificate \"%s\"%s", tls->client_certificate,
               suggest(v, tls->client_certificate, v->conf->certificates,
                       v->conf->certificate_count, sizeof(struct conf_certificate), hint));
}

/* ---- alerts ---- */

/* Alertmanager's own path comes behind it. */
static void check_alertmanagers(struct validation *v)
{
    const struct conf_strings *urls = &v->conf->observe.alertmanagers;
    char item[24];

    for (size_t i = 0; i < urls->count; i++) {
        (void)snprintf(item, sizeof(item), "%zu", i);
        if (strchr(urls->items[i], '?') != NULL)
            report(v, FINDING_BLOCK, "config", AT("observe", "alerts", "alertmanager", item),
                   "\"%s\" has a query (name what stands before /api/v2/alerts: "
                   "\"http://alerts.internal:9093\")",
                   urls->items[i]);
    }
}

void validate_configuration(struct configuration *configuration, const struct documents *documents,
                            struct findings *findings)
{
    struct validation v = {.conf = configuration, .documents = documents, .findings = findings};

    pointer_init(&v.pointer);
    if (configuration->listener_count == 0)
        report(&v, FINDING_WARNING, "config", AT("listeners"),
               "there is no listener: nothing is served");
    check_listener_addresses(&v);
    check_admin(&v);
    check_certificate_names(&v);
    for (size_t i = 0; i < configuration->listener_count; i++)
        if (configuration->listeners[i].has_tls)
            check_tls(&v, &configuration->listeners[i]);
    for (size_t i = 0; i < configuration->pool_count; i++)
        if (configuration->pools[i].has_tls)
            check_pool_tls(&v, &configuration->pools[i]);
    check_pools(&v);
    check_alertmanagers(&v);
    for (size_t i = 0; i < configuration->route_count; i++)
        resolve_route(&v, &configuration->routes[i]);
    pointer_fini(&v.pointer);
}
