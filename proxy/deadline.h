/*
 * deadline - timeouts of many connections under one timer.
 *
 * Timeouts of one class have equal length, so a list in order of arrival is in order of falling
 * due: setting and clearing are a few pointer writes, whatever the number of connections.
 *
 * Owner    one worker (or one loop).      Threads  the loop's
 */
#ifndef PROXY_DEADLINE_H
#define PROXY_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"

struct deadline;
typedef void deadline_fn(struct deadline *deadline);

/* Embedded in what waits.  One is set at most once at a time; setting it again moves it. */
struct deadline {
    struct list link;
    uint64_t due_ms;
    deadline_fn *on_due;
};

enum { DEADLINE_CLASSES = 256 };

struct deadline_class {
    uint64_t length_ms; /* 0: free */
    struct list waiting;
};

struct deadlines {
    uv_timer_t timer;
    uint64_t armed_for_ms;        /* UINT64_MAX: not armed */
    void (*after)(void *context); /* called behind each on_due */
    void *context;
    struct deadline_class classes[DEADLINE_CLASSES];
};

void deadlines_open(struct deadlines *deadlines, uv_loop_t *loop, void (*after)(void *context),
                    void *context);
void deadlines_close(struct deadlines *deadlines);

void deadline_init(struct deadline *deadline, deadline_fn *on_due);
/* Due `length_ms` (> 0) after the loop's now. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t length_ms);
void deadline_clear(struct deadline *deadline);
static inline bool deadline_is_set(const struct deadline *deadline)
{
    return !list_is_empty(&deadline->link);
}

#endif
