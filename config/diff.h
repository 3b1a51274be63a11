/*
 * diff - what changed from one configuration to another, in words.
 *
 *   pool api: server s4 added
 *   pool api: server s1: weight 100 -> 50
 *   route shop: timeouts: response the pool's -> 10s
 *
 * Compares models, so a default that is now written out is no difference.
 *
 * Owner    texts live in the arena given      Threads  one at a time
 */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include <stddef.h>

struct arena;
struct configuration;

enum difference_kind { DIFFERENCE_ADDED, DIFFERENCE_REMOVED, DIFFERENCE_CHANGED };

struct difference {
    enum difference_kind kind;
    const char *pointer; /* RFC 6901: "/pools/api/servers/s1/weight" */
    const char *text;
    const char *before; /* of DIFFERENCE_CHANGED, else NULL */
    const char *after;
};

struct differences {
    struct arena *arena; /* borrowed */
    struct difference *items;
    size_t count;
    size_t room;
};

/* Fills `out` with all differences, in the order of the sections, then by name. */
void config_diff(const struct configuration *before, const struct configuration *after,
                 struct arena *arena, struct differences *out);
void differences_fini(struct differences *differences);

#endif
