/*
 * store_sqlite - the store in SQLite: DIR/twokey.db, one table of key, value, version.
 *
 * A transaction is gathered in memory and touches the database only when it is committed, so that
 * one that fails for want of room can be tried again with the reserve given up.  WAL, and a sync of
 * the disk for each commit.  The row with the empty key holds the number of the last transaction.
 *
 *   GOOD --(a commit fails)--> READ_ONLY --(a commit succeeds)--> GOOD
 *   any  --(what is read is no database)--> DAMAGED, until the process ends
 *
 * Owner    the ledger.      Threads  control
 * Invariant  at most one transaction; the database is the file that the name has now
 */
#include "change/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/store_place.h"

enum {
    STORE_TAG = 0x53544f52,
    TXN_TAG = 0x53545854,
    SCHEMA = 1,
    APPLICATION = 0x326b6579, /* "2key" */
    KEY_ROOM = 512,
    BUSY_MS = 250, /* somebody looks at the file with a tool of his own */
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

/* ---- condition ---- */

static bool means_damage(int code)
{
    int primary = code & 0xff;

    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

static void set_condition(struct store *store, enum store_condition condition, const char *text)
{
    if (store->condition == STORE_DAMAGED)
        return;
    if (condition == STORE_GOOD) {
        if (store->condition != STORE_GOOD && !store->place.is_for_reading)
            log_event(EV_STORE_WRITABLE, LOG_TEXT("file", store->place.path));
        store->trouble = (struct error){0};
    } else {
        error_set(&store->trouble, ERROR_UNAVAILABLE, "%s: %s", store->place.path, text);
        if (store->condition != condition && !store->place.is_for_reading)
            log_event(condition == STORE_DAMAGED ? EV_STORE_DAMAGED : EV_STORE_FAILED,
                      LOG_TEXT("why", store->trouble.text));
    }
    store->condition = condition;
}

/* What SQLite answered, as a person's remedy needs it. */
static void note_failure(struct store *store, int code)
{
    char text[400];
    bool has_said = store->db != NULL && sqlite3_errcode(store->db) != SQLITE_OK;
    const char *said = has_said ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    int system = has_said ? sqlite3_system_errno(store->db) : 0;

    if (means_damage(code)) {
        (void)snprintf(text, sizeof(text),
                       "is damaged (%s): restore the state directory from a backup", said);
        set_condition(store, STORE_DAMAGED, text);
        return;
    }
    if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE || system == ENOSPC)
        (void)snprintf(text, sizeof(text),
                       "cannot be written: the disk is full, or broken (make room on it)");
    else if ((code & 0xff) == SQLITE_BUSY)
        (void)snprintf(text, sizeof(text),
                       "cannot be written: another program holds it (end that one)");
    else
        (void)snprintf(text, sizeof(text), "cannot be written: %s%s%s", said,
                       system != 0 ? ": " : "", system != 0 ? strerror(system) : "");
    set_condition(store, STORE_READ_ONLY, text);
}

enum store_condition store_condition(const struct store *store, struct error *why)
{
    CHECK_OBJ(store, STORE_TAG);
    if (store->condition != STORE_GOOD && why != NULL)
        *why = store->trouble;
    return store->condition;
}

/* ---- opening ---- */

static int run_sql(struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

static int read_number(struct store *store, const char *sql, int64_t *number_out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *number_out = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return code;
}

static void close_database(struct store *store)
{
    (void)sqlite3_finalize(store->get);
    (void)sqlite3_finalize(store->scan);
    (void)sqlite3_finalize(store->put);
    (void)sqlite3_finalize(store->delete);
    store->get = store->scan = store->put = store->delete = NULL;
    (void)sqlite3_close(store->db);
    store->db = NULL;
}

/* Which ways there are to open it.  The last two need no file beside the database, and so work in a
 * directory that cannot be written: the first of them sees what a crash left in the log, the second
 * is for when there is none. */
struct way {
    int flags;
    const char *vfs;
    const char *pragmas;
    bool is_immutable;
};

static const struct way ways[] = {
    {SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL,
     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=4194304", false},
    {SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL, "PRAGMA query_only=1", false},
    {SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, "unix-none",
     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=1", false},
    {SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL, "PRAGMA query_only=1",
     true},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]), TO_WRITE = 0, TO_READ = 1 };

static int open_path(struct store *store, const struct way *way)
{
    struct buffer uri;
    int code;

    if (!way->is_immutable)
        return sqlite3_open_v2(store->place.path, &store->db, way->flags, way->vfs);
    if (place_has_log(&store->place))
        return SQLITE_CANTOPEN; /* it would not be seen */
    buffer_init(&uri);
    buffer_append_literal(&uri, "file:");
    for (const char *at = store->place.path; *at != '\0'; at++)
        buffer_printf(&uri, strchr("%?#", *at) != NULL ? "%%%02x" : "%c", (unsigned char)*at);
    buffer_append_literal(&uri, "?immutable=1");
    code = sqlite3_open_v2(buffer_text(&uri), &store->db, way->flags, way->vfs);
    buffer_fini(&uri);
    return code;
}

static int open_way(struct store *store, const struct way *way)
{
    int64_t tables;
    int code = open_path(store, way);

    if (code == SQLITE_OK && (way->flags & SQLITE_OPEN_READWRITE) != 0 &&
        sqlite3_db_readonly(store->db, "main") != 0)
        code = SQLITE_READONLY; /* SQLite takes what it gets */
    if (code == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(store->db, 1);
        (void)sqlite3_busy_timeout(store->db, BUSY_MS);
        code = run_sql(store, way->pragmas);
    }
    if (code == SQLITE_OK) /* the first look: a way that does not work fails here */
        code = read_number(store, "SELECT count(*) FROM sqlite_master", &tables);
    return code;
}

/* Fresh: nothing in it.  A crash may have left it so. */
static int make_schema(struct store *store)
{
    char sql[400];
    int code;

    (void)snprintf(sql, sizeof(sql),
                   "BEGIN IMMEDIATE;"
                   "CREATE TABLE kv(key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL,"
                   " version INTEGER NOT NULL);"
                   "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                   APPLICATION, SCHEMA);
    code = run_sql(store, sql);
    if (code != SQLITE_OK && sqlite3_get_autocommit(store->db) == 0)
        (void)run_sql(store, "ROLLBACK");
    return code;
}

/* False: not ours, or of a newer twokey. */
static bool judge_schema(struct store *store, int *code_out, struct error *why)
{
    int64_t application = 0;
    int64_t schema = 0;
    int64_t tables = 0;

    *code_out = read_number(store, "PRAGMA application_id", &application);
    if (*code_out == SQLITE_OK)
        *code_out = read_number(store, "PRAGMA user_version", &schema);
    if (*code_out == SQLITE_OK)
        *code_out = read_number(store, "SELECT count(*) FROM sqlite_master", &tables);
    if (*code_out != SQLITE_OK)
        return true;
    if (application == 0 && tables == 0 && !store->place.is_for_reading) {
        if (!store->is_opened_read_only)
            *code_out = make_schema(store);
        return true;
    }
    if (application != APPLICATION) {
        error_set(why, ERROR_INVALID, "%s: is a database, but not one of twokey; move it away",
                  store->place.path);
        return false;
    }
    if (schema > SCHEMA) {
        error_set(why, ERROR_INVALID,
                  "%s: was written by a newer twokey (schema %lld; this one knows %d): start that "
                  "version",
                  store->place.path, (long long)schema, SCHEMA);
        return false;
    }
    return true;
}

static int prepare_statements(struct store *store)
{
    static const char get[] = "SELECT value, version FROM kv WHERE key = ?1";
    static const char scan[] = "SELECT value, version FROM kv NOT INDEXED WHERE key = ?1";
    static const char put[] = "INSERT INTO kv(key, value, version) VALUES(?1, ?2, ?3) ON CONFLICT"
                              "(key) DO UPDATE SET value = ?2, version = ?3";
    static const char delete[] = "DELETE FROM kv WHERE key = ?1";
    int code = sqlite3_prepare_v2(store->db, get, -1, &store->get, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(store->db, scan, -1, &store->scan, NULL);
    if (code == SQLITE_OK && !store->is_opened_read_only)
        code = sqlite3_prepare_v2(store->db, put, -1, &store->put, NULL);
    if (code == SQLITE_OK && !store->is_opened_read_only)
        code = sqlite3_prepare_v2(store->db, delete, -1, &store->delete, NULL);
    return code;
}

static int quick_check(struct store *store)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);
        char text[300];

        code = SQLITE_OK;
        if (said == NULL || strcmp(said, "ok") != 0) {
            const char *detail = said != NULL ? strchr(said, '\n') : NULL; /* behind a headline */

            (void)snprintf(text, sizeof(text),
                           "is damaged (%.200s): restore the state directory from a backup",
                           detail != NULL ? detail + 1 : "quick_check");
            set_condition(store, STORE_DAMAGED, text);
        }
    }
    (void)sqlite3_finalize(statement);
    return code;
}

/* What is in it, once there is a way in.  False: it is not ours. */
static bool take_in(struct store *store, int *code_out, struct error *why)
{
    int64_t counter = 0;

    if (!judge_schema(store, code_out, why))
        return false;
    if (*code_out == SQLITE_OK)
        *code_out = prepare_statements(store);
    if (*code_out == SQLITE_OK && !store->place.is_for_reading)
        *code_out = quick_check(store);
    if (*code_out == SQLITE_OK)
        *code_out = read_number(store, "SELECT version FROM kv WHERE key = ''", &counter);
    if (*code_out == SQLITE_DONE)
        *code_out = SQLITE_OK; /* nothing was written yet */
    store->counter = (uint64_t)counter;
    return true;
}

static bool open_ways(struct store *store, struct error *why)
{
    int code = SQLITE_OK;

    for (size_t i = store->place.is_for_reading ? TO_READ : TO_WRITE; i < WAYS; i++) {
        store->is_opened_read_only = i != TO_WRITE;
        code = open_way(store, &ways[i]);
        if (code == SQLITE_OK && !take_in(store, &code, why))
            return false;
        if (code == SQLITE_OK)
            return true;
        note_failure(store, code);
        if (means_damage(code))
            return true; /* as far as it can be read: maybe not at all */
        close_database(store);
    }
    *why = store->trouble;
    return false;
}

static struct store *open_store(const char *directory, bool is_for_reading, struct error *why)
{
    struct store *store = xcalloc(1, sizeof(*store));
    struct error unneeded = {0};

