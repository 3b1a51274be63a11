/*
 * audit_mirror - audit.jsonl: the lines of the chain, for log shippers and for verification.
 *
 * Only ever appended to.  It may lag behind the store (a crash, a full disk), and catches up; it
 * holds up nobody.  A file that was moved away is followed by a new one, which goes on where the
 * old one ended.  A file that is not what the store says is moved aside, and written again.
 *
 * Owner    audit.      Threads  control
 */
#ifndef CHANGE_AUDIT_MIRROR_H
#define CHANGE_AUDIT_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct error;
struct mirror;
struct store;
struct store_txn;

#define MIRROR_FILE "audit.jsonl"

struct mirror *mirror_open(struct store *store, const char *state_directory);
void mirror_close(struct mirror **mirror);
/* The record that is durable since now. */
void mirror_append(struct mirror *mirror, uint64_t seq, struct slice line);
/* How far it has got, into the transaction: where a new file has to begin. */
void mirror_mark(struct mirror *mirror, struct store_txn *txn);
/* Each second: what is missing is appended, a moved file is followed by a new one. */
void mirror_tick(struct mirror *mirror);
bool mirror_is_whole(const struct mirror *mirror, struct error *why);
/* Where the file went that was not what the store says, when there was one; else NULL. */
const char *mirror_moved_aside(const struct mirror *mirror);

/* The mark: the file holds the records from `from_out` on. False: none was made yet. */
bool mirror_read_mark(struct store *store, uint64_t *from_out, uint64_t *next_out);

#endif
