/*
 * sample - see sample.h.
 *
 * Owner    whoever holds a reference      Threads  control
 */
#include "observe/sample.h"

#include "base/arena.h"
#include "base/check.h"

void sample_release(struct sample **held)
{
    struct sample *sample = TAKE_POINTER(held);
    struct arena *arena;

    if (sample == NULL)
        return;
    CHECK(sample->references > 0);
    if (--sample->references > 0)
        return;
    arena = sample->arena;
    arena_free(&arena);
}
