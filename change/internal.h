/*
 * internal - what the files of change/ share.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_INTERNAL_H
#define CHANGE_INTERNAL_H

#include "change/ledger.h"

#include "change/audit.h"
#include "change/gate.h"
#include "change/store.h"

enum { LEDGER_TAG = 0x4c454447 };

struct hits;
struct override;
struct step;

/* A pointer to a revision, as it is in the store. */
struct revision_pointer {
    uint64_t rev; /* 0: none */
    char digest[DIGEST_TEXT];
    uint64_t version; /* of the key */
};

/* How far a change that is tried has come; within the key "pending". */
struct trying {
    uint32_t percent; /* of the connections that have it; 0: all of them */
    uint32_t step;    /* of the change's rollout, from 0 */
    bool waits;       /* its time is over, but it is not known how it does */
    int64_t until_wall_ms;
    uint64_t since_boot_ms;
    uint64_t until_boot_ms;
    uint64_t limit_boot_ms; /* by then all connections have it, or none */
};

/* The change whose confirmation is awaited; `key` "pending". */
struct pending_confirm {
    bool is_set;
    char change[CHANGE_ID_TEXT];
    uint64_t rev;
    uint64_t previous_rev;
    int64_t applied_wall_ms;
    int64_t deadline_wall_ms;
    uint64_t applied_boot_ms;
    uint64_t deadline_boot_ms;
    uint64_t min_bake_boot_ms; /* confirm is too early before this */
    bool is_auto;
    bool is_confirmed; /* what remains is to move `boot` */
    struct trying trying;
    uint64_t confirm_ms; /* while trying.percent > 0: the time to confirm after that */
    uint64_t version;
};

/* What apply.c and its neighbours know beyond the store. */
struct serving {
    struct activity *queued;      /* a rollback that waits for the end of `activity` */
    uint64_t retry_boot_ms;       /* not before: going back failed, or a schedule was refused */
    uint64_t requests;            /* answered since the running revision was published */
    uint64_t targets_due_boot_ms; /* when `previous` and `lkg` are looked at next */
    uint64_t unusable_rev;        /* one of them that cannot run any more; 0: none */
    uint64_t since_boot_ms;       /* when that was */
    struct activity *undurable;   /* done, but the store does not say so yet; NULL: none */
    json_t *alerts;               /* of the start: array, or NULL */
    uint64_t rollbacks[ROLLBACK_CAUSES];
};

enum { GATE_TEXT = GATE_WHY_TEXT + 32 };

/* What the health gate has seen of what runs. */
struct gate {
    uint64_t generation; /* that runs since; 0: by a start */
    bool has_reading;
    uint64_t read_boot_ms;
    uint64_t recorded_boot_ms; /* the last audit record about it; 0: none */
    enum gate_word word;       /* of all inputs together */
    int64_t since_ms;          /* wall clock */
    struct gate_seen {
        struct gate_reading reading;
        unsigned fails; /* since it passed */
    } inputs[GATE_INPUTS];
    char change[CHANGE_ID_TEXT]; /* that it is about; "" for none */
    json_t *changed;             /* pools, or NULL */
    json_t *prediction;          /* or NULL */
    int64_t holding_since_ms;    /* mode auto is over its deadline; 0: it is not */
    struct gate_end {
        char change[CHANGE_ID_TEXT]; /* that was taken back last; "" for none */
        char why[GATE_TEXT + 64];
        int64_t wall_ms;
        uint64_t boot_ms;
    } taken_back;
};

struct ledger {
    uint32_t tag;
    struct ledger_options options;
    char *state_directory;
    char *cluster;
    struct store *store;
    struct audit *audit;
    struct change **open; /* every change that is not terminal, by id */
    size_t open_count;
    size_t open_room;
    struct change *found; /* the terminal change that ledger_find() read last */
    struct revision_pointer running, boot, lkg, previous;
    struct pending_confirm pending;
    uint64_t newest_rev;
    struct override *overrides;
    size_t override_count;
    struct peaks *peaks;       /* NULL before the first use */
    struct hits *hits;         /* likewise */
    struct sample *sample;     /* of recent traffic; NULL: none came yet */
    struct activity *activity; /* an apply, cancel or rollback under way (apply.c), or NULL */
    struct serving serving;
    struct gate gate;
    struct {
        json_t *alerts; /* of changes approved by who is revoked; NULL: not looked for */
        char searched[DIGEST_TEXT]; /* the configuration they were looked for under */
    } revoked;
    json_t *freeze; /* set by a call; NULL: none */
    bool is_violated;
    struct buffer *boot_bytes;
    char *boot_note;
    char considered[DIGEST_TEXT]; /* the configuration that approvals were last held against */
    char session[CHANGE_ID_TEXT]; /* the break-glass session that is open; "" for none */
    char *session_person;
    uint64_t session_until_boot_ms;
    bool clock_jumped;       /* between the last stop and this start */
    int64_t clock_jumped_ms; /* wall clock of the start that saw it */
    int64_t swept_ms;        /* wall clock; when kept answers were last cleared out */
};

