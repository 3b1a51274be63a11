/*
 * texts - each text once: what is equal has one address, in an arena that outlives this.
 *
 * Owner    the caller, until texts_fini()      Threads  one at a time
 */
#ifndef OBSERVE_TEXTS_H
#define OBSERVE_TEXTS_H

#include <stddef.h>

#include "base/slice.h"

struct arena;

struct texts {
    struct arena *arena;
    const char **cells; /* open addressing; NULL: empty */
    size_t room;        /* a power of two */
    size_t count;
};

void texts_init(struct texts *texts, struct arena *arena);
void texts_fini(struct texts *texts);
/* A NUL-terminated copy; the same one for the same text. */
const char *texts_of(struct texts *texts, struct slice text);

#endif
