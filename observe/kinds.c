/*
 * kinds - see kinds.h.
 *
 *   now          of the minute that runs, each kind has a number of its own
 *   rows         minutes that are over, oldest first: pairs of kind and number
 *   hour, day    sums, kept with each note and whenever a row leaves a window
 *
 * Owner    the observer      Threads  one at a time
 * Invariants  hour and day of a kind are the sums of its entries in the rows of that window and of
 *             the minute that runs; likewise those of "other"
 */
#include "observe/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"

enum {
    KINDS_TAG = 0x4b494e44,
    CELLS = 16384, /* a power of two, well above KINDS_ROOM */
    MINUTE_MS = 60 * 1000,
    HOUR = 60, /* minutes */
    DAY = 24 * HOUR,
    ROWS = DAY + 1,
};

struct kind {
    char *text; /* host, path, method; NULL: this place is free */
    uint64_t hash;
    uint64_t hour;
    uint64_t day;
    uint64_t new;
    uint64_t newest_minute;
    uint32_t now;
    uint32_t listener;
    uint16_t host_bytes;
    uint16_t path_bytes;
    uint16_t method_bytes;
    bool is_https;
};

struct entry {
    uint16_t kind;
    uint32_t requests;
};

struct row {
    uint64_t first, last; /* minutes that it covers */
    uint64_t other;
    struct entry *entries;
    uint32_t count;
};

struct kinds {
    uint32_t tag;
    uint64_t began_ms;
    uint64_t now_ms; /* since then */
    uint64_t minute;
    uint64_t other_now, other_hour, other_day;
    uint64_t sum_hour, sum_day; /* kinds and others */
    size_t entry_count;
    size_t text_bytes;
    uint32_t count;
    uint32_t row_count;
    uint32_t in_hour; /* the first row of the last hour */
    uint32_t touched_count;
    uint32_t free_from;           /* no place below is free */
    uint16_t touched[KINDS_ROOM]; /* kinds of the minute that runs */
    uint16_t cells[CELLS];        /* kind + 1; 0: empty */
    struct kind kinds[KINDS_ROOM];
    struct row rows[ROWS];
};

struct kinds *kinds_new(uint64_t now_ms)
{
    struct kinds *kinds = xcalloc(1, sizeof(*kinds));

    kinds->tag = KINDS_TAG;
    kinds->began_ms = now_ms;
    return kinds;
}

void kinds_free(struct kinds **held)
{
    struct kinds *kinds = TAKE_POINTER(held);

    if (kinds == NULL)
        return;
    CHECK_OBJ(kinds, KINDS_TAG);
    for (unsigned i = 0; i < KINDS_ROOM; i++)
        xfree(kinds->kinds[i].text);
    for (unsigned i = 0; i < kinds->row_count; i++)
        xfree(kinds->rows[i].entries);
    kinds->tag = 0;
    xfree(kinds);
}

/* ---- finding a kind ---- */

static uint64_t key_hash(const struct kind_key *key)
{
    const struct hash_key *process = hash_process_key();
    uint64_t hash = hash_slice(process, key->host);

    hash = hash_mix(hash ^ hash_slice(process, key->method));
    hash = hash_mix(hash ^ hash_slice(process, key->path));
    return hash_mix(hash ^ ((uint64_t)key->listener << 1 | key->is_https));
}

static struct kind_key key_of(const struct kind *kind)
{
    return (struct kind_key){
        .listener = kind->listener,
        .is_https = kind->is_https,
        .host = slice_of(kind->text, kind->host_bytes),
        .path = slice_of(kind->text + kind->host_bytes, kind->path_bytes),
        .method = slice_of(kind->text + kind->host_bytes + kind->path_bytes, kind->method_bytes),
    };
}

static bool is_key_of(const struct kind *kind, const struct kind_key *key, uint64_t hash)
{
    struct kind_key own;

    if (kind->hash != hash)
        return false;
    own = key_of(kind);
    return own.listener == key->listener && own.is_https == key->is_https &&
           slice_equal(own.path, key->path) && slice_equal(own.host, key->host) &&
           slice_equal(own.method, key->method);
}

