/*
 * gate_due - what is due to each server of a changed pool by the approved shares, and what it got.
 *
 * Due is integrated over time, as the monitor does it: whoever begins slowly, or is down, is due
 * less while that lasts, and so the others are due more.
 *
 * Owner    who embeds it: gate_watch.c, canary.c.      Threads  control
 */
#ifndef WATCH_GATE_DUE_H
#define WATCH_GATE_DUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot_pool;

struct gate_due {
    size_t count;    /* of configured servers */
    bool is_known;   /* the prediction has a share for each */
    uint64_t *picks; /* since the beginning */
    double *due;     /* of those picks; adds up to them while somebody served */
    /* as last noted */
    uint64_t *counted; /* since the process began */
    double *paces;     /* 1: all of its share, 0: it did not serve */
};

/* From here on it counts; `counted` has how often each server was chosen so far. */
void gate_due_begin(struct gate_due *due, const struct snapshot_pool *pool, const uint64_t *counted,
                    uint64_t now_ms);
/* Before each reading; of a pool with as many servers. */
void gate_due_note(struct gate_due *due, const struct snapshot_pool *pool, const json_t *prediction,
                   const uint64_t *counted, uint64_t now_ms);
void gate_due_fini(struct gate_due *due);

#endif