/* ---- a revision, as it is stored under rev/%020u; its bytes are the blob of its digest ---- */

struct revision {
    uint64_t rev;
    char digest[DIGEST_TEXT];
    char change[CHANGE_ID_TEXT]; /* "" where no change made it */
    uint64_t from;               /* what ran before; 0: nothing */
    int64_t created_ms;
    char *author;       /* a person, or NULL */
    char *event;        /* "change", "import", "reload", "rollback" */
    json_t *files;      /* {"path": "sha256:…"} */
    int64_t files_ms;   /* when they were read */
    int64_t applied_ms; /* reached applied; 0: not, or not yet */
};
/* False: no such revision (or not one that can be read). */
bool revision_read(struct ledger *ledger, uint64_t rev, struct revision *out);
void revision_write(struct step *step, const struct revision *revision);
void revision_fini(struct revision *revision);
/* A number, "running", "boot", "lkg", "previous"; 0: nothing is called so. */
uint64_t revision_named(const struct ledger *ledger, const char *name);
/* "running", "boot", "lkg", "previous": reads it; writes it, its version expected. */
void pointer_load(struct ledger *ledger, const char *key, struct revision_pointer *pointer);
void pointer_put(struct step *step, const char *key, struct revision_pointer *pointer, uint64_t rev,
                 const char *digest);

/* ---- ledger.c: what every step does ---- */

int64_t ledger_wall_ms(const struct ledger *ledger);
uint64_t ledger_boot_ms(const struct ledger *ledger);
const struct configuration *ledger_running_conf(const struct ledger *ledger);

/* One step: state and evidence together.  Begin, put, audit, commit. */
struct step {
    struct ledger *ledger;
    struct store_txn *txn;
    const struct actor *actor;
    bool may_use_reserve;
    struct change **touched; /* written in this step: settled or read again at its end */
    size_t touched_count;
    size_t touched_room;
};
void step_begin(struct step *step, struct ledger *ledger, const struct actor *actor);
void step_put_json(struct step *step, const char *key, const json_t *value);
void step_put_blob(struct step *step, struct slice bytes, char digest_out[DIGEST_TEXT]);
/* Takes `data`. */
void step_audit(struct step *step, const char *event, const char *change, const char *digest,
                json_t *data);
/* False: nothing was written; audit-unavailable, or state-conflict where a version had moved.
 * Changes that were written in it are settled: terminal ones leave the list of open ones (the last
 * of them stays readable until the next ledger_find()); after a failure they are as in the store.
 */
bool step_commit(struct step *step, struct refusal *refusal);
void step_abandon(struct step *step);

bool ledger_blob(struct ledger *ledger, const char *digest, struct buffer *out);
/* Bytes of a configuration to the model; NULL and findings. */
struct configuration *ledger_parse(struct slice bytes, const char *name, struct findings *findings);

/* The running configuration as JSON, and the bytes of a digest as JSON; a new value, or NULL. */
json_t *ledger_running_json(const struct ledger *ledger);
json_t *ledger_blob_json(struct ledger *ledger, const char *digest);
void ledger_load_open(struct ledger *ledger);
/* Ends what was not approved, or not applied, in time; all of it after a jump of the clock. */
void ledger_expire(struct ledger *ledger, bool after_jump);
/* Called first by each call: what began to run since the last one is taken note of. */
void ledger_enter(struct ledger *ledger);
/* Decisions of people who may no longer approve, or were revoked since, are void; approvals that
 * are short then are pending again (E-13, E-14).  ledger_enter() and the tick do it whenever
 * another configuration runs. */
void ledger_reconsider(struct ledger *ledger);
/* False: refused; what is stored does not verify, and this is no break-glass session. */
bool ledger_may_write(struct ledger *ledger, const struct actor *actor, struct refusal *refusal);
/* A decision that counts now: the person may approve, was not revoked before it. */
bool ledger_decision_counts(const struct configuration *conf, const struct change *change,
                            const struct change_decision *decision);
/* Writes a decision; `why` (or NULL) says that it is void. */
void ledger_put_decision(struct step *step, const struct change *change,
                         const struct change_decision *decision, const char *why_void);
/* All decisions are void from here on; those of a draft's new iteration are simply left behind. */
void ledger_void_decisions(struct step *step, struct change *change, const char *why);
void ledger_load_decisions(struct ledger *ledger, struct change *change);
/* Milliseconds until a pending or approved change expires, by the policy that runs; INT64_MAX: it
 * does not.  Not after 0: its time is over. */
