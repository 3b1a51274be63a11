/*
 * run_configuration - see run_configuration.h.
 *
 * Owner    the serving process.      Threads  control
 */
#include "cli/run_configuration.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/serve.h"
#include "config/contents.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/observer.h"
#include "proxy/listener.h"
#include "proxy/publish.h"
#include "proxy/secure.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/registry.h"
#include "proxy/upstream/server.h"
#include "watch/staples.h"

enum {
    NAMES_PATIENCE_MS = 3000,
    FINDING_TEXT = 2048,
    ARENA_BLOCK = 4096,
    CHECKS_LOOK_MS = 20,
    CHECKS_PATIENCE_MS = 10000,
};

/* One configuration on its way: waits in the line, then is prepared, then published or dropped. */
struct prepared {
    struct list link; /* process->runs; the first one is under way */
    struct server_process *process;
    struct configuration *conf; /* until a snapshot has it */
    struct snapshot *snapshot;  /* until it is published */
    struct findings *findings;  /* borrowed, or NULL */
    runner_prepared_fn *done;
    runner_published_fn *published;
    void *context;
    const struct snapshot_pool **new_pools; /* whose first checks are awaited */
    size_t new_pool_count;
    uint64_t patience_ends_ms;
    uint64_t generation;
    bool waits_for_checks;
    bool is_published;
};

static void names_are_known(void *context);

/* ---- the log ---- */

void run_log_findings(const struct findings *findings, size_t first)
{
    char text[FINDING_TEXT];

    for (size_t i = first; i < findings->count; i++) {
        finding_text(&findings->items[i], text, sizeof(text));
        log_event(EV_CONFIG_FINDING,
                  LOG_TEXT("severity", finding_severity_word(findings->items[i].severity)),
                  LOG_TEXT("rule", findings->items[i].rule), LOG_TEXT("message", text));
    }
}

void run_log_refused(const struct server_process *process, const char *why)
{
    const struct snapshot *current = publisher_current(process->publisher);

    log_event(EV_CONFIG_REFUSED,
              LOG_TEXT("why", why != NULL ? why : "the configuration has findings"),
              LOG_NUMBER("running_generation", current != NULL ? current->generation : 0));
}

/* ---- the line ---- */

static struct prepared *under_way(struct server_process *process)
{
    return list_is_empty(&process->runs) ? NULL
                                         : container_of(process->runs.next, struct prepared, link);
}

static void free_run(struct prepared *run)
{
    list_remove(&run->link);
    config_free(&run->conf);
    xfree(run->new_pools);
    xfree(run);
}

static void begin(struct prepared *run);
static void show_staples(struct server_process *process);

/* Takes the one that has ended out of the line; the next begins. */
static void leave_line(struct prepared *run)
{
    struct server_process *process = run->process;

    free_run(run);
    if (process->is_stopping)
        return;
    if (process->names_changed)
        run_names_changed(process);
    if (process->staples_changed)
        show_staples(process);
    if (under_way(process) != NULL)
        begin(under_way(process));
}

/* What runs goes on, and what is tried beside it: their names are watched again. */
static void watch_running_names(struct server_process *process)
{
    const struct snapshot *current = publisher_current(process->publisher);

    const struct snapshot *candidate = publisher_candidate(process->publisher);

    if (current != NULL)
        registry_watch_both(process->registry, current->conf,
                            candidate != NULL ? candidate->conf : NULL);
}

static void fail(struct prepared *run, const char *text)
{
    struct server_process *process = run->process;
    struct error why = {0};

    error_set(&why, ERROR_INVALID, "%s", text);
    run_log_refused(process, text);
    if (!process->is_stopping)
        watch_running_names(process);
    run->done(run->context, NULL, run->findings, &why);
    leave_line(run);
}

/* ---- preparing ---- */

