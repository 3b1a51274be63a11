/*
 * reload - what reads conf.d; run_configuration.c takes it to the workers.
 *
 * One at a time: who asks while one is under way gets the outcome of the next.
 *
 * Owner    the serving process.      Threads  control, but read_job(): libuv's pool
 */
#include "cli/reload.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fingerprint.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/ledger.h"
#include "change/policy.h"
#include "change/refusal.h"
#include "cli/cli.h"
#include "cli/detectors.h"
#include "cli/expressions.h"
#include "cli/run_configuration.h"
#include "cli/serve.h"
#include "cli/serve_state.h"
#include "config/diff.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/observer.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"

enum {
    MAX_WAITING = 64,
    ARENA_BLOCK = 16 * 1024,
    SETTLE_MS = 20,
    SETTLE_TRIES = 50,
    READ_TRIES = 3
};

/* `actor` is a copy: the call may be gone by then. */
struct waiting {
    struct actor actor;
    admin_reloaded_fn *done;
    void *context;
};

struct reload {
    uv_work_t work;
    struct server_process *process;
    struct arena *arena;
    struct findings findings;
    struct findings detected;   /* told in the log once it runs; refuses nothing */
    struct configuration *conf; /* until it is taken over */
    struct differences differences;
    const char **changes;
    uint64_t fingerprint;
    char disk_digest[DIGEST_TEXT]; /* of conf.d as it was read; "": the store's is taken over */
    struct waiting waiting[MAX_WAITING];
    unsigned waiting_count;
    struct waiting later[MAX_WAITING]; /* who asked since: they get the next one's outcome */
    unsigned later_count;
    bool is_first;
    bool is_import;  /* mode enforced: it becomes a change */
    bool is_reading; /* libuv's pool has it: it must not be freed */
    bool is_again;   /* somebody asked while this one had begun to read */
};

/* ---- files ---- */

/* Names and fingerprints of the documents: equal as long as nobody touched them. */
static uint64_t fingerprint_of(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    uint64_t sum = 0;

    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        char path[4096];
        size_t bytes = strlen(entry->d_name);
        uint64_t one;

        if (bytes < 6 || strcmp(entry->d_name + bytes - 5, ".json") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        one = fingerprint_file(path);
        if (one != 0)
            sum += one ^ hash_slice(&HASH_STABLE, slice_from(entry->d_name));
    }
    (void)closedir(dir);
    return sum;
}

/* Waits until nobody has touched the documents for a moment: a configuration of which half is
 * written may look whole.  Their fingerprint. */
static uint64_t settle(const char *directory)
{
    uint64_t last = fingerprint_of(directory);

    for (unsigned i = 0; i < SETTLE_TRIES; i++) {
        uint64_t now;

        uv_sleep(SETTLE_MS);
        now = fingerprint_of(directory);
        if (now == last)
            break;
        last = now;
    }
    return last;
}

static void note_disk(struct server_process *process, uint64_t fingerprint, const char *digest)
{
    process->disk_fingerprint = fingerprint;
    (void)snprintf(process->disk_digest, sizeof(process->disk_digest), "%s",
                   digest != NULL ? digest : "");
}

struct configuration *reload_read_first(const char *directory)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct findings findings;
    struct configuration *conf;

    findings_init(&findings, arena);
    conf = config_load(directory, &findings);
    if (conf != NULL)
        policy_check_survivable(conf, &findings);
    if (findings_count_at_least(&findings, FINDING_BLOCK) > 0)
        config_free(&conf);
    serve_print_findings(&findings);
    findings_fini(&findings);
    arena_free(&arena);
    return conf;
}

/* ---- one reload ---- */

static struct reload *reload_new(struct server_process *process)
{
    struct reload *reload = xcalloc(1, sizeof(*reload));

    reload->process = process;
    reload->arena = arena_new(ARENA_BLOCK);
    findings_init(&reload->findings, reload->arena);
    findings_init(&reload->detected, reload->arena);
    process->reload = reload;
    return reload;
}

static void start_reading(struct reload *reload);

static void tell_one(struct waiting *waiting, const struct admin_reload_result *result)
{
    waiting->done(waiting->context, result);
    actor_fini(&waiting->actor);
}

static void tell(struct waiting *waiting, unsigned count, const struct admin_reload_result *result)
{
    for (unsigned i = 0; i < count; i++)
        tell_one(&waiting[i], result);
}

