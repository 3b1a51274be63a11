/*
 * kinds - how many requests of each kind there were, minute by minute, over a day; in bounded
 * memory, however many kinds there are.
 *
 * At most KINDS_ROOM kinds are counted apart.  When one more comes, the KINDS_EVICTED with the
 * fewest requests are counted as "other" from then on, with all that was counted of them: a count
 * is never too high, and nothing is lost from the sum.
 *
 * Minutes hold only the kinds that they saw.  Where all of them together take more than
 * KINDS_ENTRIES, minutes older than an hour are put together by the hour, the oldest first; an
 * hour leaves the day as a whole then.
 *
 * Memory: 4 MiB of minutes, and for each kind its text (at most 543 bytes) and 80 bytes: under
 * 8 MiB.
 *
 * Owner    the caller, until kinds_free()      Threads  one at a time
 */
#ifndef OBSERVE_KINDS_H
#define OBSERVE_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    KINDS_ROOM = 5120,
    KINDS_EVICTED = 1024,
    KINDS_ENTRIES = 512 * 1024,
    KINDS_BYTES = 8 * 1024 * 1024, /* all of it, at most */
};

struct kinds;

struct kind_key {
    uint32_t listener; /* its slot in the counters */
    bool is_https;
    struct slice host;
    struct slice path;
    struct slice method;
};

struct kind_seen {
    struct kind_key key; /* lives until the next call that changes something */
    uint64_t hour;       /* requests of the last hour */
    uint64_t day;
    uint64_t new; /* since kinds_list() was asked before */
};

/* "hour" are the last 60 minutes, of which the one that runs is one. */
struct kinds_sum {
    uint64_t hour;
    uint64_t day;
    uint64_t other_hour; /* of these, the ones of no kind that is counted apart */
    uint64_t other_day;
    uint32_t seconds; /* that `hour` covers */
};

/* `now_ms`: a clock that does not jump. */
struct kinds *kinds_new(uint64_t now_ms);
void kinds_free(struct kinds **kinds);

void kinds_note(struct kinds *kinds, const struct kind_key *key, uint64_t requests);
/* Of whatever kind they were. */
void kinds_note_other(struct kinds *kinds, uint64_t requests);
/* What is too old leaves the windows. */
void kinds_advance(struct kinds *kinds, uint64_t now_ms);

/* All of them, those with the most requests first; `out` has room for KINDS_ROOM. */
size_t kinds_list(struct kinds *kinds, struct kind_seen *out);
struct kinds_sum kinds_sum(const struct kinds *kinds);
size_t kinds_bytes(const struct kinds *kinds);

#endif
