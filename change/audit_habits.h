/*
 * audit_habits - how approvals are given: how quickly, and who approves whose changes (NIST
 * SP 800-53 CM-5(4) asks to consider rotating such duties).
 *
 * Reads records of the chain, in order, and counts; it verifies nothing.
 *
 * Owner    the caller.      Threads  any one
 */
#ifndef CHANGE_AUDIT_HABITS_H
#define CHANGE_AUDIT_HABITS_H

#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"

struct audit_habits;

/* Approvals given from `from_ms` until before `to_ms` count (wall clock). */
struct audit_habits *audit_habits_new(int64_t from_ms, int64_t to_ms);
void audit_habits_free(struct audit_habits **habits);
/* One line of audit.jsonl; what is none is passed over. */
void audit_habits_take(struct audit_habits *habits, struct slice line);
void audit_habits_print(struct audit_habits *habits, FILE *out);

#endif
