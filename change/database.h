/*
 * database - the file behind the store: how it is opened, and what the disk and SQLite said of it.
 *
 * Shared by database.c and store_sqlite.c, and by nobody else.
 *
 * Owner    the store.      Threads  control
 */
#ifndef CHANGE_DATABASE_H
#define CHANGE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "change/store.h"
#include "change/store_place.h"

struct store_txn;

struct store {
    uint32_t tag;
    struct place place;
    sqlite3 *db;
    sqlite3_stmt *get;
    sqlite3_stmt *scan; /* get where the index is damaged */
    sqlite3_stmt *put;
    sqlite3_stmt *delete;
    uint64_t counter;
    struct store_txn *txn;
    enum store_condition condition;
    struct error trouble;
    uint64_t tried_ms;
    bool is_opened_read_only; /* could not be opened to be written */
};

/* GOOD: `text` is not looked at.  Nothing leads out of DAMAGED. */
void database_set_condition(struct store *store, enum store_condition condition, const char *text);
/* What SQLite answered becomes the condition, and a person's remedy. */
void database_note_failure(struct store *store, int code);

/* Opens it in the best of several ways.  False: no way, or it is not ours.  True with the condition
 * DAMAGED: as far as it can be read. */
bool database_open(struct store *store, struct error *why);
void database_close(struct store *store);
/* What could not be written when it was opened may be writable now. */
bool database_make_writable(struct store *store);

/* These give codes of SQLite. */
int database_run(struct store *store, const char *sql);
int database_read_number(struct store *store, const char *sql, int64_t *number_out);
/* Damage that it finds becomes the condition. */
int database_check(struct store *store);

#endif
