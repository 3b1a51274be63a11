/*
 * policy_rules - the rows of policy_rules.def.
 *
 * Owner    nobody: constant      Threads  any
 */
#ifndef CHANGE_POLICY_RULES_H
#define CHANGE_POLICY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct policy_subject;

/* Whether the row holds; appends which things make it hold. */
typedef bool policy_rule_fn(const struct policy_subject *subject, struct buffer *which);

struct policy_rule {
    const char *id;
    uint32_t class;
    policy_rule_fn *holds;
    const char *words;
};

extern const struct policy_rule policy_rules[];
extern const size_t policy_rule_count;

/* The functions that policy_rules.def names. */
#define RULE(id, class, function, words) policy_rule_fn function;
#include "change/policy_rules.def"
#undef RULE

/* ---- what they share ---- */

/* Adds to "a, b, c"; the first twenty. */
void policy_name(struct buffer *which, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The item is another before and after, or is in one of them only. */
bool policy_touches(const struct policy_subject *subject, const char *section, const char *item);

#endif
