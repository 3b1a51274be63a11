/*
 * ledger - opening and closing it, and what happens each second.
 *
 * Owner    cli/serve.c.      Threads  control
 */
#include "change/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "change/activity.h"
#include "change/actor.h"
#include "change/internal.h"
#include "change/override.h"
#include "change/refusal.h"
#include "change/runner.h"
#include "config/model.h"
#include "observe/sample.h"

enum {
    JUMP_BACK_MS = 60 * 1000,
    JUMP_FORWARD_MS = 24 * 3600 * 1000,
    UUID_TEXT = 37,
};

/* ---- the clocks ---- */

int64_t ledger_wall_ms(const struct ledger *ledger)
{
    const struct ledger_clock *clock = ledger->options.clock;

    return clock != NULL ? clock->wall_ms() : clock_wall_ms();
}

uint64_t ledger_boot_ms(const struct ledger *ledger)
{
    const struct ledger_clock *clock = ledger->options.clock;
    struct timespec now;

    if (clock != NULL)
        return clock->boot_ms();
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- small things ---- */

const struct configuration *ledger_running_conf(const struct ledger *ledger)
{
    const struct runner *runner = ledger->options.runner;

    return runner->running(runner->process);
}

struct audit *ledger_audit(struct ledger *ledger)
{
    return ledger->audit;
}

struct store *ledger_store(struct ledger *ledger)
{
    return ledger->store;
}

const char *ledger_cluster(const struct ledger *ledger)
{
    return ledger->cluster;
}

void ledger_random_hex(char *out, size_t digits)
{
    char text[33];

    CHECK(digits < sizeof(text));
    (void)snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)random_seed(),
                   (unsigned long long)random_seed());
    memcpy(out, text, digits);
    out[digits] = '\0';
}

bool ledger_may_write(struct ledger *ledger, const struct actor *actor, struct refusal *refusal)
{
    struct error why = {0};
    char session[CHANGE_ID_TEXT];

    ledger_enter(ledger);
    if (store_condition(ledger->store, &why) == STORE_DAMAGED)
        return refuse(refusal, "audit-unavailable", "GET /v1/status",
                      "nothing may be changed: the store is damaged: %s", why.text);
    if (ledger->is_violated && !breakglass_is_open(ledger, actor, session, sizeof(session)))
        return refuse(refusal, "audit-unavailable", "GET /v1/status",
                      "nothing may be changed: what is stored does not verify (break-glass may)");
    return true;
}

bool ledger_denied(struct ledger *ledger, const struct actor *actor, const char *event,
                   const char *id, const struct refusal *refusal)
{
    static const char *const kinds[] = {"self-approval",     "not-an-approver", "already-decided",
                                        "digest-mismatch",   "forbidden",       "review-overdue",
                                        "approvals-missing", "frozen",          "window-closed",
                                        "capacity-guard"};
    struct audit_event record = {.event = event, .change = id, .outcome = "denied"};

    for (size_t i = 0;
         refusal != NULL && refusal->problem != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(refusal->problem, kinds[i]) != 0)
            continue;
        record.data = json_pack("{s:s}", "problem", refusal->problem);
        audit_attempt(ledger->audit, actor, &record);
    }
    return false;
}

/* ---- pointers ---- */

void pointer_load(struct ledger *ledger, const char *key, struct revision_pointer *pointer)
{
    uint64_t version = 0;
    json_t *stored = stored_json(ledger, key, &version);
    const char *digest = json_string_value(json_object_get(stored, "digest"));

    *pointer = (struct revision_pointer){.version = version};
    pointer->rev = (uint64_t)json_integer_value(json_object_get(stored, "rev"));
    (void)snprintf(pointer->digest, sizeof(pointer->digest), "%s", digest != NULL ? digest : "");
    json_decref(stored);
}

void pointer_put(struct step *step, const char *key, struct revision_pointer *pointer, uint64_t rev,
                 const char *digest)
{
    json_t *value = json_pack("{s:I, s:s}", "rev", (json_int_t)rev, "digest", digest);

    store_expect(step->txn, key, pointer->version);
    step_put_json(step, key, value);
    json_decref(value);
}

static bool take_newest(void *context, const char *key, struct slice value, uint64_t version)
{
    struct ledger *ledger = context;

    (void)value;
    (void)version;
    (void)slice_to_u64(slice_from(key + strlen("rev/")), &ledger->newest_rev);
    return false;
}

/* ---- open ---- */

/* A new state directory gets its name: approvals of one are worth nothing in another.  Where it
 * cannot be written, or not be read any more, the name is one for this start. */
