/*
 * store_sqlite - the store in SQLite: DIR/twokey.db, one table of key, value, version.
 *
 * A transaction is gathered in memory and touches the database only when it is committed, so that
 * one that fails for want of room can be tried again with the reserve given up.  WAL, and a sync of
 * the disk for each commit.  The row with the empty key holds the number of the last transaction.
 *
 * Owner    the ledger.      Threads  control
 * Invariant  at most one transaction; the database is the file that the name has now
 */
#include "change/store.h"

#include <stdio.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/database.h"

enum {
    STORE_TAG = 0x53544f52,
    TXN_TAG = 0x53545854,
    KEY_ROOM = 512,
    RETRY_MS = 5000,
};

enum operation_kind { EXPECT, PUT, DELETE };

struct operation {
    enum operation_kind kind;
    char *key;
    char *value;
    size_t bytes;
    uint64_t version;
};

struct store_txn {
    uint32_t tag;
    struct store *store;
    struct operation *operations;
    size_t count;
    size_t room;
};

/* ---- life ---- */

static struct store *open_store(const char *directory, bool is_for_reading, struct error *why)
{
    struct store *store = xcalloc(1, sizeof(*store));
    struct error unneeded = {0};

    why = why != NULL ? why : &unneeded;
    store->tag = STORE_TAG;
    if (!place_find(&store->place, directory, is_for_reading, why) || !database_open(store, why)) {
        database_close(store);
        xfree(store);
        return NULL;
    }
    return store;
}

struct store *store_open(const char *state_directory, struct error *why)
{
    struct store *store = open_store(state_directory, false, why);

    if (store != NULL && store->condition == STORE_GOOD)
        place_make_reserve(&store->place);
    return store;
}

struct store *store_open_to_read(const char *state_directory, struct error *why)
{
    struct store *store = open_store(state_directory, true, why);
    int64_t rows;

    /* One snapshot for all that is read: what a running twokey writes meanwhile is not seen. */
    if (store != NULL && database_run(store, "BEGIN") == SQLITE_OK)
        (void)database_read_number(store, "SELECT count(*) FROM sqlite_master", &rows);
    return store;
}

bool store_is_sound(struct store *store, struct error *why)
{
    int code;

    CHECK_OBJ(store, STORE_TAG);
    code = store->condition != STORE_DAMAGED ? database_check(store) : SQLITE_OK;
    if (code != SQLITE_OK)
        database_note_failure(store, code);
    return store_condition(store, why) != STORE_DAMAGED;
}

enum store_condition store_condition(const struct store *store, struct error *why)
{
    CHECK_OBJ(store, STORE_TAG);
    if (store->condition != STORE_GOOD && why != NULL)
        *why = store->trouble;
    return store->condition;
}

void store_close(struct store **store)
{
    struct store *closing = *store;

    if (closing == NULL)
        return;
    CHECK_OBJ(closing, STORE_TAG);
    CHECK(closing->txn == NULL);
    database_close(closing);
    closing->tag = 0;
    xfree(closing);
    *store = NULL;
}

/* ---- reading ---- */

static int read_row(sqlite3_stmt *statement, const char *key, struct buffer *out,
                    uint64_t *version_out)
{
    int code;

    if (statement == NULL)
        return SQLITE_CORRUPT;
    (void)sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        if (out != NULL)
            buffer_append(out, sqlite3_column_blob(statement, 0),
                          (size_t)sqlite3_column_bytes(statement, 0));
        if (version_out != NULL)
            *version_out = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    (void)sqlite3_reset(statement);
    return code;
}

bool store_get(struct store *store, const char *key, struct buffer *out, uint64_t *version_out)
{
    int code;

    CHECK_OBJ(store, STORE_TAG);
    if (out != NULL)
        buffer_clear(out);
    code = read_row(store->get, key, out, version_out);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        database_note_failure(store, code);
    if (code != SQLITE_ROW && store->condition == STORE_DAMAGED)
        code = read_row(store->scan, key, out, version_out);
    return code == SQLITE_ROW;
}

/* The least text above all that begin with `prefix`; "" for none. */
static void above_prefix(const char *prefix, char above_out[KEY_ROOM])
{
    size_t bytes = strlen(prefix);

    CHECK(bytes < KEY_ROOM);
    memcpy(above_out, prefix, bytes + 1);
    if (bytes > 0)
        above_out[bytes - 1]++;
}

