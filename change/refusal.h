/*
 * refusal - why something that was asked for was not done: the problem, in words, and what to call
 * next.  admin/problem turns it into application/problem+json.
 *
 * Owner    the caller, usually on the stack; refusal_clear() gives `fields` back
 * Threads  control
 */
#ifndef CHANGE_REFUSAL_H
#define CHANGE_REFUSAL_H

#include <jansson.h>
#include <stdbool.h>

struct findings;

struct refusal {
    const char *problem; /* a name of admin/problems.def: "base-stale"; NULL: nothing was refused */
    char detail[512];    /* this time, in words */
    char next[256];      /* the call that gets one on; "" for none */
    json_t *fields;      /* members of their own ("have", "need", "errors"), or NULL */
};

/* Each answers false, so that `return refuse(…)` reads well.  `refusal` may be NULL. */
bool refuse(struct refusal *refusal, const char *problem, const char *next, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with fields of its own; takes `fields`. */
bool refuse_with(struct refusal *refusal, const char *problem, const char *next, json_t *fields,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* `errors` is made of the findings. */
bool refuse_findings(struct refusal *refusal, const char *problem, const char *next,
                     const struct findings *findings, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void refusal_clear(struct refusal *refusal);

/* [{rule, severity, pointer, message, fix, file}] of findings; an empty array for NULL. */
json_t *findings_json(const struct findings *findings);

#endif
