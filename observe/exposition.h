/*
 * exposition - Prometheus text format: everything in counters.def, and whatever a caller adds.
 *
 * A metric family is begun once, its samples follow:
 *
 *   exposition_family(out, "twokey_server_up", METRIC_GAUGE, "1 when the server's checks pass");
 *   exposition_sample(out, "twokey_server_up", 1, EXPOSITION_LABELS("server", "s1"));
 *
 * Owner    the caller.      Threads  any; the rows are read while workers count
 * Format   https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4)
 */
#ifndef OBSERVE_EXPOSITION_H
#define OBSERVE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct counters;

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* The words of the tables whose numbers stand in the rows. */
struct exposition_words {
    const char *const *failures; /* by pool_row.failures; [0] is "no failure" and left out */
    size_t failure_count;
    const char *const *reasons; /* by pool_row.picked */
    size_t reason_count;
    const char *const *troubles; /* by server_row.tls_failures */
    size_t trouble_count;
    const char *const *violations; /* by listener_row.h2_violations */
    size_t violation_count;
};

/* All counters of all scopes, summed over the workers; what is configured shows zeros. */
void exposition_write(struct buffer *out, struct counters *counters,
                      const struct exposition_words *words);

/* HELP and TYPE: once a name, before its samples, all of which must follow at once. */
void exposition_family(struct buffer *out, const char *name, enum metric_type type,
                       const char *help);

/* Pairs of label name and value (`const char *`; any bytes in the value). */
#define EXPOSITION_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One sample; `labels` as the macro makes them, or NULL for none. */
void exposition_sample(struct buffer *out, const char *name, double value,
                       const char *const *labels);

#endif
