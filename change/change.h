/*
 * change - a proposal to change the configuration, and its states.
 *
 *   draft -> pending -> approved -> applying -> confirming -> applied
 *                                                          \-> rolled_back
 *   besides: failed, rejected, withdrawn, expired (terminal), stale
 *
 * change_moves.def has every row of the table: from, to, event, who may, what must hold.
 * change_move() is the only function that writes a state; it adds the audit record of the move to
 * the same transaction.
 *
 * Owner    the ledger, which holds every open change in memory as it is in the store
 * Threads  control
 */
#ifndef CHANGE_CHANGE_H
#define CHANGE_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

enum { CHANGE_ID_TEXT = 32, CHANGE_OPEN_MAX = 20 };

enum change_state {
    CHANGE_DRAFT,
    CHANGE_PENDING,
    CHANGE_APPROVED,
    CHANGE_APPLYING,
    CHANGE_CONFIRMING,
    CHANGE_APPLIED,
    CHANGE_ROLLED_BACK,
    CHANGE_FAILED,
    CHANGE_REJECTED,
    CHANGE_WITHDRAWN,
    CHANGE_EXPIRED,
    CHANGE_STALE,
    CHANGE_STATE_COUNT,
};

enum change_kind {
    CHANGE_KIND_PROPOSAL, /* somebody's */
    CHANGE_KIND_IMPORT,   /* made of conf.d: nobody is known to be its author */
};

struct change_decision {
    char *person;
    bool is_veto;
    char *comment; /* or NULL */
    char *principal;
    int64_t at_ms;
    char digest[DIGEST_TEXT];
};

/* Texts are owned by the change; times are wall clock milliseconds, 0: not yet, or none. */
struct change {
    char id[CHANGE_ID_TEXT]; /* chg_<ULID> */
    uint64_t version;        /* of its key in the store */
    enum change_state state;
    enum change_kind kind;
    uint32_t iteration;
    char *title;
    char *reason;
    char *ticket;         /* or NULL */
    char *author;         /* a person */
    json_t *contributors; /* array of persons, the author first; services besides their owners */
    uint64_t base_rev;
    char base_digest[DIGEST_TEXT];
    char target_digest[DIGEST_TEXT]; /* of the merged bytes; their blob */
    json_t *patch;     /* the merge patch; NULL where the whole configuration was given */
    json_t *deletes;   /* array of pointers */
    json_t *override;  /* array of rule ids */
    json_t *overrides; /* runtime overrides that come with it: [{pool, server, state, weight}] */
    json_t *files;     /* {"path": "sha256:…"} */
    json_t *findings;  /* as shown */
    char etag[DIGEST_TEXT];
    char digest[DIGEST_TEXT];        /* of the bound object; "" before submission */
    char bound_blob[DIGEST_TEXT];    /* sha256 of the bound bytes alone; "" before submission */
    char impact_digest[DIGEST_TEXT]; /* of what was told about the impact; its blob */
    char diff_digest[DIGEST_TEXT];   /* of the difference as approvers see it; its blob */
    uint32_t class;                  /* before submission as it looks; 0: does not build */
    uint32_t required;               /* approvals besides the author */
    json_t *required_factors;        /* [{"group","n"}] */
    json_t *policy_reasons;          /* why this class, in words */
    char policy_digest[DIGEST_TEXT];
    int64_t created_ms, submitted_ms, approved_ms, applied_ms, ended_ms;
    int64_t not_before_ms, not_after_ms;
    bool is_auto_apply;
    bool confirm_is_auto;
    uint64_t confirm_deadline_ms; /* durations */
    uint64_t confirm_min_bake_ms;
    json_t *rollout;   /* [{percent, for}]; NULL: all connections at once (rollout.h) */
    bool is_forced;    /* applied by break-glass */
    char *session;     /* that break-glass session, or NULL */
    uint32_t failures; /* of apply, before anything was exposed */
    char *last_error;  /* or NULL */
    char *ended_why;   /* "restart", "deadline", "cancelled by bob" …, or NULL */
    uint64_t rev;      /* the revision it became; 0: none */
    char *applied_by;  /* or NULL */
    /* sha256 of conf.d as it was when this was made of it; its blob.  "" for a proposal. */
    char import_digest[DIGEST_TEXT];
    uint32_t least_class;              /* a rollback to an old revision is of class 3; else 0 */
    struct change_decision *decisions; /* of the current iteration */
    size_t decision_count;
    /* The same moments in time that no setting of the wall clock moves; not stored. */
    int64_t submitted_boot_ms, approved_boot_ms, not_after_boot_ms;
};

const char *change_state_word(enum change_state state);
bool change_state_parse(const char *word, enum change_state *state_out);
bool change_is_terminal(enum change_state state);

struct change *change_new(void);
void change_free(struct change **change);
/* What it holds, not the struct: for one that is to be filled anew. */
void change_fini(struct change *change);
void change_drop_decisions(struct change *change);

/* The stored form, and back; decisions are stored apart.  decode: NULL when it is not one. */
json_t *change_encode(const struct change *change);
struct change *change_decode(const json_t *stored);

bool change_has_contributor(const struct change *change, const char *person);
/* NULL where there is none. */
struct change_decision *change_decision_of(const struct change *change, const char *person);

#endif