static void note_what_needs_a_restart(struct prepared *run, const struct configuration *now)
{
    struct server_process *process = run->process;
    unsigned workers = serve_count_workers(run->conf);
    size_t before;

    if (run->findings == NULL)
        return;
    before = run->findings->count;
    if (workers != process->worker_count)
        finding_add(run->findings, FINDING_WARNING, "config", NULL, "/process/workers",
                    "%u workers run; %u are started when twokey is restarted",
                    process->worker_count, workers);
    if (now != NULL && strcmp(now->admin.listen.text, run->conf->admin.listen.text) != 0)
        finding_add(run->findings, FINDING_WARNING, "config", NULL, "/admin/listen",
                    "the admin listener stays at %s until twokey is restarted",
                    now->admin.listen.text);
    if (process->admin != NULL && admin_is_exposed(process->admin) && !run->conf->admin.has_tls)
        finding_add(run->findings, FINDING_WARNING, "config", NULL, "/admin/tls",
                    "the admin listener is at an address that is not loopback, and goes on with "
                    "TLS, as it was, until twokey is restarted");
    run_log_findings(run->findings, before);
}

/* What the ledger runs has been read already, from its own copies. */
static bool read_files(struct prepared *run, struct error *why)
{
    struct contents_roots roots = {&run->conf->process.file_roots,
                                   run->process->configuration_directory};
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct findings findings;
    bool ok;

    findings_init(&findings, arena);
    ok = contents_fill(run->conf, contents_from_disk, &roots, &findings);
    if (!ok)
        error_set(why, ERROR_INVALID, "%s: %s", findings.items[0].pointer,
                  findings.items[0].message);
    findings_fini(&findings);
    arena_free(&arena);
    return ok;
}

static bool secure(struct server_process *process, struct snapshot *snapshot, struct error *why)
{
    struct secure_means means = {process->tickets, staples_for, process->staples};

    staples_begin(process->staples, snapshot->conf, clock_wall_ms());
    return secure_snapshot(snapshot, &means, why);
}

/* NULL and `why`; the configuration may be gone then. */
static struct snapshot *build_snapshot(struct prepared *run, struct error *why)
{
    struct server_process *process = run->process;
    struct snapshot *snapshot =
        snapshot_build(run->conf, process->generation + 1, process->registry, process->rates,
                       process->counters, why);

    if (snapshot == NULL)
        return NULL;
    run->conf = NULL;
    if (!secure(process, snapshot, why))
        snapshot_free(&snapshot);
    return snapshot;
}

/* Names have addresses, as far as they will: everything that can fail is done here. */
static void names_are_known(void *context)
{
    struct prepared *run = context;
    struct server_process *process = run->process;
    struct snapshot *current = publisher_current(process->publisher);
    const struct configuration *now = current != NULL ? current->conf : NULL;
    struct error why = {0};

    if (process->is_stopping) {
        fail(run, "twokey is stopping");
        return;
    }
    note_what_needs_a_restart(run, now);
    if (!listener_set_prepare(process->listeners, run->conf, &why)) {
        log_event(EV_LISTEN_FAILED, LOG_TEXT("why", why.text));
        fail(run, why.text);
        return;
    }
    if (!observer_set_access_log(process->observer, run->conf->observe.access_log_path, &why)) {
        listener_set_abort(process->listeners);
        fail(run, why.text);
        return;
    }
    run->snapshot = build_snapshot(run, &why);
    if (run->snapshot == NULL) {
        listener_set_abort(process->listeners);
        if (now != NULL)
            (void)observer_set_access_log(process->observer, now->observe.access_log_path, NULL);
        fail(run, why.text);
        return;
    }
    run->done(run->context, run, run->findings, NULL);
}

static void begin(struct prepared *run)
{
    struct error why = {0};

    /* Before the names, which a configuration that cannot run must not change. */
    if (!snapshot_check(run->conf, &why))
        fail(run, why.text);
    else if (run->conf->listener_count == 0)
        fail(run, "there is no listener: nothing would be served");
    else if (!read_files(run, &why))
        fail(run, why.text);
    else
        registry_watch_names(run->process->registry, run->conf, NAMES_PATIENCE_MS, names_are_known,
                             run);
}

void run_prepare(struct server_process *process, struct configuration *conf,
                 struct findings *findings, runner_prepared_fn *done, void *context)
{
    struct prepared *run = xcalloc(1, sizeof(*run));
    bool is_first = list_is_empty(&process->runs);

