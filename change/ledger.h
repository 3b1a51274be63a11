/*
 * ledger - all that is known of how the configuration changes: changes, decisions, revisions,
 * pointers, freeze, break-glass, and the evidence of each step.
 *
 * Every function that changes something checks its guards and writes its state and its audit record
 * in one transaction, before it answers.  Answers are JSON in the shapes of the admin API.
 *
 * Owner    cli/serve.c.      Threads  control only
 * Errors   false: nothing was done, `refusal` says why and what to do
 */
#ifndef CHANGE_LEDGER_H
#define CHANGE_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "change/change.h"

struct actor;
struct audit;
struct buffer;
struct configuration;
struct error;
struct findings;
struct ledger;
struct refusal;
struct registry;
struct runner;
struct sample;
struct store;

/* Replaced in tests.  boot_ms does not jump when the wall clock is set. */
struct ledger_clock {
    int64_t (*wall_ms)(void);
    uint64_t (*boot_ms)(void);
};

struct ledger_options {
    const char *state_directory;
    const char *config_directory; /* conf.d: files may lie in it too; NULL: nowhere */
    const struct runner *runner;
    struct registry *registry;        /* for overrides; NULL in tests without one */
    const struct ledger_clock *clock; /* NULL: the machine's */
    /* Something happened: a new audit record (for GET /v1/events).  May be NULL. */
    void (*on_event)(void *context, uint64_t seq, const char *line);
    void *context;
};

struct ledger *ledger_open(const struct ledger_options *options, struct error *why);
void ledger_close(struct ledger **ledger);
/* Each second: expiry, schedules, deadlines, overrides, the mirror. */
void ledger_tick(struct ledger *ledger);
struct audit *ledger_audit(struct ledger *ledger);
struct store *ledger_store(struct ledger *ledger);
const char *ledger_cluster(const struct ledger *ledger);

/* ---- changes: ledger_change.c ---- */

/* `request` is the body of POST /v1/changes (borrowed).  The answer is the change, or, for a dry
 * run, what it would be, with its findings. */
struct create_options {
    const char *if_match; /* digest of what runs, or NULL */
    bool is_dry_run;
    bool is_submitted;
    enum change_kind kind;
    /* Of an import: what conf.d said (its blob is there), and [pointer] where it and what runs both
     * changed the same thing: each is a finding.  NULL otherwise. */
    const char *import_digest;
    const json_t *conflicts;
    uint32_t least_class; /* the class is not below; 0: as the policy judges */
};
bool ledger_create(struct ledger *ledger, const struct actor *actor, const json_t *request,
                   const struct create_options *options, json_t **answer, struct refusal *refusal);
/* `replaces`: PUT, the content is given anew; else PATCH.  `if_match` is mandatory
 * (precondition-required). */
bool ledger_edit(struct ledger *ledger, const struct actor *actor, const char *id,
                 const json_t *request, bool replaces, const char *if_match, json_t **answer,
                 struct refusal *refusal);
bool ledger_submit(struct ledger *ledger, const struct actor *actor, const char *id,
                   json_t **answer, struct refusal *refusal);
bool ledger_reopen(struct ledger *ledger, const struct actor *actor, const char *id,
                   json_t **answer, struct refusal *refusal);
bool ledger_rebase(struct ledger *ledger, const struct actor *actor, const char *id,
                   json_t **answer, struct refusal *refusal);
bool ledger_withdraw(struct ledger *ledger, const struct actor *actor, const char *id,
                     const char *reason, json_t **answer, struct refusal *refusal);
struct decision_request {
    const char *digest; /* mandatory */
    bool is_veto;
    const char *comment; /* or NULL */
};
bool ledger_decide(struct ledger *ledger, const struct actor *actor, const char *id,
                   const struct decision_request *decision, json_t **answer,
                   struct refusal *refusal);
/* Takes back the approval of `person` (his own). */
bool ledger_retract(struct ledger *ledger, const struct actor *actor, const char *id,
                    const char *person, json_t **answer, struct refusal *refusal);

/* ---- what is shown ---- */

/* The change that is open under this id, or one read from the store until the next call; NULL. */
const struct change *ledger_find(struct ledger *ledger, const char *id);
bool ledger_show(struct ledger *ledger, const char *id, json_t **answer, struct refusal *refusal);
/* Newest first, after the id `cursor` (NULL: from the newest), at most `limit`; *more_out is the
 * cursor of the next page ("" for none; CHANGE_ID_TEXT bytes).  state, author: NULL for all. */
bool ledger_list(struct ledger *ledger, const char *state, const char *author, const char *cursor,
                 unsigned limit, json_t **answer, char *more_out, struct refusal *refusal);
bool ledger_bound_bytes(struct ledger *ledger, const char *id, struct buffer *out,
                        struct refusal *refusal);
bool ledger_diff(struct ledger *ledger, const char *id, json_t **answer, struct refusal *refusal);
bool ledger_findings(struct ledger *ledger, const char *id, json_t **answer,
                     struct refusal *refusal);
