/*
 * serve - what the parts of the serving process share.
 *
 * Owner    cli_serve().      Threads  control
 */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/digest.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "change/runner.h"
#include "proxy/balance/balance.h"

struct admin;
struct client_limit;
struct configuration;
struct counters;
struct ledger;
struct listener_set;
struct alert_thread;
struct observer;
struct prober;
struct publisher;
struct rate_store;
struct registry;
struct reload;
struct renewals;
struct ring;
struct staples;
struct sticky_key;
struct tap;
struct tls_tickets;
struct watch;
struct worker;

enum { SERVE_SIGNALS = 4 };

struct server_process {
    const char *configuration_directory;
    const char *state_directory;
    uv_loop_t loop;
    struct mailbox mailbox;
    uv_signal_t signals[SERVE_SIGNALS];
    uv_work_t first_work;
    uv_timer_t stop_timer;
    uv_timer_t checks_timer; /* while the first checks of new pools are awaited */
    uv_timer_t ledger_timer; /* each second */

    unsigned worker_count;
    unsigned running_workers;
    struct worker *workers[BALANCE_MAX_WORKERS];
    struct ring *rings[BALANCE_MAX_WORKERS];
    struct tap *taps[BALANCE_MAX_WORKERS];
    struct counters *counters;
    struct client_limit *client_limit;
    struct rate_store *rates;
    struct sticky_key *sticky_key;
    struct tls_tickets *tickets;
    struct staples *staples;
    struct renewals *renewals;
    uint64_t ticks;
    struct listener_set *listeners;
    struct registry *registry;
    struct prober *prober;
    struct observer *observer;
    struct alert_thread *alerts;
    struct publisher *publisher;
    struct watch *watch;
    struct admin *admin;
    struct runner runner; /* what the ledger asks of this process */
    struct ledger *ledger;
    uint64_t boot_rev;     /* the stored revision that the start runs; 0: conf.d is taken over */
    struct reload *reload; /* the one under way, or NULL */
    struct list runs;      /* configurations on their way to the workers: run_configuration.c */
    uint64_t generation;   /* of the newest snapshot published */
    uint64_t disk_fingerprint;     /* of conf.d's files when they were last looked at */
    char disk_digest[DIGEST_TEXT]; /* of what they said then; "": it does not build */
    bool drift;
    bool names_changed;   /* while a configuration was on its way */
    bool staples_changed; /* likewise */
    bool is_renewing;     /* renewed certificates are on their way */
    bool is_first_start;  /* --first-start */
    bool is_started;
    bool is_ticket_failure_told;
    bool is_stopping;
    int exit_code;
};

/* How many this configuration asks for. */
unsigned serve_count_workers(const struct configuration *conf);
/* Graceful; asked a second time: at once. */
void serve_stop(struct server_process *process);

#endif
