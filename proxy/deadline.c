/*
 * deadline - timeouts of many connections under one timer.
 *
 * Owner    one worker (or one loop).      Threads  the loop's
 */
#include "proxy/deadline.h"

#include "base/check.h"

static void on_timer(uv_timer_t *timer);

void deadlines_open(struct deadlines *deadlines, uv_loop_t *loop, void (*after)(void *context),
                    void *context)
{
    CHECK(uv_timer_init(loop, &deadlines->timer) == 0);
    deadlines->armed_for_ms = UINT64_MAX;
    deadlines->after = after;
    deadlines->context = context;
    for (unsigned i = 0; i < DEADLINE_CLASSES; i++) {
        deadlines->classes[i].length_ms = 0;
        list_init(&deadlines->classes[i].waiting);
    }
}

void deadlines_close(struct deadlines *deadlines)
{
    uv_close((uv_handle_t *)&deadlines->timer, NULL);
}

void deadline_init(struct deadline *deadline, deadline_fn *on_due)
{
    list_init(&deadline->link);
    deadline->due_ms = 0;
    deadline->on_due = on_due;
}

void deadline_clear(struct deadline *deadline)
{
    list_remove(&deadline->link);
}

static void arm(struct deadlines *deadlines, uint64_t due_ms)
{
    uint64_t now = uv_now(deadlines->timer.loop);

    deadlines->armed_for_ms = due_ms;
    CHECK(uv_timer_start(&deadlines->timer, on_timer, due_ms > now ? due_ms - now : 1, 0) == 0);
}

/* The class of that length; when the table is full, the next longer one, else the longest. */
static struct deadline_class *class_of(struct deadlines *deadlines, uint64_t length_ms)
{
    unsigned start = (unsigned)(length_ms * 2654435761u >> 7) % DEADLINE_CLASSES;
    struct deadline_class *spare = NULL;
    struct deadline_class *longer = NULL;
    struct deadline_class *longest = &deadlines->classes[0];

    for (unsigned i = 0; i < DEADLINE_CLASSES; i++) {
        struct deadline_class *class = &deadlines->classes[(start + i) % DEADLINE_CLASSES];

        if (class->length_ms == length_ms)
            return class;
        if (spare == NULL && list_is_empty(&class->waiting))
            spare = class;
        if (class->length_ms == 0)
            break;
        if (class->length_ms > length_ms &&
            (longer == NULL || class->length_ms < longer->length_ms))
            longer = class;
        if (class->length_ms > longest->length_ms)
            longest = class;
    }
    if (spare == NULL)
        return longer != NULL ? longer : longest;
    spare->length_ms = length_ms;
    return spare;
}

/* At the end, but for what is due later and is here because its own class found no room. */
static struct list *place_of(struct deadline_class *class, uint64_t due_ms)
{
    struct list *behind = &class->waiting;

    while (behind->prev != &class->waiting &&
           container_of(behind->prev, struct deadline, link)->due_ms > due_ms)
        behind = behind->prev;
    return behind;
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t length_ms)
{
    struct deadline_class *class = class_of(deadlines, length_ms);
    uint64_t longer_ms = class->length_ms > length_ms ? class->length_ms : length_ms;

    list_remove(&deadline->link);
    deadline->due_ms = uv_now(deadlines->timer.loop) + longer_ms;
    list_append(place_of(class, deadline->due_ms), &deadline->link);
    if (deadline->due_ms < deadlines->armed_for_ms)
        arm(deadlines, deadline->due_ms);
}

static void fire_due(struct deadlines *deadlines, struct deadline_class *class, uint64_t now)
{
    while (!list_is_empty(&class->waiting)) {
        struct deadline *first = container_of(class->waiting.next, struct deadline, link);

        if (first->due_ms > now)
            return;
        list_remove(&first->link);
        first->on_due(first);
        deadlines->after(deadlines->context);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct deadlines *deadlines = container_of(timer, struct deadlines, timer);
    uint64_t now = uv_now(timer->loop);
    uint64_t next = UINT64_MAX;

    deadlines->armed_for_ms = UINT64_MAX;
    for (unsigned i = 0; i < DEADLINE_CLASSES; i++)
        fire_due(deadlines, &deadlines->classes[i], now);
    for (unsigned i = 0; i < DEADLINE_CLASSES; i++) {
        struct list *waiting = &deadlines->classes[i].waiting;

        if (!list_is_empty(waiting)) {
            struct deadline *first = container_of(waiting->next, struct deadline, link);

            next = first->due_ms < next ? first->due_ms : next;
        }
    }
    if (next < deadlines->armed_for_ms)
        arm(deadlines, next);
}
