/*
 * certificates - see certificates.h.
 *
 * Owner    watch.      Threads  control
 */
#include "watch/certificates.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "tls/certificate.h"

enum { ARENA_BLOCK = 4096, SOON_DAYS = 14, URGENT_DAYS = 2, TEXT = 256 };

#define DAY_MS (24 * 3600 * INT64_C(1000))

struct certificates {
    struct arena *arena; /* of the ends; NULL before the first look */
    struct certificate_end *ends;
    size_t count;
    uint64_t generation;
};

struct certificates *certificates_new(void)
{
    return xcalloc(1, sizeof(struct certificates));
}

void certificates_free(struct certificates **holder)
{
    struct certificates *certificates = TAKE_POINTER(holder);

    if (certificates == NULL)
        return;
    arena_free(&certificates->arena);
    xfree(certificates);
}

/* What is no certificate does not run: that was judged before. */
static void add_end(struct certificates *certificates, const char *name,
                    const struct conf_content *chain)
{
    struct tls_certificate *loaded;
    struct error why = {0};

    if (chain->bytes == NULL)
        return;
    loaded = tls_certificate_load_public(slice_of(chain->bytes, chain->count), &why);
    if (loaded == NULL)
        return;
    certificates->ends[certificates->count++] =
        (struct certificate_end){.name = arena_strdup(certificates->arena, name),
                                 .not_after_ms = tls_certificate_facts(loaded)->not_after_ms};
    tls_certificate_free(&loaded);
}

void certificates_look(struct certificates *certificates, const struct snapshot *snapshot)
{
    ON_CONTROL();
    if (snapshot == NULL ||
        (certificates->arena != NULL && certificates->generation == snapshot->generation))
        return;
    arena_free(&certificates->arena);
    certificates->arena = arena_new(ARENA_BLOCK);
    certificates->ends = arena_array(certificates->arena, snapshot->conf->certificate_count + 2,
                                     sizeof(*certificates->ends));
    certificates->count = 0;
    certificates->generation = snapshot->generation;
    for (size_t i = 0; i < snapshot->conf->certificate_count; i++)
        add_end(certificates, snapshot->conf->certificates[i].name,
                &snapshot->conf->certificates[i].chain);
    add_end(certificates, "admin.tls", &snapshot->conf->admin.tls.chain);
}

const struct certificate_end *certificates_ends(const struct certificates *certificates,
                                                size_t *count_out)
{
    *count_out = certificates->count;
    return certificates->ends;
}

static json_t *alert_of(const struct certificate_end *end, int64_t wall_ms)
{
    int64_t left_ms = end->not_after_ms - wall_ms;
    char summary[TEXT], when[CLOCK_RFC3339_TEXT];

    if (left_ms <= 0)
        (void)snprintf(summary, sizeof(summary), "certificate %s has expired: clients refuse it",
                       end->name);
    else
        (void)snprintf(summary, sizeof(summary), "certificate %s expires in %lld days", end->name,
                       (long long)(left_ms / DAY_MS));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", "CertificateExpiring", "severity",
                     left_ms < URGENT_DAYS * DAY_MS ? "page" : "ticket", "certificate", end->name,
                     "summary", summary, "description",
                     json_sprintf("It, or one of its chain, is good until %s. Put the new files in "
                                  "the place of the old ones and reload, or submit a change that "
                                  "names new ones.",
                                  clock_rfc3339(end->not_after_ms, when)));
}

void certificates_add_alerts(const struct certificates *certificates, int64_t wall_ms, json_t *list)
{
    for (size_t i = 0; i < certificates->count; i++)
        if (certificates->ends[i].not_after_ms - wall_ms < SOON_DAYS * DAY_MS)
            json_array_append_new(list, alert_of(&certificates->ends[i], wall_ms));
}
