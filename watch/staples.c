/*
 * staples - see staples.h.
 *
 * Owner    cli/serve.c      Threads  control
 */
#include "watch/staples.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fingerprint.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/contents.h"
#include "config/model.h"
#include "tls/certificate.h"
#include "tls/staple.h"

enum { TEXT = 512, AGAIN_LOOKS = 15 };

/* One file, for one certificate: two configurations may have two of one name. */
struct entry {
    struct entry *next;
    uint64_t key; /* of name, path and chain */
    char *name;
    char *path;
    uint64_t fingerprint; /* of the file when it was last read; 0: it was not there */
    struct buffer der;    /* that is shown; empty: nothing is */
    struct tls_staple_facts facts;
    char why[TEXT]; /* why what the file holds now is not shown; "": it is */
    unsigned rests; /* looks until one that was refused is read again */
    bool is_revoked;
    bool has_been_read;
    bool is_news; /* what is judged has not been before */
    bool is_running;
    bool is_named; /* by what runs, or is tried */
};

struct staples {
    const char *configuration_directory;
    const struct conf_strings *roots; /* of the configuration that is looked at; borrowed */
    int64_t wall_ms;
    struct entry *entries;
    bool is_stale; /* staples_for() met news of what runs: that must be made again */
};

struct staples *staples_new(const char *configuration_directory)
{
    struct staples *staples = xcalloc(1, sizeof(*staples));

    staples->configuration_directory = configuration_directory;
    return staples;
}

static void free_entry(struct entry *entry)
{
    buffer_fini(&entry->der);
    xfree(entry->name);
    xfree(entry->path);
    xfree(entry);
}

void staples_free(struct staples **holder)
{
    struct staples *staples = TAKE_POINTER(holder);

    if (staples == NULL)
        return;
    while (staples->entries != NULL) {
        struct entry *entry = staples->entries;

        staples->entries = entry->next;
        free_entry(entry);
    }
    xfree(staples);
}

/* ---- one file ---- */

static uint64_t key_of(const struct conf_certificate *conf)
{
    return hash_slice(&HASH_STABLE, slice_from(conf->name)) +
           hash_mix(
               hash_slice(&HASH_STABLE, slice_from(conf->ocsp_file)) +
               hash_mix(hash_slice(&HASH_STABLE, slice_of(conf->chain.bytes, conf->chain.count))));
}

static struct entry *entry_of(struct staples *staples, const struct conf_certificate *conf)
{
    uint64_t key = key_of(conf);
    struct entry *entry = staples->entries;

    while (entry != NULL && entry->key != key)
        entry = entry->next;
    if (entry != NULL)
        return entry;
    entry = xcalloc(1, sizeof(*entry));
    entry->key = key;
    entry->name = xstrdup(conf->name);
    entry->path = xstrdup(conf->ocsp_file);
    buffer_init(&entry->der);
    entry->next = staples->entries;
    staples->entries = entry;
    return entry;
}

static void refuse(struct entry *entry, const char *why)
{
    bool is_told = !entry->is_news && strcmp(entry->why, why) == 0;

    entry->rests = AGAIN_LOOKS;
    if (is_told)
        return;
    (void)snprintf(entry->why, sizeof(entry->why), "%s", why);
    log_event(EV_STAPLE_REFUSED, LOG_TEXT("certificate", entry->name),
              LOG_TEXT("file", entry->path), LOG_TEXT("why", why));
}

static void show(struct entry *entry, struct buffer *der, const struct tls_staple_facts *facts)
{
    char until[CLOCK_RFC3339_TEXT];

    buffer_fini(&entry->der);
    entry->der = *der;
    buffer_init(der);
    entry->facts = *facts;
    entry->why[0] = '\0';
    log_event(EV_STAPLE_TAKEN, LOG_TEXT("certificate", entry->name), LOG_TEXT("file", entry->path),
              LOG_TEXT("until", clock_rfc3339(facts->next_update_ms, until)));
}

/* A response that says "revoked" takes away the one before: that one is not true any more. */
static void judge(const struct staples *staples, struct entry *entry, struct buffer *der,
                  const struct tls_certificate *certificate)
{
    struct tls_staple_facts facts;
    struct error why = {0};

    if (tls_staple_check(certificate, buffer_slice(der), staples->wall_ms, &facts, &why))
        show(entry, der, &facts);
    else
        refuse(entry, why.text);
    entry->is_revoked = facts.is_revoked;
    if (facts.is_revoked)
        buffer_reset(&entry->der, 0);
}

static void read_again(const struct staples *staples, struct entry *entry,
                       const struct tls_certificate *certificate)
{
    struct contents_roots roots = {staples->roots, staples->configuration_directory};
    struct buffer der;
    const char *why;

    buffer_init(&der);
    why = contents_from_disk(&roots, entry->path, false, &der);
    if (why == NULL)
        judge(staples, entry, &der, certificate);
    else
        refuse(entry, why);
    buffer_fini(&der);
}

/* What stood in the way may have gone by itself: who may read the file, a time that has come. */
static bool is_due(struct entry *entry, uint64_t fingerprint)
{
    entry->is_news = !entry->has_been_read || fingerprint != entry->fingerprint;
    if (entry->is_news || entry->why[0] == '\0')
        return entry->is_news;
    if (entry->rests > 0)
        entry->rests--;
    return entry->rests == 0;
}