/* Its cell, or the empty one where it belongs. */
static size_t cell_of(const struct kinds *kinds, const struct kind_key *key, uint64_t hash)
{
    size_t cell = (size_t)hash % CELLS;

    while (kinds->cells[cell] != 0 && !is_key_of(&kinds->kinds[kinds->cells[cell] - 1], key, hash))
        cell = (cell + 1) % CELLS;
    return cell;
}

static void index_again(struct kinds *kinds)
{
    memset(kinds->cells, 0, sizeof(kinds->cells));
    for (unsigned i = 0; i < KINDS_ROOM; i++) {
        size_t cell = (size_t)kinds->kinds[i].hash % CELLS;

        if (kinds->kinds[i].text == NULL)
            continue;
        while (kinds->cells[cell] != 0)
            cell = (cell + 1) % CELLS;
        kinds->cells[cell] = (uint16_t)(i + 1);
    }
}

/* ---- giving kinds up ---- */

static void forget_kind(struct kinds *kinds, struct kind *kind)
{
    kinds->text_bytes -= (size_t)kind->host_bytes + kind->path_bytes + kind->method_bytes + 1;
    kinds->count--;
    xfree(kind->text);
    *kind = (struct kind){0};
    kinds->free_from = 0;
}

/* What the rows say of kinds that have `is_gone` is said of others. */
static void clean_rows(struct kinds *kinds, const bool *is_gone)
{
    for (unsigned r = 0; r < kinds->row_count; r++) {
        struct row *row = &kinds->rows[r];
        uint32_t kept = 0;

        for (uint32_t i = 0; i < row->count; i++) {
            if (is_gone[row->entries[i].kind])
                row->other += row->entries[i].requests;
            else
                row->entries[kept++] = row->entries[i];
        }
        kinds->entry_count -= row->count - kept;
        row->count = kept;
    }
}

static void clean_touched(struct kinds *kinds, const bool *is_gone)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < kinds->touched_count; i++)
        if (!is_gone[kinds->touched[i]])
            kinds->touched[kept++] = kinds->touched[i];
    kinds->touched_count = kept;
}

static int compare_worth(const void *a, const void *b, void *context)
{
    const struct kinds *kinds = context;
    const struct kind *one = &kinds->kinds[*(const uint16_t *)a];
    const struct kind *two = &kinds->kinds[*(const uint16_t *)b];

    if (one->day != two->day)
        return one->day < two->day ? -1 : 1;
    if (one->newest_minute != two->newest_minute)
        return one->newest_minute < two->newest_minute ? -1 : 1;
    return one < two ? -1 : one > two;
}

/* Each place is taken: those with the fewest requests become others. */
static void evict(struct kinds *kinds)
{
    uint16_t order[KINDS_ROOM];
    bool is_gone[KINDS_ROOM] = {false};

    for (unsigned i = 0; i < KINDS_ROOM; i++)
        order[i] = (uint16_t)i;
    qsort_r(order, KINDS_ROOM, sizeof(order[0]), compare_worth, kinds);
    for (unsigned i = 0; i < KINDS_EVICTED; i++) {
        struct kind *kind = &kinds->kinds[order[i]];

        is_gone[order[i]] = true;
        kinds->other_now += kind->now;
        kinds->other_hour += kind->hour;
        kinds->other_day += kind->day;
        forget_kind(kinds, kind);
    }
    clean_rows(kinds, is_gone);
    clean_touched(kinds, is_gone);
    index_again(kinds);
}

/* ---- noting ---- */

static struct kind *add_kind(struct kinds *kinds, const struct kind_key *key, uint64_t hash)
{
    size_t bytes = key->host.len + key->path.len + key->method.len + 1;
    char *text = xmalloc(bytes);
    uint32_t at;

    if (kinds->count == KINDS_ROOM)
        evict(kinds);
    for (at = kinds->free_from; kinds->kinds[at].text != NULL;)
        at++;
    kinds->free_from = at + 1;
    memcpy(text, key->host.at, key->host.len);
    memcpy(text + key->host.len, key->path.at, key->path.len);
    memcpy(text + key->host.len + key->path.len, key->method.at, key->method.len);
    kinds->kinds[at] = (struct kind){
        .text = text,
        .hash = hash,
        .listener = key->listener,
        .is_https = key->is_https,
        .host_bytes = (uint16_t)key->host.len,
        .path_bytes = (uint16_t)key->path.len,
        .method_bytes = (uint16_t)key->method.len,
    };
    kinds->text_bytes += bytes;
    kinds->count++;
    kinds->cells[cell_of(kinds, key, hash)] = (uint16_t)(at + 1);
    return &kinds->kinds[at];
}

