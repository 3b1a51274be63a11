/*
 * walk - see walk.h.
 *
 * Owner    the caller's stack      Threads  any
 */
#include "detect/walk.h"

static void walk_shape(struct walk *walk, enum shape_id id, const char *base);

static void walk_map(struct walk *walk, const struct key *key, const char *base)
{
    const struct key_list *list = (const void *)(base + key->offset);
    size_t bytes = shape_of(key->shape)->bytes;

    if (walk->depth + 1 >= DETECT_PATH)
        return;
    walk->depth++;
    for (size_t i = 0; i < list->count; i++) {
        const char *item = (const char *)list->items + i * bytes;

        walk->path[walk->depth - 1] = *(const char *const *)(const void *)item;
        walk_shape(walk, key->shape, item);
    }
    walk->path[--walk->depth] = NULL;
}

static void walk_key(struct walk *walk, const struct key *key, const char *base)
{
    bool is_object = key->type == TYPE_OBJECT;

    if (is_object ? shape_of(key->shape)->bytes <= 1 : key->bytes == 0)
        return; /* not kept in the model */
    if (key->present > 0 && !*(const bool *)(base + key->present - 1))
        return;
    if (is_object)
        walk_shape(walk, key->shape, base + key->offset);
    else if (key->type == TYPE_MAP)
        walk_map(walk, key, base);
    else
        walk->visit(walk, key, base);
}

static void walk_shape(struct walk *walk, enum shape_id id, const char *base)
{
    const struct shape *shape = shape_of(id);

    if (walk->depth + 1 >= DETECT_PATH)
        return;
    walk->depth++;
    for (size_t i = 0; i < shape->key_count; i++) {
        walk->path[walk->depth - 1] = shape->keys[i].name;
        walk_key(walk, &shape->keys[i], base);
    }
    walk->path[--walk->depth] = NULL;
}

void walk_configuration(struct detect_run *run, const struct configuration *conf, walk_fn *visit)
{
    struct walk walk = {.run = run, .visit = visit};

    walk_shape(&walk, SHAPE_CONFIGURATION, (const char *)conf);
}
