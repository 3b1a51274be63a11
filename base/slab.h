/*
 * slab - a stock of fixed-size objects, handed out and taken back without malloc.
 *
 * Grows by whole chunks and keeps them: a steady state allocates nothing.
 *
 * Owner    one worker (or one thread).      Threads  the owner's
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab_item {
    struct slab_item *next;
};

struct slab {
    size_t item_bytes;
    size_t items_per_chunk;
    struct slab_item *spare;
    void *chunks; /* chained, for slab_fini() */
    size_t taken;
    size_t spare_count;
};

void slab_init(struct slab *slab, size_t item_bytes, size_t items_per_chunk);
/* Every item must have been given back. */
void slab_fini(struct slab *slab);
/* Not zeroed: the caller fills what it uses. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *item);

#endif
