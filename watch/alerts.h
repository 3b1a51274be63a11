/*
 * alerts - one list of what is wrong now; who looks tells it all each time, here it is seen what is
 * new and what is over.
 *
 *   WAITING --lasted raise_s--> RAISED --gone for clear_s--> over (kept a while, to be told)
 *
 * An alert is a JSON object {name, severity, since, summary, description} with pool, server, ref
 * and certificate where it is about one; those and the name are its identity.  alerts.def has each
 * name.
 *
 * Owner    watch.      Threads  control; no clock of its own
 */
#ifndef WATCH_ALERTS_H
#define WATCH_ALERTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ALERTS_MAX = 500, ALERTS_OVER_MAX = 200, ALERTS_OVER_MS = 15 * 60 * 1000 };

struct alert_kind {
    const char *name;
    const char *severity;
    uint32_t raise_ms;
    uint32_t clear_ms;
    bool names_change;
    const char *runbook;
    const char *meaning;
};

/* Of alerts.def, in its order; NULL behind the last. */
const struct alert_kind *alert_kind_at(size_t index);
const struct alert_kind *alert_kind_named(const char *name);

struct alerts;

struct alerts *alerts_new(void);
void alerts_free(struct alerts **alerts);

/* One look: begin, tell each thing that is wrong, end. */
void alerts_begin(struct alerts *alerts, int64_t wall_ms, uint64_t now_ms);
void alerts_tell(struct alerts *alerts, json_t *alert); /* takes it */
/* The same of each in `list`, which it takes. */
void alerts_tell_all(struct alerts *alerts, json_t *list);
/* Among what is told or raised is something that a change may be the cause of. */
bool alerts_name_a_change(const struct alerts *alerts);
/* `suspect`: as of ledger_suspect(), or NULL; borrowed.  Logs what is raised and what is over. */
void alerts_end(struct alerts *alerts, const json_t *suspect);

/* What is raised, the newest first; `runbooks` stands before the name of a page.  The caller's. */
json_t *alerts_shown(const struct alerts *alerts, const char *runbooks);
/* The same for who sends them: {"seq", "raised": […], "over": […]}, each alert with "seq", the
 * number of its last move, those that are over with "ended". */
json_t *alerts_batch(const struct alerts *alerts, const char *runbooks);
/* Of the last move; grows with each. */
uint64_t alerts_seq(const struct alerts *alerts);
/* How many are raised. */
size_t alerts_count(const struct alerts *alerts);

#endif
