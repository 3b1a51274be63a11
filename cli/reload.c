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
#include <sys/stat.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/policy.h"
#include "cli/cli.h"
#include "cli/expressions.h"
#include "cli/run_configuration.h"
#include "cli/serve.h"
#include "config/diff.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"

enum {
    MAX_WAITING = 64,
    ARENA_BLOCK = 16 * 1024,
    FINDING_TEXT = 2048,
    SETTLE_MS = 20,
    SETTLE_TRIES = 50,
    READ_TRIES = 3
};

struct waiting {
    admin_reloaded_fn *done;
    void *context;
};

struct reload {
    uv_work_t work;
    struct server_process *process;
    struct arena *arena;
    struct findings findings;
    struct configuration *conf; /* until it is taken over */
    struct differences differences;
    const char **changes;
    uint64_t fingerprint;
    struct waiting waiting[MAX_WAITING];
    unsigned waiting_count;
    struct waiting later[MAX_WAITING]; /* who asked since: they get the next one's outcome */
    unsigned later_count;
    bool is_first;
    bool is_reading; /* libuv's pool has it: it must not be freed */
    bool is_again;   /* somebody asked while this one had begun to read */
};

/* ---- files ---- */

/* Names, sizes and times of the documents: equal as long as nobody touched them. */
static uint64_t fingerprint_of(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    uint64_t sum = 0;

    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        char path[4096];
        struct stat status;
        size_t bytes = strlen(entry->d_name);
        uint64_t facts[3];

        if (bytes < 6 || strcmp(entry->d_name + bytes - 5, ".json") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (stat(path, &status) != 0)
            continue;
        facts[0] = (uint64_t)status.st_size;
        facts[1] = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
        facts[2] = (uint64_t)status.st_ino;
        sum += hash_bytes(&HASH_STABLE, facts, sizeof(facts)) ^
               hash_slice(&HASH_STABLE, slice_from(entry->d_name));
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

struct configuration *reload_read_first(const char *directory)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct findings findings;
    struct configuration *conf;
    char text[FINDING_TEXT];

    findings_init(&findings, arena);
    conf = config_load(directory, &findings);
    if (conf != NULL)
        policy_check_survivable(conf, &findings);
    if (findings_count_at_least(&findings, FINDING_BLOCK) > 0)
        config_free(&conf);
    for (size_t i = 0; i < findings.count; i++) {
        finding_text(&findings.items[i], text, sizeof(text));
        (void)fprintf(stderr, "%s: %s\n", finding_severity_word(findings.items[i].severity), text);
    }
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
    process->reload = reload;
    return reload;
}

static void start_reading(struct reload *reload);

static void tell(const struct waiting *waiting, unsigned count,
                 const struct admin_reload_result *result)
{
    for (unsigned i = 0; i < count; i++)
        if (waiting[i].done != NULL)
            waiting[i].done(waiting[i].context, result);
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

static void refuse(struct reload *reload, const char *why)
{
    struct admin_reload_result result = {.findings = &reload->findings, .why = why};

    if (reload->is_first && why != NULL)
        (void)fprintf(stderr, "twokey: %s\n", why);
    if (why != NULL)
        finding_add(&reload->findings, FINDING_BLOCK, "config", NULL, NULL, "%s", why);
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

    process->fingerprint = reload->fingerprint;
    process->drift = false;
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

static void is_prepared(void *context, struct prepared *prepared, const struct findings *findings,
                        const struct error *why)
{
    struct reload *reload = context;
    struct server_process *process = reload->process;

    (void)findings; /* they are reload->findings */
    if (process->is_stopping) {
        if (prepared != NULL)
            run_drop(process, prepared);
        stop_reload(reload);
    } else if (prepared == NULL) {
        refuse(reload, why->text);
    } else {
        compare(reload, run_prepared_conf(prepared));
        run_publish(process, prepared, is_published, reload);
    }
}

static void take_over(struct reload *reload)
{
    run_log_findings(&reload->findings, 0);
    run_prepare(reload->process, TAKE_POINTER(&reload->conf), &reload->findings, is_prepared,
                reload);
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
    }
}

static void has_read(uv_work_t *work, int status)
{
    struct reload *reload = container_of(work, struct reload, work);

    reload->is_reading = false;
    if (status != 0 || reload->process->is_stopping) {
        stop_reload(reload);
    } else if (reload->conf == NULL ||
               findings_count_at_least(&reload->findings, FINDING_ERROR) > 0) {
        run_log_findings(&reload->findings, 0);
        run_log_refused(reload->process, NULL);
        refuse(reload, NULL);
    } else {
        take_over(reload);
    }
}

static void start_reading(struct reload *reload)
{
    reload->is_reading = true;
    CHECK(uv_queue_work(&reload->process->loop, &reload->work, read_job, has_read) == 0);
}

/* ---- who asks ---- */

void reload_first(struct server_process *process, struct configuration *conf)
{
    struct reload *reload = reload_new(process);

    reload->is_first = true;
    reload->conf = conf;
    reload->fingerprint = fingerprint_of(process->configuration_directory);
    take_over(reload);
}

static void ask(struct server_process *process, admin_reloaded_fn *done, void *context)
{
    struct reload *reload = process->reload;
    struct admin_reload_result busy = {.why = "too many reloads wait already"};

    if (reload != NULL) {
        reload->is_again = true;
        if (done == NULL)
            return;
        if (reload->later_count == MAX_WAITING)
            done(context, &busy);
        else
            reload->later[reload->later_count++] = (struct waiting){done, context};
        return;
    }
    reload = reload_new(process);
    reload->waiting[reload->waiting_count++] = (struct waiting){done, context};
    start_reading(reload);
}

void reload_from_signal(struct server_process *process)
{
    if (!process->is_stopping)
        ask(process, NULL, NULL);
}

void reload_from_admin(void *context, admin_reloaded_fn *done, void *done_context)
{
    struct server_process *process = context;
    struct admin_reload_result stopping = {.why = "twokey is stopping"};

    if (process->is_stopping)
        done(done_context, &stopping);
    else
        ask(process, done, done_context);
}

/* ---- drift ---- */

bool reload_has_drift(void *context)
{
    struct server_process *process = context;
    const struct snapshot *current = publisher_current(process->publisher);
    uint64_t fingerprint = fingerprint_of(process->configuration_directory);
    struct arena *arena;
    struct findings findings;
    struct configuration *conf;

    if (fingerprint == process->fingerprint || current == NULL)
        return false;
    if (fingerprint == process->drift_fingerprint)
        return process->drift;
    arena = arena_new(ARENA_BLOCK);
    findings_init(&findings, arena);
    conf = config_load(process->configuration_directory, &findings);
    process->drift = conf == NULL || strcmp(conf->digest, current->conf->digest) != 0;
    process->drift_fingerprint = fingerprint;
    if (process->drift)
        log_event(EV_DRIFT, LOG_TEXT("directory", process->configuration_directory));
    config_free(&conf);
    findings_fini(&findings);
    arena_free(&arena);
    return process->drift;
}

void reload_close(struct server_process *process)
{
    if (process->reload != NULL && !process->reload->is_reading)
        stop_reload(process->reload);
}
