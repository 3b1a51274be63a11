/*
 * judge - see judge.h.
 *
 * Owner    the play      Threads  any
 */
#include "cli/drill/judge.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cli/drill/drill.h"

static bool matches(const char *const patterns[DRILL_LINES], const char *text)
{
    for (unsigned i = 0; i < DRILL_LINES && patterns[i] != NULL; i++)
        if (fnmatch(patterns[i], text, 0) == 0)
            return true;
    return false;
}

/* Calls that only ask, though they are POST. */
static bool is_question(const struct site_note *note)
{
    return strncmp(note->path, "/v1/explain", 11) == 0 ||
           strstr(note->path, "dry_run=true") != NULL;
}

enum judge_verdict judge_note(const struct drill *drill, const struct site_note *note)
{
    char call[sizeof(note->method) + 1 + sizeof(note->path)];

    if (strcmp(note->method, "GET") == 0 || strcmp(note->method, "HEAD") == 0)
        return note->status == 200 && matches(drill->looks, note->path) ? JUDGE_LOOK : JUDGE_OTHER;
    if (is_question(note))
        return JUDGE_OTHER;
    (void)snprintf(call, sizeof(call), "%s %s", note->method, note->path);
    return note->status < 400 && matches(drill->right, call) ? JUDGE_RIGHT : JUDGE_WRONG;
}

void judge_tick(struct judge_window *window, const struct site_counts *counts)
{
    if (window->count == JUDGE_TICKS) {
        memmove(window->ticks, window->ticks + 1, (JUDGE_TICKS - 1) * sizeof(window->ticks[0]));
        window->count--;
    }
    window->ticks[window->count++] = *counts;
}

bool judge_is_well(const struct judge_window *window, const struct drill_goal *goal)
{
    const struct site_counts *from = &window->ticks[0];
    const struct site_counts *to = &window->ticks[JUDGE_TICKS - 1];
    uint64_t served = 0;
    uint64_t most = 0;
    unsigned servers = 0;

    if (window->count < JUDGE_TICKS || to->made == from->made)
        return false;
    if ((to->failed - from->failed) * 100 > (to->made - from->made) * goal->failed_percent)
        return false;
    for (unsigned i = 0; i < SITE_SERVERS; i++) {
        uint64_t one = to->served[i] - from->served[i];

        served += one;
        servers += one > 0;
        if (one > most)
            most = one;
    }
    return served > 0 && servers >= goal->servers &&
           (goal->share_percent == 0 || most * 100 <= served * goal->share_percent);
}