/* Whose reload it is: the first who asked; nobody, for a signal. */
static struct actor actor_of(const struct reload *reload)
{
    return reload->waiting_count > 0 ? reload->waiting[0].actor
                                     : actor_system(reload->is_first ? "boot" : "sighup");
}

/* Whoever asked while `before` was under way waits for this one. */
static void start_next(struct server_process *process, const struct reload *before)
{
    struct reload *next = reload_new(process);

    memcpy(next->waiting, before->later, sizeof(next->waiting));
    next->waiting_count = before->later_count;
    start_reading(next);
}

static void finish(struct reload *reload, const struct admin_reload_result *result)
{
    struct server_process *process = reload->process;
    struct admin_reload_result stopping = {.why = "twokey is stopping"};

    process->reload = NULL;
    tell(reload->waiting, reload->waiting_count, result);
    if (reload->is_first && !result->ok && !process->is_stopping) {
        process->exit_code = EXIT_TROUBLE;
        serve_stop(process);
    }
    config_free(&reload->conf);
    differences_fini(&reload->differences);
    findings_fini(&reload->findings);
    findings_fini(&reload->detected);
    arena_free(&reload->arena);
    xfree(reload->changes);
    if (process->is_stopping)
        tell(reload->later, reload->later_count, &stopping);
    else if (reload->is_again)
        start_next(process, reload);
    xfree(reload);
}

/* The process ends: nothing is touched any more that may have been taken down already. */
static void stop_reload(struct reload *reload)
{
    struct admin_reload_result stopping = {.why = "twokey is stopping"};

    finish(reload, &stopping);
}

static void refuse_reload(struct reload *reload, const char *why)
{
    struct admin_reload_result result = {.findings = &reload->findings, .why = why};

    if (reload->is_first && why != NULL)
        (void)fprintf(stderr, "twokey: %s\n", why);
    if (why != NULL)
        finding_add(&reload->findings, FINDING_BLOCK, "config", NULL, NULL, "%s", why);
    finish(reload, &result);
}

static void refuse_by_ledger(struct reload *reload, struct refusal *refusal)
{
    struct admin_reload_result result = {
        .findings = &reload->findings, .why = refusal->detail, .refusal = refusal};

    if (reload->is_first)
        (void)fprintf(stderr, "twokey: %s\n", refusal->detail);
    run_log_refused(reload->process, refusal->detail);
    finish(reload, &result);
}

/* ---- taken over ---- */

static void is_published(void *context, uint64_t generation)
{
    struct reload *reload = context;
    struct server_process *process = reload->process;
    struct admin_reload_result result = {
        .ok = true,
        .findings = &reload->findings,
        .generation = generation,
        .digest = publisher_current(process->publisher)->conf->digest,
        .changes = reload->changes,
        .change_count = (unsigned)reload->differences.count,
    };

    if (reload->is_first)
        ledger_started(process->ledger, process->boot_rev);
    if (reload->disk_digest[0] != '\0')
        note_disk(process, reload->fingerprint, reload->disk_digest);
    run_log_findings(&reload->detected, 0);
    finish(reload, &result);
}

static void compare(struct reload *reload, const struct configuration *conf)
{
    const struct snapshot *current = publisher_current(reload->process->publisher);

    if (current == NULL)
        return;
    config_diff(current->conf, conf, reload->arena, &reload->differences);
    reload->changes = xcalloc(reload->differences.count, sizeof(*reload->changes));
    for (size_t i = 0; i < reload->differences.count; i++)
        reload->changes[i] = reload->differences.items[i].text;
}

/* What a start runs is what the store has. */
static bool is_stored(const struct reload *reload)
{
    return reload->is_first && reload->process->boot_rev != 0;
}

static const char *event_of(const struct reload *reload, const struct configuration *conf)
{
    return conf->policy.mode == POLICY_ADVISORY && !reload->is_first ? "revision.unreviewed-reload"
                                                                     : "revision.imported";
}

/* What runs without having been reviewed is recorded before it does.  False: it must not run; where
 * nobody asks for reviews a disk that cannot be written keeps nothing from starting. */
static bool record(struct reload *reload, const struct configuration *conf, struct refusal *refusal)
{
    struct actor actor = actor_of(reload);

    if (is_stored(reload) ||
        ledger_adopt(reload->process->ledger, &actor, conf, event_of(reload, conf), refusal))
        return true;
    if (!reload->is_first || conf->policy.mode == POLICY_ENFORCED)
        return false;
    log_event(EV_STATE_NOTE, LOG_TEXT("note", refusal->detail));
    refusal_clear(refusal);
    return true;
}

