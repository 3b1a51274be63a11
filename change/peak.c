/*
 * peak - see peak.h.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  pools are sorted by name, hours by time; no hour is older than seven days
 */
#include "change/peak.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "change/internal.h"
#include "change/merge.h"

enum { HOURS_KEPT = 7 * 24, WRITE_EVERY_MS = 60 * 1000, KEY_TEXT = 160 };
static const int64_t hour_ms = 60 * 60 * 1000;

struct peak_hour {
    int64_t hour; /* since 1970 */
    int64_t since_ms;
    double rps;
    bool is_dirty; /* the store does not say so yet */
};

struct peak_pool {
    char *name;
    struct peak_hour *hours;
    size_t count;
    size_t room;
};

struct peaks {
    struct peak_pool *pools;
    size_t count;
    size_t room;
    uint64_t written_boot_ms;
};

/* ---- pools and hours ---- */

/* Where the pool is, or would be. */
static size_t place_of(const struct peaks *peaks, const char *pool)
{
    size_t from = 0;
    size_t to = peaks->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (strcmp(peaks->pools[middle].name, pool) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct peak_pool *find(const struct peaks *peaks, const char *pool)
{
    size_t at = place_of(peaks, pool);

    return at < peaks->count && strcmp(peaks->pools[at].name, pool) == 0 ? &peaks->pools[at] : NULL;
}

static struct peak_pool *pool_for(struct peaks *peaks, const char *pool)
{
    struct peak_pool *found = find(peaks, pool);
    size_t at = place_of(peaks, pool);

    if (found != NULL)
        return found;
    if (peaks->count == peaks->room) {
        peaks->room = peaks->room * 2 + 8;
        peaks->pools = xrealloc(peaks->pools, peaks->room * sizeof(*peaks->pools));
    }
    memmove(&peaks->pools[at + 1], &peaks->pools[at], (peaks->count - at) * sizeof(*peaks->pools));
    peaks->count++;
    peaks->pools[at] = (struct peak_pool){.name = xstrdup(pool)};
    return &peaks->pools[at];
}

static struct peak_hour *add_hour(struct peak_pool *pool, struct peak_hour hour)
{
    if (pool->count == pool->room) {
        pool->room = pool->room * 2 + 4;
        pool->hours = xrealloc(pool->hours, pool->room * sizeof(*pool->hours));
    }
    pool->hours[pool->count] = hour;
    return &pool->hours[pool->count++];
}

/* ---- from the store ---- */

struct loading {
    struct peaks *peaks;
    int64_t oldest;
};

static bool load_hour(void *context, const char *key, struct slice value, uint64_t version)
{
    struct loading *loading = context;
    const char *slash = strrchr(key, '/');
    struct slice name = slice_after(slice_of(key, (size_t)(slash - key)), strlen("peak/"));
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);
    char pool[128];
    uint64_t hour;

    (void)version;
    if (slice_to_u64(slice_from(slash + 1), &hour) && (int64_t)hour > loading->oldest) {
        slice_copy(name, pool, sizeof(pool));
        (void)add_hour(
            pool_for(loading->peaks, pool),
            (struct peak_hour){.hour = (int64_t)hour,
                               .since_ms = json_integer_value(json_object_get(stored, "since")),
                               .rps = json_number_value(json_object_get(stored, "rps"))});
    }
    json_decref(stored);
    return true;
}

static struct peaks *peaks_of(struct ledger *ledger)
{
    struct loading loading = {.oldest = ledger_wall_ms(ledger) / hour_ms - HOURS_KEPT};

    if (ledger->peaks != NULL)
        return ledger->peaks;
    ledger->peaks = loading.peaks = xcalloc(1, sizeof(*ledger->peaks));
    ledger->peaks->written_boot_ms = ledger_boot_ms(ledger);
    store_list(ledger->store, "peak/", NULL, false, load_hour, &loading);
    return ledger->peaks;
}

/* ---- watching ---- */

void peak_note(struct ledger *ledger, const char *pool, double rps)
{
    struct peak_pool *watched = pool_for(peaks_of(ledger), pool);
    int64_t now_ms = ledger_wall_ms(ledger);
    struct peak_hour *hour = watched->count > 0 ? &watched->hours[watched->count - 1] : NULL;

    if (hour == NULL || hour->hour != now_ms / hour_ms)
        hour = add_hour(
            watched,
            (struct peak_hour){.hour = now_ms / hour_ms, .since_ms = now_ms, .is_dirty = true});
    if (rps <= hour->rps)
        return;
    hour->rps = rps;
    hour->is_dirty = true;
}

double peak_of(struct ledger *ledger, const char *pool, int64_t *since_ms_out)
{
    const struct peak_pool *watched = find(peaks_of(ledger), pool);
    double rps = 0;

    *since_ms_out = ledger_wall_ms(ledger);
    for (size_t i = 0; watched != NULL && i < watched->count; i++) {
        const struct peak_hour *hour = &watched->hours[i];

        if (hour->rps > rps)
            rps = hour->rps;
        if (hour->since_ms < *since_ms_out)
            *since_ms_out = hour->since_ms;
    }
    return rps;
}

json_t *peak_all(struct ledger *ledger)
{
    const struct peaks *peaks = peaks_of(ledger);
    json_t *all = json_object();

    for (size_t i = 0; i < peaks->count; i++) {
        int64_t since_ms;

        json_object_set_new(all, peaks->pools[i].name,
                            json_real(peak_of(ledger, peaks->pools[i].name, &since_ms)));
    }
    return all;
}

/* ---- to the store ---- */

static void hour_key(const struct peak_pool *pool, const struct peak_hour *hour,
                     char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "peak/%s/%010" PRId64, pool->name, hour->hour);
}

