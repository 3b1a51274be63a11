/*
 * renewals - see renewals.h.
 *
 * Owner    cli/serve.c      Threads  control
 */
#include "watch/renewals.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fingerprint.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/contents.h"
#include "config/model.h"
#include "tls/certificate.h"

enum { TEXT = 512, AGAIN_LOOKS = 15 };

enum verdict { SAME, TAKE, REFUSE };

struct watched {
    struct watched *next;
    char *name;
    uint64_t seen; /* what the files looked like at the last look; and what ran */
    uint64_t seen_with;
    uint64_t judged; /* the same, when they were judged */
    uint64_t judged_with;
    unsigned rests; /* looks until those that were refused are judged again */
    struct buffer chain, key;
    char why[TEXT]; /* why they are not taken up; "": they are what runs */
    bool is_named;
    bool is_taken; /* by the last look */
};

/* A chain and its key, as they are configured and as they run. */
struct pair {
    const char *name;
    const char *cert_file;
    const char *key_file;
    struct slice chain;
    struct slice key;
};

struct renewals {
    const char *configuration_directory;
    struct watched *all;
    struct ledger_renewal *taken;
};

struct renewals *renewals_new(const char *configuration_directory)
{
    struct renewals *renewals = xcalloc(1, sizeof(*renewals));

    renewals->configuration_directory = configuration_directory;
    return renewals;
}

static void forget(struct watched *watched)
{
    if (watched->key.data != NULL)
        explicit_bzero(watched->key.data, watched->key.room);
    buffer_fini(&watched->chain);
    buffer_fini(&watched->key);
    buffer_init(&watched->chain);
    buffer_init(&watched->key);
}

static void free_watched(struct watched *watched)
{
    forget(watched);
    xfree(watched->name);
    xfree(watched);
}

static void sweep(struct renewals *renewals, bool keeps_named)
{
    struct watched **at = &renewals->all;

    while (*at != NULL) {
        struct watched *watched = *at;

        if (keeps_named && watched->is_named) {
            at = &watched->next;
        } else {
            *at = watched->next;
            free_watched(watched);
        }
    }
}

void renewals_free(struct renewals **holder)
{
    struct renewals *renewals = TAKE_POINTER(holder);

    if (renewals == NULL)
        return;
    sweep(renewals, false);
    xfree(renewals->taken);
    xfree(renewals);
}

static struct watched *watched_of(struct renewals *renewals, const char *name)
{
    struct watched *watched = renewals->all;

    while (watched != NULL && strcmp(watched->name, name) != 0)
        watched = watched->next;
    if (watched != NULL)
        return watched;
    watched = xcalloc(1, sizeof(*watched));
    watched->name = xstrdup(name);
    buffer_init(&watched->chain);
    buffer_init(&watched->key);
    watched->next = renewals->all;
    renewals->all = watched;
    return watched;
}

/* ---- which files ---- */

static struct slice slice_of_content(const struct conf_content *content)
{
    return slice_of(content->bytes, content->count);
}

static struct pair pair_of_certificate(const struct conf_certificate *conf)
{
    return (struct pair){conf->name, conf->cert_file, conf->key_file,
                         slice_of_content(&conf->chain), slice_of_content(&conf->key)};
}

/* No certificate can have its name: names have no dots. */
static struct pair pair_of_admin(const struct conf_admin_tls *conf)
{
    return (struct pair){"admin.tls", conf->cert_file, conf->key_file,
                         slice_of_content(&conf->chain), slice_of_content(&conf->key)};
}

/* ---- what they look like ---- */

static uint64_t fingerprint_of(const struct pair *pair)
{
    return (fingerprint_file(pair->cert_file) + hash_mix(fingerprint_file(pair->key_file))) | 1;
}

static uint64_t hash_of_running(const struct pair *pair)
{
    return hash_slice(&HASH_STABLE, pair->chain) ^ hash_mix(hash_slice(&HASH_STABLE, pair->key));
}

/* ---- whether they may be taken up ---- */

static bool are_among(const char *const *some, size_t count, const char *const *all,
                      size_t all_count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;

        while (at < all_count && strcmp(some[i], all[at]) != 0)
            at++;
        if (at == all_count)
            return false;
    }
    return true;
}

