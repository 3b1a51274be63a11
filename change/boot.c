/*
 * boot - what a start runs, after what a crash left behind was made good:
 *
 *   applying, not armed    nothing was exposed: approved again, or expired
 *   armed, not confirmed   what ran before runs; the change is rolled back ("restart")
 *   confirmed, boot not    the confirmation counts; `boot` is moved
 *   bytes that do not      the newest revision that verifies, lkg first; nothing may change
 *     verify
 *   three starts in five   lkg, when the revision is younger than an hour
 *     minutes, no stops
 *
 * Owner    the ledger.      Threads  control, before anything runs
 */
#include "change/activity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/fault.h"
#include "change/hits.h"
#include "change/override.h"
#include "change/peak.h"
#include "change/refusal.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

enum {
    LOOP_MS = 5 * 60 * 1000,
    LOOP_STARTS = 3,
    YOUNG_MS = 60 * 60 * 1000,
    ARENA_BLOCK = 4096,
    NOTE_TEXT = 512,
};

/* ---- what is told ---- */

static void add_alert(struct ledger *ledger, const char *name, const char *severity,
                      const char *summary)
{
    char since[CLOCK_RFC3339_TEXT];

    if (ledger->serving.alerts == NULL)
        ledger->serving.alerts = json_array();
    json_array_append_new(ledger->serving.alerts,
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "severity", severity,
                                    "since", clock_rfc3339(ledger_wall_ms(ledger), since),
                                    "summary", summary, "description", summary));
}

/* An alert, and a part of the note that the start shows. */
static void note(struct ledger *ledger, const char *alert, const char *severity, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

static void note(struct ledger *ledger, const char *alert, const char *severity, const char *format,
                 ...)
{
    char text[NOTE_TEXT];
    char whole[2 * NOTE_TEXT];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)snprintf(whole, sizeof(whole), "%.500s%s%s",
                   ledger->boot_note != NULL ? ledger->boot_note : "",
                   ledger->boot_note != NULL ? "; " : "", text);
    xfree(ledger->boot_note);
    ledger->boot_note = xstrdup(whole);
    add_alert(ledger, alert, severity, text);
}

/* ---- the change that was under way ---- */

/* Armed and not confirmed: it is as if it had never run. */
static void roll_back_pending(struct ledger *ledger)
{
    struct change *change = ledger_open_change(ledger, ledger->pending.change);
    struct actor system = actor_system("boot");
    struct revision previous = {0};
    struct step step;

    step_begin(&step, ledger, &system);
    if (revision_read(ledger, ledger->pending.previous_rev, &previous)) {
        pointer_put(&step, "running", &ledger->running, previous.rev, previous.digest);
        revision_fini(&previous);
    }
    pending_delete(&step);
    if (change != NULL) {
        xfree(change->ended_why);
        change->ended_why = xstrdup("restart");
        change_move(&step, change, CHANGE_ROLLED_BACK, "change.rolled-back",
                    json_pack("{s:s, s:I}", "why", "restart", "rev",
                              (json_int_t)ledger->pending.previous_rev));
    }
    note(ledger, "RolledBackAtStart", "ticket",
         "change %s waited for its confirmation when twokey ended: it was rolled back",
         ledger->pending.change);
    ledger->serving.rollbacks[ROLLBACK_RESTART]++;
    if (step_commit(&step, NULL)) /* else the deadline, which is over, does it later */
        serving_reload(ledger);
}

static void finish_pending(struct ledger *ledger)
{
    struct actor system = actor_system("boot");

    if (!ledger->pending.is_set)
        return;
    if (!ledger->pending.is_confirmed)
        roll_back_pending(ledger);
    else
        (void)confirm_finish(ledger, &system, NULL); /* else apply_tick() does it later */
}

static bool is_over(const struct ledger *ledger, const struct change *change,
                    const struct configuration *conf)
{
    int64_t now = ledger_wall_ms(ledger);

    return !change->is_forced &&
           (ledger->clock_jumped ||
            now - change->approved_ms > (int64_t)conf->policy.execution_expiry_ms ||
            (change->not_after_ms != 0 && now > change->not_after_ms));
}

/* Applying, but nothing was exposed. */
static void finish_applying(struct ledger *ledger, const struct configuration *conf)
{
    struct actor system = actor_system("boot");

    for (size_t i = ledger->open_count; i-- > 0;) {
        struct change *change = ledger->open[i];
        struct step step;

        if (change->state != CHANGE_APPLYING)
            continue;
        if (!is_over(ledger, change, conf)) {
            (void)apply_undo_intent(ledger, &system, change, "twokey ended before it was exposed",
                                    false, NULL); /* else apply_tick() does it later */
            continue;
        }
        step_begin(&step, ledger, &system);
        change_move(&step, change, CHANGE_EXPIRED, "change.expired",
                    json_pack("{s:s}", "why", "found at a start, its time over"));
        (void)step_commit(&step, NULL);
    }
}

