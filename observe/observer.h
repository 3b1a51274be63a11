/*
 * observer - the thread that drains the rings and taps: access log, windows, summaries, samples.
 *
 * Owner    control starts and stops it.      Threads  the calls here: control; observer_wake and
 *          those that tell of violations: workers
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
struct sample;
struct summary;
struct tap;

/* Called on the observer's thread once a second; the summary is the callee's (summary_free). */
typedef void observer_summary_fn(void *context, struct summary *summary);

/* Called on the observer's thread when there is a new sample of recent traffic, which is the
 * callee's (sample_release): each second while little was seen, else every ten. */
typedef void observer_sample_fn(void *context, struct sample *sample);

struct observer_options {
    struct ring **rings; /* one a worker */
    struct tap **taps;   /* one a worker; NULL: traffic is not sampled */
    unsigned worker_count;
    struct counters *counters;
    const char *const *reason_words;  /* by record.reason */
    const char *const *failure_words; /* by record.failure */
    observer_summary_fn *on_summary;
    observer_sample_fn *on_sample; /* or NULL */
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
/* A client's connection of HTTP/2 was ended for what it did; `client` is its address. */
void observer_tell_violation(struct observer *observer, const char *listener, const char *client,
                             const char *budget);
/* The same of a connection to a server. */
void observer_tell_server_violation(struct observer *observer, const char *pool, const char *server,
                                    const char *budget);
/* A ring is filling up. */
void observer_wake(struct observer *observer);

#endif