    why = why != NULL ? why : &unneeded;
    store->tag = STORE_TAG;
    if (!place_find(&store->place, directory, is_for_reading, why) || !open_ways(store, why)) {
        close_database(store);
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
    if (store != NULL && run_sql(store, "BEGIN") == SQLITE_OK)
        (void)read_number(store, "SELECT count(*) FROM sqlite_master", &rows);
    return store;
}

bool store_is_sound(struct store *store, struct error *why)
{
    int code;

    CHECK_OBJ(store, STORE_TAG);
    code = store->condition != STORE_DAMAGED ? quick_check(store) : SQLITE_OK;
    if (code != SQLITE_OK)
        note_failure(store, code);
    return store_condition(store, why) != STORE_DAMAGED;
}

void store_close(struct store **store)
{
    struct store *closing = *store;

    if (closing == NULL)
        return;
    CHECK_OBJ(closing, STORE_TAG);
    CHECK(closing->txn == NULL);
    close_database(closing);
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
        note_failure(store, code);
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
        note_failure(store, code);
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
        note_failure(store, code);
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
    int code = run_sql(store, "BEGIN IMMEDIATE");

    *is_conflict_out = false;
    for (size_t i = 0; i < txn->count && code == SQLITE_OK && !*is_conflict_out; i++)
        code = do_operation(store, &txn->operations[i], is_conflict_out);
    if (code == SQLITE_OK && !*is_conflict_out)
        code = put_row(store, "", "", 0, store->counter + 1);
    if (code == SQLITE_OK && !*is_conflict_out)
        code = run_sql(store, "COMMIT");
    if (code == SQLITE_OK && !*is_conflict_out)
        store->counter++;
    if (code != SQLITE_OK)
        note_failure(store, code); /* before the rollback has its own word */
    if (sqlite3_get_autocommit(store->db) == 0)
        (void)run_sql(store, "ROLLBACK");
    return code;
}

/* What could not be written when it was opened may be writable now. */
static bool make_writable(struct store *store)
{
    struct error why;
    int code;

    if (!store->is_opened_read_only)
        return true;
    if (access(store->place.path, W_OK) != 0)
        return false;
    close_database(store);
    store->is_opened_read_only = false;
    code = open_way(store, &ways[TO_WRITE]);
    if (code == SQLITE_OK && take_in(store, &code, &why) && code == SQLITE_OK)
        return true;
    close_database(store);
    (void)open_ways(store, &why); /* as it was before */
    return !store->is_opened_read_only;
}

static bool run_and_judge(struct store *store, const struct store_txn *txn, bool *is_conflict_out)
{
    if (run_txn(store, txn, is_conflict_out) != SQLITE_OK)
        return false;
    if (!*is_conflict_out)
        set_condition(store, STORE_GOOD, NULL);
    return true;
}

static bool try_commit(struct store *store, const struct store_txn *txn, bool *is_conflict_out)
{
    if (!place_is_there(&store->place))
        set_condition(store, STORE_READ_ONLY,
                      "was moved away or replaced while twokey runs: put it back, or restart");
    else if (store->condition != STORE_DAMAGED && make_writable(store) && store->put != NULL)
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