/* ---- which revision ---- */

enum verdict { VERDICT_GOOD, VERDICT_MISSING, VERDICT_DAMAGED, VERDICT_DOES_NOT_BUILD };

/* Reads its bytes into ledger->boot_bytes; *conf_out is the caller's. */
static enum verdict verify(struct ledger *ledger, uint64_t rev, struct configuration **conf_out)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct revision revision = {0};
    struct findings findings;
    enum verdict verdict = VERDICT_GOOD;

    findings_init(&findings, arena);
    *conf_out = NULL;
    if (!revision_read(ledger, rev, &revision))
        verdict = VERDICT_MISSING;
    else if (!ledger_blob(ledger, revision.digest, ledger->boot_bytes))
        verdict = VERDICT_DAMAGED;
    else if ((*conf_out = ledger_parse(buffer_slice(ledger->boot_bytes), "the stored configuration",
                                       &findings)) == NULL)
        verdict = VERDICT_DOES_NOT_BUILD;
    revision_fini(&revision);
    findings_fini(&findings);
    arena_free(&arena);
    return verdict;
}

/* One that was applied once, and still verifies. */
static bool try_one(struct ledger *ledger, uint64_t rev, struct configuration **conf_out)
{
    struct revision revision = {0};
    bool was_applied =
        rev != 0 && revision_read(ledger, rev, &revision) && revision.applied_ms != 0;

    revision_fini(&revision);
    return was_applied && verify(ledger, rev, conf_out) == VERDICT_GOOD;
}

/* lkg, those before it, then the newest. */
static uint64_t find_another(struct ledger *ledger, uint64_t but, struct configuration **conf_out)
{
    json_t *earlier = lkg_earlier(ledger, NULL);
    uint64_t found = 0;
    json_t *entry;
    size_t i;

    if (ledger->lkg.rev != but && try_one(ledger, ledger->lkg.rev, conf_out))
        found = ledger->lkg.rev;
    json_array_foreach(earlier, i, entry)
    {
        uint64_t rev = (uint64_t)json_integer_value(json_object_get(entry, "rev"));

        if (found == 0 && rev != but && try_one(ledger, rev, conf_out))
            found = rev;
    }
    json_decref(earlier);
    for (uint64_t rev = ledger->newest_rev; found == 0 && rev > 0; rev--) {
        if (rev != but && try_one(ledger, rev, conf_out))
            found = rev;
    }
    return found;
}

static uint64_t choose_verified(struct ledger *ledger, uint64_t wanted,
                                struct configuration **conf_out)
{
    enum verdict verdict = verify(ledger, wanted, conf_out);
    uint64_t other;

    if (verdict == VERDICT_GOOD)
        return wanted;
    if (verdict != VERDICT_DOES_NOT_BUILD)
        ledger->is_violated = true;
    other = find_another(ledger, wanted, conf_out);
    note(ledger, verdict == VERDICT_DOES_NOT_BUILD ? "RevisionDoesNotBuild" : "IntegrityViolated",
         "page", "revision %llu %s; revision %llu runs instead", (unsigned long long)wanted,
         verdict == VERDICT_MISSING   ? "is not in the store"
         : verdict == VERDICT_DAMAGED ? "does not have the digest that it was stored with"
                                      : "does not build with this program",
         (unsigned long long)other);
    return other;
}

/* ---- crash loops ---- */

/* The starts of the last five minutes that no orderly stop followed, this one included. */
static json_t *count_starts(struct ledger *ledger)
{
    json_t *stored = stored_json(ledger, "starts", NULL);
    int64_t now = ledger_wall_ms(ledger);
    json_t *starts = json_array();
    json_t *at;
    size_t i;

    json_array_foreach(stored, i, at)
    {
        int64_t passed = now - json_integer_value(at);

        if (passed >= 0 && passed <= LOOP_MS)
            json_array_append(starts, at);
    }
    json_array_append_new(starts, json_integer(now));
    json_decref(stored);
    return starts;
}

static bool is_young(struct ledger *ledger, uint64_t rev)
{
    struct revision revision = {0};
    int64_t age = INT64_MAX;

    if (revision_read(ledger, rev, &revision))
        age = ledger_wall_ms(ledger) - revision.applied_ms;
    revision_fini(&revision);
    return age < YOUNG_MS;
}

/* Where conf.d rules, lkg would not run anyhow. */
static uint64_t avoid_crash_loop(struct ledger *ledger, uint64_t wanted, const json_t *starts,
                                 const struct configuration *conf)
{
    if (conf == NULL || conf->policy.mode != POLICY_ENFORCED ||
        json_array_size(starts) < LOOP_STARTS || ledger->lkg.rev == 0 ||
        ledger->lkg.rev == wanted || !is_young(ledger, wanted))
        return wanted;
    note(ledger, "CrashLoop", "page",
         "twokey was started %zu times in five minutes; revision %llu, the last known good one, "
         "runs instead of %llu",
         json_array_size(starts), (unsigned long long)ledger->lkg.rev, (unsigned long long)wanted);
    return ledger->lkg.rev;
}