static void put_hour(struct store_txn *txn, const struct peak_pool *pool, struct peak_hour *hour)
{
    json_t *stored = json_pack("{s:f, s:I}", "rps", hour->rps, "since", (json_int_t)hour->since_ms);
    char key[KEY_TEXT];
    size_t bytes;
    char *text = merge_canonical(stored, &bytes);

    hour_key(pool, hour, key);
    store_put(txn, key, slice_of(text, bytes));
    xfree(text);
    json_decref(stored);
}

/* Whether there is something to write; what is too old is gone afterwards. */
static bool put_pool(struct store_txn *txn, struct peak_pool *pool, int64_t oldest)
{
    bool any = false;
    size_t old = 0;

    while (old < pool->count && pool->hours[old].hour <= oldest) {
        char key[KEY_TEXT];

        hour_key(pool, &pool->hours[old++], key);
        store_delete(txn, key);
        any = true;
    }
    memmove(pool->hours, &pool->hours[old], (pool->count - old) * sizeof(*pool->hours));
    pool->count -= old;
    for (size_t i = 0; i < pool->count; i++) {
        if (!pool->hours[i].is_dirty)
            continue;
        put_hour(txn, pool, &pool->hours[i]);
        any = true;
    }
    return any;
}

static void all_are_written(struct peaks *peaks)
{
    for (size_t i = 0; i < peaks->count; i++)
        for (size_t n = 0; n < peaks->pools[i].count; n++)
            peaks->pools[i].hours[n].is_dirty = false;
}

static void write_peaks(struct ledger *ledger)
{
    struct peaks *peaks = ledger->peaks;
    struct store_txn *txn = store_begin(ledger->store);
    int64_t oldest = ledger_wall_ms(ledger) / hour_ms - HOURS_KEPT;
    bool any = false;

    for (size_t i = 0; i < peaks->count; i++)
        any |= peaks->pools[i].count > 0 && put_pool(txn, &peaks->pools[i], oldest);
    if (!any)
        store_abandon(&txn);
    else if (store_commit(&txn, false, NULL) == STORE_DONE)
        all_are_written(peaks); /* else it is tried again in a minute */
}

void peak_tick(struct ledger *ledger)
{
    uint64_t now_ms = ledger_boot_ms(ledger);

    if (ledger->peaks == NULL || now_ms - ledger->peaks->written_boot_ms < WRITE_EVERY_MS)
        return;
    ledger->peaks->written_boot_ms = now_ms;
    write_peaks(ledger);
}

void peak_save(struct ledger *ledger)
{
    if (ledger->peaks != NULL)
        write_peaks(ledger);
}

void peak_forget(struct ledger *ledger)
{
    struct peaks *peaks = ledger->peaks;

    if (peaks == NULL)
        return;
    for (size_t i = 0; i < peaks->count; i++) {
        xfree(peaks->pools[i].name);
        xfree(peaks->pools[i].hours);
    }
    xfree(peaks->pools);
    xfree(peaks);
    ledger->peaks = NULL;
}
