/*
 * serve - puts everything together; the only file that knows all.
 *
 *   start   conf.d read, state directory locked, the ledger says what runs (its own revision, or
 *           conf.d), names resolved, sockets bound, snapshot published
 *   reload  conf.d read on libuv's pool, then the same steps, or a change is made of it
 *   stop    workers end their requests, then the rest is taken down in reverse
 *
 * Owner    main thread (control)      Threads  control, but where a comment says otherwise
 */
#include "cli/serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "admin/admin.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "base/thread.h"
#include "change/ledger.h"
#include "cli/cli.h"
#include "cli/reload.h"
#include "cli/renew.h"
#include "cli/run_configuration.h"
#include "cli/serve_state.h"
#include "cli/told.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/alert_thread.h"
#include "observe/counters.h"
#include "observe/observer.h"
#include "observe/ring.h"
#include "observe/tap.h"
#include "proxy/failure.h"
#include "proxy/limits.h"
#include "proxy/listener.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "proxy/sticky.h"
#include "proxy/upstream/prober.h"
#include "proxy/upstream/registry.h"
#include "proxy/worker.h"
#include "tls/tickets.h"
#include "tls/trouble.h"
#include "watch/renewals.h"
#include "watch/staples.h"
#include "watch/watch.h"

enum {
    OWN_DESCRIPTORS = 60, /* sockets, loops and files of two idle workers and the state directory */
    RESERVED_DESCRIPTORS = 256,
    MAX_WORKERS = BALANCE_MAX_WORKERS,
    TICK_MS = 1000,
};

/* ---- the process ---- */

/* As many descriptors as we may have.  Some are kept back for checks, admin and files; of the rest
 * two thirds are for clients: idle ones need no second one, for a server. */
static uint32_t raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 / 4;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* what is in force is read back */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    if (limit.rlim_cur <= 2 * RESERVED_DESCRIPTORS)
        return limit.rlim_cur > OWN_DESCRIPTORS ? (uint32_t)(limit.rlim_cur - OWN_DESCRIPTORS) / 3
                                                : 1;
    return (uint32_t)((limit.rlim_cur - RESERVED_DESCRIPTORS) / 3 * 2);
}

/* ---- parts ---- */

struct ended {
    struct mail mail;
    struct server_process *process;
};

static void on_worker_ended(struct mail *mail, void *receiver);

/* On the worker's thread. */
static void worker_has_ended(void *context, unsigned worker)
{
    struct ended *ended = xcalloc(1, sizeof(*ended));

    (void)worker;
    ended->mail.handle = on_worker_ended;
    ended->process = context;
    CHECK(mailbox_post(&ended->process->mailbox, &ended->mail));
}

unsigned serve_count_workers(const struct configuration *conf)
{
    unsigned workers =
        conf->process.workers > 0 ? conf->process.workers : uv_available_parallelism();

    return workers < MAX_WORKERS ? workers : MAX_WORKERS;
}

static void start_observer(struct server_process *process)
{
    struct observer_options options = {
        .rings = process->rings,
        .taps = process->taps,
        .worker_count = process->worker_count,
        .counters = process->counters,
        .reason_words = balance_reason_words,
        .failure_words = failure_words,
        .on_summary = told_summary,
        .on_sample = told_sample,
        .context = process,
    };

    for (unsigned i = 0; i < process->worker_count; i++) {
        process->rings[i] = ring_new();
        process->taps[i] = tap_new();
    }
    process->observer = observer_start(&options);
}

static void start_workers(struct server_process *process, uint32_t most_clients)
{
    for (unsigned i = 0; i < process->worker_count; i++) {
        struct worker_options options = {
            .index = i,
            .worker_count = process->worker_count,
            .prober = process->prober,
            .observer = process->observer,
            .ring = process->rings[i],
            .tap = process->taps[i],
            .counters = process->counters,
            .client_limit = process->client_limit,
            .sticky_key = process->sticky_key,
            .workers = process->workers,
            .most_clients = most_clients,
            .on_ended = worker_has_ended,
            .context = process,
        };

        process->workers[i] = worker_new(&options);
    }
    process->publisher =
        publisher_new(&process->mailbox, process->prober, process->workers, process->worker_count);
    for (unsigned i = 0; i < process->worker_count; i++) {
        worker_set_publisher(process->workers[i], process->publisher);
        worker_start(process->workers[i]);
    }
    process->running_workers = process->worker_count;
}

