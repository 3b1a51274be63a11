/*
 * pace - how often one person may call something that changes things.
 *
 * A person may make a burst of PACE_BURST calls, and PACE_A_SECOND in the long run: far more than
 * anybody needs, and little enough that a program gone wild does not fill the disk with evidence.
 *
 * Owner    struct admin.      Threads  control only
 */
#ifndef ADMIN_PACE_H
#define ADMIN_PACE_H

#include <stdint.h>

enum { PACE_A_SECOND = 100, PACE_BURST = 500, PACE_PERSONS = 1024 };

struct pace {
    /* By hash of the person: the time at which all that he was granted will have been paid for.
     * Two persons of one hash share a pace. */
    uint64_t paid_at_ns[PACE_PERSONS];
};

/* 0: go on; else seconds after which to ask again. */
unsigned pace_take(struct pace *pace, const char *person, uint64_t now_ns);

#endif
