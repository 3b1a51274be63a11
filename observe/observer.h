/*
 * observer - the thread that drains the rings: access log, windows, summaries.
 *
 * Owner    control starts and stops it.      Threads  the calls here: control; observer_wake:
 * workers
 */
#ifndef OBSERVE_OBSERVER_H
#define OBSERVE_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct error;
struct mailbox;
struct observer;
struct ring;
struct summary;

/* Called on the observer's thread once a second; the summary is the callee's (summary_free). */
typedef void observer_summary_fn(void *context, struct summary *summary);

struct observer_options {
    struct ring **rings; /* one a worker */
    unsigned worker_count;
    struct counters *counters;
    const char *const *reason_words;  /* by record.reason */
    const char *const *failure_words; /* by record.failure */
    observer_summary_fn *on_summary;
    void *context;
};

struct observer *observer_start(const struct observer_options *options);
/* Writes what is in the rings, then ends. */
void observer_stop(struct observer **observer);

/* "stdout", "off" or a file, opened here and now so that the caller learns why it cannot be.
 * Records wait in their rings until this was called once. */
bool observer_set_access_log(struct observer *observer, const char *path, struct error *why);
/* After the file was moved away (SIGUSR1). */
void observer_reopen(struct observer *observer);
/* A ring is filling up. */
void observer_wake(struct observer *observer);

#endif
