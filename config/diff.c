/*
 * diff - two models to a list of meanings, along the table of keys.
 *
 * Owner    texts live in the arena given      Threads  one at a time
 */
#include "config/diff.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "config/keys.h"
#include "config/model.h"
#include "config/pointer.h"
#include "config/value_text.h"

enum { SHOWN_MAX = 120 };

struct walk {
    struct differences *out;
    struct pointer pointer;
    struct buffer before;
    struct buffer after;
};

/* ---- saying it ---- */

/* "pools" holds pools by name, and one of them is called "pool". */
static bool is_map_step(const char *name)
{
    static const char *const maps[] = {"listeners", "pools", "routes", "servers"};

    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        if (strcmp(name, maps[i]) == 0)
            return true;
    return false;
}

/* "pool api: server s1: weight" */
static void append_place(const struct walk *walk, struct buffer *out)
{
    size_t depth = walk->pointer.depth;

    for (size_t i = 0; i < depth; i++) {
        const char *name = walk->pointer.steps[i].name;

        if (i > 0)
            buffer_append_literal(out, ": ");
        if (i + 1 < depth && is_map_step(name))
            buffer_printf(out, "%.*s %s", (int)strlen(name) - 1, name,
                          walk->pointer.steps[++i].name);
        else
            buffer_printf(out, "%s", name);
    }
}

static struct difference *add(struct walk *walk, enum difference_kind kind)
{
    struct differences *out = walk->out;
    struct difference *item;

    if (out->count == out->room) {
        out->room = out->room > 0 ? out->room * 2 : 16;
        out->items = xrealloc(out->items, out->room * sizeof(*out->items));
    }
    item = &out->items[out->count++];
    *item = (struct difference){.kind = kind,
                                .pointer = arena_strdup(out->arena, pointer_text(&walk->pointer))};
    return item;
}

static void add_whole(struct walk *walk, enum difference_kind kind)
{
    struct difference *item = add(walk, kind);
    struct buffer text;

    buffer_init(&text);
    append_place(walk, &text);
    buffer_append(&text, kind == DIFFERENCE_ADDED ? " added" : " removed",
                  kind == DIFFERENCE_ADDED ? 6 : 8);
    item->text = arena_strdup(walk->out->arena, buffer_text(&text));
    buffer_fini(&text);
}

/* At most SHOWN_MAX bytes of it, cut between characters of UTF-8. */
static const char *cut(struct walk *walk, struct buffer *value)
{
    struct slice text = buffer_slice(value);
    size_t len = SHOWN_MAX;

    if (text.len <= SHOWN_MAX)
        return arena_strdup(walk->out->arena, buffer_text(value));
    while (len > 0 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(walk->out->arena, "%.*s...", (int)len, text.at);
}

static void add_change(struct walk *walk)
{
    struct difference *item = add(walk, DIFFERENCE_CHANGED);
    struct buffer text;

    item->before = cut(walk, &walk->before);
    item->after = cut(walk, &walk->after);
    buffer_init(&text);
    append_place(walk, &text);
    buffer_printf(&text, " %s -> %s", item->before, item->after);
    item->text = arena_strdup(walk->out->arena, buffer_text(&text));
    buffer_fini(&text);
}

/* ---- comparing ---- */

static void compare_shape(struct walk *walk, enum shape_id id, const char *before,
                          const char *after);

static const char *name_of(const char *item)
{
    return *(const char *const *)(const void *)item;
}

/* Both sides are sorted by name. */
static void compare_map(struct walk *walk, const struct key *key, const char *before,
                        const char *after)
{
    const struct key_list *old = (const void *)(before + key->offset);
    const struct key_list *new = (const void *)(after + key->offset);
    size_t bytes = shape_of(key->shape)->bytes;
    size_t i = 0;
    size_t j = 0;

    while (i < old->count || j < new->count) {
        const char *one = i < old->count ? (const char *)old->items + i * bytes : NULL;
        const char *two = j < new->count ? (const char *)new->items + j *bytes : NULL;
        int order = one == NULL ? 1 : two == NULL ? -1 : strcmp(name_of(one), name_of(two));

        pointer_push(&walk->pointer, name_of(order <= 0 ? one : two));
        if (order == 0)
            compare_shape(walk, key->shape, one, two);
        else
            add_whole(walk, order < 0 ? DIFFERENCE_REMOVED : DIFFERENCE_ADDED);
        pointer_pop(&walk->pointer);
        i += order <= 0;
        j += order >= 0;
    }
}

static void compare_value(struct walk *walk, const struct key *key, const char *before,
                          const char *after)
{
    buffer_clear(&walk->before);
    buffer_clear(&walk->after);
    value_text(key, before, &walk->before);
    value_text(key, after, &walk->after);
    if (!slice_equal(buffer_slice(&walk->before), buffer_slice(&walk->after)))
        add_change(walk);
}

static bool is_present(const struct key *key, const char *base)
{
    return key->present == 0 || *(const bool *)(base + key->present - 1);
}

static void compare_key(struct walk *walk, const struct key *key, const char *before,
                        const char *after)
{
    bool is_object = key->type == TYPE_OBJECT;

    if (is_object ? shape_of(key->shape)->bytes <= 1 : key->bytes == 0)
        return; /* not kept in the model */
    if (is_present(key, before) != is_present(key, after))
        add_whole(walk, is_present(key, after) ? DIFFERENCE_ADDED : DIFFERENCE_REMOVED);
    else if (is_object)
        compare_shape(walk, key->shape, before + key->offset, after + key->offset);
    else if (key->type == TYPE_MAP)
        compare_map(walk, key, before, after);
    else
        compare_value(walk, key, before, after);
}

static void compare_shape(struct walk *walk, enum shape_id id, const char *before,
                          const char *after)
{
    const struct shape *shape = shape_of(id);

    for (size_t i = 0; i < shape->key_count; i++) {
        pointer_push(&walk->pointer, shape->keys[i].name);
        compare_key(walk, &shape->keys[i], before, after);
        pointer_pop(&walk->pointer);
    }
}

void config_diff(const struct configuration *before, const struct configuration *after,
                 struct arena *arena, struct differences *out)
{
    struct walk walk = {.out = out};

    *out = (struct differences){.arena = arena};
    pointer_init(&walk.pointer);
    buffer_init(&walk.before);
    buffer_init(&walk.after);
    compare_shape(&walk, SHAPE_CONFIGURATION, (const char *)before, (const char *)after);
    pointer_fini(&walk.pointer);
    buffer_fini(&walk.before);
    buffer_fini(&walk.after);
}

void differences_fini(struct differences *differences)
{
    xfree(differences->items);
    *differences = (struct differences){0};
}
