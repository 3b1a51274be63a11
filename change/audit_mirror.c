/*
 * audit_mirror - see audit_mirror.h.
 *
 * Owner    audit.      Threads  control
 * Invariant  the file ends with `partial` bytes of record `next`; `next` <= `end`
 */
#include "change/audit_mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/store.h"

enum {
    MIRROR_TAG = 0x4d495252,
    PATH_ROOM = 4096,
    KEY_TEXT = 32,
    LINES_A_TICK = 20000, /* more would hold up control */
    TAIL_BLOCK = 64 * 1024,
};

static const char mark_key[] = "mirror";

struct mirror {
    uint32_t tag;
    struct store *store;
    char path[PATH_ROOM];
    char aside[PATH_ROOM + 64];
    int file; /* -1: not open */
    dev_t device;
    ino_t inode;
    uint64_t from; /* the first record of this file */
    uint64_t next; /* the record that is to be written */
    size_t partial;
    uint64_t end; /* behind the last record there is */
    uint64_t marked_from, marked_next;
    bool is_dirty;
    bool is_whole;
    struct error why;
};

static char *record_key(uint64_t seq, char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "audit/%020llu", (unsigned long long)seq);
    return key_out;
}

static void not_whole(struct mirror *mirror, const char *format, const char *detail)
{
    bool was_whole = mirror->is_whole;
    char text[400];

    (void)snprintf(text, sizeof(text), format, detail);
    error_set(&mirror->why, ERROR_SYSTEM, "%s: %s", mirror->path, text);
    mirror->is_whole = false;
    if (was_whole)
        log_event(EV_MIRROR_FAILED, LOG_TEXT("why", mirror->why.text));
}

static void is_whole_again(struct mirror *mirror)
{
    if (!mirror->is_whole)
        log_event(EV_MIRROR_WHOLE, LOG_TEXT("file", mirror->path));
    mirror->is_whole = true;
}

/* ---- the mark ---- */

bool mirror_read_mark(struct store *store, uint64_t *from_out, uint64_t *next_out)
{
    struct buffer text;
    json_t *mark = NULL;
    json_int_t from = -1;
    json_int_t next = -1;
    bool is_read;

    buffer_init(&text);
    if (store_get(store, mark_key, &text, NULL))
        mark = json_loadb(buffer_slice(&text).at, buffer_length(&text), 0, NULL);
    is_read = mark != NULL && json_unpack(mark, "{s:I, s:I}", "from", &from, "next", &next) == 0 &&
              from >= 0 && next >= from;
    if (is_read) {
        *from_out = (uint64_t)from;
        *next_out = (uint64_t)next;
    }
    json_decref(mark);
    buffer_fini(&text);
    return is_read;
}

void mirror_mark(struct mirror *mirror, struct store_txn *txn)
{
    char text[100];

    if (mirror->from == mirror->marked_from && mirror->next == mirror->marked_next)
        return;
    (void)snprintf(text, sizeof(text), "{\"from\":%llu,\"next\":%llu}",
                   (unsigned long long)mirror->from, (unsigned long long)mirror->next);
    store_put(txn, mark_key, slice_from(text));
    mirror->marked_from = mirror->from;
    mirror->marked_next = mirror->next;
}

static void mark_now(struct mirror *mirror)
{
    struct store_txn *txn;
    uint64_t from = mirror->marked_from;
    uint64_t next = mirror->marked_next;

    if (store_condition(mirror->store, NULL) != STORE_GOOD ||
        (mirror->from == from && mirror->next == next))
        return;
    txn = store_begin(mirror->store);
    mirror_mark(mirror, txn);
    if (store_commit(&txn, false, NULL) != STORE_DONE) {
        mirror->marked_from = from; /* the next record's transaction takes it along */
        mirror->marked_next = next;
    }
}

/* ---- writing ---- */

/* False: not all of it; the rest is written later. */
static bool write_line(struct mirror *mirror, struct slice line)
{
    struct buffer whole;
    size_t bytes = line.len + 1;
    ssize_t written = 0;

    buffer_init(&whole);
    buffer_append_slice(&whole, line);
    buffer_append_literal(&whole, "\n");
    CHECK(mirror->partial < bytes);
    while (mirror->partial < bytes) {
        written =
            write(mirror->file, buffer_slice(&whole).at + mirror->partial, bytes - mirror->partial);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        mirror->partial += (size_t)written;
    }
    if (mirror->partial < bytes) {
        not_whole(mirror, "cannot be written: %s", written < 0 ? strerror(errno) : "no room");
    } else {
        mirror->partial = 0;
        mirror->next++;
    }
    mirror->is_dirty = true;
    buffer_fini(&whole);
    return mirror->partial == 0;
}

