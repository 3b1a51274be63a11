/*
 * summary - the last seconds in numbers.
 *
 * Owner    control, once received.      Threads  one at a time
 */
#include "observe/summary.h"

#include <stddef.h>

#include "base/check.h"
#include "base/memory.h"

void summary_free(struct summary **held)
{
    struct summary *summary = TAKE_POINTER(held);

    if (summary == NULL)
        return;
    xfree(summary->routes);
    xfree(summary->pools);
    xfree(summary->servers);
    xfree(summary);
}
