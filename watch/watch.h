/*
 * watch - what twokey makes of its own traffic, once a second: how it is spread, how a change does
 * that was just applied, what somebody should be told.
 *
 *   tick    counters and live words are read; every ten seconds it is decided
 *   alerts  one list of everything that is wrong now, for /v1/alerts, the log and who is told
 *
 * Workers only count.  All of this is control's, between two calls of the admin API.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct alert_report;
struct alert_thread;
struct certificate_end;
struct counters;
struct distributions;
struct ledger;
struct publisher;
struct registry;
struct renewals;
struct staples;
struct summary;
struct watch;

struct watch_options {
    struct counters *counters;
    unsigned worker_count;
    struct publisher *publisher;
    struct registry *registry;
    struct ledger *ledger;               /* NULL in tests without one */
    struct alert_thread *alerts;         /* who tells others; NULL: nobody is told */
    const char *configuration_directory; /* conf.d; borrowed */
    /* conf.d on disk is not what was taken over. */
    bool (*has_drift)(void *context);
    /* When the prober's loop last turned (clock_ms); may be NULL. */
    uint64_t (*prober_seen_ms)(void *context);
    void *context;
    const struct staples *staples;   /* NULL: nobody looks after them */
    const struct renewals *renewals; /* likewise */
};

struct watch *watch_new(const struct watch_options *options);
void watch_free(struct watch **watch);

/* Each second, with the observer's last second (borrowed). */
void watch_tick(struct watch *watch, const struct summary *summary);

/* Each second, whether or not the observer says anything: servers, pools and alerts. */
void watch_second(struct watch *watch);

/* How those who are told of alerts take it; taken. */
void watch_take_report(struct watch *watch, struct alert_report *report);
/* The newest of them; NULL: there is none yet.  Lives until the next. */
const struct alert_report *watch_report(const struct watch *watch);

/* [{name, severity, since, summary, description, …}], each once; the caller's. */
json_t *watch_alerts(struct watch *watch);

/* What is known of how pools are spread; NULL: nothing runs yet. */
const struct distributions *watch_distributions(struct watch *watch);

/* Until when the certificates that run are good (watch/certificates.h); live until the next second.
 */
const struct staples *watch_staples(const struct watch *watch); /* or NULL */
const struct certificate_end *watch_certificates(const struct watch *watch, size_t *count_out);

#endif
