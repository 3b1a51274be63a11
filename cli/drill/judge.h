/*
 * judge - what a call of the person was good for, and whether the last seconds were well.
 *
 * Threads  any; no clock, no sockets
 */
#ifndef CLI_DRILL_JUDGE_H
#define CLI_DRILL_JUDGE_H

#include <stdbool.h>

#include "cli/drill/site.h"

struct drill;
struct drill_goal;

enum judge_verdict {
    JUDGE_OTHER, /* neither good nor bad */
    JUDGE_LOOK,  /* shows what is wrong */
    JUDGE_RIGHT, /* may mend it */
    JUDGE_WRONG, /* changes something, and was refused or has nothing to do with it */
};

enum judge_verdict judge_note(const struct drill *drill, const struct site_note *note);

/* Counts as they were at the last ticks, the oldest first. */
enum { JUDGE_TICK_MS = 200, JUDGE_WINDOW_MS = 3000, JUDGE_TICKS = 16 };

struct judge_window {
    struct site_counts ticks[JUDGE_TICKS];
    unsigned count;
};

void judge_tick(struct judge_window *window, const struct site_counts *counts);
/* False while there are no three seconds yet, too.  The goal's `applied` is not looked at. */
bool judge_is_well(const struct judge_window *window, const struct drill_goal *goal);

#endif