static uint64_t checks_seen_ms(void *context)
{
    const struct server_process *process = context;

    return prober_seen_ms(process->prober);
}

static void start_watch(struct server_process *process)
{
    struct watch_options options = {
        .counters = process->counters,
        .worker_count = process->worker_count,
        .publisher = process->publisher,
        .registry = process->registry,
        .ledger = process->ledger,
        .alerts = process->alerts,
        .configuration_directory = process->configuration_directory,
        .has_drift = reload_has_drift,
        .prober_seen_ms = checks_seen_ms,
        .context = process,
        .staples = process->staples,
        .renewals = process->renewals,
    };

    process->watch = watch_new(&options);
}

static bool start_admin(struct server_process *process, const struct configuration *conf,
                        struct error *why)
{
    struct admin_options options = {
        .loop = &process->loop,
        .conf = &conf->admin,
        .state_directory = process->state_directory,
        .counters = process->counters,
        .registry = process->registry,
        .publisher = process->publisher,
        .ledger = process->ledger,
        .watch = process->watch,
        .sticky_key = process->sticky_key,
        .worker_count = process->worker_count,
        .failure_words = failure_words,
        .trouble_words = tls_trouble_words,
        .configuration_directory = process->configuration_directory,
        .reload = reload_from_admin,
        .has_drift = reload_has_drift,
        .context = process,
    };

    process->admin = admin_open(&options, why);
    return process->admin != NULL;
}

/* ---- the signals that are orders ---- */

static void mask_orders(int how)
{
    sigset_t orders;

    sigemptyset(&orders);
    sigaddset(&orders, SIGHUP);
    sigaddset(&orders, SIGUSR1);
    CHECK(pthread_sigmask(how, &orders, NULL) == 0);
}

static void no_work(uv_work_t *work)
{
    (void)work;
}

/* libuv starts its threads with the first work, with the mask of who asks for it. */
static void start_pool(struct server_process *process)
{
    CHECK(uv_queue_work(&process->loop, &process->first_work, no_work, NULL) == 0);
}

/* ---- stopping ---- */

static void close_signals(struct server_process *process)
{
    /* One that comes late must not kill what is about to end well; a second SIGTERM may. */
    mask_orders(SIG_BLOCK);
    for (unsigned i = 0; i < SERVE_SIGNALS; i++)
        uv_close((uv_handle_t *)&process->signals[i], NULL);
    uv_close((uv_handle_t *)&process->stop_timer, NULL);
    uv_close((uv_handle_t *)&process->checks_timer, NULL);
    uv_close((uv_handle_t *)&process->ledger_timer, NULL);
}

static void on_admin_closed(void *context)
{
    struct server_process *process = context;

    mailbox_close(&process->mailbox); /* handles the last messages, some about what is published */
    close_signals(process);
    run_close(process);
    reload_close(process);
    ledger_close(&process->ledger);
    registry_close(process->registry);
}

/* The last worker has gone: nothing uses the rest any more. */
static void take_down(struct server_process *process)
{
    for (unsigned i = 0; i < process->worker_count; i++)
        worker_join(&process->workers[i]);
    prober_stop(&process->prober);
    observer_stop(&process->observer);
    alert_thread_stop(&process->alerts);
    if (process->admin != NULL)
        admin_close(&process->admin, on_admin_closed, process);
    else
        on_admin_closed(process);
}

static void on_worker_ended(struct mail *mail, void *receiver)
{
    struct server_process *process = receiver;

    xfree(container_of(mail, struct ended, mail));
    CHECK(process->running_workers > 0);
    if (--process->running_workers == 0)
        take_down(process);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct server_process *process = container_of(timer, struct server_process, stop_timer);

    for (unsigned i = 0; i < process->worker_count; i++)
        if (process->workers[i] != NULL)
            worker_stop_hard(process->workers[i]);
}

