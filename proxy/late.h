/*
 * late - work put off to the end of the loop's turn.
 *
 * A hundred streams that are answered in one turn cost one write of their connection: each marks
 * it, and it is looked at once, after everything that the poll told.
 *
 * Owner    the worker.      Threads  the worker's
 */
#ifndef PROXY_LATE_H
#define PROXY_LATE_H

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"

struct late;
struct worker;

typedef void late_fn(struct late *late);

/* Embedded in what is marked. */
struct late {
    struct list link;
    late_fn *run;
};

struct late_list {
    uv_check_t after_poll;
    uv_prepare_t before_poll; /* what timers marked must not wait for the poll */
    struct list marked;
    bool is_armed;
};

void late_open(struct worker *worker);
void late_close(struct worker *worker);

void late_init(struct late *late, late_fn *run);
/* `run` is called once, before the loop waits again; marking twice is marking once. */
void late_mark(struct worker *worker, struct late *late);
void late_forget(struct late *late);

#endif
