/*
 * map - (owner, text) to a number: open addressing, at most half full, never shrinks.
 *
 * Owner    the route table.      Threads  read-only once built: any
 */
#include "base/hash.h"
#include "base/memory.h"
#include "proxy/route/internal.h"

enum { FIRST_SLOTS = 16 };

uint64_t route_map_hash(struct slice text)
{
    return hash_slice(hash_process_key(), text);
}

static uint64_t with_owner(uint64_t hash, uint32_t owner)
{
    return hash_mix(hash + owner * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static void keep_text(struct route_map_slot *slot, struct slice text)
{
    slot->len = (uint32_t)text.len;
    if (text.len > ROUTE_MAP_INLINE)
        memcpy(slot->text, &text.at, sizeof(text.at));
    else if (text.len > 0)
        memcpy(slot->text, text.at, text.len);
}

static bool has_text(const struct route_map_slot *slot, struct slice text)
{
    const char *at = slot->text;

    if (slot->len != text.len)
        return false;
    if (text.len > ROUTE_MAP_INLINE)
        memcpy(&at, slot->text, sizeof(at));
    return text.len == 0 || memcmp(at, text.at, text.len) == 0;
}

static struct route_map_slot *free_slot(const struct route_map *map, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 32) & map->mask;

    while (map->slots[at].hash != 0)
        at = (at + 1) & map->mask;
    return &map->slots[at];
}

static const struct route_map_slot *find_slot(const struct route_map *map, uint64_t hash,
                                              uint32_t owner, struct slice text)
{
    for (uint32_t at = (uint32_t)(hash >> 32) & map->mask;; at = (at + 1) & map->mask) {
        const struct route_map_slot *slot = &map->slots[at];

        if (slot->hash == 0)
            return NULL;
        if (slot->hash == hash && slot->owner == owner && has_text(slot, text))
            return slot;
    }
}

static void grow(struct route_map *map)
{
    struct route_map_slot *old = map->slots;
    uint32_t old_slots = old == NULL ? 0 : map->mask + 1;
    uint32_t slots = old == NULL ? FIRST_SLOTS : old_slots * 2;

    map->slots = xcalloc(slots, sizeof(*map->slots));
    map->mask = slots - 1;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i].hash != 0)
            *free_slot(map, old[i].hash) = old[i];
    xfree(old);
}

uint32_t route_map_add(struct route_map *map, uint32_t owner, struct slice text, uint32_t otherwise)
{
    uint64_t hash = with_owner(route_map_hash(text), owner);

    if (map->slots == NULL || map->count * 2 > map->mask)
        grow(map);
    const struct route_map_slot *found = find_slot(map, hash, owner, text);
    if (found != NULL)
        return found->value;
    struct route_map_slot *slot = free_slot(map, hash);
    *slot = (struct route_map_slot){.hash = hash, .owner = owner, .value = otherwise};
    keep_text(slot, text);
    map->count++;
    return otherwise;
}

bool route_map_find(const struct route_map *map, uint32_t owner, uint64_t hash, struct slice text,
                    uint32_t *value_out)
{
    if (map->count == 0)
        return false;
    const struct route_map_slot *slot = find_slot(map, with_owner(hash, owner), owner, text);
    if (slot == NULL)
        return false;
    *value_out = slot->value;
    return true;
}

void route_map_fini(struct route_map *map)
{
    xfree(map->slots);
    *map = (struct route_map){NULL, 0, 0};
}
