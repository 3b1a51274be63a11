/*
 * gate - whether a change that runs and waits does well; readings come each ten seconds, in every
 * state that waits, and while what runs is on its way to being known as good.
 *
 * Each input is PASS, FAIL or INCONCLUSIVE, never merely absent: what got no traffic has not
 * passed.  FAIL of one input in three readings without a PASS between takes the change back; its
 * words go to the audit chain.  Mode auto confirms at the deadline only where all inputs pass.
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

/* What is looked at, for whoever takes the readings. */
struct gate_subject {
    const char *change; /* "" where what soaks is of no change */
    uint64_t rev;
    uint64_t generation;      /* published with; 0: by a start */
    uint64_t applied_boot_ms; /* when all workers had it */
    bool is_soaking;          /* confirmed: it is looked at for the sake of `lkg` */
    uint32_t percent;         /* of the connections that have it, beside what runs; 0: all do */
    uint64_t since_boot_ms;   /* when they became so many */
    const json_t *prediction; /* the impact that was approved, or NULL */
    const json_t *changed;    /* as gate_changed_pools() tells; borrowed, as the prediction, until
                                 something else is published */
};
/* False: nothing waits. */
bool ledger_gate_subject(struct ledger *ledger, struct gate_subject *subject_out);
/* Takes the readings to heart; may begin to take the change back. */
void ledger_gate_tick(struct ledger *ledger, const struct gate_readings *readings);
/* {"state","since","fails","inputs":[{"name","state","fails","why"}]} as of the last tick; null:
 * nothing waits for its confirmation. */
json_t *ledger_gate_shown(struct ledger *ledger);
/* The last reading, for /metrics; false: nothing waits, or there is none. */
bool ledger_gate_readings(const struct ledger *ledger, enum gate_word words_out[GATE_INPUTS]);

/* ---- gate_changed.c ---- */

/* {"pool": ["other", …]} of the pools of `target` that do not run as they did in `base`, each with
 * those that its routes led to before: what it is held against where it had no traffic itself.
 * `overrides` are runtime orders that came with the change, or NULL. */
json_t *gate_changed_pools(const json_t *base, const json_t *target, const json_t *overrides);

#endif
