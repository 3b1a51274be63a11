/*
 * h2_pool - a list of spare blocks for each size.
 *
 * In front of each block stands its size, which nghttp2 does not tell when it gives one back.
 *
 * Threads  any; each has lists of its own
 */
#include "proxy/http/h2_pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum { STEP = 64, KINDS = 16, SPARE = 512 /* of a kind: half a MiB of the largest */ };

struct block {
    size_t bytes; /* behind this */
    struct block *next;
};
/* What nghttp2 gets is aligned as malloc's is. */
_Static_assert(sizeof(struct block) == 16, "blocks lose their alignment");

struct kind {
    struct block *spare;
    size_t count;
};

static _Thread_local struct kind kinds[KINDS + 1];

static struct block *block_of(void *memory)
{
    return (struct block *)memory - 1;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS false /* a block that is used too late is to be seen */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEPS false
#else
#define KEEPS true
#endif
#else
#define KEEPS true
#endif

static struct block *block_new(size_t bytes)
{
    struct block *block = xmalloc(sizeof(*block) + bytes);

    block->bytes = bytes;
    return block;
}

void *h2_pool_take(size_t bytes)
{
    size_t kind = (bytes + STEP - 1) / STEP;
    struct block *block;

    CHECK(bytes < SIZE_MAX / 2);
    if (kind > KINDS)
        return block_new(bytes) + 1;
    block = kinds[kind].spare;
    if (block == NULL)
        return block_new(KEEPS ? kind * STEP : bytes) + 1;
    kinds[kind].spare = block->next;
    kinds[kind].count--;
    return block + 1;
}

void *h2_pool_take_zeroed(size_t count, size_t bytes)
{
    void *memory;

    CHECK(bytes == 0 || count < SIZE_MAX / 2 / bytes);
    memory = h2_pool_take(count * bytes);
    return memset(memory, 0, count * bytes);
}

void h2_pool_give(void *memory)
{
    struct block *block = memory == NULL ? NULL : block_of(memory);
    size_t kind = block == NULL ? 0 : block->bytes / STEP;

    if (block == NULL)
        return;
    if (!KEEPS || kind > KINDS || block->bytes % STEP != 0 || kinds[kind].count == SPARE) {
        xfree(block);
        return;
    }
    block->next = kinds[kind].spare;
    kinds[kind].spare = block;
    kinds[kind].count++;
}

void *h2_pool_resize(void *memory, size_t bytes)
{
    void *more;

    if (memory != NULL && block_of(memory)->bytes >= bytes)
        return memory;
    more = h2_pool_take(bytes);
    if (memory != NULL) {
        memcpy(more, memory, block_of(memory)->bytes);
        h2_pool_give(memory);
    }
    return more;
}
