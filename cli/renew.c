/*
 * renew - see renew.h.
 *
 *   look --files renewed--> prepared (all that can fail) --> recorded in the ledger --> published
 *
 * What runs is built once more, with the new files in it.  While a change is under way, or waits
 * for its confirmation, nothing is taken up: it is looked at again afterwards.
 *
 * Owner    the serving process.      Threads  control
 */
#include "cli/renew.h"

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/ledger.h"
#include "change/refusal.h"
#include "cli/run_configuration.h"
#include "cli/serve.h"
#include "config/contents.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "watch/renewals.h"

enum { ARENA_BLOCK = 4096 };

/* Between preparing and publishing nothing else looks: prepare answers before it returns, or when
 * names are known, and renew_look() waits for it. */
struct taking {
    struct server_process *process;
    const struct configuration *running;
    const struct ledger_renewal *items;
    size_t count;
};

/* ---- what runs, with the new files in it ---- */

struct finding_content {
    const char *path;
    bool is_key;
    const struct conf_content *found;
};

static void find_content(void *context, const char *path, bool is_key,
                         const struct conf_content *content)
{
    struct finding_content *finding = context;

    if (finding->found == NULL && is_key == finding->is_key && strcmp(path, finding->path) == 0)
        finding->found = content;
}

/* A contents_read_fn. */
static const char *read_content(void *context, const char *path, bool is_key, struct buffer *out)
{
    const struct taking *taking = context;
    struct finding_content finding = {path, is_key, NULL};

    for (size_t i = 0; i < taking->count; i++) {
        const struct ledger_renewal *one = &taking->items[i];

        if (strcmp(path, is_key ? one->key_file : one->cert_file) == 0) {
            buffer_append_slice(out, is_key ? one->key : one->chain);
            return NULL;
        }
    }
    contents_each(taking->running, find_content, &finding);
    if (finding.found == NULL || finding.found->bytes == NULL)
        return "what runs does not have it";
    buffer_append(out, finding.found->bytes, finding.found->count);
    return NULL;
}

static struct configuration *copy_running(struct taking *taking)
{
    const char *name = "the running configuration";
    struct slice bytes = slice_of(taking->running->canonical, taking->running->canonical_bytes);
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct findings findings;
    struct configuration *conf;

    findings_init(&findings, arena);
    conf = config_load_documents(&name, &bytes, 1, &findings);
    if (conf != NULL && !contents_fill(conf, read_content, taking, &findings))
        config_free(&conf);
    findings_fini(&findings);
    arena_free(&arena);
    return conf;
}

/* ---- on its way ---- */

static void is_prepared(void *context, struct prepared *prepared, const struct findings *findings,
                        const struct error *why)
{
    struct taking *taking = context;
    struct server_process *process = taking->process;
    struct refusal refusal = {0};

    (void)findings;
    process->is_renewing = false;
    if (prepared == NULL) {
        renewals_failed(process->renewals, why->text);
    } else if (process->is_stopping || !ledger_may_renew(process->ledger) ||
               publisher_candidate(process->publisher) != NULL) {
        run_drop(process, prepared); /* the next look finds them again */
    } else if (!ledger_renew(process->ledger, taking->items, taking->count, &refusal)) {
        run_drop(process, prepared);
        renewals_failed(process->renewals, refusal.detail);
    } else {
        for (size_t i = 0; i < taking->count; i++)
            log_event(EV_CERTIFICATE_RENEWED, LOG_TEXT("certificate", taking->items[i].name),
                      LOG_TEXT("file", taking->items[i].cert_file));
        run_publish(process, prepared, NULL, NULL);
    }
    refusal_clear(&refusal);
    xfree(taking);
}

void renew_look(struct server_process *process)
{
    const struct snapshot *current = publisher_current(process->publisher);
    struct configuration *conf;
    struct taking *taking;
    size_t count;

    if (process->is_stopping || process->is_renewing || current == NULL ||
        process->reload != NULL || !list_is_empty(&process->runs) ||
        publisher_candidate(process->publisher) != NULL || !ledger_may_renew(process->ledger))
        return;
    taking = xcalloc(1, sizeof(*taking));
    taking->process = process;
    taking->running = current->conf;
    taking->items = renewals_look(process->renewals, current->conf, clock_wall_ms(), &count);
    taking->count = count;
    conf = count > 0 ? copy_running(taking) : NULL;
    if (conf == NULL) {
        xfree(taking);
        return;
    }
    process->is_renewing = true;
    run_prepare(process, conf, NULL, is_prepared, taking);
}