static void is_prepared(void *context, struct prepared *prepared, const struct findings *findings,
                        const struct error *why)
{
    struct reload *reload = context;
    struct server_process *process = reload->process;
    struct refusal refusal = {0};

    (void)findings; /* they are reload->findings */
    if (process->is_stopping) {
        if (prepared != NULL)
            run_drop(process, prepared);
        stop_reload(reload);
    } else if (prepared == NULL) {
        refuse_reload(reload, why->text);
    } else if (!record(reload, run_prepared_conf(prepared), &refusal)) {
        run_drop(process, prepared);
        refuse_by_ledger(reload, &refusal);
        refusal_clear(&refusal);
    } else {
        compare(reload, run_prepared_conf(prepared));
        run_publish(process, prepared, is_published, reload);
    }
}

/* False: it does not build with the mode that is in force. */
static bool keep_mode(struct reload *reload)
{
    bool was_weaker;

    (void)snprintf(reload->disk_digest, sizeof(reload->disk_digest), "%s", reload->conf->digest);
    reload->conf = ledger_keep_mode(reload->process->ledger, TAKE_POINTER(&reload->conf),
                                    &was_weaker, &reload->findings);
    if (was_weaker) {
        log_event(EV_MODE_KEPT, LOG_TEXT("directory", reload->process->configuration_directory));
        finding_add(&reload->findings, FINDING_WARNING, "config", NULL, "/policy/mode",
                    "the mode in force is stricter, and stays: a change makes it weaker");
    }
    return reload->conf != NULL;
}

static void take_over(struct reload *reload)
{
    bool is_good = is_stored(reload) || keep_mode(reload);

    run_log_findings(&reload->findings, 0);
    if (!is_good) {
        run_log_refused(reload->process, NULL);
        refuse_reload(reload,
                      reload->is_first ? "conf.d does not build in the mode in force" : NULL);
        return;
    }
    run_prepare(reload->process, TAKE_POINTER(&reload->conf), &reload->findings, is_prepared,
                reload);
}

/* ---- made into a change ---- */

static void import_for(struct reload *reload, const struct actor *actor, struct waiting *waiting)
{
    struct admin_reload_result result = {.findings = &reload->findings};
    struct refusal refusal = {0};
    const char *id;

    result.ok =
        ledger_import(reload->process->ledger, actor, reload->conf, &result.change, &refusal);
    id = json_string_value(json_object_get(result.change, "id"));
    if (!result.ok) {
        result.refusal = &refusal;
        result.why = refusal.detail;
        run_log_refused(reload->process, refusal.detail);
    } else {
        log_event(EV_IMPORTED, LOG_TEXT("change", id != NULL ? id : "none"),
                  LOG_TEXT("by", actor->person));
    }
    if (waiting != NULL)
        tell_one(waiting, &result);
    json_decref(result.change);
    refusal_clear(&refusal);
}

/* Each who asked is a contributor. */
static void import(struct reload *reload)
{
    struct actor system = actor_system("sighup");
    struct admin_reload_result none = {.ok = true};
    unsigned count = reload->waiting_count;

    note_disk(reload->process, reload->fingerprint, reload->conf->digest);
    if (count == 0)
        import_for(reload, &system, NULL);
    reload->waiting_count = 0;
    for (unsigned i = 0; i < count; i++)
        import_for(reload, &reload->waiting[i].actor, &reload->waiting[i]);
    finish(reload, &none);
}

/* ---- reading ---- */

/* On libuv's pool: touches nothing but the reload. */
static void read_job(uv_work_t *work)
{
    struct reload *reload = container_of(work, struct reload, work);
    const char *directory = reload->process->configuration_directory;

    for (unsigned i = 0; i < READ_TRIES; i++) {
        config_free(&reload->conf);
        findings_fini(&reload->findings);
        findings_init(&reload->findings, reload->arena);
        reload->fingerprint = settle(directory);
        reload->conf = config_load(directory, &reload->findings);
        if (fingerprint_of(directory) == reload->fingerprint)
            break; /* nobody wrote while we read */
    }
    if (reload->conf != NULL) {
        expressions_check(reload->conf, &reload->findings);
        policy_check_survivable(reload->conf, &reload->findings);
        detectors_look(reload->conf, &reload->detected);
    }
}

