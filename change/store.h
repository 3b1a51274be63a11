/*
 * store - what is known for good: keys and values, written in transactions that compare first.
 *
 * The shape is that of etcd's transactions: each key has the number of the transaction that wrote
 * it last (its version), a transaction names the versions that it relies on, and either all of its
 * writes happen, durably, or none.  SQLite is behind it today (store_sqlite.c).
 *
 *   meta                          {"v":1,"cluster":uuid}
 *   blob/<hex sha256>             bytes: configurations, files, bound objects
 *   rev/%020u                     a revision
 *   running boot lkg previous     pointers to revisions
 *   change/<id>                   a change
 *   change/<id>/appr/%06u/<person>  a decision
 *   pending                       the change that waits for its confirmation
 *   lkg-earlier                   the three that were lkg before
 *   starts                        when twokey was started, as long as no orderly stop followed
 *   unreviewed                    there while no change has gone the whole way
 *   freeze                        who froze, why, until when
 *   rt/<pool>/<server>            a runtime override
 *   session/<id>                  a break-glass session
 *   idem/<person>/<hash>          an answer kept for a repeat
 *   import                        what conf.d said when it was last read
 *   peak/<pool>/<hour>           the most requests a second that a pool had in an hour
 *   hits/<scope>/<hour>           requests of routes, and of hosts, in an hour
 *   audit/%020u                   one line of the audit chain
 *   mirror                        how far audit.jsonl has got
 *
 * Owner    the ledger.      Threads  control; a commit waits for the disk
 * Errors   STORE_FAILED says why; nothing of the transaction is kept then
 */
#ifndef CHANGE_STORE_H
#define CHANGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buffer;
struct error;
struct store;
struct store_txn;

enum store_outcome {
    STORE_DONE,
    STORE_CONFLICT, /* a version was not the expected one */
    STORE_FAILED,   /* the disk; `why` says more */
};

enum store_condition {
    STORE_GOOD,
    STORE_READ_ONLY, /* can be read; nothing can be written (full disk, permissions) */
    STORE_DAMAGED,   /* what is read does not verify; nothing is written */
};

/* Opens DIR/twokey.db, made (0600) when it is not there.  NULL and `why`: not ours, not to be read,
 * of a newer version.  A damaged database is opened as STORE_DAMAGED, as far as it can be read. */
struct store *store_open(const char *state_directory, struct error *why);
/* The same for looking at it only (verification), as it is at this moment, whoever owns it and
 * whether or not a twokey runs on it. */
struct store *store_open_to_read(const char *state_directory, struct error *why);
/* Reads all of it: false, and `why`, when it is damaged.  An open for good does so by itself. */
bool store_is_sound(struct store *store, struct error *why);
/* Each second: a store that could not be written is tried again, the reserve is made again. */
void store_tick(struct store *store);
void store_close(struct store **store);
enum store_condition store_condition(const struct store *store, struct error *why);

/* The value into `out` (emptied first; may be NULL) and its version.  False: no such key. */
bool store_get(struct store *store, const char *key, struct buffer *out, uint64_t *version_out);

/* Each key that begins with `prefix`, in order or from the last one down, until `each` answers
 * false.  `after`: only those that come behind it in that order (a key of the last page); NULL:
 * all. The slices live during the call; `each` may read, but not write. */
typedef bool store_each_fn(void *context, const char *key, struct slice value, uint64_t version);
void store_list(struct store *store, const char *prefix, const char *after, bool is_descending,
                store_each_fn *each, void *context);

/* One transaction at a time. */
struct store_txn *store_begin(struct store *store);
/* 0: there must be no such key. */
void store_expect(struct store_txn *txn, const char *key, uint64_t version);
void store_put(struct store_txn *txn, const char *key, struct slice value);
void store_delete(struct store_txn *txn, const char *key);
/* Frees the transaction, whatever comes of it.  `may_use_reserve`: on a full disk the reserve file
 * is given up for this one (rollbacks). */
enum store_outcome store_commit(struct store_txn **txn, bool may_use_reserve, struct error *why);
void store_abandon(struct store_txn **txn);

#endif
