/*
 * texts - see texts.h.
 *
 * Owner    the caller      Threads  one at a time
 */
#include "observe/texts.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/memory.h"

enum { FIRST_ROOM = 1024 };

void texts_init(struct texts *texts, struct arena *arena)
{
    *texts = (struct texts){.arena = arena, .room = FIRST_ROOM};
    texts->cells = xcalloc(texts->room, sizeof(*texts->cells));
}

void texts_fini(struct texts *texts)
{
    xfree(texts->cells);
    *texts = (struct texts){0};
}

/* Its cell, or the empty one where it belongs. */
static size_t cell_of(const struct texts *texts, struct slice text)
{
    size_t cell = (size_t)hash_slice(hash_process_key(), text) & (texts->room - 1);

    while (texts->cells[cell] != NULL && !slice_equal(slice_from(texts->cells[cell]), text))
        cell = (cell + 1) & (texts->room - 1);
    return cell;
}

static void grow(struct texts *texts)
{
    const char **old = texts->cells;
    size_t old_room = texts->room;

    texts->room *= 2;
    texts->cells = xcalloc(texts->room, sizeof(*texts->cells));
    for (size_t i = 0; i < old_room; i++)
        if (old[i] != NULL)
            texts->cells[cell_of(texts, slice_from(old[i]))] = old[i];
    xfree(old);
}

const char *texts_of(struct texts *texts, struct slice text)
{
    size_t cell = cell_of(texts, text);

    if (texts->cells[cell] != NULL)
        return texts->cells[cell];
    texts->cells[cell] = arena_slice(texts->arena, text).at;
    if (2 * ++texts->count < texts->room)
        return texts->cells[cell];
    const char *kept = texts->cells[cell];
    grow(texts);
    return kept;
}