static void name_cluster(struct ledger *ledger)
{
    json_t *meta = stored_json(ledger, "meta", NULL);
    const char *cluster = json_string_value(json_object_get(meta, "cluster"));
    struct actor system = actor_system("boot");
    char hex[33];
    char uuid[UUID_TEXT];
    struct step step;

    if (cluster != NULL) {
        ledger->cluster = xstrdup(cluster);
        json_decref(meta);
        return;
    }
    ledger_random_hex(hex, 32);
    hex[12] = '4';
    hex[16] = '8';
    (void)snprintf(uuid, sizeof(uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
    ledger->cluster = xstrdup(uuid);
    meta = json_pack("{s:i, s:s}", "v", 1, "cluster", uuid);
    step_begin(&step, ledger, &system);
    step_put_json(&step, "meta", meta);
    step_audit(&step, "store.created", NULL, NULL, json_pack("{s:s}", "cluster", uuid));
    json_decref(meta);
    (void)step_commit(&step, NULL); /* the store has told */
}

/* E-17: what was agreed under another time is not believed. */
static void look_for_jump(struct ledger *ledger, int64_t last_ms)
{
    int64_t now = ledger_wall_ms(ledger);

    if (last_ms == 0 || (now >= last_ms - JUMP_BACK_MS && now <= last_ms + JUMP_FORWARD_MS))
        return;
    ledger->clock_jumped = true;
    ledger->clock_jumped_ms = now;
}

static void note_jump(struct ledger *ledger, int64_t last_ms)
{
    struct actor system = actor_system("boot");
    struct step step;

    if (!ledger->clock_jumped)
        return;
    step_begin(&step, ledger, &system);
    step_audit(&step, "clock.jumped", NULL, NULL,
               json_pack("{s:I, s:I}", "last_ms", (json_int_t)last_ms, "now_ms",
                         (json_int_t)ledger->clock_jumped_ms));
    (void)step_commit(&step, NULL); /* the alert stands whatever the disk says */
    ledger_expire(ledger, true);
}

static void listen(struct ledger *ledger)
{
    if (ledger->options.clock != NULL)
        audit_set_clock(ledger->audit, ledger->options.clock->wall_ms);
    if (ledger->options.on_event != NULL)
        audit_on_record(ledger->audit, ledger->options.on_event, ledger->options.context);
}

struct ledger *ledger_open(const struct ledger_options *options, struct error *why)
{
    struct ledger *ledger = xcalloc(1, sizeof(*ledger));
    int64_t last_ms;

    ledger->tag = LEDGER_TAG;
    ledger->options = *options;
    ledger->state_directory = xstrdup(options->state_directory);
    ledger->options.state_directory = ledger->state_directory;
    ledger->store = store_open(options->state_directory, why);
    if (ledger->store != NULL)
        ledger->audit = audit_open(ledger->store, options->state_directory, why);
    if (ledger->audit != NULL)
        listen(ledger);
    if (ledger->audit == NULL) {
        ledger_close(&ledger);
        return NULL;
    }
    name_cluster(ledger);
    ledger->is_violated = !audit_is_whole(ledger->audit, NULL);
    pointer_load(ledger, "running", &ledger->running);
    pointer_load(ledger, "boot", &ledger->boot);
    pointer_load(ledger, "lkg", &ledger->lkg);
    pointer_load(ledger, "previous", &ledger->previous);
    pending_load(ledger);
    store_list(ledger->store, "rev/", NULL, true, take_newest, ledger);
    freeze_load(ledger);
    ledger_load_open(ledger);
    last_ms = audit_last_wall_ms(ledger->audit);
    look_for_jump(ledger, last_ms);
    note_jump(ledger, last_ms);
    breakglass_load(ledger);
    return ledger;
}

void ledger_close(struct ledger **holder)
{
    struct ledger *ledger = TAKE_POINTER(holder);

    if (ledger == NULL)
        return;
    CHECK_OBJ(ledger, LEDGER_TAG);
    for (size_t i = 0; i < ledger->open_count; i++)
        change_free(&ledger->open[i]);
    xfree(ledger->open);
    change_free(&ledger->found);
    json_decref(ledger->freeze);
    json_decref(ledger->revoked.alerts);
    xfree(ledger->session_person);
    serving_close(ledger);
    gate_close(ledger);
    override_forget(ledger);
    sample_release(&ledger->sample);
    if (ledger->boot_bytes != NULL) {
        buffer_fini(ledger->boot_bytes);
        xfree(ledger->boot_bytes);
    }
    xfree(ledger->boot_note);
    if (ledger->audit != NULL)
        audit_close(&ledger->audit);
    if (ledger->store != NULL)
        store_close(&ledger->store);
    xfree(ledger->cluster);
    xfree(ledger->state_directory);
    ledger->tag = 0;
    xfree(ledger);
}

void ledger_tick(struct ledger *ledger)
{
    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    ledger_expire(ledger, false);
    apply_tick(ledger);
    override_tick(ledger);
    breakglass_tick(ledger);
    kept_tick(ledger);
    store_tick(ledger->store);
    audit_tick(ledger->audit);
}