static bool has_same_names(const struct tls_certificate_facts *a,
                           const struct tls_certificate_facts *b)
{
    return are_among(a->names, a->name_count, b->names, b->name_count) &&
           are_among(b->names, b->name_count, a->names, a->name_count);
}

static bool has_same_addresses(const struct tls_certificate_facts *a,
                               const struct tls_certificate_facts *b)
{
    return are_among(a->addresses, a->address_count, b->addresses, b->address_count) &&
           are_among(b->addresses, b->address_count, a->addresses, a->address_count);
}

/* NULL: they may; else why not, as the end of a sentence. */
static const char *compare(const struct tls_certificate_facts *runs,
                           const struct tls_certificate_facts *found, int64_t wall_ms)
{
    if (!has_same_names(runs, found))
        return "it is for other names";
    if (!has_same_addresses(runs, found))
        return "it is for other addresses";
    if (runs->kind != found->kind)
        return "it has another kind of key";
    if (!found->is_chain_in_order)
        return "its certificates are no chain: each is to be signed by the next";
    if (found->chain_count == 1 && runs->chain_count > 1)
        return "it comes without the certificates of its authority, which the one that runs has";
    if (!found->is_for_servers && runs->is_for_servers)
        return "its key is not for servers (extended key usage)";
    if (found->is_self_signed && !runs->is_self_signed)
        return "it is signed by itself";
    if (found->not_before_ms > wall_ms)
        return "it is not valid yet";
    if (found->not_after_ms <= wall_ms)
        return "it has expired";
    if (found->not_after_ms < runs->not_after_ms)
        return "it expires sooner than the one that runs";
    return NULL;
}

static bool is_trusted(const struct configuration *conf, const char *path)
{
    for (size_t i = 0; i < conf->listener_count; i++)
        if (conf->listeners[i].tls.client_auth.ca_file != NULL &&
            strcmp(conf->listeners[i].tls.client_auth.ca_file, path) == 0)
            return true;
    for (size_t i = 0; i < conf->pool_count; i++)
        if (conf->pools[i].has_tls && strcmp(conf->pools[i].tls.ca_file, path) == 0)
            return true;
    return conf->admin.has_tls && conf->admin.tls.client_ca_file != NULL &&
           strcmp(conf->admin.tls.client_ca_file, path) == 0;
}

static enum verdict judge_contents(struct watched *watched, const struct configuration *conf,
                                   const struct pair *one, int64_t wall_ms)
{
    struct error why = {0};
    struct tls_certificate *found =
        tls_certificate_load(buffer_slice(&watched->chain), buffer_slice(&watched->key), &why);
    struct tls_certificate *runs = tls_certificate_load_public(one->chain, NULL);
    const char *unlike =
        found == NULL || runs == NULL || !tls_certificate_can_be_shown(found, &why) ? why.text
        : is_trusted(conf, one->cert_file)
            ? "its file is trusted too"
            : compare(tls_certificate_facts(runs), tls_certificate_facts(found), wall_ms);

    (void)snprintf(watched->why, sizeof(watched->why), "%s", unlike != NULL ? unlike : "");
    tls_certificate_free(&found);
    tls_certificate_free(&runs);
    return unlike != NULL ? REFUSE : TAKE;
}

static enum verdict judge(const struct renewals *renewals, struct watched *watched,
                          const struct configuration *conf, const struct pair *one, int64_t wall_ms)
{
    struct contents_roots roots = {&conf->process.file_roots, renewals->configuration_directory};
    const char *why = contents_from_disk(&roots, one->cert_file, false, &watched->chain);
    const char *path = one->cert_file;

    if (why == NULL) {
        why = contents_from_disk(&roots, one->key_file, true, &watched->key);
        path = one->key_file;
    }
    if (why != NULL) {
        (void)snprintf(watched->why, sizeof(watched->why), "%s cannot be read: %s", path, why);
        return REFUSE;
    }
    if (slice_equal(buffer_slice(&watched->chain), one->chain) &&
        slice_equal(buffer_slice(&watched->key), one->key))
        return SAME;
    return judge_contents(watched, conf, one, wall_ms);
}

