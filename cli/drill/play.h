/*
 * play - one drill from its first quiet seconds to its score.
 *
 *   quiet    all is well, and load comes
 *   broken   the page is told; the person looks, tries, mends; or, with `is_auto`, the runbook's
 *            commands do
 *   over     the goal held, or the time is up, or somebody gave up: the score
 *
 * Owner    main()      Threads  the first
 */
#ifndef CLI_DRILL_PLAY_H
#define CLI_DRILL_PLAY_H

#include <stdbool.h>
#include <stdint.h>

struct drill;

struct play_options {
    bool is_auto;
    bool is_kept;  /* the scratch folder */
    bool has_port; /* else those of the demonstration */
    uint16_t port; /* the first of six; 0: any free ones */
    unsigned limit_s;
};

/* The exit code. */
int play_drill(const struct drill *drill, const struct play_options *options);
/* Prints the commands that mend it, and where they are from. */
void play_show_commands(const struct drill *drill);

#endif
