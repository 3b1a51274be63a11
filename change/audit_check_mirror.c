/*
 * audit_check_mirror - audit.jsonl held against the records of the database: line by line the
 * same, from where it begins to where they end.
 *
 * A twokey may write both meanwhile: what is not there yet is waited for, and what is there already
 * may be newer than the database was when it was read.
 *
 * Owner    the caller.      Threads  any one
 */
#include "change/audit_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/audit_mirror.h"
#include "change/store.h"

enum { PATH_TEXT = 4200, KEY_TEXT = 160, PATIENCE = 10, PAUSE_US = 300000, LOOKS_MAX = 10000 };

static bool record_of(struct store *store, uint64_t seq, struct buffer *out)
{
    char key[KEY_TEXT];

    (void)snprintf(key, sizeof(key), "audit/%020llu", (unsigned long long)seq);
    return store_get(store, key, out, NULL);
}

/* A running twokey may have written it since we began to look. */
static bool is_newer(const struct audit_mirror_check *mirror, uint64_t seq, struct slice line)
{
    struct store *fresh = store_open_to_read(mirror->directory, NULL);
    struct buffer stored;
    bool is_there;

    buffer_init(&stored);
    is_there =
        fresh != NULL && record_of(fresh, seq, &stored) && slice_equal(buffer_slice(&stored), line);
    buffer_fini(&stored);
    store_close(&fresh);
    return is_there;
}

static void compare_line(const struct audit_mirror_check *mirror, const char *place, uint64_t seq,
                         struct slice line)
{
    struct buffer stored;
    bool is_same;

    buffer_init(&stored);
    if (record_of(mirror->store, seq, &stored))
        is_same = slice_equal(buffer_slice(&stored), line);
    else
        is_same = is_newer(mirror, seq, line);
    if (!is_same)
        audit_problem(mirror->report, place,
                      seq >= mirror->next
                          ? "record %llu is not in the database: the end of the chain was cut off "
                            "there, or it was added here"
                          : "record %llu is another one than in the database",
                      (unsigned long long)seq);
    buffer_fini(&stored);
}

/* Half a line at the end: a crash cut it, and the next start completes it. */
static void take_torn(const struct audit_mirror_check *mirror, const char *place, uint64_t seq,
                      struct slice line)
{
    struct buffer stored;

    buffer_init(&stored);
    if (!record_of(mirror->store, seq, &stored) || !slice_starts_with(buffer_slice(&stored), line))
        audit_problem(mirror->report, place, "half a record, and not the one that comes next: %llu",
                      (unsigned long long)seq);
    buffer_fini(&stored);
}

/* Whether a twokey has the lock of the directory: looked up, not tried, for that would hinder one
 * that starts. */
static bool is_in_use(const char *directory)
{
    char path[PATH_TEXT];
    char wanted[40];
    char lock[256];
    struct stat status;
    FILE *locks;
    bool is_found = false;

    (void)snprintf(path, sizeof(path), "%.4000s/lock", directory);
    if (stat(path, &status) != 0)
        return false;
    locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return true; /* maybe */
    (void)snprintf(wanted, sizeof(wanted), ":%llu ", (unsigned long long)status.st_ino);
    while (!is_found && fgets(lock, sizeof(lock), locks) != NULL)
        is_found = strstr(lock, "FLOCK") != NULL && strstr(lock, wanted) != NULL;
    (void)fclose(locks);
    return is_found;
}

/* A running twokey may be about to write more: false when it had time enough. */
static bool wait_for_more(const struct audit_mirror_check *mirror, struct line_reader *reader,
                          long from, unsigned *pauses)
{
    if (++*pauses > PATIENCE || !is_in_use(mirror->directory))
        return false;
    (void)usleep(PAUSE_US);
    clearerr(reader->file);
    return fseek(reader->file, from, SEEK_SET) == 0;
}

static void read_mirror(const struct audit_mirror_check *mirror, struct line_reader *reader,
                        struct chain *chain)
{
    char place[PATH_TEXT];
    unsigned pauses = 0;
    unsigned beyond = 0;
    struct slice line;
    long at = 0;
    bool is_torn;

    while (beyond < LOOKS_MAX) {
        if (!line_next(reader, &line, &is_torn)) {
            if (chain->verifier.next_seq >= mirror->next ||
                !wait_for_more(mirror, reader, at, &pauses))
                return;
            continue;
        }
        (void)snprintf(place, sizeof(place), "%.4000s:%lu", mirror->path, reader->number);
        if (is_torn) {
            reader->number--;
            if (wait_for_more(mirror, reader, at, &pauses))
                continue;
            take_torn(mirror, place, chain->verifier.next_seq, line);
            return;
        }
        at = ftell(reader->file);
        beyond += chain->verifier.next_seq >= mirror->next;
        if (chain_take(chain, place, line))
            compare_line(mirror, place, chain->verifier.next_seq - 1, line);
    }
}

void audit_check_mirror(const struct audit_mirror_check *mirror)
{
    struct line_reader reader = {0};
    struct chain *chain = xcalloc(1, sizeof(*chain));
    uint64_t from = 0;
    uint64_t next = 0;

    (void)mirror_read_mark(mirror->store, &from, &next);
    chain->report = mirror->report;
    reader.file = fopen(mirror->path, "re");
    if (reader.file == NULL && errno != ENOENT) {
        error_set(mirror->report->unreadable, ERROR_SYSTEM, "%s: %s", mirror->path,
                  strerror(errno));
    } else if (reader.file == NULL) {
        if (from < mirror->next)
            audit_problem(mirror->report, mirror->path,
                          "is not there; the records %llu to %llu should be in it",
                          (unsigned long long)from, (unsigned long long)mirror->next - 1);
    } else {
        chain->verifier.next_seq = from; /* for what is said of a first line that is none */
        read_mirror(mirror, &reader, chain);
        if (chain->count > 0 && chain->first > from)
            audit_problem(mirror->report, mirror->path,
                          "begins at record %llu; those from %llu on should be in it",
                          (unsigned long long)chain->first, (unsigned long long)from);
        next = chain->verifier.has_begun ? chain->verifier.next_seq : from;
        if (next < mirror->next)
            audit_problem(mirror->report, mirror->path,
                          "ends before record %llu; the database has records up to %llu (a start "
                          "appends them)",
                          (unsigned long long)next, (unsigned long long)mirror->next - 1);
        (void)fclose(reader.file);
    }
    xfree(reader.line);
    xfree(chain);
}
