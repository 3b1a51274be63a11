/*
 * pointer - the way from the root of a document to a value, as RFC 6901 writes it.
 *
 * Owner    whoever called pointer_init()      Threads  one at a time
 */
#ifndef CONFIG_POINTER_H
#define CONFIG_POINTER_H

#include <stddef.h>

#include "base/buffer.h"

enum { POINTER_MAX_STEPS = 24 };

struct pointer {
    struct {
        const char *name; /* borrowed; NULL: an index */
        size_t index;
    } steps[POINTER_MAX_STEPS];
    size_t depth;
    struct buffer text;
};

void pointer_init(struct pointer *pointer);
void pointer_fini(struct pointer *pointer);
void pointer_push(struct pointer *pointer, const char *name);
void pointer_push_index(struct pointer *pointer, size_t index);
void pointer_pop(struct pointer *pointer);
/* "/pools/shop/servers/s2"; good until the next call. */
const char *pointer_text(struct pointer *pointer);

#endif
