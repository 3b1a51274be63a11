/*
 * problem - an answer that says what is wrong and what to do next (RFC 9457).
 *
 * Owner    the call it answers.      Threads  control only
 */
#ifndef ADMIN_PROBLEM_H
#define ADMIN_PROBLEM_H

#include <jansson.h>

struct call;
struct finding;
struct findings;
struct refusal;

enum problem_id {
#define PROBLEM(id, name, status, title, help) PROBLEM_##id,
#include "admin/problems.def"
#undef PROBLEM
    PROBLEM_COUNT
};

struct problem {
    const char *name;
    unsigned status;
    const char *title;
    const char *help;
};

const struct problem *problem_about(enum problem_id id);

/* Answers `call`.  `next` is the call that gets one on, or NULL. */
void problem_reply(struct call *call, enum problem_id id, const char *next, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with fields of its own; takes `fields` (an object or NULL). */
void problem_reply_with(struct call *call, enum problem_id id, const char *next, json_t *fields,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));
/* findings-block: each finding becomes an element of errors[]; `findings` may be NULL. */
void problem_reply_findings(struct call *call, const struct findings *findings, const char *next,
                            const char *why);

/* What the ledger refused. */
void problem_reply_refusal(struct call *call, const struct refusal *refusal);

json_t *problem_finding_json(const struct finding *finding);
/* An array; empty when `findings` is NULL. */
json_t *problem_findings_json(const struct findings *findings);

#endif
