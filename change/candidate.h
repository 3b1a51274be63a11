/*
 * candidate - what a change would make of its base: the target, checked; its difference, its
 * impact, its class.
 *
 * Owner    on the caller's stack, candidate_fini()      Threads  control
 */
#ifndef CHANGE_CANDIDATE_H
#define CHANGE_CANDIDATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "change/policy.h"
#include "config/finding.h"

struct actor;
struct change;
struct configuration;
struct impact;
struct ledger;
struct refusal;

struct candidate {
    struct ledger *ledger;
    const struct actor *author; /* whose access X007 is about; NULL: nobody is asking */
    struct arena *arena;
    struct findings findings;
    json_t *base_json;
    const struct configuration *base; /* what runs, or parsed */
    struct configuration *base_parsed;
    json_t *target_json;
    struct configuration *target; /* NULL: it does not build */
    char *bytes;                  /* of the target, sorted and compact */
    size_t byte_count;
    char digest[DIGEST_TEXT];
    struct impact *impact;         /* what it would do to traffic; NULL: it does not build */
    struct policy_verdict verdict; /* class 0: it does not build */
};

/* Loads the base that `change` names.  False: it is not there any more, or does not verify. */
bool candidate_init(struct candidate *candidate, struct ledger *ledger, const struct change *change,
                    struct refusal *refusal);
void candidate_fini(struct candidate *candidate);

/* Takes `target`; parses it, adds findings, judges. */
void candidate_set(struct candidate *candidate, json_t *target, const struct change *change);
/* Where a merge had to choose, that stands until somebody says what is meant. */
void candidate_keep_conflicts(struct candidate *candidate, const struct change *change);
/* The stored target of the change, with the conflicts that it has. */
bool candidate_set_stored(struct candidate *candidate, const struct change *change,
                          struct refusal *refusal);

/* [{op, pointer, before, after}] */
json_t *candidate_diff(const struct candidate *candidate);
/* Fills target_digest, findings, class, required and the rest of what is told of a draft. */
void candidate_describe(const struct candidate *candidate, struct change *change);
/* The shape of GET /v1/changes/{id}/impact. */
json_t *candidate_impact(const struct candidate *candidate, const struct change *change);

/* A finding of severity block (error) that `override` does not name, or may not: the reason why a
 * change cannot be submitted.  `overridable`: in a break-glass session. */
bool candidate_may_submit(const struct candidate *candidate, const struct change *change,
                          bool overridable, struct refusal *refusal);

#endif
