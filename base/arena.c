/*
 * arena - memory that dies together: a chain of blocks, each filled from its front.
 *
 * Owner    whoever called arena_new().      Threads  one at a time
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum { ARENA_ALIGN = 16 };

struct block {
    struct block *next;
    size_t used;
    size_t bytes;
    size_t unused_; /* keeps `data` aligned */
    char data[];
};

struct arena {
    struct block *newest;
    size_t block_bytes;
    size_t total;
};

struct arena *arena_new(size_t block_bytes)
{
    struct arena *arena = xcalloc(1, sizeof(*arena));

    arena->block_bytes = block_bytes;
    return arena;
}

void arena_free(struct arena **holder)
{
    struct arena *arena = TAKE_POINTER(holder);

    if (arena == NULL)
        return;
    while (arena->newest != NULL) {
        struct block *block = arena->newest;

        arena->newest = block->next;
        xfree(block);
    }
    xfree(arena);
}

static struct block *block_for(struct arena *arena, size_t bytes)
{
    size_t room = bytes > arena->block_bytes ? bytes : arena->block_bytes;
    struct block *block = xcalloc(1, sizeof(*block) + room);

    block->bytes = room;
    block->next = arena->newest;
    arena->newest = block;
    arena->total += room;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct block *block = arena->newest;
    void *memory;

    CHECK(bytes < SIZE_MAX / 2);
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (block == NULL || block->bytes - block->used < bytes)
        block = block_for(arena, bytes);
    memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t bytes)
{
    CHECK(bytes == 0 || count <= SIZE_MAX / 2 / bytes);
    return arena_alloc(arena, count * bytes);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return (char *)(uintptr_t)arena_slice(arena, slice_from(text)).at;
}

struct slice arena_slice(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return slice_of(copy, text.len);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    char *text;
    va_list args;
    va_list again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->total;
}
