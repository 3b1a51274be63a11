/*
 * certificates - until when those that run are good.
 *
 * Their files were read when the configuration was taken; they are looked at once a snapshot.
 *
 * Owner    watch.      Threads  control
 */
#ifndef WATCH_CERTIFICATES_H
#define WATCH_CERTIFICATES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct certificates;
struct snapshot;

struct certificate_end {
    const char *name;
    int64_t not_after_ms; /* wall clock; of the one that ends first, of its chain */
};

struct certificates *certificates_new(void);
void certificates_free(struct certificates **certificates);
/* Takes note of those of `snapshot`, where it is another than last time. */
void certificates_look(struct certificates *certificates, const struct snapshot *snapshot);

/* *count_out of them; live until the next look. */
const struct certificate_end *certificates_ends(const struct certificates *certificates,
                                                size_t *count_out);
/* Appends an alert for each that has expired, or will soon. */
void certificates_add_alerts(const struct certificates *certificates, int64_t wall_ms,
                             json_t *list);

#endif