    run->process = process;
    run->conf = conf;
    run->findings = findings;
    run->done = done;
    run->context = context;
    list_append(&process->runs, &run->link);
    if (is_first)
        begin(run);
}

const struct configuration *run_prepared_conf(const struct prepared *prepared)
{
    return prepared->snapshot->conf;
}

void run_drop(struct server_process *process, struct prepared *run)
{
    const struct snapshot *current = publisher_current(process->publisher);

    CHECK(run == under_way(process) && !run->is_published);
    listener_set_abort(process->listeners);
    snapshot_free(&run->snapshot);
    if (current != NULL)
        (void)observer_set_access_log(process->observer, current->conf->observe.access_log_path,
                                      NULL); /* it was open before */
    watch_running_names(process);
    leave_line(run);
}

/* ---- the first checks of new pools ---- */

/* Pools that did not run before and are checked; how long a round of theirs may take. */
static void find_new_pools(struct prepared *run, const struct snapshot *before,
                           const struct snapshot *now)
{
    uint64_t patience_ms = 0;

    run->new_pools = xcalloc(now->pool_count, sizeof(const struct snapshot_pool *));
    for (size_t i = 0; i < now->pool_count; i++) {
        const struct conf_health_check *check = &now->pools[i].conf->health_check;

        if (!check->is_on ||
            (before != NULL && snapshot_find_pool(before, now->pools[i].conf->name) != NULL))
            continue;
        run->new_pools[run->new_pool_count++] = &now->pools[i];
        if (patience_ms < check->timeout_ms + check->interval_ms)
            patience_ms = check->timeout_ms + check->interval_ms;
    }
    if (patience_ms > CHECKS_PATIENCE_MS)
        patience_ms = CHECKS_PATIENCE_MS;
    run->patience_ends_ms = clock_ms() + patience_ms;
}

static bool checks_are_due(const struct prepared *run)
{
    if (clock_ms() >= run->patience_ends_ms)
        return false;
    for (size_t p = 0; p < run->new_pool_count; p++)
        for (size_t i = 0; i < run->new_pools[p]->server_count; i++)
            if (atomic_load_explicit(&run->new_pools[p]->servers[i]->live.health,
                                     memory_order_relaxed) == HEALTH_UNKNOWN)
                return true;
    return false;
}

static void end_publish(struct prepared *run)
{
    if (run->published != NULL)
        run->published(run->context, run->generation);
    leave_line(run);
}

static void on_checks_timer(uv_timer_t *timer)
{
    struct server_process *process = container_of(timer, struct server_process, checks_timer);
    struct prepared *run = under_way(process);

    if (run == NULL || !run->is_published) {
        CHECK(uv_timer_stop(timer) == 0);
    } else if (!checks_are_due(run)) {
        CHECK(uv_timer_stop(timer) == 0);
        end_publish(run);
    }
}

static void await_checks(struct prepared *run)
{
    if (run->waits_for_checks && checks_are_due(run))
        CHECK(uv_timer_start(&run->process->checks_timer, on_checks_timer, CHECKS_LOOK_MS,
                             CHECKS_LOOK_MS) == 0);
    else
        end_publish(run);
}

/* ---- publishing ---- */

static void note_start(struct server_process *process, const struct snapshot *snapshot)
{
    if (process->is_started)
        return;
    process->is_started = true;
    log_event(EV_STARTED, LOG_NUMBER("workers", process->worker_count),
              LOG_TEXT("admin", snapshot->conf->admin.listen.text),
              LOG_TEXT("version", TWOKEY_VERSION));
    for (size_t i = 0; i < snapshot->listener_count; i++)
        log_event(EV_LISTENING, LOG_TEXT("listener", snapshot->listeners[i].conf->name),
                  LOG_TEXT("address", snapshot->listeners[i].conf->address.text));
}