void mirror_append(struct mirror *mirror, uint64_t seq, struct slice line)
{
    CHECK_OBJ(mirror, MIRROR_TAG);
    mirror->end = seq + 1;
    if (mirror->file >= 0 && mirror->is_whole && seq == mirror->next && mirror->partial == 0)
        (void)write_line(mirror, line);
}

struct catching_up {
    struct mirror *mirror;
    unsigned left;
};

static bool append_missing(void *context, const char *key, struct slice value, uint64_t version)
{
    struct catching_up *catching_up = context;
    struct mirror *mirror = catching_up->mirror;
    char wanted[KEY_TEXT];

    (void)version;
    if (strcmp(key, record_key(mirror->next, wanted)) != 0) {
        not_whole(mirror, "stops before a record that the database has not: %s", wanted);
        return false;
    }
    return write_line(mirror, value) && --catching_up->left > 0;
}

static void catch_up(struct mirror *mirror)
{
    struct catching_up catching_up = {mirror, LINES_A_TICK};
    char before[KEY_TEXT];

    if (mirror->next < mirror->end)
        store_list(mirror->store, "audit/",
                   mirror->next > 0 ? record_key(mirror->next - 1, before) : NULL, false,
                   append_missing, &catching_up);
    if (mirror->next == mirror->end)
        is_whole_again(mirror);
}

/* ---- a file that is there ---- */

/* The bytes behind the last but one newline, or from the beginning: the last whole line and what
 * was begun behind it. */
static bool read_end(struct mirror *mirror, off_t size, struct buffer *end)
{
    off_t room = TAIL_BLOCK;

    for (;; room *= 4) {
        off_t from = size > room ? size - room : 0;
        size_t bytes = (size_t)(size - from);
        unsigned newlines = 0;

        buffer_clear(end);
        if (pread(mirror->file, buffer_reserve(end, bytes), bytes, from) != (ssize_t)bytes)
            return false;
        end->end += (uint32_t)bytes;
        for (size_t i = bytes; i > 0; i--) {
            if (buffer_slice(end).at[i - 1] != '\n' || ++newlines < 2)
                continue;
            buffer_consume(end, i);
            return true;
        }
        if (from == 0)
            return true;
    }
}

static bool is_line_of_store(struct mirror *mirror, uint64_t seq, struct slice line, bool is_begun)
{
    struct buffer stored;
    char key[KEY_TEXT];
    bool is_same;

    buffer_init(&stored);
    is_same = store_get(mirror->store, record_key(seq, key), &stored, NULL) &&
              (is_begun ? slice_starts_with(buffer_slice(&stored), line)
                        : slice_equal(buffer_slice(&stored), line));
    buffer_fini(&stored);
    return is_same;
}

static bool line_seq(struct slice line, uint64_t *seq_out)
{
    struct slice digits = slice_after(line, line.len < 7 ? line.len : 7);
    const char *comma = digits.len > 0 ? memchr(digits.at, ',', digits.len) : NULL;

    return slice_starts_with(line, SLICE("{\"seq\":")) && comma != NULL &&
           slice_to_u64(slice_of(digits.at, (size_t)(comma - digits.at)), seq_out);
}

/* Where to go on.  False: this is not the file that we wrote. */
static bool understand_end(struct mirror *mirror, struct slice end)
{
    const char *newline = end.len > 0 ? memchr(end.at, '\n', end.len) : NULL;
    size_t line = newline != NULL ? (size_t)(newline - end.at) : 0;
    struct slice begun = slice_after(end, newline != NULL ? line + 1 : 0);
    uint64_t seq = 0;

    mirror->next = mirror->from;
    if (newline != NULL) {
        if (!line_seq(slice_of(end.at, line), &seq) ||
            !is_line_of_store(mirror, seq, slice_of(end.at, line), false))
            return false;
        mirror->next = seq + 1;
    }
    mirror->partial = begun.len;
    return begun.len == 0 || is_line_of_store(mirror, mirror->next, begun, true);
}