/* True: something else is to be shown. */
static bool look(struct staples *staples, struct entry *entry, const struct conf_certificate *conf)
{
    uint64_t fingerprint = fingerprint_file(entry->path);
    uint64_t before = hash_slice(&HASH_STABLE, buffer_slice(&entry->der));
    struct tls_certificate *certificate;

    if (is_due(entry, fingerprint)) {
        entry->has_been_read = true;
        entry->fingerprint = fingerprint;
        certificate =
            tls_certificate_load_public(slice_of(conf->chain.bytes, conf->chain.count), NULL);
        if (certificate != NULL) /* else it does not run */
            read_again(staples, entry, certificate);
        tls_certificate_free(&certificate);
    }
    if (buffer_length(&entry->der) > 0 && entry->facts.next_update_ms <= staples->wall_ms) {
        buffer_reset(&entry->der, 0);
        if (entry->why[0] == '\0')
            refuse(entry, "it is out of date (nextUpdate has passed)");
    }
    return hash_slice(&HASH_STABLE, buffer_slice(&entry->der)) != before;
}

/* ---- all of them ---- */

void staples_begin(struct staples *staples, const struct configuration *conf, int64_t wall_ms)
{
    ON_CONTROL();
    staples->roots = &conf->process.file_roots;
    staples->wall_ms = wall_ms;
}

struct slice staples_for(void *context, const struct conf_certificate *conf,
                         const struct tls_certificate *certificate)
{
    struct staples *staples = context;
    struct entry *entry = entry_of(staples, conf);

    (void)certificate; /* the one of conf->chain */
    if (look(staples, entry, conf) && entry->is_running)
        staples->is_stale = true;
    return buffer_slice(&entry->der);
}

static bool look_at_all(struct staples *staples, const struct configuration *conf, bool is_running,
                        int64_t wall_ms)
{
    bool is_changed = false;

    staples_begin(staples, conf, wall_ms);
    for (size_t i = 0; i < conf->certificate_count; i++) {
        const struct conf_certificate *one = &conf->certificates[i];
        struct entry *entry;

        if (one->ocsp_file == NULL || one->chain.bytes == NULL)
            continue;
        entry = entry_of(staples, one);
        entry->is_named = true;
        entry->is_running = entry->is_running || is_running;
        is_changed = look(staples, entry, one) || is_changed;
    }
    return is_changed;
}

static void sweep(struct staples *staples)
{
    struct entry **at = &staples->entries;

    while (*at != NULL) {
        struct entry *entry = *at;

        if (entry->is_named) {
            at = &entry->next;
        } else {
            *at = entry->next;
            free_entry(entry);
        }
    }
}

bool staples_look(struct staples *staples, const struct configuration *running,
                  const struct configuration *candidate, int64_t wall_ms)
{
    bool is_changed;

    ON_CONTROL();
    for (struct entry *entry = staples->entries; entry != NULL; entry = entry->next)
        entry->is_named = entry->is_running = false;
    is_changed = look_at_all(staples, running, true, wall_ms) || staples->is_stale;
    staples->is_stale = false;
    if (candidate != NULL)
        is_changed = look_at_all(staples, candidate, false, wall_ms) || is_changed;
    sweep(staples);
    staples->roots = NULL;
    return is_changed;
}

/* ---- what is told ---- */

void staples_each(const struct staples *staples, staples_each_fn *tell, void *context)
{
    for (const struct entry *entry = staples->entries; entry != NULL; entry = entry->next) {
        struct staple_end end = {entry->name, 0};

        if (!entry->is_running)
            continue;
        if (buffer_length(&entry->der) > 0)
            end.next_update_ms = entry->facts.next_update_ms;
        tell(context, &end);
    }
}

/* A response is renewed at half of its time; with a quarter left nobody does. */
static bool ends_soon(const struct entry *entry, int64_t wall_ms)
{
    int64_t whole_ms = entry->facts.next_update_ms - entry->facts.this_update_ms;

    return entry->facts.next_update_ms - wall_ms < whole_ms / 4;
}

static void add_alert(const struct entry *entry, const char *severity, const char *summary,
                      json_t *list)
{
    json_array_append_new(
        list,
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", "StapleMissing", "severity", severity,
                  "certificate", entry->name, "summary", summary, "description",
                  json_sprintf("Have the response of its authority written to %s again (openssl "
                               "ocsp -respout): twokey takes it up by itself.",
                               entry->path)));
}

void staples_add_alerts(const struct staples *staples, int64_t wall_ms, json_t *list)
{
    for (const struct entry *entry = staples->entries; entry != NULL; entry = entry->next) {
        char summary[TEXT + 128], until[CLOCK_RFC3339_TEXT];
        bool is_shown = buffer_length(&entry->der) > 0;

        if (!entry->is_running)
            continue;
        (void)clock_rfc3339(entry->facts.next_update_ms, until);
        if (entry->why[0] != '\0' && is_shown)
            (void)snprintf(
                summary, sizeof(summary),
                "the new staple of certificate %s is not shown: %s; the one before holds "
                "until %s",
                entry->name, entry->why, until);
        else if (entry->why[0] != '\0')
            (void)snprintf(summary, sizeof(summary), "certificate %s is shown without a staple: %s",
                           entry->name, entry->why);
        else if (is_shown && ends_soon(entry, wall_ms))
            (void)snprintf(summary, sizeof(summary),
                           "the staple of certificate %s holds until %s and was not renewed",
                           entry->name, until);
        else
            continue;
        add_alert(entry, entry->is_revoked ? "page" : "ticket", summary, list);
    }
}
