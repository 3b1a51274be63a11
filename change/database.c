/*
 * database - see database.h.
 *
 *   GOOD --(a commit fails)--> READ_ONLY --(a commit succeeds)--> GOOD
 *   any  --(what is read is no database)--> DAMAGED, until the process ends
 *
 * Owner    the store.      Threads  control
 */
#include "change/database.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"

enum {
    SCHEMA = 1,
    APPLICATION = 0x326b6579, /* "2key" */
    BUSY_MS = 250,            /* somebody looks at the file with a tool of his own */
};

/* ---- condition ---- */

static bool means_damage(int code)
{
    int primary = code & 0xff;

    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

void database_set_condition(struct store *store, enum store_condition condition, const char *text)
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
void database_note_failure(struct store *store, int code)
{
    char text[400];
    bool has_said = store->db != NULL && sqlite3_errcode(store->db) != SQLITE_OK;
    const char *said = has_said ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    int system = has_said ? sqlite3_system_errno(store->db) : 0;

    if (means_damage(code)) {
        (void)snprintf(text, sizeof(text),
                       "is damaged (%s): restore the state directory from a backup", said);
        database_set_condition(store, STORE_DAMAGED, text);
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
    database_set_condition(store, STORE_READ_ONLY, text);
}

/* ---- opening ---- */

int database_run(struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

int database_read_number(struct store *store, const char *sql, int64_t *number_out)
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

void database_close(struct store *store)
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
        code = database_run(store, way->pragmas);
    }
    if (code == SQLITE_OK) /* the first look: a way that does not work fails here */
        code = database_read_number(store, "SELECT count(*) FROM sqlite_master", &tables);
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
    code = database_run(store, sql);
    if (code != SQLITE_OK && sqlite3_get_autocommit(store->db) == 0)
        (void)database_run(store, "ROLLBACK");
    return code;
}

/* False: not ours, or of a newer twokey. */
static bool judge_schema(struct store *store, int *code_out, struct error *why)
{
    int64_t application = 0;
    int64_t schema = 0;
    int64_t tables = 0;

    *code_out = database_read_number(store, "PRAGMA application_id", &application);
    if (*code_out == SQLITE_OK)
        *code_out = database_read_number(store, "PRAGMA user_version", &schema);
    if (*code_out == SQLITE_OK)
        *code_out = database_read_number(store, "SELECT count(*) FROM sqlite_master", &tables);
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

int database_check(struct store *store)
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
            database_set_condition(store, STORE_DAMAGED, text);
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
        *code_out = database_check(store);
    if (*code_out == SQLITE_OK)
        *code_out = database_read_number(store, "SELECT version FROM kv WHERE key = ''", &counter);
    if (*code_out == SQLITE_DONE)
        *code_out = SQLITE_OK; /* nothing was written yet */
    store->counter = (uint64_t)counter;
    return true;
}

bool database_open(struct store *store, struct error *why)
{
    int code = SQLITE_OK;

    for (size_t i = store->place.is_for_reading ? TO_READ : TO_WRITE; i < WAYS; i++) {
        store->is_opened_read_only = i != TO_WRITE;
        code = open_way(store, &ways[i]);
        if (code == SQLITE_OK && !take_in(store, &code, why))
            return false;
        if (code == SQLITE_OK)
            return true;
        database_note_failure(store, code);
        if (means_damage(code))
            return true; /* as far as it can be read: maybe not at all */
        database_close(store);
    }
    *why = store->trouble;
    return false;
}

/* What could not be written when it was opened may be writable now. */
bool database_make_writable(struct store *store)
{
    struct error why;
    int code;

    if (!store->is_opened_read_only)
        return true;
    if (access(store->place.path, W_OK) != 0)
        return false;
    database_close(store);
    store->is_opened_read_only = false;
    code = open_way(store, &ways[TO_WRITE]);
    if (code == SQLITE_OK && take_in(store, &code, &why) && code == SQLITE_OK)
        return true;
    database_close(store);
    (void)database_open(store, &why); /* as it was before */
    return !store->is_opened_read_only;
}
