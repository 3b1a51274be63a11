/*
 * touched - see touched.h.
 *
 * Owner    the caller      Threads  any
 */
#include "detect/touched.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/slice.h"
#include "config/diff.h"
#include "config/model.h"

struct touched {
    struct arena *arena;
    struct differences differences;
    struct slice *places; /* "section" and "section/name", sorted, perhaps more than once */
    size_t place_count;
};

static int compare_slices(struct slice a, struct slice b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_places(const void *a, const void *b)
{
    return compare_slices(*(const struct slice *)a, *(const struct slice *)b);
}

/* The first part of a pointer, and the first two. */
static void add_places(struct touched *touched, const char *pointer)
{
    const char *section = pointer + (*pointer == '/');
    const char *end = section + strcspn(section, "/");

    touched->places[touched->place_count++] = slice_of(section, (size_t)(end - section));
    if (*end == '/')
        touched->places[touched->place_count++] =
            slice_of(section, (size_t)(end - section) + 1 + strcspn(end + 1, "/"));
}

struct touched *touched_of(const struct configuration *before, const struct configuration *after)
{
    struct touched *touched = xcalloc(1, sizeof(*touched));
    struct differences *differences = &touched->differences;

    touched->arena = arena_new(16384);
    if (strcmp(before->digest, after->digest) != 0)
        config_diff(before, after, touched->arena, differences);
    touched->places = arena_array(touched->arena, 2 * differences->count + 1, sizeof(struct slice));
    for (size_t i = 0; i < differences->count; i++)
        add_places(touched, differences->items[i].pointer);
    qsort(touched->places, touched->place_count, sizeof(*touched->places), compare_places);
    return touched;
}

void touched_free(struct touched **held)
{
    struct touched *touched = TAKE_POINTER(held);

    if (touched == NULL)
        return;
    differences_fini(&touched->differences);
    arena_free(&touched->arena);
    xfree(touched);
}

size_t touched_count(const struct touched *touched)
{
    return touched->differences.count;
}

static bool has_place(const struct touched *touched, struct slice place)
{
    return bsearch(&place, touched->places, touched->place_count, sizeof(place), compare_places) !=
           NULL;
}

bool touched_has(const struct touched *touched, const char *section, const char *name)
{
    struct slice place = slice_from(section);
    char text[256];

    if (strlen(section) + 1 + strlen(name) >= sizeof(text))
        return false; /* no name is that long */
    memcpy(text, section, place.len);
    text[place.len] = '/';
    memcpy(text + place.len + 1, name, strlen(name));
    return has_place(touched, slice_of(text, place.len + 1 + strlen(name)));
}

bool touched_has_any(const struct touched *touched, const char *section)
{
    return has_place(touched, slice_from(section));
}