int64_t ledger_expires_in_ms(const struct ledger *ledger, const struct change *change);
/* A wall clock time as one of this process's time. */
int64_t ledger_anchor_ms(const struct ledger *ledger, int64_t wall_ms);
/* Random bits from the kernel, in hex; `digits` at most 32. */
void ledger_random_hex(char *out, size_t digits);
void ledger_add_open(struct ledger *ledger, struct change *change); /* takes it */
/* The open change, or refuses as not-found (state-conflict when it is over). */
struct change *ledger_need_open(struct ledger *ledger, const char *id, struct refusal *refusal);
/* A refusal of somebody: audited as an attempt when it is about who he is.  Answers false. */
bool ledger_denied(struct ledger *ledger, const struct actor *actor, const char *event,
                   const char *id, const struct refusal *refusal);

/* ---- change.c, change_move.c ---- */

/* The only function that writes a state: puts the change and the audit record of the row of
 * change_moves.def into the step.  The row must exist: guards were checked by the caller, through
 * change_guard().  In memory the change is as it will be; a step that fails is undone by
 * change_reload(). */
void change_move(struct step *step, struct change *change, enum change_state to, const char *event,
                 json_t *data);
/* The first record of a change that is new. */
void change_move_new(struct step *step, struct change *change, json_t *data);
/* Copies `from`; the new one lives until the next change of the list. */
struct change_decision *change_add_decision(struct change *change,
                                            const struct change_decision *from);
void change_remove_decision(struct change *change, struct change_decision *decision);
bool change_may_move(enum change_state from, enum change_state to, const char *event);
/* Writes the change without moving it. */
void change_write(struct step *step, struct change *change);
/* After a failed commit: the change as it is in the store. */
void change_reload(struct ledger *ledger, struct change *change);
struct change *ledger_open_change(struct ledger *ledger, const char *id);
/* What step_commit() does for each change that it wrote; harmless when it was done. */
void ledger_settle_change(struct ledger *ledger, struct change *change);
/* A new iteration: what was decided and fixed for the last one is left behind. */
void change_begin_iteration(struct change *change);
/* Its etag, made anew of its content. */
void change_set_etag(struct change *change);
/* The actor, and for a service its owner and whom it acts for, are contributors from here on. */
void change_add_contributor(struct ledger *ledger, struct change *change,
                            const struct actor *actor);
struct candidate;
/* Fixes class, approvals and digest, and moves it to pending (approved where nobody need agree), in
 * the step; `candidate` has its target.  False: the step must be abandoned. */
bool change_submit(struct step *step, struct change *change, struct candidate *candidate,
                   struct refusal *refusal);
/* The first part of it: files, class, approvals, digest. */
bool change_fix(struct step *step, struct change *change, struct candidate *candidate,
                struct refusal *refusal);
/* The last part: approved, where nobody (more) need agree. */
void change_complete(struct step *step, struct change *change);
bool ledger_has_role(const struct actor *actor, unsigned roles, const char *words,
                     struct refusal *refusal);
/* The role, or an open break-glass session of his. */
bool ledger_may_act(struct ledger *ledger, const struct actor *actor, unsigned roles,
                    const char *words, struct refusal *refusal);
bool ledger_is_contributor(const struct change *change, const struct actor *actor,
                           struct refusal *refusal);
/* Its base runs (or ran before the revision that waits for its confirmation). */
bool ledger_base_holds(const struct ledger *ledger, const struct change *change);
bool ledger_base_stale(const struct change *change, struct refusal *refusal);
/* The guards of `approved -> applying` (and of `pending -> applying` in a break-glass session), all
 * of them, against what holds now.  May void approvals and begin a new iteration (class raised). */
bool change_guard_apply(struct ledger *ledger, const struct actor *actor, struct change *change,
                        struct refusal *refusal);
/* Another change was applied: those with another base become stale. */
void ledger_make_stale(struct ledger *ledger, struct step *step, const char *but_id);
/* The shape of GET /v1/changes/{id}. */
json_t *change_shown(struct ledger *ledger, const struct change *change);

/* ---- apply.c ---- */
void apply_tick(struct ledger *ledger); /* deadlines, schedule */
void pending_load(struct ledger *ledger);

/* ---- breakglass.c ---- */
bool breakglass_is_open(struct ledger *ledger, const struct actor *actor, char *session_out,
                        size_t room);
bool breakglass_allows(struct ledger *ledger, const struct change *change, struct refusal *refusal);
void breakglass_tick(struct ledger *ledger);
/* A session that was open when twokey ended goes on, for what is left of its half hour. */
void breakglass_load(struct ledger *ledger);
/* A change is applied by force: it and the session say so.  change_move() does it. */
void breakglass_note(struct step *step, struct change *change);
unsigned ledger_reviews_overdue(struct ledger *ledger);

/* ---- freeze.c, idempotency.c, override.c ---- */
void freeze_load(struct ledger *ledger);
bool freeze_allows(const struct ledger *ledger, struct refusal *refusal);
void kept_tick(struct ledger *ledger);
/* Frees what is in memory; nothing is taken back. */
void override_forget(struct ledger *ledger);

#endif