void kinds_note_other(struct kinds *kinds, uint64_t requests)
{
    kinds->other_now += requests;
    kinds->other_hour += requests;
    kinds->other_day += requests;
    kinds->sum_hour += requests;
    kinds->sum_day += requests;
}

void kinds_note(struct kinds *kinds, const struct kind_key *key, uint64_t requests)
{
    uint64_t hash = key_hash(key);
    size_t cell = cell_of(kinds, key, hash);
    struct kind *kind;

    CHECK_OBJ(kinds, KINDS_TAG);
    CHECK(requests > 0);
    kind = kinds->cells[cell] != 0 ? &kinds->kinds[kinds->cells[cell] - 1]
                                   : add_kind(kinds, key, hash);
    if (kind->now > UINT32_MAX - requests) {
        kinds_note_other(kinds, requests);
        return;
    }
    kinds->sum_hour += requests;
    kinds->sum_day += requests;
    if (kind->now == 0)
        kinds->touched[kinds->touched_count++] = (uint16_t)(kind - kinds->kinds);
    kind->now += (uint32_t)requests;
    kind->hour += requests;
    kind->day += requests;
    kind->new += requests;
    kind->newest_minute = kinds->minute;
}

/* ---- minutes become rows ---- */

static void close_minute(struct kinds *kinds)
{
    struct row *row = &kinds->rows[kinds->row_count];

    if (kinds->touched_count == 0 && kinds->other_now == 0)
        return;
    CHECK(kinds->row_count < ROWS);
    *row = (struct row){
        .first = kinds->minute,
        .last = kinds->minute,
        .other = kinds->other_now,
        .entries = xmalloc(kinds->touched_count * sizeof(struct entry) + 1),
        .count = kinds->touched_count,
    };
    for (uint32_t i = 0; i < row->count; i++) {
        struct kind *kind = &kinds->kinds[kinds->touched[i]];

        row->entries[i] = (struct entry){kinds->touched[i], kind->now};
        kind->now = 0;
    }
    kinds->entry_count += row->count;
    kinds->row_count++;
    kinds->touched_count = 0;
    kinds->other_now = 0;
}

static void remove_rows(struct kinds *kinds, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++) {
        kinds->entry_count -= kinds->rows[i].count;
        xfree(kinds->rows[i].entries);
    }
    kinds->row_count -= count;
    memmove(&kinds->rows[from], &kinds->rows[from + count],
            (kinds->row_count - from) * sizeof(kinds->rows[0]));
}

static void leave_hour(struct kinds *kinds, const struct row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        kinds->kinds[row->entries[i].kind].hour -= row->entries[i].requests;
        kinds->sum_hour -= row->entries[i].requests;
    }
    kinds->other_hour -= row->other;
    kinds->sum_hour -= row->other;
}

static void leave_day(struct kinds *kinds, const struct row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        kinds->kinds[row->entries[i].kind].day -= row->entries[i].requests;
        kinds->sum_day -= row->entries[i].requests;
    }
    kinds->other_day -= row->other;
    kinds->sum_day -= row->other;
}

static void forget_silent_kinds(struct kinds *kinds)
{
    for (unsigned i = 0; i < KINDS_ROOM; i++)
        if (kinds->kinds[i].text != NULL && kinds->kinds[i].day == 0 && kinds->kinds[i].now == 0)
            forget_kind(kinds, &kinds->kinds[i]);
    index_again(kinds);
}

static void leave_windows(struct kinds *kinds)
{
    uint32_t old = 0;

    while (kinds->in_hour < kinds->row_count &&
           kinds->rows[kinds->in_hour].last + HOUR <= kinds->minute)
        leave_hour(kinds, &kinds->rows[kinds->in_hour++]);
    while (old < kinds->in_hour && kinds->rows[old].first + DAY <= kinds->minute)
        leave_day(kinds, &kinds->rows[old++]);
    if (old == 0)
        return;
    remove_rows(kinds, 0, old);
    kinds->in_hour -= old;
    forget_silent_kinds(kinds);
}

