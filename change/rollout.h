/*
 * rollout - the steps by which a change reaches the connections: [{"percent":1,"for":"30s"}, …],
 * then all of them.
 *
 * What is tried on a share is the target's pools and routes with everything else as it runs:
 * listeners, and what belongs to the process, change when all connections have the change.
 *
 * Owner    the change has the list, in the form that is stored      Threads  control
 */
#ifndef CHANGE_ROLLOUT_H
#define CHANGE_ROLLOUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct change;
struct refusal;

enum {
    ROLLOUT_STEPS_MAX = 10,
    ROLLOUT_STEP_LEAST_MS = 10 * 1000, /* one reading of the gate */
    ROLLOUT_HOUR_MS = 60 * 60 * 1000,  /* the confirmation's deadline included */
};

/* Told of each mistake; `pointer` and `message` live until it returns. */
typedef void rollout_wrong_fn(void *context, const char *pointer, const char *message);

/* The list as it is stored, a new value; NULL: there is none, or it is wrong. */
json_t *rollout_read(const json_t *asked, rollout_wrong_fn *wrong, void *context);

/* 0: the change has no rollout. */
size_t rollout_steps(const struct change *change);
uint32_t rollout_percent(const struct change *change, size_t step);
uint64_t rollout_step_ms(const struct change *change, size_t step);
/* From the beginning of a step to where all connections have the change. */
uint64_t rollout_left_ms(const struct change *change, size_t step);

/* What is tried, a new value.  NULL: refused, because there is nothing to try, or it cannot be
 * tried with the listeners that run. */
json_t *rollout_tried(const json_t *running, const json_t *target, struct refusal *refusal);

#endif
