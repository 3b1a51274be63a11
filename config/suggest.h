/*
 * suggest - did you mean: the nearest of several words.
 *
 * Owner    the caller, on its stack      Threads  any (a value)
 */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include <stddef.h>

/* The candidate nearest to `text` when it is near enough to be meant, else NULL. */
struct suggestion {
    const char *text;
    const char *best;
    size_t distance;
};
void suggestion_init(struct suggestion *suggestion, const char *text);
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

#endif
