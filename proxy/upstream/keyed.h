/*
 * keyed - a chained hash table of intrusive links; grows, never shrinks.
 *
 * The caller hashes and compares; the table only walks.
 *
 * Owner    whoever embeds it.      Threads  the owner's
 */
#ifndef PROXY_UPSTREAM_KEYED_H
#define PROXY_UPSTREAM_KEYED_H

#include <stddef.h>
#include <stdint.h>

struct keyed {
    struct keyed *next;
    uint64_t hash;
};

struct keyed_table {
    struct keyed **buckets;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

void keyed_fini(struct keyed_table *table);
void keyed_add(struct keyed_table *table, struct keyed *item, uint64_t hash);
void keyed_remove(struct keyed_table *table, struct keyed *item);

/* The first item with that hash, and the next one; NULL at the end. */
struct keyed *keyed_first(const struct keyed_table *table, uint64_t hash);
struct keyed *keyed_next(const struct keyed *item);

/* Takes off any item, or gives NULL when the table is empty; `*cursor` begins at 0. */
struct keyed *keyed_take_any(struct keyed_table *table, size_t *cursor);

#endif