static void has_read(uv_work_t *work, int status)
{
    struct reload *reload = container_of(work, struct reload, work);

    reload->is_reading = false;
    if (status != 0 || reload->process->is_stopping) {
        stop_reload(reload);
    } else if (reload->conf != NULL && reload->is_import) {
        import(reload);
    } else if (reload->conf == NULL ||
               findings_count_at_least(&reload->findings, FINDING_ERROR) > 0) {
        if (reload->conf == NULL)
            note_disk(reload->process, reload->fingerprint, NULL);
        run_log_findings(&reload->findings, 0);
        run_log_refused(reload->process, NULL);
        refuse_reload(reload, NULL);
    } else {
        take_over(reload);
    }
}

static bool is_enforced(const struct server_process *process)
{
    const struct snapshot *current = publisher_current(process->publisher);

    return current != NULL && current->conf->policy.mode == POLICY_ENFORCED;
}

static void start_reading(struct reload *reload)
{
    reload->is_import = is_enforced(reload->process);
    reload->is_reading = true;
    CHECK(uv_queue_work(&reload->process->loop, &reload->work, read_job, has_read) == 0);
}

/* ---- who asks ---- */

void reload_first(struct server_process *process, struct configuration *conf)
{
    struct reload *reload = reload_new(process);

    reload->is_first = true;
    reload->conf = conf;
    detectors_look(conf, &reload->detected);
    reload->fingerprint = fingerprint_of(process->configuration_directory);
    take_over(reload);
}

static void wait_in(struct waiting *list, unsigned *count, const struct actor *actor,
                    admin_reloaded_fn *done, void *context)
{
    struct waiting *waiting = &list[(*count)++];

    actor_copy(&waiting->actor, actor);
    waiting->done = done;
    waiting->context = context;
}

/* `actor` is NULL for a signal: nobody waits. */
static void ask(struct server_process *process, const struct actor *actor, admin_reloaded_fn *done,
                void *context)
{
    struct reload *reload = process->reload;
    struct admin_reload_result busy = {.why = "too many reloads wait already"};

    if (reload != NULL) {
        reload->is_again = true;
        if (actor != NULL && reload->later_count == MAX_WAITING)
            done(context, &busy);
        else if (actor != NULL)
            wait_in(reload->later, &reload->later_count, actor, done, context);
        return;
    }
    reload = reload_new(process);
    if (actor != NULL)
        wait_in(reload->waiting, &reload->waiting_count, actor, done, context);
    start_reading(reload);
}

void reload_from_signal(struct server_process *process)
{
    if (process->is_stopping)
        return;
    if (is_enforced(process))
        observer_reopen(process->observer);
    ask(process, NULL, NULL, NULL);
}

void reload_from_admin(void *context, const struct actor *actor, admin_reloaded_fn *done,
                       void *done_context)
{
    struct server_process *process = context;
    struct admin_reload_result stopping = {.why = "twokey is stopping"};

    if (process->is_stopping)
        done(done_context, &stopping);
    else
        ask(process, actor, done, done_context);
}

/* ---- drift ---- */

/* What conf.d says now, read again only when somebody has touched it. */
static const char *disk_digest(struct server_process *process)
{
    uint64_t fingerprint = fingerprint_of(process->configuration_directory);
    struct arena *arena;
    struct findings findings;
    struct configuration *conf;

    if (fingerprint != process->disk_fingerprint) {
        arena = arena_new(ARENA_BLOCK);
        findings_init(&findings, arena);
        conf = config_load(process->configuration_directory, &findings);
        note_disk(process, fingerprint, conf != NULL ? conf->digest : NULL);
        config_free(&conf);
        findings_fini(&findings);
        arena_free(&arena);
    }
    return process->disk_digest[0] != '\0' ? process->disk_digest : NULL;
}

bool reload_has_drift(void *context)
{
    struct server_process *process = context;
    bool before = process->drift;

    if (publisher_current(process->publisher) == NULL)
        return false;
    process->drift = ledger_has_drift(process->ledger, disk_digest(process));
    if (process->drift && !before)
        log_event(EV_DRIFT, LOG_TEXT("directory", process->configuration_directory));
    return process->drift;
}

void reload_close(struct server_process *process)
{
    if (process->reload != NULL && !process->reload->is_reading)
        stop_reload(process->reload);
}