static bool open_file(struct mirror *mirror, struct stat *status_out)
{
    mirror->file =
        open(mirror->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (mirror->file >= 0 && fstat(mirror->file, status_out) == 0 && S_ISREG(status_out->st_mode)) {
        mirror->device = status_out->st_dev;
        mirror->inode = status_out->st_ino;
        return true;
    }
    not_whole(mirror, "cannot be opened to be appended to: %s",
              mirror->file < 0 ? strerror(errno) : "it is no regular file");
    if (mirror->file >= 0)
        (void)close(mirror->file);
    mirror->file = -1;
    return false;
}

static void close_file(struct mirror *mirror)
{
    if (mirror->file >= 0)
        (void)close(mirror->file);
    mirror->file = -1;
}

/* Kept as evidence; what it should have said is written again, beside it. */
static void move_aside(struct mirror *mirror)
{
    struct stat status;

    (void)snprintf(mirror->aside, sizeof(mirror->aside), "%s.differs-%lld", mirror->path,
                   (long long)clock_wall_ms());
    close_file(mirror);
    if (rename(mirror->path, mirror->aside) != 0) {
        not_whole(mirror, "differs from the database, and cannot be moved aside: %s",
                  strerror(errno));
        mirror->aside[0] = '\0';
        return;
    }
    not_whole(mirror, "differed from the database; it is kept as %s", mirror->aside);
    mirror->next = mirror->from;
    mirror->partial = 0;
    (void)open_file(mirror, &status);
}

static void take_up(struct mirror *mirror)
{
    struct buffer end;
    struct stat status;
    bool is_ours;

    if (!open_file(mirror, &status))
        return;
    if (status.st_size == 0) {
        mirror->from = mirror->next;
        mirror->partial = 0;
        mark_now(mirror);
        return;
    }
    buffer_init(&end);
    if (!read_end(mirror, status.st_size, &end)) {
        not_whole(mirror, "cannot be read: %s", strerror(errno));
        close_file(mirror);
    } else {
        is_ours = understand_end(mirror, buffer_slice(&end));
        if (!is_ours)
            move_aside(mirror);
    }
    buffer_fini(&end);
}

/* ---- life ---- */

static bool find_last(void *context, const char *key, struct slice value, uint64_t version)
{
    struct mirror *mirror = context;
    uint64_t seq = 0;

    (void)value;
    (void)version;
    if (slice_to_u64(slice_from(key + strlen("audit/")), &seq))
        mirror->end = seq + 1;
    return false;
}

struct mirror *mirror_open(struct store *store, const char *state_directory)
{
    struct mirror *mirror = xcalloc(1, sizeof(*mirror));

    mirror->tag = MIRROR_TAG;
    mirror->store = store;
    mirror->file = -1;
    mirror->is_whole = true;
    if (snprintf(mirror->path, PATH_ROOM, "%s/" MIRROR_FILE, state_directory) >= PATH_ROOM)
        not_whole(mirror, "%s", "the name is too long");
    store_list(store, "audit/", NULL, true, find_last, mirror);
    if (mirror_read_mark(store, &mirror->from, &mirror->next)) {
        mirror->marked_from = mirror->from;
        mirror->marked_next = mirror->next;
    }
    if (store_condition(store, NULL) == STORE_DAMAGED)
        not_whole(mirror, "is left as it is: %s", "the database is damaged");
    else
        take_up(mirror);
    return mirror;
}

void mirror_close(struct mirror **mirror)
{
    struct mirror *closing = *mirror;

    if (closing == NULL)
        return;
    CHECK_OBJ(closing, MIRROR_TAG);
    mirror_tick(closing);
    mark_now(closing);
    close_file(closing);
    closing->tag = 0;
    xfree(closing);
    *mirror = NULL;
}

/* Emptied in place, by somebody's rotation: it begins anew. */
static void note_emptied(struct mirror *mirror)
{
    struct stat status;

    if (fstat(mirror->file, &status) != 0 || status.st_size > 0 || mirror->next == mirror->from)
        return;
    mirror->from = mirror->next;
    mirror->partial = 0;
    mark_now(mirror);
}

static bool was_moved(const struct mirror *mirror)
{
    struct stat status;

    return stat(mirror->path, &status) != 0
               ? errno == ENOENT
               : status.st_dev != mirror->device || status.st_ino != mirror->inode;
}

void mirror_tick(struct mirror *mirror)
{
    CHECK_OBJ(mirror, MIRROR_TAG);
    if (store_condition(mirror->store, NULL) == STORE_DAMAGED)
        return;
    if (mirror->file >= 0)
        note_emptied(mirror);
    if (mirror->file >= 0 && mirror->next < mirror->end)
        catch_up(mirror); /* the old file first: what was begun in it is ended in it */
    if (mirror->file >= 0 && was_moved(mirror))
        close_file(mirror);
    if (mirror->file < 0)
        take_up(mirror);
    if (mirror->file >= 0 && (mirror->next < mirror->end || !mirror->is_whole))
        catch_up(mirror);
    if (mirror->file >= 0 && mirror->is_dirty && fdatasync(mirror->file) == 0)
        mirror->is_dirty = false;
}

bool mirror_is_whole(const struct mirror *mirror, struct error *why)
{
    CHECK_OBJ(mirror, MIRROR_TAG);
    if (!mirror->is_whole && why != NULL)
        *why = mirror->why;
    return mirror->is_whole;
}

const char *mirror_moved_aside(const struct mirror *mirror)
{
    return mirror->aside[0] != '\0' ? mirror->aside : NULL;
}