static void take(struct renewals *renewals, struct watched *watched, const struct pair *one,
                 size_t *count)
{
    struct tls_certificate *found =
        tls_certificate_load_public(buffer_slice(&watched->chain), NULL);

    watched->is_taken = true;
    renewals->taken = xrealloc(renewals->taken, (*count + 1) * sizeof(*renewals->taken));
    renewals->taken[(*count)++] = (struct ledger_renewal){
        .name = one->name,
        .cert_file = one->cert_file,
        .key_file = one->key_file,
        .old_chain = one->chain,
        .old_key = one->key,
        .chain = buffer_slice(&watched->chain),
        .key = buffer_slice(&watched->key),
        .not_after_ms = tls_certificate_facts(found)->not_after_ms,
    };
    tls_certificate_free(&found);
}

static void refuse(struct watched *watched, const struct pair *one)
{
    log_event(EV_CERTIFICATE_REFUSED, LOG_TEXT("certificate", watched->name),
              LOG_TEXT("file", one->cert_file), LOG_TEXT("why", watched->why));
}

/* ---- a look ---- */

/* What stood in the way may have gone by itself: who may read the file, a time that has come. */
static bool is_due(struct watched *watched)
{
    if (watched->seen != watched->judged || watched->seen_with != watched->judged_with)
        return true;
    if (watched->why[0] == '\0')
        return false;
    if (watched->rests > 0)
        watched->rests--;
    return watched->rests == 0;
}

static void note_judged(struct watched *watched)
{
    watched->judged = watched->seen;
    watched->judged_with = watched->seen_with;
    watched->rests = AGAIN_LOOKS;
}

static void look(struct renewals *renewals, const struct configuration *conf,
                 const struct pair *one, int64_t wall_ms, size_t *count)
{
    struct watched *watched = watched_of(renewals, one->name);
    uint64_t now = fingerprint_of(one);
    bool has_settled = now == watched->seen;
    bool is_news = now != watched->judged;
    char before[TEXT];
    enum verdict verdict;

    watched->is_named = true;
    watched->seen = now;
    watched->seen_with = hash_of_running(one);
    if (!has_settled || !is_due(watched))
        return;
    (void)snprintf(before, sizeof(before), "%s", watched->why);
    verdict = judge(renewals, watched, conf, one, wall_ms);
    if (fingerprint_of(one) != now) { /* written to while it was read: at the next look */
        forget(watched);
        return;
    }
    if (verdict == TAKE) {
        take(renewals, watched, one, count);
        return; /* it is the same, once it runs */
    }
    note_judged(watched);
    if (verdict == SAME)
        watched->why[0] = '\0';
    else if (is_news || strcmp(before, watched->why) != 0)
        refuse(watched, one);
    forget(watched);
}

const struct ledger_renewal *renewals_look(struct renewals *renewals,
                                           const struct configuration *running, int64_t wall_ms,
                                           size_t *count_out)
{
    bool is_on = running->policy.certificate_watch;

    ON_CONTROL();
    *count_out = 0;
    for (struct watched *watched = renewals->all; watched != NULL; watched = watched->next) {
        watched->is_named = watched->is_taken = false;
        forget(watched);
    }
    for (size_t i = 0; is_on && i < running->certificate_count; i++) {
        struct pair pair = pair_of_certificate(&running->certificates[i]);

        look(renewals, running, &pair, wall_ms, count_out);
    }
    if (is_on && running->admin.has_tls) {
        struct pair pair = pair_of_admin(&running->admin.tls);

        look(renewals, running, &pair, wall_ms, count_out);
    }
    sweep(renewals, true);
    return renewals->taken;
}

void renewals_failed(struct renewals *renewals, const char *why)
{
    for (struct watched *watched = renewals->all; watched != NULL; watched = watched->next) {
        if (!watched->is_taken)
            continue;
        watched->is_taken = false;
        note_judged(watched);
        (void)snprintf(watched->why, sizeof(watched->why), "%s", why);
    }
}

void renewals_add_alerts(const struct renewals *renewals, json_t *list)
{
    for (const struct watched *watched = renewals->all; watched != NULL; watched = watched->next) {
        if (watched->why[0] == '\0')
            continue;
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:o, s:s}", "name", "CertificateRefused", "severity",
                      "ticket", "certificate", watched->name, "summary",
                      json_sprintf("the renewed files of certificate %s are not taken up: %s",
                                   watched->name, watched->why),
                      "description",
                      "What ran goes on. Put files there that differ in nothing but their time, or "
                      "submit a change: it takes what the files hold."));
    }
}
