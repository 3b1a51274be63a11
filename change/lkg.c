/*
 * lkg - which revision is known to be good: confirmed, half an hour of running, a thousand
 * requests.  The three before it are remembered, for a start that finds it damaged.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/activity.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "config/finding.h"
#include "config/load.h"

enum {
    SOAK_MS = 30 * 60 * 1000,
    SOAK_REQUESTS = 1000,
    KEEP = 3,
    TARGETS_MS = 24 * 3600 * 1000,
    ARENA_BLOCK = 4096,
};

void lkg_start(struct ledger *ledger)
{
    ledger->serving.requests = 0;
    ledger->serving.since_boot_ms = ledger_boot_ms(ledger);
}

void ledger_count_requests(struct ledger *ledger, uint64_t requests)
{
    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger->serving.requests += requests;
}

json_t *lkg_earlier(struct ledger *ledger, uint64_t *version_out)
{
    json_t *earlier = stored_json(ledger, "lkg-earlier", version_out);

    return json_is_array(earlier) ? earlier : json_array();
}

static void put_earlier(struct step *step)
{
    struct ledger *ledger = step->ledger;
    uint64_t version = 0;
    json_t *earlier;

    if (ledger->lkg.rev == 0)
        return;
    earlier = lkg_earlier(ledger, &version);
    json_array_insert_new(
        earlier, 0,
        json_pack("{s:I, s:s}", "rev", (json_int_t)ledger->lkg.rev, "digest", ledger->lkg.digest));
    while (json_array_size(earlier) > KEEP)
        json_array_remove(earlier, KEEP);
    store_expect(step->txn, "lkg-earlier", version);
    step_put_json(step, "lkg-earlier", earlier);
    json_decref(earlier);
}

/* ---- can one still go back? ---- */

/* A program that was replaced, or bytes that were changed: told before somebody needs them. */
static bool is_usable(struct ledger *ledger, const struct revision_pointer *pointer)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct configuration *conf = NULL;
    struct findings findings;
    struct buffer bytes;

    findings_init(&findings, arena);
    buffer_init(&bytes);
    if (ledger_blob(ledger, pointer->digest, &bytes))
        conf = ledger_parse(buffer_slice(&bytes), "the stored configuration", &findings);
    buffer_fini(&bytes);
    findings_fini(&findings);
    arena_free(&arena);
    if (conf == NULL)
        return false;
    config_free(&conf);
    return true;
}

static void look_at_targets(struct ledger *ledger)
{
    struct serving *serving = &ledger->serving;
    const struct revision_pointer *targets[] = {&ledger->previous, &ledger->lkg};

    if (ledger_boot_ms(ledger) < serving->targets_due_boot_ms)
        return;
    serving->targets_due_boot_ms = ledger_boot_ms(ledger) + TARGETS_MS;
    serving->unusable_rev = 0;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (targets[i]->rev != 0 && !is_usable(ledger, targets[i]))
            serving->unusable_rev = targets[i]->rev;
    }
}

/* ---- promotion ---- */

static void promote(struct ledger *ledger)
{
    struct actor system = actor_system("soak");
    struct step step;

    step_begin(&step, ledger, &system);
    put_earlier(&step);
    pointer_put(&step, "lkg", &ledger->lkg, ledger->running.rev, ledger->running.digest);
    step_audit(&step, "revision.lkg", NULL, ledger->running.digest,
               json_pack("{s:I, s:I, s:I}", "rev", (json_int_t)ledger->running.rev, "requests",
                         (json_int_t)ledger->serving.requests, "before",
                         (json_int_t)ledger->lkg.rev));
    if (step_commit(&step, NULL)) /* else the next second tries again */
        serving_reload(ledger);
}

void lkg_tick(struct ledger *ledger)
{
    const struct serving *serving = &ledger->serving;

    look_at_targets(ledger);
    if (ledger->activity != NULL || ledger->pending.is_set || serving->undurable != NULL ||
        ledger->is_violated || ledger->running.rev == 0 || serving->since_boot_ms == 0 ||
        ledger->running.rev == ledger->lkg.rev || ledger->running.rev != ledger->boot.rev)
        return;
    if (serving->requests >= SOAK_REQUESTS &&
        ledger_boot_ms(ledger) - serving->since_boot_ms >= SOAK_MS)
        promote(ledger);
}
