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

#endif