static void all_adopted(void *context, const struct snapshot *snapshot)
{
    struct prepared *run = context;
    struct server_process *process = run->process;

    log_event(EV_CONFIG_PUBLISHED, LOG_NUMBER("generation", snapshot->generation),
              LOG_TEXT("digest", snapshot->conf->digest));
    if (process->admin != NULL)
        admin_adopt(process->admin);
    note_start(process, snapshot);
    await_checks(run);
}

static void publish_run(struct prepared *run, bool waits_for_checks, runner_published_fn *done,
                        void *context)
{
    struct server_process *process = run->process;
    struct snapshot *snapshot = TAKE_POINTER(&run->snapshot);

    CHECK(run == under_way(process) && !run->is_published);
    run->is_published = true;
    run->published = done;
    run->context = context;
    run->waits_for_checks = waits_for_checks;
    run->generation = snapshot->generation;
    if (waits_for_checks)
        find_new_pools(run, publisher_current(process->publisher), snapshot);
    process->generation = snapshot->generation;
    publish(process->publisher, snapshot, process->listeners, all_adopted, run);
    publish_end_candidate(process->publisher); /* after it: nobody goes back for a moment */
    listener_set_commit(process->listeners);
}

void run_publish(struct server_process *process, struct prepared *prepared,
                 runner_published_fn *done, void *context)
{
    CHECK(prepared->process == process);
    publish_run(prepared, false, done, context);
}

/* ---- a share of the connections ---- */

static void all_try(void *context, const struct snapshot *snapshot)
{
    struct prepared *run = context;

    log_event(EV_CONFIG_TRIED, LOG_NUMBER("generation", snapshot->generation),
              LOG_TEXT("digest", snapshot->conf->digest),
              LOG_NUMBER("percent",
                         publisher_candidate_below(run->process->publisher) * 100 / PUBLISH_WHOLE));
    await_checks(run);
}

static uint32_t lots_of(uint32_t percent)
{
    return percent * (PUBLISH_WHOLE / 100);
}

static void runner_try(void *context, struct prepared *run, uint32_t percent,
                       runner_published_fn *done, void *done_context)
{
    struct server_process *process = context;
    struct snapshot *snapshot = TAKE_POINTER(&run->snapshot);

    CHECK(run == under_way(process) && !run->is_published);
    run->is_published = true;
    run->published = done;
    run->context = done_context;
    run->waits_for_checks = true;
    run->generation = snapshot->generation;
    listener_set_abort(process->listeners); /* it has those that run, and opens none */
    find_new_pools(run, publisher_current(process->publisher), snapshot);
    process->generation = snapshot->generation;
    publish_candidate(process->publisher, snapshot, lots_of(percent), all_try, run);
    watch_running_names(process);
}

static void runner_widen(void *context, uint32_t percent)
{
    struct server_process *process = context;
    const struct snapshot *candidate = publisher_candidate(process->publisher);

    if (candidate == NULL)
        return;
    publish_widen(process->publisher, lots_of(percent));
    log_event(EV_CONFIG_TRIED, LOG_NUMBER("generation", candidate->generation),
              LOG_TEXT("digest", candidate->conf->digest), LOG_NUMBER("percent", percent));
}

static uint64_t runner_take_back(void *context)
{
    struct server_process *process = context;
    const struct snapshot *candidate = publisher_candidate(process->publisher);
    const struct snapshot *current = publisher_current(process->publisher);

    if (candidate != NULL) {
        log_event(EV_CONFIG_TAKEN_BACK, LOG_NUMBER("generation", candidate->generation),
                  LOG_TEXT("digest", candidate->conf->digest));
        publish_end_candidate(process->publisher);
        if (under_way(process) == NULL)
            watch_running_names(process);
    }
    return current != NULL ? current->generation : 0;
}

/* ---- names ---- */

static struct snapshot *rebuilt(struct server_process *process, const struct snapshot *before)
{
    struct error why = {0};
    struct snapshot *snapshot =
        snapshot_rebuild(before, process->generation + 1, process->rates, process->counters, &why);

    if (snapshot == NULL)
        log_event(EV_CONFIG_REFUSED, LOG_TEXT("why", why.text));
    else
        process->generation++;
    return snapshot;
}

