/*
 * spills - tells when max_share_percent moves requests, and how many; not every one of them.
 *
 * Owner    the observer.      Threads  the observer's; the rows are read while workers count
 */
#ifndef OBSERVE_SPILLS_H
#define OBSERVE_SPILLS_H

#include <stdint.h>

struct counters;
struct spills;

struct spills *spills_new(struct counters *counters);
void spills_free(struct spills **spills);

/* Logs share-ceiling for each pool that spilled since it was last told of, at most once in 10 s a
 * pool.  Called about once a second; `now_ms`: clock_ms(). */
void spills_tell(struct spills *spills, uint64_t now_ms);

#endif