/* The shape of GET /v1/changes/{id}/impact; numbers of traffic are null where they are not known.
 */
bool ledger_impact(struct ledger *ledger, const char *id, json_t **answer, struct refusal *refusal);
/* The target of a change as a checked configuration, for explain; config_free() it. */
struct configuration *ledger_target(struct ledger *ledger, const char *id,
                                    struct findings *findings, struct refusal *refusal);

/* ---- apply and after: apply.c ---- */

/* Called once, maybe before the function returns. */
typedef void ledger_done_fn(void *context, json_t *answer,
                            const struct refusal *refusal); /* answer: taken; NULL when refused */
void ledger_apply(struct ledger *ledger, const struct actor *actor, const char *id,
                  const char *if_match, ledger_done_fn *done, void *context);
bool ledger_confirm(struct ledger *ledger, const struct actor *actor, const char *id,
                    json_t **answer, struct refusal *refusal);
/* Milliseconds until min_bake is over, for ?wait=; 0: now, or nothing waits. */
uint64_t ledger_confirm_wait_ms(struct ledger *ledger, const char *id);
void ledger_cancel(struct ledger *ledger, const struct actor *actor, const char *id,
                   const char *reason, ledger_done_fn *done, void *context);
/* A new deadline: at most 60 min from apply. */
bool ledger_extend(struct ledger *ledger, const struct actor *actor, const char *id,
                   uint64_t deadline_ms, json_t **answer, struct refusal *refusal);
/* `to`: "previous", "lkg", or the number of a revision. */
void ledger_rollback(struct ledger *ledger, const struct actor *actor, const char *to,
                     const char *reason, ledger_done_fn *done, void *context);
/* Something is being prepared, published, or rolled back now. */
bool ledger_is_busy(const struct ledger *ledger);

/* ---- start: boot.c ---- */

struct ledger_boot {
    bool is_first; /* there is no revision: conf.d is to be imported */
    uint64_t rev;
    struct slice bytes; /* of the configuration that is to run; live until the next call */
    const char
        *note; /* what was found and done about it ("the change … was rolled back"), or NULL */
    bool is_violated; /* what was stored does not verify: an older one runs, nothing may change */
};
/* What a start runs, after crashes were made good as the table in docs/change.md says. */
bool ledger_choose_boot(struct ledger *ledger, struct ledger_boot *boot_out, struct error *why);
/* The first revision, unreviewed: conf.d as it is.  Also the revisions of the modes advisory and
 * off: each reload makes one.  `event`: "revision.imported", "revision.unreviewed-reload". */
bool ledger_adopt(struct ledger *ledger, const struct actor *actor,
                  const struct configuration *conf, const char *event, struct refusal *refusal);
/* What the files of revision `rev` held, into `conf`, which is to run.  False and `why`: a copy is
 * not there any more, or not what was approved. */
bool ledger_fill_files(struct ledger *ledger, uint64_t rev, struct configuration *conf,
                       struct error *why);
/* The servers that overrides are for; before ledger_started(). */
void ledger_attach(struct ledger *ledger, struct registry *registry);
/* The workers run `rev` (0: a configuration that could not be recorded); called once after a start.
 */
void ledger_started(struct ledger *ledger, uint64_t rev);
/* conf.d names a weaker mode than the one that a start found in the store, which stays: an alert.
 */
void ledger_note_weaker_mode(struct ledger *ledger);
/* An orderly stop begins: this was no crash. */
void ledger_stopping(struct ledger *ledger);
/* Each second: requests answered since the last call.  A revision becomes "lkg" by them. */
void ledger_count_requests(struct ledger *ledger, uint64_t requests);

/* ---- conf.d: import.c ---- */

/* conf.d as it was when it was last taken over; false when it never was. */
bool ledger_last_import(struct ledger *ledger, struct buffer *out);
/* Mode enforced: makes a draft of what conf.d says beyond the last import, merged three ways onto
 * what runs.  No difference: *answer is null. */
bool ledger_import(struct ledger *ledger, const struct actor *actor,
                   const struct configuration *conf, json_t **answer, struct refusal *refusal);

/* Takes `conf`, which is about to be taken over unreviewed.  Where its mode is weaker than the
 * stored one, the same with the stored mode comes back, *was_weaker_out is true: a file does not
 * lift the policy.  NULL: that does not build. */
struct configuration *ledger_keep_mode(struct ledger *ledger, struct configuration *conf,
                                       bool *was_weaker_out, struct findings *findings);
/* conf.d (its digest; NULL: it does not build) differs: in mode enforced from the last import, else
 * from what runs. */
bool ledger_has_drift(struct ledger *ledger, const char *disk_digest);

/* ---- certificates renewed without a change: renewals.c ---- */

