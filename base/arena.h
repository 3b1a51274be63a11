/*
 * arena - memory that dies together.
 *
 * Owner    whoever called arena_new().      Threads  one at a time
 * Invariant  Nothing in an arena has a destructor: arena_free() runs none.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena;

struct arena *arena_new(size_t block_bytes);
void arena_free(struct arena **arena);

/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* `count` × `bytes`, checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t bytes);
char *arena_strdup(struct arena *arena, const char *text);
/* A copy of the bytes, with a NUL behind them that the slice does not count. */
struct slice arena_slice(struct arena *arena, struct slice text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

size_t arena_bytes(const struct arena *arena);

#endif
