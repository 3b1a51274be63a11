/*
 * audit - the chain of evidence: each record holds the hash of the one before it.
 *
 *   h_n = SHA-256(0x00 | h_(n-1), 32 bytes | seq, 8 bytes big-endian | the line without ,"h":"…")
 *
 * Records are written in the transaction of the state that they witness; a record 0 with a random
 * genesis as its `prev` begins the chain.  Each line is besides appended to audit.jsonl (the
 * mirror), after its transaction; what a crash kept from the mirror is appended at the next start.
 *
 * Owner    the ledger.      Threads  control; verification: any
 */
#ifndef CHANGE_AUDIT_H
#define CHANGE_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

struct actor;
struct audit;
struct error;
struct store;
struct store_txn;

struct audit_event {
    const char *event;   /* "change.approved"; audit_events.def has each one */
    const char *change;  /* id, or NULL */
    const char *digest;  /* what it is about, or NULL */
    const char *outcome; /* "ok", "denied", "failed" */
    json_t *data;        /* taken; more, or NULL.  No secrets. */
};

struct audit_head {
    uint64_t seq; /* of the last record */
    struct digest hash;
};

/* Reads the tail of the chain and verifies the last records; writes record 0 when there is none.
 * A chain that is damaged is opened, and is not whole.  NULL: record 0 could not be written. */
struct audit *audit_open(struct store *store, const char *state_directory, struct error *why);
void audit_close(struct audit **audit);

/* Adds a record to the transaction; several may be added to one. */
void audit_add(struct audit *audit, struct store_txn *txn, const struct actor *actor,
               const struct audit_event *event);
/* After the commit: the mirror gets the lines; or none of them happened. */
void audit_settle(struct audit *audit, bool is_committed);

/* A denied or failed attempt, in a transaction of its own; repeated ones (same source, same kind)
 * become one record a minute with a count. */
void audit_attempt(struct audit *audit, const struct actor *actor, const struct audit_event *event);
/* Each second: writes the folded attempts whose minute is over, and the mirror's missing lines. */
void audit_tick(struct audit *audit);

struct audit_head audit_head(const struct audit *audit);
/* Wall clock of the last record before this start; 0: there was none.  For clock jumps. */
int64_t audit_last_wall_ms(const struct audit *audit);
/* False: the chain did not verify when it was opened; `why` says where. */
bool audit_is_whole(const struct audit *audit, struct error *why);
/* For tests: another wall clock. */
void audit_set_clock(struct audit *audit, int64_t (*wall_ms)(void));
/* Each record, once it is durable; `line` lives during the call. */
typedef void audit_record_fn(void *context, uint64_t seq, const char *line);
void audit_on_record(struct audit *audit, audit_record_fn *on_record, void *context);
/* False while the mirror cannot be written; `why` says more. */
bool audit_mirror_is_whole(const struct audit *audit, struct error *why);

/* ---- verification, of lines in order; without a store ---- */

struct audit_verifier {
    uint64_t next_seq;
    struct digest hash;
    bool has_begun;
};
/* False and `why`: which record, and what is wrong with it. */
bool audit_verify_line(struct audit_verifier *verifier, struct slice line, struct error *why);
/* After a line that is wrong: the next ones are judged as if it were right. */
void audit_verifier_resume(struct audit_verifier *verifier, struct slice line);

/* `unsealed`: the line without its ,"h":"…". */
struct digest audit_hash(const struct digest *prev, uint64_t seq, struct slice unsealed);
/* When it was written; 0: it does not say. */
int64_t audit_line_wall_ms(struct slice line);

#endif
