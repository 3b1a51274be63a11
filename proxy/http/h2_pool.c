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

enum {
    STEP = 64,
    KINDS = 16,
    SPARE = 512, /* of a kind: half a MiB of the largest */
    LARGE = 0,   /* the kind of what holds a whole frame */
    LARGE_LEAST = 8192,
    LARGE_BYTES = 16640,
    LARGE_SPARE = 64,
};

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

/* The kind that a block of so many bytes is of; its size is that of the kind.  False: of none. */
static bool find_kind(size_t *bytes, size_t *kind_out)
{
    bool is_large = *bytes > LARGE_LEAST;

    if (*bytes > (is_large ? LARGE_BYTES : KINDS * STEP) || *bytes == 0)
        return false;
    *kind_out = is_large ? LARGE : (*bytes + STEP - 1) / STEP;
    *bytes = is_large ? LARGE_BYTES : *kind_out * STEP;
    return true;
}

void *h2_pool_take(size_t bytes)
{
    struct block *block;
    size_t kind;

    CHECK(bytes < SIZE_MAX / 2);
    if (!KEEPS || !find_kind(&bytes, &kind))
        return block_new(bytes) + 1;
    block = kinds[kind].spare;
    if (block == NULL)
        return block_new(bytes) + 1;
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
    size_t bytes = block == NULL ? 0 : block->bytes;
    size_t kind;

    if (!KEEPS || !find_kind(&bytes, &kind) ||
        kinds[kind].count == (kind == LARGE ? LARGE_SPARE : SPARE)) {
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