void serve_stop(struct server_process *process)
{
    const struct snapshot *snapshot = publisher_current(process->publisher);
    uint64_t timeout_ms = snapshot != NULL ? snapshot->conf->process.shutdown_timeout_ms : 1;

    if (process->is_stopping) { /* asked twice: now */
        on_stop_timer(&process->stop_timer);
        return;
    }
    process->is_stopping = true;
    ledger_stopping(process->ledger);
    log_event(EV_STOPPING, LOG_NUMBER("timeout_ms", timeout_ms));
    for (unsigned i = 0; i < process->worker_count; i++)
        worker_stop(process->workers[i]);
    CHECK(uv_timer_start(&process->stop_timer, on_stop_timer, timeout_ms, 0) == 0);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct server_process *process = handle->data;

    if (number == SIGHUP)
        reload_from_signal(process);
    else if (number != SIGUSR1)
        serve_stop(process);
    else if (process->observer != NULL) /* it has ended already when the process is about to */
        observer_reopen(process->observer);
}

static void watch_signals(struct server_process *process)
{
    static const int numbers[SERVE_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

    (void)signal(SIGPIPE, SIG_IGN); /* a peer that has gone is told by write() */
    (void)signal(SIGXFSZ, SIG_IGN); /* and a file that may not grow, likewise */
    for (unsigned i = 0; i < SERVE_SIGNALS; i++) {
        CHECK(uv_signal_init(&process->loop, &process->signals[i]) == 0);
        process->signals[i].data = process;
        CHECK(uv_signal_start(&process->signals[i], on_signal, numbers[i]) == 0);
    }
    CHECK(uv_timer_init(&process->loop, &process->stop_timer) == 0);
    CHECK(uv_timer_init(&process->loop, &process->checks_timer) == 0);
}

/* ---- keys of session tickets ---- */

static void rotate_tickets(struct server_process *process)
{
    struct error why = {0};
    bool ok = tls_tickets_rotate(process->tickets, clock_wall_ms(), &why);

    if (!ok && !process->is_ticket_failure_told) /* the old ones go on */
        log_event(EV_TICKETS_FAILED, LOG_TEXT("why", why.text));
    process->is_ticket_failure_told = !ok;
}

/* ---- the ledger ---- */

static void on_ledger_timer(uv_timer_t *timer)
{
    struct server_process *process = container_of(timer, struct server_process, ledger_timer);

    if (process->is_stopping)
        return;
    ledger_tick(process->ledger);
    if (process->watch != NULL)
        watch_second(process->watch);
    rotate_tickets(process);
    if (++process->ticks % STAPLES_LOOK_S == 0) {
        run_look_at_staples(process);
        renew_look(process);
    }
}

/* ---- starting ---- */

static int complain(const struct error *why)
{
    (void)fprintf(stderr, "twokey: %s\n", why->text);
    return EXIT_TROUBLE;
}

static void note_descriptors(const struct configuration *conf, uint32_t most_clients)
{
    if (most_clients < conf->process.max_connections)
        log_event(EV_CONFIG_FINDING,
                  LOG_TEXT("message", "process.max_connections needs more descriptors than the "
                                      "process may have; the limit in force is lower"),
                  LOG_NUMBER("max_connections", conf->process.max_connections),
                  LOG_NUMBER("in_force", most_clients));
}

static void start_parts(struct server_process *process, const struct configuration *conf)
{
    uint32_t most_clients = raise_descriptor_limit();

    note_descriptors(conf, most_clients);
    list_init(&process->runs);
    mask_orders(SIG_BLOCK); /* in every thread but control: see close_signals() */
    CHECK(uv_loop_init(&process->loop) == 0);
    start_pool(process);
    CHECK(mailbox_open(&process->mailbox, &process->loop, process) == 0);
    watch_signals(process);
    process->worker_count = serve_count_workers(conf);
    process->counters = counters_new(process->worker_count);
    process->client_limit = client_limit_new();
    process->rates = rate_store_new();
    process->staples = staples_new(process->configuration_directory);
    process->renewals = renewals_new(process->configuration_directory);
    process->listeners = listener_set_new(process->worker_count);
    process->registry = registry_new(&process->loop, process->worker_count, process->counters,
                                     run_names_changed, process);
    ledger_attach(process->ledger, process->registry);
    CHECK(uv_timer_init(&process->loop, &process->ledger_timer) == 0);
    CHECK(uv_timer_start(&process->ledger_timer, on_ledger_timer, TICK_MS, TICK_MS) == 0);
    process->prober = prober_start();
    start_observer(process);
    process->alerts = alert_thread_start(told_report, process);
    start_workers(process, most_clients);
    start_watch(process);
    mask_orders(SIG_UNBLOCK);
}

static void free_parts(struct server_process *process)
{
    watch_free(&process->watch);
    publisher_free(&process->publisher);
    registry_free(&process->registry);
    listener_set_free(&process->listeners);
    rate_store_free(&process->rates);
    staples_free(&process->staples);
    renewals_free(&process->renewals);
    client_limit_free(&process->client_limit);
    for (unsigned i = 0; i < process->worker_count; i++) {
        ring_free(&process->rings[i]);
        tap_free(&process->taps[i]);
    }
    counters_free(&process->counters);
    sticky_key_free(&process->sticky_key);
    tls_tickets_free(&process->tickets);
}

/* Runs until it is stopped; the exit code. */
static int run(struct server_process *process, struct configuration *conf)
{
    struct error why = {0};
    bool has_admin;

    start_parts(process, conf);
    has_admin = start_admin(process, conf, &why);
    if (has_admin) {
        reload_first(process, conf);
    } else {
        (void)complain(&why);
        config_free(&conf);
        process->exit_code = EXIT_TROUBLE;
        serve_stop(process);
    }
    uv_run(&process->loop, UV_RUN_DEFAULT);
    free_parts(process);
    CHECK(uv_loop_close(&process->loop) == 0);
    log_event(EV_STOPPED, LOG_NUMBER("exit_code", process->exit_code));
    return process->exit_code;
}

/* ---- the command ---- */

static const char usage[] =
    "usage: twokey serve [--config DIR] [--state DIR] [--first-start]\n"
    "\n"
    "  --config DIR   the configuration: every *.json of DIR (default: conf.d)\n"
    "  --state DIR    revisions, changes, audit and keys, one process each (default:\n"
    "                 /var/lib/twokey)\n"
    "  --first-start  where DIR holds no revision yet: take the configuration over unreviewed\n"
    "                 (mode enforced; there nobody could have reviewed it)\n"
    "\n"
    "SIGTERM and SIGINT stop it gracefully, SIGHUP reads the configuration again (mode enforced:\n"
    "and makes a change of it), SIGUSR1 reopens the access log.  Exit codes: 0 stopped as asked,\n"
    "1 the configuration has findings, 2 it could not start.\n";

static bool take_option(int argc, char **argv, int *at, const char *name, const char **value)
{
    size_t bytes = strlen(name);

    if (strncmp(argv[*at], name, bytes) != 0)
        return false;
    if (argv[*at][bytes] == '=') {
        *value = argv[*at] + bytes + 1;
        return true;
    }
    if (argv[*at][bytes] != '\0' || *at + 1 >= argc)
        return false;
    *value = argv[++*at];
    return true;
}

/* False: told, and *code_out is the exit code. */
static bool take_options(struct server_process *process, int argc, char **argv, int *code_out)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            *code_out = EXIT_DONE;
            return false;
        }
        if (strcmp(argv[i], "--first-start") == 0) {
            process->is_first_start = true;
        } else if (!take_option(argc, argv, &i, "--config", &process->configuration_directory) &&
                   !take_option(argc, argv, &i, "--state", &process->state_directory)) {
            (void)fprintf(stderr, "twokey serve: unknown or incomplete option %s\n\n%s", argv[i],
                          usage);
            *code_out = EXIT_TROUBLE;
            return false;
        }
    }
    return true;
}

static int serve(struct server_process *process)
{
    struct configuration *disk = reload_read_first(process->configuration_directory);
    struct configuration *conf = NULL;
    struct error why = {0};
    int code = EXIT_FINDINGS;

    if (disk == NULL && !serve_has_history(process))
        return EXIT_FINDINGS;
    if (serve_open_state(process, &why))
        conf = serve_choose(process, &disk, &why);
    if (conf != NULL)
        code = run(process, conf);
    else if (why.text[0] != '\0')
        code = complain(&why);
    config_free(&disk);
    ledger_close(&process->ledger);
    if (process->sticky_key != NULL)
        sticky_key_free(&process->sticky_key);
    tls_tickets_free(&process->tickets);
    return code;
}

int cli_serve(int argc, char **argv)
{
    struct server_process *process = xcalloc(1, sizeof(*process));
    int code;

    process->configuration_directory = "conf.d";
    process->state_directory = "/var/lib/twokey";
    thread_take_role(THREAD_CONTROL, 0);
    if (take_options(process, argc, argv, &code))
        code = serve(process);
    xfree(process);
    return code;
}
