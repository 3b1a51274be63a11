/*
 * slab - a stock of fixed-size objects.
 *
 * Owner    one worker (or one thread).      Threads  the owner's
 */
#include "base/slab.h"

#include <stdint.h>

#include "base/check.h"
#include "base/memory.h"

struct chunk {
    struct chunk *next;
    size_t unused_; /* keeps items aligned to 16 */
};

enum { SLAB_ALIGN = 16 };

void slab_init(struct slab *slab, size_t item_bytes, size_t items_per_chunk)
{
    *slab = (struct slab){
        .item_bytes = (item_bytes + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1),
        .items_per_chunk = items_per_chunk,
    };
}

void slab_fini(struct slab *slab)
{
    struct chunk *chunk = slab->chunks;

    CHECK(slab->taken == 0);
    while (chunk != NULL) {
        struct chunk *next = chunk->next;

        xfree(chunk);
        chunk = next;
    }
    *slab = (struct slab){0};
}

#if defined(__SANITIZE_ADDRESS__)
/* Under AddressSanitizer each item is its own allocation, so that a use after _give is seen. */
void *slab_take(struct slab *slab)
{
    slab->taken++;
    return xmalloc(slab->item_bytes);
}

void slab_give(struct slab *slab, void *item)
{
    CHECK(slab->taken > 0);
    slab->taken--;
    xfree(item);
}
#else
static void grow(struct slab *slab)
{
    struct chunk *chunk = xmalloc(sizeof(*chunk) + slab->item_bytes * slab->items_per_chunk);
    char *items = (char *)(chunk + 1);

    chunk->next = slab->chunks;
    slab->chunks = chunk;
    for (size_t i = slab->items_per_chunk; i-- > 0;) {
        struct slab_item *item = (struct slab_item *)(void *)(items + i * slab->item_bytes);

        item->next = slab->spare;
        slab->spare = item;
    }
    slab->spare_count += slab->items_per_chunk;
}

void *slab_take(struct slab *slab)
{
    struct slab_item *item;

    if (slab->spare == NULL)
        grow(slab);
    item = slab->spare;
    slab->spare = item->next;
    slab->spare_count--;
    slab->taken++;
    return item;
}

void slab_give(struct slab *slab, void *memory)
{
    struct slab_item *item = memory;

    CHECK(slab->taken > 0);
    slab->taken--;
    slab->spare_count++;
    item->next = slab->spare;
    slab->spare = item;
}
#endif