static void rebuild_candidate(struct server_process *process)
{
    const struct snapshot *candidate = publisher_candidate(process->publisher);
    struct snapshot *snapshot = candidate != NULL ? rebuilt(process, candidate) : NULL;

    if (snapshot != NULL)
        publish_candidate(process->publisher, snapshot,
                          publisher_candidate_below(process->publisher), NULL, NULL);
}

void run_names_changed(void *context)
{
    struct server_process *process = context;
    const struct snapshot *current = publisher_current(process->publisher);
    struct snapshot *snapshot;

    if (process->is_stopping || current == NULL)
        return;
    process->names_changed = under_way(process) != NULL;
    if (process->names_changed) /* what is under way takes the new addresses, or comes back here */
        return;
    snapshot = rebuilt(process, current);
    if (snapshot == NULL)
        return;
    publish(process->publisher, snapshot, process->listeners, NULL, NULL);
    rebuild_candidate(process);
}

/* ---- staples ---- */

/* The same configuration again, its contexts made anew. */
static struct snapshot *secured_again(struct server_process *process, const struct snapshot *before)
{
    struct snapshot *snapshot = rebuilt(process, before);
    struct error why = {0};

    if (snapshot == NULL)
        return NULL;
    secure_free(snapshot);
    if (!secure(process, snapshot, &why)) {
        log_event(EV_CONFIG_REFUSED, LOG_TEXT("why", why.text));
        snapshot_free(&snapshot);
    }
    return snapshot;
}

static void show_staples(struct server_process *process)
{
    const struct snapshot *candidate = publisher_candidate(process->publisher);
    struct snapshot *snapshot;

    process->staples_changed = under_way(process) != NULL;
    if (process->staples_changed)
        return;
    snapshot = secured_again(process, publisher_current(process->publisher));
    if (snapshot != NULL)
        publish(process->publisher, snapshot, process->listeners, NULL, NULL);
    snapshot = candidate != NULL ? secured_again(process, candidate) : NULL;
    if (snapshot != NULL)
        publish_candidate(process->publisher, snapshot,
                          publisher_candidate_below(process->publisher), NULL, NULL);
}

void run_look_at_staples(struct server_process *process)
{
    const struct snapshot *current = publisher_current(process->publisher);
    const struct snapshot *candidate = publisher_candidate(process->publisher);

    if (process->is_stopping || current == NULL)
        return;
    if (staples_look(process->staples, current->conf, candidate != NULL ? candidate->conf : NULL,
                     clock_wall_ms()))
        show_staples(process);
}

/* ---- what the ledger asks ---- */

static void runner_prepare(void *process, struct configuration *conf, runner_prepared_fn *done,
                           void *context)
{
    run_prepare(process, conf, NULL, done, context);
}

static void runner_publish(void *process, struct prepared *prepared, runner_published_fn *done,
                           void *context)
{
    CHECK(prepared->process == process);
    publish_run(prepared, true, done, context);
}

static void runner_drop(void *process, struct prepared *prepared)
{
    run_drop(process, prepared);
}

static const struct configuration *runner_running(void *context)
{
    const struct server_process *process = context;
    const struct snapshot *current =
        process->publisher != NULL ? publisher_current(process->publisher) : NULL;

    return current != NULL ? current->conf : NULL;
}

struct runner run_configuration_runner(struct server_process *process)
{
    return (struct runner){.prepare = runner_prepare,
                           .publish = runner_publish,
                           .drop = runner_drop,
                           .try = runner_try,
                           .widen = runner_widen,
                           .take_back = runner_take_back,
                           .running = runner_running,
                           .process = process};
}

/* ---- the end ---- */

void run_close(struct server_process *process)
{
    struct error why = {0};

    error_set(&why, ERROR_UNAVAILABLE, "twokey is stopping");
    while (!list_is_empty(&process->runs)) {
        struct prepared *run = under_way(process);

        if (run->snapshot != NULL)
            snapshot_free(&run->snapshot);
        else if (!run->is_published)
            run->done(run->context, NULL, run->findings, &why);
        free_run(run);
    }
}
