/*
 * gate - whether a change that runs and waits does well; readings come each ten seconds, in every
 * state that waits.
 *
 * Each input is PASS, FAIL or INCONCLUSIVE, never merely absent: what got no traffic has not
 * passed.  FAIL of one input in three readings in a row takes the change back; its words go to the
 * audit chain.  Mode auto confirms at the deadline only where all inputs pass.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_GATE_H
#define CHANGE_GATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct ledger;

enum gate_word { GATE_INCONCLUSIVE, GATE_PASS, GATE_FAIL };

enum gate_input {
    GATE_WORKERS,      /* all run the generation, none was restarted */
    GATE_ERRORS,       /* 5xx of changed pools against before */
    GATE_LATENCY,      /* p99 of changed pools against before */
    GATE_HEALTH,       /* part of the servers of changed pools that is healthy */
    GATE_DISTRIBUTION, /* changed pools against the prediction, all against capacity, the others
                          against before */
    GATE_REFUSALS,     /* connections and handshakes that were refused */
    GATE_INPUTS,
};

enum { GATE_TICK_MS = 10 * 1000, GATE_FAILS = 3, GATE_WHY_TEXT = 240 };

struct gate_reading {
    enum gate_word word;
    char why[GATE_WHY_TEXT]; /* the numbers, in words */
};

struct gate_readings {
    struct gate_reading inputs[GATE_INPUTS];
};

const char *gate_input_word(enum gate_input input); /* "workers", "errors", … */
const char *gate_word_word(enum gate_word word);    /* "inconclusive", "pass", "fail" */

/* The change whose confirmation is awaited, for whoever takes the readings. */
struct gate_subject {
    const char *change;
    uint64_t rev;
    uint64_t generation;
    uint64_t applied_boot_ms; /* when all workers had it */
    const json_t *prediction; /* the impact that was approved; borrowed until the next call */
};
/* False: nothing waits. */
bool ledger_gate_subject(struct ledger *ledger, struct gate_subject *subject_out);
/* Takes the readings to heart; may begin to take the change back. */
void ledger_gate_tick(struct ledger *ledger, const struct gate_readings *readings);
/* {"state","since","fails","inputs":[{"name","state","why"}]} as of the last tick; null: nothing
 * waits. */
json_t *ledger_gate_shown(struct ledger *ledger);

#endif