struct ledger_renewal {
    const char *name; /* of the certificate */
    const char *cert_file;
    const char *key_file;
    struct slice old_chain, old_key; /* that run */
    struct slice chain, key;
    int64_t not_after_ms;
};
/* Nothing waits for a confirmation, or is under way. */
bool ledger_may_renew(const struct ledger *ledger);
/* Keeps them, says so in the audit chain: from now on they run wherever the old ones would. */
bool ledger_renew(struct ledger *ledger, const struct ledger_renewal *items, size_t count,
                  struct refusal *refusal);

/* ---- recent traffic: traffic.c ---- */

/* What was seen of late takes the place of the sample before it; takes the caller's reference. */
void ledger_take_sample(struct ledger *ledger, struct sample *sample);
/* A route had so many requests more. */
void ledger_note_route(struct ledger *ledger, const char *route, uint64_t requests);
/* Requests were counted, but not by route. */
void ledger_missed_routes(struct ledger *ledger);
/* The newest; NULL before the first.  Lives until the next one comes, or sample_hold() it. */
struct sample *ledger_sample(const struct ledger *ledger);

/* ---- revisions ---- */

/* `name`: a number, "running", "boot", "lkg", "previous". */
bool ledger_revision(struct ledger *ledger, const char *name, json_t **answer,
                     struct refusal *refusal);
bool ledger_revision_bytes(struct ledger *ledger, const char *name, struct buffer *out,
                           struct refusal *refusal);
bool ledger_revisions(struct ledger *ledger, const char *cursor, unsigned limit, json_t **answer,
                      char *more_out, struct refusal *refusal);
bool ledger_revision_diff(struct ledger *ledger, const char *a, const char *b, json_t **answer,
                          struct refusal *refusal);

/* Ways back, for /metrics. */
enum rollback_cause {
    ROLLBACK_GATE,     /* the health gate failed three times without passing */
    ROLLBACK_DEADLINE, /* it was not confirmed in time */
    ROLLBACK_CANCEL,   /* POST …/cancel */
    ROLLBACK_CALL,     /* POST /v1/rollback */
    ROLLBACK_APPLY,    /* it could not be recorded */
    ROLLBACK_RESTART,  /* found at a start, not confirmed */
    ROLLBACK_CAUSES,
};
extern const char *const rollback_cause_words[ROLLBACK_CAUSES];

/* The same in numbers, for /metrics. */
struct ledger_numbers {
    uint64_t running_rev;
    uint64_t boot_rev;
    bool is_pending;   /* a change waits for its confirmation */
    bool is_violated;  /* what is stored does not verify */
    bool is_undurable; /* what runs could not be recorded yet */
    unsigned reviews_overdue;
    unsigned open[CHANGE_STATE_COUNT];   /* changes that are not over, by state */
    uint64_t rollbacks[ROLLBACK_CAUSES]; /* since the start */
};
struct ledger_numbers ledger_numbers(struct ledger *ledger);

/* What GET /v1/status shows: running, boot, lkg, pending_confirm (see api.md), mode, integrity. */
json_t *ledger_status(struct ledger *ledger);
/* [{name, severity, since, summary, description, …}] that the ledger knows of: drift is not among
 * them. */
json_t *ledger_alerts(struct ledger *ledger);

/* What was changed last, within a day: {change, revision, author, approvers, applied_ms,
 * is_waiting, revert}, `revert` being the one command that takes it back; NULL: nothing was. */
json_t *ledger_suspect(struct ledger *ledger);

/* ---- freeze, break-glass: freeze.c, breakglass.c ---- */

bool ledger_freeze(struct ledger *ledger, const struct actor *actor, const char *reason,
                   int64_t until_ms, json_t **answer, struct refusal *refusal);
bool ledger_thaw(struct ledger *ledger, const struct actor *actor, json_t **answer,
                 struct refusal *refusal);
json_t *ledger_freeze_shown(struct ledger *ledger); /* null when nothing is frozen */

bool ledger_breakglass(struct ledger *ledger, const struct actor *actor, const char *reason,
                       const char *incident, json_t **answer, struct refusal *refusal);
/* By another person, who was an approver before; verdict "accept" or "revert". */
bool ledger_review(struct ledger *ledger, const struct actor *actor, const char *session,
                   const char *verdict, const char *comment, json_t **answer,
                   struct refusal *refusal);
json_t *ledger_breakglass_shown(struct ledger *ledger);

/* ---- answers kept for a repeat: idempotency.c ---- */

/* True: the call was made before; the answer is given again (or refused: idempotency-mismatch). */
struct kept_answer {
    unsigned status;
    json_t *body;   /* the caller's */
    char *location; /* or NULL; xfree() it */
    char *etag;     /* or NULL */
};
enum kept_found { KEPT_NONE, KEPT_SAME, KEPT_OTHER_BODY };
enum kept_found ledger_kept_find(struct ledger *ledger, const char *person, struct slice key,
                                 struct slice request, struct kept_answer *kept_out);
void ledger_kept_put(struct ledger *ledger, const char *person, struct slice key,
                     struct slice request, const struct kept_answer *kept);

#endif
