/*
 * breakage - does to a drill's world what broke it: as ann, bob and cat, through the admin API like
 * anybody, and to the servers themselves.
 *
 * Threads  the first
 */
#ifndef CLI_DRILL_BREAKAGE_H
#define CLI_DRILL_BREAKAGE_H

#include <stdbool.h>

struct drill_step;
struct error;
struct site;
struct world;

/* False and `why`: the world did not let itself be broken. */
bool breakage_do(const struct drill_step *step, struct world *world, struct site *site,
                 struct error *why);

#endif