/* ---- rows become hours ---- */

/* Puts rows [from, to) together.  What no longer fits a number is said of others. */
static void put_together(struct kinds *kinds, uint32_t from, uint32_t to)
{
    uint64_t *sums = xcalloc(KINDS_ROOM, sizeof(*sums));
    struct row sum = {.first = kinds->rows[from].first, .last = kinds->rows[to - 1].last};

    for (uint32_t r = from; r < to; r++) {
        sum.other += kinds->rows[r].other;
        for (uint32_t i = 0; i < kinds->rows[r].count; i++) {
            const struct entry *entry = &kinds->rows[r].entries[i];

            sum.count += sums[entry->kind] == 0;
            sums[entry->kind] += entry->requests;
        }
    }
    sum.entries = xmalloc(sum.count * sizeof(struct entry) + 1);
    sum.count = 0;
    for (uint32_t i = 0; i < KINDS_ROOM; i++) {
        uint64_t excess = sums[i] > UINT32_MAX ? sums[i] - UINT32_MAX : 0;

        if (sums[i] == 0)
            continue;
        sum.entries[sum.count++] = (struct entry){(uint16_t)i, (uint32_t)(sums[i] - excess)};
        sum.other += excess;
        kinds->kinds[i].day -= excess;
        kinds->other_day += excess;
    }
    xfree(sums);
    remove_rows(kinds, from + 1, to - from - 1);
    kinds->entry_count -= kinds->rows[from].count;
    xfree(kinds->rows[from].entries);
    kinds->rows[from] = sum;
    kinds->entry_count += sum.count;
    kinds->in_hour -= to - from - 1;
}

/* The oldest rows of one hour that are not one yet.  False: there are none. */
static bool make_hour(struct kinds *kinds)
{
    for (uint32_t from = 0; from + 1 < kinds->in_hour; from++) {
        uint64_t hour = kinds->rows[from].first / HOUR;
        uint32_t to = from + 1;

        while (to < kinds->in_hour && kinds->rows[to].last / HOUR == hour)
            to++;
        if (to - from < 2)
            continue;
        put_together(kinds, from, to);
        return true;
    }
    return false;
}

void kinds_advance(struct kinds *kinds, uint64_t now_ms)
{
    uint64_t minute;

    CHECK_OBJ(kinds, KINDS_TAG);
    kinds->now_ms = now_ms - kinds->began_ms;
    minute = kinds->now_ms / MINUTE_MS;
    if (minute <= kinds->minute)
        return;
    close_minute(kinds);
    kinds->minute = minute;
    leave_windows(kinds);
    while (kinds->entry_count > KINDS_ENTRIES && make_hour(kinds))
        ;
}

/* ---- what there is ---- */

static int compare_seen(const void *a, const void *b)
{
    const struct kind_seen *one = a;
    const struct kind_seen *two = b;

    if (one->hour != two->hour)
        return one->hour > two->hour ? -1 : 1;
    return one->day > two->day ? -1 : one->day < two->day;
}

size_t kinds_list(struct kinds *kinds, struct kind_seen *out)
{
    size_t count = 0;

    CHECK_OBJ(kinds, KINDS_TAG);
    for (unsigned i = 0; i < KINDS_ROOM; i++) {
        struct kind *kind = &kinds->kinds[i];

        if (kind->text == NULL)
            continue;
        out[count++] = (struct kind_seen){key_of(kind), kind->hour, kind->day, kind->new};
        kind->new = 0;
    }
    qsort(out, count, sizeof(*out), compare_seen);
    return count;
}

struct kinds_sum kinds_sum(const struct kinds *kinds)
{
    uint64_t first = kinds->minute >= HOUR ? (kinds->minute - HOUR + 1) * MINUTE_MS : 0;

    return (struct kinds_sum){
        .hour = kinds->sum_hour,
        .day = kinds->sum_day,
        .other_hour = kinds->other_hour,
        .other_day = kinds->other_day,
        .seconds = (uint32_t)((kinds->now_ms - first) / 1000),
    };
}

size_t kinds_bytes(const struct kinds *kinds)
{
    return sizeof(*kinds) + kinds->entry_count * sizeof(struct entry) + kinds->text_bytes;
}
