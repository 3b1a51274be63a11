/*
 * walk - every value of a configuration by the table of keys, with the way to it.
 *
 * Owner    the caller's stack      Threads  any
 */
#ifndef DETECT_WALK_H
#define DETECT_WALK_H

#include "config/keys.h"
#include "detect/internal.h"

struct walk;
/* `base` is the struct that has the key's field. */
typedef void walk_fn(struct walk *walk, const struct key *key, const char *base);

struct walk {
    struct detect_run *run;
    walk_fn *visit;
    const char *path[DETECT_PATH]; /* to the value that is visited */
    size_t depth;
};

/* Calls `visit` for each value that is kept in the model and was written, or has a default. */
void walk_configuration(struct detect_run *run, const struct configuration *conf, walk_fn *visit);

#endif
