/*
 * policy - from what a change does to who must agree; pure.
 *
 * The rules are rows of policy_rules.def: each has a class, words, and one small function.  The
 * highest class of all rows that hold counts.  Where traffic numbers are needed and not known, the
 * worst is assumed.
 *
 * Owner    results are the caller's      Threads  any
 */
#ifndef CHANGE_POLICY_H
#define CHANGE_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct change;
struct conf_policy;
struct configuration;
struct findings;
struct impact;

struct policy_subject {
    const struct configuration *base; /* what runs */
    const struct configuration *target;
    const json_t *base_json;
    const json_t *target_json;
    const json_t *override;  /* rule ids that the change accepts */
    const json_t *overrides; /* runtime overrides that come with it */
    const json_t *in_force;  /* those in force now, as override_list() tells; NULL: none */
    const json_t *peaks;     /* {"pool": requests a second}, as far as known; NULL: not at all */
    const json_t *used_routes, *used_hosts; /* as traffic_used_...() tell; NULL: all may be */
    const struct impact *impact; /* what it would do to recent traffic; NULL: not forecast */
    bool is_import;
};

struct policy_verdict {
    uint32_t class;    /* 1 to 3 */
    uint32_t required; /* approvals besides the author */
    json_t *factors;   /* [{"group","n"}]; all needed */
    json_t *reasons;   /* [{"rule","class","message"}] */
};

/* Under the policy of `base`. */
void policy_judge(const struct policy_subject *subject, struct policy_verdict *verdict_out);
/* The factors that a policy asks for, as in a verdict. */
json_t *policy_factors(const struct conf_policy *policy);
/* The stricter of two, member by member (a policy that changed while the change was pending). */
void policy_stricter(struct policy_verdict *verdict, const struct policy_verdict *other);
void policy_verdict_clear(struct policy_verdict *verdict);

/* S005: enough distinct humans with a credential could approve a change of class 3 that one of them
 * wrote; adds findings (block, warning).  Nothing unless its mode is enforced. */
void policy_check_survivable(const struct configuration *conf, struct findings *findings);

/* A person may approve: human, not disabled, has the role now.  What was decided since
 * revoked_since does not count all the same. */
bool policy_may_approve(const struct configuration *conf, const char *person);
/* Whether the decisions of `change` that count now are enough.  `have_out`, `missing_out` (an array
 * of words such as "1 more of group netops") and `who_can_out` (persons) may be NULL. */
bool policy_is_approved(const struct configuration *conf, const struct change *change,
                        uint32_t *have_out, json_t **missing_out, json_t **who_can_out);

/* Inside a window, or there are none; else when the next one begins. */
bool policy_in_window(const struct conf_policy *policy, int64_t wall_ms, int64_t *next_ms_out);
/* The configured freeze that holds now, or NULL. */
const struct conf_freeze *policy_frozen(const struct conf_policy *policy, int64_t wall_ms);

#endif
