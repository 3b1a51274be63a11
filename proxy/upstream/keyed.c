/*
 * keyed - a chained hash table of intrusive links; grows, never shrinks.
 *
 * Owner    whoever embeds it.      Threads  the owner's
 */
#include "proxy/upstream/keyed.h"

#include "base/check.h"
#include "base/memory.h"

enum { KEYED_SMALLEST = 64 };

void keyed_fini(struct keyed_table *table)
{
    xfree(table->buckets);
    *table = (struct keyed_table){0};
}

static struct keyed **bucket_of(const struct keyed_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->size - 1)];
}

static void link_in(struct keyed_table *table, struct keyed *item)
{
    struct keyed **bucket = bucket_of(table, item->hash);

    item->next = *bucket;
    *bucket = item;
}

static void grow(struct keyed_table *table)
{
    struct keyed **old = table->buckets;
    size_t old_size = table->size;

    table->size = old_size > 0 ? 2 * old_size : KEYED_SMALLEST;
    table->buckets = xcalloc(table->size, sizeof(*table->buckets));
    for (size_t i = 0; i < old_size; i++)
        for (struct keyed *item = old[i], *next; item != NULL; item = next) {
            next = item->next;
            link_in(table, item);
        }
    xfree(old);
}

void keyed_add(struct keyed_table *table, struct keyed *item, uint64_t hash)
{
    if (table->count >= table->size)
        grow(table);
    item->hash = hash;
    link_in(table, item);
    table->count++;
}

void keyed_remove(struct keyed_table *table, struct keyed *item)
{
    struct keyed **at;

    CHECK(table->size > 0);
    at = bucket_of(table, item->hash);
    while (*at != item) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = item->next;
    item->next = NULL;
    table->count--;
}

static struct keyed *with_hash(struct keyed *item, uint64_t hash)
{
    while (item != NULL && item->hash != hash)
        item = item->next;
    return item;
}

struct keyed *keyed_first(const struct keyed_table *table, uint64_t hash)
{
    return table->size > 0 ? with_hash(*bucket_of(table, hash), hash) : NULL;
}

struct keyed *keyed_next(const struct keyed *item)
{
    return with_hash(item->next, item->hash);
}

struct keyed *keyed_take_any(struct keyed_table *table, size_t *cursor)
{
    struct keyed *item;

    while (*cursor < table->size && table->buckets[*cursor] == NULL)
        (*cursor)++;
    if (*cursor == table->size)
        return NULL;
    item = table->buckets[*cursor];
    table->buckets[*cursor] = item->next;
    item->next = NULL;
    table->count--;
    return item;
}