struct range {
    const char *low;
    const char *high; /* not in it; "" for no end */
    bool has_low;     /* `low` itself is in it */
};

static sqlite3_stmt *list_keys(struct store *store, const struct range *range, bool is_descending)
{
    sqlite3_stmt *statement = NULL;
    char sql[200];
    int code;

    /* Only the keys, from their index alone: a damaged value stops nobody behind it. */
    (void)snprintf(sql, sizeof(sql), "SELECT key FROM kv WHERE key %s ?1%s ORDER BY key%s",
                   range->has_low ? ">=" : ">", range->high[0] != '\0' ? " AND key < ?2" : "",
                   is_descending ? " DESC" : "");
    code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) {
        database_note_failure(store, code);
        return NULL;
    }
    (void)sqlite3_bind_text(statement, 1, range->low, -1, SQLITE_STATIC);
    if (range->high[0] != '\0')
        (void)sqlite3_bind_text(statement, 2, range->high, -1, SQLITE_STATIC);
    return statement;
}

void store_list(struct store *store, const char *prefix, const char *after, bool is_descending,
                store_each_fn *each, void *context)
{
    char above[KEY_ROOM];
    struct range range = {prefix, above, prefix[0] != '\0'};
    struct buffer value;
    sqlite3_stmt *keys;
    int code = SQLITE_ROW;

    CHECK_OBJ(store, STORE_TAG);
    above_prefix(prefix, above);
    if (after != NULL && !is_descending && strcmp(after, prefix) >= 0)
        range = (struct range){after, above, false};
    if (after != NULL && is_descending && (above[0] == '\0' || strcmp(after, above) < 0))
        range.high = after;
    keys = list_keys(store, &range, is_descending);
    if (keys == NULL)
        return;
    buffer_init(&value);
    while ((code = sqlite3_step(keys)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(keys, 0);
        uint64_t version = 0;

        if (key != NULL && store_get(store, key, &value, &version) &&
            !each(context, key, buffer_slice(&value), version))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        database_note_failure(store, code);
    (void)sqlite3_finalize(keys);
    buffer_fini(&value);
}

/* ---- a transaction ---- */

struct store_txn *store_begin(struct store *store)
{
    struct store_txn *txn = xcalloc(1, sizeof(*txn));

    CHECK_OBJ(store, STORE_TAG);
    CHECK(store->txn == NULL && !store->place.is_for_reading);
    txn->tag = TXN_TAG;
    txn->store = store;
    store->txn = txn;
    return txn;
}

static struct operation *add_operation(struct store_txn *txn, enum operation_kind kind,
                                       const char *key)
{
    struct operation *operation;

    CHECK_OBJ(txn, TXN_TAG);
    CHECK(key[0] != '\0' && strlen(key) < KEY_ROOM);
    if (txn->count == txn->room) {
        txn->room = txn->room > 0 ? 2 * txn->room : 8;
        txn->operations = xrealloc(txn->operations, txn->room * sizeof(*txn->operations));
    }
    operation = &txn->operations[txn->count++];
    *operation = (struct operation){.kind = kind, .key = xstrdup(key)};
    return operation;
}

void store_expect(struct store_txn *txn, const char *key, uint64_t version)
{
    add_operation(txn, EXPECT, key)->version = version;
}

void store_put(struct store_txn *txn, const char *key, struct slice value)
{
    struct operation *operation = add_operation(txn, PUT, key);

    operation->value = xmalloc(value.len + 1);
    operation->bytes = value.len;
    if (value.len > 0)
        memcpy(operation->value, value.at, value.len);
}

void store_delete(struct store_txn *txn, const char *key)
{
    (void)add_operation(txn, DELETE, key);
}

void store_abandon(struct store_txn **txn)
{
    struct store_txn *ending = *txn;

    if (ending == NULL)
        return;
    CHECK_OBJ(ending, TXN_TAG);
    for (size_t i = 0; i < ending->count; i++) {
        xfree(ending->operations[i].key);
        xfree(ending->operations[i].value);
    }
    xfree(ending->operations);
    ending->store->txn = NULL;
    ending->tag = 0;
    xfree(ending);
    *txn = NULL;
}

static int put_row(struct store *store, const char *key, const char *value, size_t bytes,
                   uint64_t version)
{
    int code;

    (void)sqlite3_bind_text(store->put, 1, key, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(store->put, 2, value, bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(store->put, 3, (sqlite3_int64)version);
    (void)sqlite3_step(store->put);
    code = sqlite3_reset(store->put); /* tells what the step told */
    (void)sqlite3_clear_bindings(store->put);
    return code;
}

static int do_operation(struct store *store, const struct operation *operation,
                        bool *is_conflict_out)
{
    uint64_t version = 0;
    int code;

    switch (operation->kind) {
    case EXPECT:
        code = read_row(store->get, operation->key, NULL, &version);
        *is_conflict_out =
            (code == SQLITE_ROW || code == SQLITE_DONE) && version != operation->version;
        return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
    case PUT:
        return put_row(store, operation->key, operation->value, operation->bytes,
                       store->counter + 1);
    case DELETE:
        (void)sqlite3_bind_text(store->delete, 1, operation->key, -1, SQLITE_STATIC);
        (void)sqlite3_step(store->delete);
        return sqlite3_reset(store->delete);
    }
    return SQLITE_MISUSE;
}

/* All of it, or nothing. */
static int run_txn(struct store *store, const struct store_txn *txn, bool *is_conflict_out)
{
    int code = database_run(store, "BEGIN IMMEDIATE");

    *is_conflict_out = false;
    for (size_t i = 0; i < txn->count && code == SQLITE_OK && !*is_conflict_out; i++)
        code = do_operation(store, &txn->operations[i], is_conflict_out);
    if (code == SQLITE_OK && !*is_conflict_out)
        code = put_row(store, "", "", 0, store->counter + 1);
    if (code == SQLITE_OK && !*is_conflict_out)
        code = database_run(store, "COMMIT");
    if (code == SQLITE_OK && !*is_conflict_out)
        store->counter++;
    if (code != SQLITE_OK)
        database_note_failure(store, code); /* before the rollback has its own word */
    if (sqlite3_get_autocommit(store->db) == 0)
        (void)database_run(store, "ROLLBACK");
    return code;
}

static bool run_and_judge(struct store *store, const struct store_txn *txn, bool *is_conflict_out)
{
    if (run_txn(store, txn, is_conflict_out) != SQLITE_OK)
        return false;
    if (!*is_conflict_out)
        database_set_condition(store, STORE_GOOD, NULL);
    return true;
}

static bool try_commit(struct store *store, const struct store_txn *txn, bool *is_conflict_out)
{
    if (!place_is_there(&store->place))
        database_set_condition(
            store, STORE_READ_ONLY,
            "was moved away or replaced while twokey runs: put it back, or restart");
    else if (store->condition != STORE_DAMAGED && database_make_writable(store) &&
             store->put != NULL)
        return run_and_judge(store, txn, is_conflict_out);
    return false;
}

enum store_outcome store_commit(struct store_txn **txn, bool may_use_reserve, struct error *why)
{
    struct store *store;
    bool is_conflict = false;
    bool is_done;

    CHECK_OBJ(*txn, TXN_TAG);
    store = (*txn)->store;
    store->tried_ms = clock_ms();
    is_done = try_commit(store, *txn, &is_conflict);
    if (!is_done && may_use_reserve && store->place.has_reserve &&
        store->condition == STORE_READ_ONLY) {
        place_remove_reserve(&store->place);
        is_done = try_commit(store, *txn, &is_conflict);
    }
    store_abandon(txn);
    if (!is_done && why != NULL)
        *why = store->trouble;
    if (!is_done)
        return STORE_FAILED;
    return is_conflict ? STORE_CONFLICT : STORE_DONE;
}

void store_tick(struct store *store)
{
    uint64_t now_ms = clock_ms();

    CHECK_OBJ(store, STORE_TAG);
    if (store->txn != NULL || now_ms - store->tried_ms < RETRY_MS)
        return;
    if (store->condition == STORE_READ_ONLY) {
        struct store_txn *nothing = store_begin(store);

        (void)store_commit(&nothing, false, NULL);
    }
    store->tried_ms = now_ms;
    if (store->condition == STORE_GOOD)
        place_make_reserve(&store->place);
}
