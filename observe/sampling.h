/*
 * sampling - what the observer keeps of recent traffic, and freezes for control: counts by kind,
 * and the newest requests.
 *
 * Memory: kinds.h says its own; of requests at most SAMPLE_REQUESTS, and 8 MiB.
 *
 * Owner    the observer.      Threads  one at a time; counters are read while workers count
 */
#ifndef OBSERVE_SAMPLING_H
#define OBSERVE_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

struct counters;
struct sample;
struct sampling;
struct tap_cell;

enum {
    SAMPLING_FEW = 2000, /* as long as fewer were seen, a sample is made each second */
    SAMPLING_SECONDS = 10,
    SAMPLING_REQUEST_BYTES = 8 * 1024 * 1024,
};

/* `now_ms`: clock_ms(). */
struct sampling *sampling_new(const struct counters *counters, uint64_t now_ms);
void sampling_free(struct sampling **sampling);

void sampling_note(struct sampling *sampling, const struct tap_cell *cell);
/* That nothing more is known of: the number of requests stays right. */
void sampling_note_lost(struct sampling *sampling, uint64_t requests);

/* Called about once a second.  A sample (sample_release() it) when it is time for one: NULL when
 * the last one still says it all. */
struct sample *sampling_tick(struct sampling *sampling, uint64_t now_ms, int64_t wall_ms);
/* At once; NULL when nothing was noted since the last one. */
struct sample *sampling_rest(struct sampling *sampling, uint64_t now_ms, int64_t wall_ms);
size_t sampling_bytes(const struct sampling *sampling);

#endif