/* ---- the whole ---- */

static bool find_damage(struct ledger *ledger)
{
    struct error why = {0};

    if (store_condition(ledger->store, &why) == STORE_DAMAGED ||
        !audit_is_whole(ledger->audit, &why)) {
        ledger->is_violated = true;
        note(ledger, "IntegrityViolated", "page", "%s: nothing may be changed", why.text);
    }
    return ledger->is_violated;
}

/* What runs from here on, and that twokey was started. */
static void record_start(struct ledger *ledger, uint64_t rev, const json_t *starts)
{
    struct actor system = actor_system("boot");
    struct revision revision = {0};
    struct step step;

    if (!revision_read(ledger, rev, &revision))
        return;
    step_begin(&step, ledger, &system);
    step_put_json(&step, "starts", starts);
    if (ledger->running.rev != rev && !ledger->is_violated)
        pointer_put(&step, "running", &ledger->running, rev, revision.digest);
    if (ledger->boot.rev != rev && !ledger->is_violated)
        pointer_put(&step, "boot", &ledger->boot, rev, revision.digest);
    step_audit(&step, "process.started", NULL, revision.digest,
               json_pack("{s:I, s:s, s:s?}", "rev", (json_int_t)rev, "version", TWOKEY_VERSION,
                         "note", ledger->boot_note));
    (void)step_commit(&step, NULL); /* a disk that is full keeps nobody from serving */
    serving_reload(ledger);
    ledger->running.rev = rev;
    memcpy(ledger->running.digest, revision.digest, sizeof(ledger->running.digest));
    revision_fini(&revision);
}

bool ledger_choose_boot(struct ledger *ledger, struct ledger_boot *boot_out, struct error *why)
{
    struct configuration *conf = NULL;
    uint64_t wanted;
    uint64_t other;
    json_t *starts;

    CHECK_OBJ(ledger, LEDGER_TAG);
    *boot_out = (struct ledger_boot){.is_first = ledger->newest_rev == 0 && ledger->boot.rev == 0};
    (void)find_damage(ledger);
    if (boot_out->is_first) {
        boot_out->is_violated = ledger->is_violated;
        boot_out->note = ledger->boot_note;
        return true;
    }
    if (ledger->boot_bytes == NULL) {
        ledger->boot_bytes = xcalloc(1, sizeof(*ledger->boot_bytes));
        buffer_init(ledger->boot_bytes);
    }
    finish_pending(ledger);
    fault_point("boot.pending");
    starts = count_starts(ledger);
    wanted = ledger->pending.is_set && ledger->pending.is_confirmed ? ledger->pending.rev
                                                                    : ledger->boot.rev;
    wanted = choose_verified(ledger, wanted, &conf);
    other = avoid_crash_loop(ledger, wanted, starts, conf);
    if (other != wanted) {
        config_free(&conf);
        wanted = choose_verified(ledger, other, &conf);
    }
    if (wanted == 0) {
        error_set(why, ERROR_INVALID,
                  "%s/twokey.db: no revision verifies; restore the state directory from a backup",
                  ledger->state_directory);
        json_decref(starts);
        return false;
    }
    finish_applying(ledger, conf);
    config_free(&conf);
    record_start(ledger, wanted, starts);
    json_decref(starts);
    boot_out->rev = wanted;
    boot_out->bytes = buffer_slice(ledger->boot_bytes);
    boot_out->is_violated = ledger->is_violated;
    boot_out->note = ledger->boot_note;
    return true;
}

void ledger_attach(struct ledger *ledger, struct registry *registry)
{
    ledger->options.registry = registry;
    override_restore(ledger); /* before the first request is served */
}

void ledger_started(struct ledger *ledger, uint64_t rev)
{
    CHECK_OBJ(ledger, LEDGER_TAG);
    (void)rev;
    lkg_start(ledger);
    gate_start(ledger, 0);
    ledger_enter(ledger);
}

void ledger_note_weaker_mode(struct ledger *ledger)
{
    CHECK_OBJ(ledger, LEDGER_TAG);
    add_alert(ledger, "ModeKept", "ticket",
              "conf.d names a weaker policy.mode than the one in force, which stays");
}

void ledger_stopping(struct ledger *ledger)
{
    struct actor system = actor_system("stop");
    json_t *none = json_array();
    struct step step;

    CHECK_OBJ(ledger, LEDGER_TAG);
    peak_save(ledger);
    hits_save(ledger);
    step_begin(&step, ledger, &system);
    step_put_json(&step, "starts", none);
    step_audit(&step, "process.stopped", NULL, NULL, NULL);
    json_decref(none);
    (void)step_commit(&step, NULL); /* then the next start counts as one more */
}
