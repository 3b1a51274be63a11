/*
 * activity - one apply, one way back, or one rollback, from its beginning to its answer.
 *
 * There is one at a time (ledger->activity); a rollback that comes meanwhile waits for its end.
 * Who asks for the same apply again shares its answer.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_ACTIVITY_H
#define CHANGE_ACTIVITY_H

#include "base/buffer.h"
#include "change/actor.h"
#include "change/internal.h"
#include "change/runner.h"

enum activity_kind { ACTIVITY_APPLY, ACTIVITY_RESTORE, ACTIVITY_ROLLBACK };

struct activity_waiter {
    ledger_done_fn *done;
    void *context;
};

struct activity {
    enum activity_kind kind;
    struct ledger *ledger;
    struct actor actor;          /* its texts are the activity's */
    char change[CHANGE_ID_TEXT]; /* that is applied, or ended by this; "": none */
    uint64_t rev;                /* of what is to run */
    char digest[DIGEST_TEXT];
    uint64_t to_rev;   /* of a rollback: whose traffic sections; else 0 */
    uint64_t from_rev; /* what ran when it began */
    char *why;         /* reason, in words; or NULL */
    struct buffer bytes;
    uint64_t generation;
    bool is_undurable;
    struct activity_waiter *waiters;
    size_t waiter_count;
};

/* Not yet the one under way. */
struct activity *activity_new(struct ledger *ledger, enum activity_kind kind,
                              const struct actor *actor);
void activity_free(struct activity **activity);
/* `done` may be NULL. */
void activity_wait(struct activity *activity, ledger_done_fn *done, void *context);
/* Tells all who wait (takes `answer`), frees it, and begins what was queued. */
void activity_end(struct activity *activity, json_t *answer, const struct refusal *refusal);
/* Tells them and keeps it: it is to be recorded later. */
void activity_tell(struct activity *activity, json_t *answer, const struct refusal *refusal);
/* The configuration of its digest, read from the store, verified, and built; `done` gets it.
 * False: refused, `done` is not called. */
bool activity_prepare(struct activity *activity, runner_prepared_fn *done, struct refusal *refusal);
/* Refuses as state-conflict when one is under way. */
bool activity_is_free(const struct ledger *ledger, struct refusal *refusal);

/* What the store has under `key`; a new value, or NULL. */
json_t *stored_json(struct ledger *ledger, const char *key, uint64_t *version_out);

/* ---- apply.c ---- */
/* Back to approved (or pending, where it was forced), or failed after three times. */
bool apply_undo_intent(struct ledger *ledger, const struct actor *actor, struct change *change,
                       const char *why, bool counts, struct refusal *refusal);
/* Writes, or deletes, the key "pending". */
void pending_put(struct step *step, const struct pending_confirm *pending);
void pending_delete(struct step *step);
/* After a commit: pointers and pending as they are in the store. */
void serving_reload(struct ledger *ledger);

/* What of it is left at the end is told that twokey stops. */
void serving_close(struct ledger *ledger);

/* In the answer of an apply: until when, and the call that confirms. */
json_t *applied_answer(struct ledger *ledger, const struct change *change, uint64_t generation);
/* Times count from when all workers had it. */
void pending_count_from_now(struct ledger *ledger, struct pending_confirm *pending);
/* ARMED; the change is exposed from here on. */
bool apply_arm(struct activity *activity, struct change *change, struct refusal *refusal);
/* Nothing was exposed; the activity is over. */
void apply_end_unexposed(struct activity *activity, struct refusal *refusal, bool counts);
/* Begins the step that says that it runs since the time of `pending`. */
void apply_begin_record(struct activity *activity, struct change *change, struct step *step,
                        const struct pending_confirm *pending);
/* Commits it, and what is watched is watched from here.  False: it could not be recorded, and goes
 * back; the activity is over. */
bool apply_record(struct activity *activity, struct change *change, struct step *step,
                  const struct pending_confirm *pending, uint64_t generation);

/* ---- canary.c ---- */
static inline bool canary_is_running(const struct ledger *ledger)
{
    return ledger->pending.is_set && ledger->pending.trying.percent > 0;
}
/* The target was built once: from here on with its first share. */
void canary_begin(struct activity *activity, struct change *change);
/* Fills pending->trying for a change that begins to be tried now. */
void canary_fill(struct ledger *ledger, const struct change *change,
                 struct pending_confirm *pending);
/* Each second, while one runs: the next step, or back. */
void canary_tick(struct ledger *ledger);
/* Until it may be confirmed, if all goes well. */
uint64_t canary_confirm_wait_ms(struct ledger *ledger);
/* {"step","steps","percent","until","waits","limit"}, or null. */
json_t *canary_shown(const struct ledger *ledger);
void canary_add_alerts(struct ledger *ledger, json_t *list);
/* Stored within "pending", and back. */
json_t *canary_encode(const struct trying *trying);
void canary_decode(const json_t *stored, struct trying *trying);

/* ---- confirm.c ---- */
/* Moves what was confirmed to its end; the second of its two steps. */
bool confirm_finish(struct ledger *ledger, const struct actor *actor, struct refusal *refusal);
/* The deadline is over. */
void confirm_deadline(struct ledger *ledger);

/* ---- gate.c ---- */
/* Something else runs from here on: what was seen is of what ran before. */
void gate_start(struct ledger *ledger, uint64_t generation);
/* The same of a change that waits from here on. */
void gate_start_change(struct ledger *ledger, uint64_t generation, const struct change *change);
void gate_close(struct ledger *ledger);
/* All inputs together, as of the last reading; inconclusive where that is old. */
enum gate_word gate_now(const struct ledger *ledger);
/* The first input that says `word`, with its numbers. */
const char *gate_why(const struct ledger *ledger, enum gate_word word, char text_out[GATE_TEXT]);
/* False: it fails, nobody confirms that. */
bool gate_allows(struct ledger *ledger, const struct change *change, struct refusal *refusal);
/* What waits is taken back, and says why. */
void gate_take_back(struct ledger *ledger, const char *principal, const char *why);
/* This change was ended so, by these words. */
bool gate_took_back(const struct ledger *ledger, const char *change, const char *why);
/* Mode auto waits beyond its deadline. */
void gate_note_holding(struct ledger *ledger);
void gate_add_alerts(struct ledger *ledger, json_t *list);

/* ---- restore.c ---- */
/* What ran before the pending change runs again; `why` in words: "deadline". */
void restore_begin(struct ledger *ledger, const struct actor *actor, const char *why,
                   ledger_done_fn *done, void *context);
/* Writes that it was done; later again when the store cannot be written now. */
bool restore_record(struct activity *activity, struct refusal *refusal);

/* ---- rollback.c ---- */
void rollback_begin(struct activity *activity);
bool rollback_record(struct activity *activity, struct refusal *refusal);

/* ---- lkg.c ---- */
/* The revisions that were lkg before, the newest first: [{"rev","digest"}]. */
json_t *lkg_earlier(struct ledger *ledger, uint64_t *version_out);
void lkg_tick(struct ledger *ledger);
/* What runs was published now: its time and requests count from here. */
void lkg_start(struct ledger *ledger);

#endif
