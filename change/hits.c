/*
 * hits - see hits.h.
 *
 * Each name has a number for each of the last 168 hours, in a ring: hour h is at h % 168.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  names are sorted; a name's sum is that of its hours; no hour is older than seven days
 */
#include "change/hits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "change/internal.h"
#include "change/merge.h"

enum { WRITE_EVERY_MS = 60 * 1000, KEY_TEXT = 64 };
static const int64_t hour_ms = 60 * 60 * 1000;
#define SINCE_KEY "hits-since"
static const char *const scope_words[HITS_SCOPES] = {"routes", "hosts"};
static const size_t scope_rooms[HITS_SCOPES] = {HITS_ROUTES, HITS_HOSTS};

struct hits_name {
    char *name;
    uint64_t sum;
    uint32_t hours[HITS_HOURS];
};

struct hits_list {
    struct hits_name **names;
    size_t count;
    size_t room;
    bool is_dirty;       /* the store does not say so yet, of the newest hour */
    int64_t since, seen; /* hours: all was counted from the first to the last */
};

struct hits {
    struct hits_list lists[HITS_SCOPES];
    int64_t hour; /* the newest, since 1970 */
    uint64_t written_boot_ms;
    bool has_old_rows; /* the store may have hours that are too old */
    bool is_since_dirty;
};

/* ---- names ---- */

/* Where the name is, or would be. */
static size_t place_of(const struct hits_list *list, const char *name)
{
    size_t from = 0;
    size_t to = list->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (strcmp(list->names[middle]->name, name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct hits_name *find(const struct hits_list *list, const char *name)
{
    size_t at = place_of(list, name);

    return at < list->count && strcmp(list->names[at]->name, name) == 0 ? list->names[at] : NULL;
}

static void free_name(struct hits_name *name)
{
    xfree(name->name);
    xfree(name);
}

static int compare_sums(const void *a, const void *b)
{
    const struct hits_name *one = *(struct hits_name *const *)a;
    const struct hits_name *two = *(struct hits_name *const *)b;

    return one->sum < two->sum ? -1 : one->sum > two->sum;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct hits_name *const *)a)->name, (*(struct hits_name *const *)b)->name);
}

/* A quarter of them, those with the fewest. */
static void forget_fewest(struct hits_list *list)
{
    size_t gone = list->count / 4;

    list->since = list->seen;
    qsort(list->names, list->count, sizeof(struct hits_name *), compare_sums);
    for (size_t i = 0; i < gone; i++)
        free_name(list->names[i]);
    list->count -= gone;
    memmove(list->names, list->names + gone, list->count * sizeof(struct hits_name *));
    qsort(list->names, list->count, sizeof(struct hits_name *), compare_names);
}

static struct hits_name *name_for(struct hits_list *list, size_t most, const char *name)
{
    struct hits_name *found = find(list, name);
    size_t at;

    if (found != NULL)
        return found;
    if (list->count == most)
        forget_fewest(list);
    if (list->count == list->room) {
        list->room = list->room * 2 + 64;
        list->names = xrealloc(list->names, list->room * sizeof(struct hits_name *));
    }
    at = place_of(list, name);
    memmove(&list->names[at + 1], &list->names[at],
            (list->count - at) * sizeof(struct hits_name *));
    list->count++;
    list->names[at] = xcalloc(1, sizeof(struct hits_name));
    list->names[at]->name = xstrdup(name);
    return list->names[at];
}

static void add(struct hits_name *name, int64_t hour, uint64_t requests)
{
    uint32_t *slot = &name->hours[hour % HITS_HOURS];
    uint32_t room = UINT32_MAX - *slot;
    uint32_t more = requests < room ? (uint32_t)requests : room;

    *slot += more;
    name->sum += more;
}

/* ---- hours ---- */

static void clear_hour(struct hits_list *list, int64_t hour)
{
    for (size_t i = 0; i < list->count; i++) {
        uint32_t *slot = &list->names[i]->hours[hour % HITS_HOURS];

        list->names[i]->sum -= *slot;
        *slot = 0;
    }
}

static void forget_silent(struct hits_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (list->names[i]->sum > 0)
            list->names[kept++] = list->names[i];
        else
            free_name(list->names[i]);
    }
    list->count = kept;
}

/* ---- to the store ---- */

static void hour_key(enum hits_scope scope, int64_t hour, char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "hits/%s/%010" PRId64, scope_words[scope], hour);
}

static void put_list(struct store_txn *txn, const struct hits_list *list, enum hits_scope scope,
                     int64_t hour)
{
    json_t *stored = json_object();
    char key[KEY_TEXT];
    size_t bytes;
    char *text;

    for (size_t i = 0; i < list->count; i++) {
        uint32_t requests = list->names[i]->hours[hour % HITS_HOURS];

        if (requests > 0) /* a name that is no UTF-8 is not remembered */
            (void)json_object_set_new(stored, list->names[i]->name, json_integer(requests));
    }
    text = merge_canonical(stored, &bytes);
    hour_key(scope, hour, key);
    store_put(txn, key, slice_of(text, bytes));
    xfree(text);
    json_decref(stored);
}

struct cleaning {
    struct store_txn *txn;
    int64_t oldest;
    bool any;
};

static bool delete_old(void *context, const char *key, struct slice value, uint64_t version)
{
    struct cleaning *cleaning = context;
    uint64_t hour;

    (void)value;
    (void)version;
    if (slice_to_u64(slice_from(strrchr(key, '/') + 1), &hour) && (int64_t)hour > cleaning->oldest)
        return true;
    store_delete(cleaning->txn, key);
    cleaning->any = true;
    return true;
}

/* {"routes":[since,seen],"hosts":[since,seen]} */
static void put_since(struct store_txn *txn, const struct hits *hits)
{
    json_t *stored = json_object();
    size_t bytes;
    char *text;

    for (unsigned scope = 0; scope < HITS_SCOPES; scope++)
        json_object_set_new(stored, scope_words[scope],
                            json_pack("[I,I]", (json_int_t)hits->lists[scope].since,
                                      (json_int_t)hits->lists[scope].seen));
    text = merge_canonical(stored, &bytes);
    store_put(txn, SINCE_KEY, slice_of(text, bytes));
    xfree(text);
    json_decref(stored);
}

/* What is new of this hour, and without what is too old; else it is tried again in a minute. */
static void write_hours(struct ledger *ledger)
{
    struct hits *hits = ledger->hits;
    struct cleaning cleaning = {store_begin(ledger->store), hits->hour - HITS_HOURS, false};

    for (unsigned scope = 0; scope < HITS_SCOPES; scope++) {
        if (!hits->lists[scope].is_dirty)
            continue;
        put_list(cleaning.txn, &hits->lists[scope], scope, hits->hour);
        cleaning.any = true;
    }
    if (hits->is_since_dirty) {
        put_since(cleaning.txn, hits);
        cleaning.any = true;
    }
    if (hits->has_old_rows)
        store_list(ledger->store, "hits/", NULL, false, delete_old, &cleaning);
    if (!cleaning.any) {
        store_abandon(&cleaning.txn);
        return;
    }
    if (store_commit(&cleaning.txn, false, NULL) != STORE_DONE)
        return;
    hits->has_old_rows = hits->is_since_dirty = false;
    for (unsigned scope = 0; scope < HITS_SCOPES; scope++)
        hits->lists[scope].is_dirty = false;
}

/* That it is counted now. */
static void see(struct hits *hits)
{
    for (unsigned scope = 0; scope < HITS_SCOPES; scope++) {
        struct hits_list *list = &hits->lists[scope];

        if (list->seen == hits->hour)
            continue;
        if (list->seen > hits->hour || hits->hour - list->seen > HITS_GAP_HOURS)
            list->since = hits->hour;
        list->seen = hits->hour;
        hits->is_since_dirty = true;
    }
}

/* A clock that was set back stays in the newest hour until it gets there again. */
static void advance(struct ledger *ledger)
{
    struct hits *hits = ledger->hits;
    int64_t now = ledger_wall_ms(ledger) / hour_ms;
    int64_t gone = now - hits->hour < HITS_HOURS ? now - hits->hour : HITS_HOURS;

    if (now <= hits->hour)
        return;
    write_hours(ledger); /* the hour that is over, as far as it is not written */
    for (unsigned scope = 0; scope < HITS_SCOPES; scope++) {
        for (int64_t i = 0; i < gone; i++)
            clear_hour(&hits->lists[scope], now - i);
        forget_silent(&hits->lists[scope]);
    }
    hits->hour = now;
    hits->has_old_rows = true;
    see(hits);
}

/* ---- from the store ---- */

struct loading {
    struct hits *hits;
    enum hits_scope scope;
};

static bool load_hour(void *context, const char *key, struct slice value, uint64_t version)
{
    struct loading *loading = context;
    struct hits *hits = loading->hits;
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);
    const char *name;
    json_t *requests;
    uint64_t hour;

    (void)version;
    if (slice_to_u64(slice_from(strrchr(key, '/') + 1), &hour) &&
        (int64_t)hour > hits->hour - HITS_HOURS && (int64_t)hour <= hits->hour)
        json_object_foreach(stored, name, requests)
        {
            if (json_integer_value(requests) > 0)
                add(name_for(&hits->lists[loading->scope], scope_rooms[loading->scope], name),
                    (int64_t)hour, (uint64_t)json_integer_value(requests));
        }
    json_decref(stored);
    return true;
}

static void load_since(struct hits *hits, struct store *store)
{
    struct buffer stored;
    json_t *json = NULL;

    buffer_init(&stored);
    if (store_get(store, SINCE_KEY, &stored, NULL))
        json = json_loads(buffer_text(&stored), 0, NULL);
    buffer_fini(&stored);
    for (unsigned scope = 0; scope < HITS_SCOPES; scope++) {
        const json_t *hours = json_object_get(json, scope_words[scope]);

        hits->lists[scope].since = json_integer_value(json_array_get(hours, 0));
        hits->lists[scope].seen = json_integer_value(json_array_get(hours, 1));
    }
    json_decref(json);
    see(hits);
}

static struct hits *hits_for(struct ledger *ledger)
{
    if (ledger->hits != NULL) {
        advance(ledger);
        return ledger->hits;
    }
    ledger->hits = xcalloc(1, sizeof(*ledger->hits));
    ledger->hits->hour = ledger_wall_ms(ledger) / hour_ms;
    ledger->hits->written_boot_ms = ledger_boot_ms(ledger);
    ledger->hits->has_old_rows = true;
    load_since(ledger->hits, ledger->store);
    for (unsigned scope = 0; scope < HITS_SCOPES; scope++) {
        struct loading loading = {ledger->hits, scope};
        char prefix[KEY_TEXT];

        (void)snprintf(prefix, sizeof(prefix), "hits/%s/", scope_words[scope]);
        store_list(ledger->store, prefix, NULL, false, load_hour, &loading);
    }
    return ledger->hits;
}

/* ---- what others call ---- */

void hits_note(struct ledger *ledger, enum hits_scope scope, const char *name, uint64_t requests)
{
    struct hits *hits = hits_for(ledger);

    if (requests == 0)
        return;
    add(name_for(&hits->lists[scope], scope_rooms[scope], name), hits->hour, requests);
    hits->lists[scope].is_dirty = true;
}

uint64_t hits_of(struct ledger *ledger, enum hits_scope scope, const char *name)
{
    const struct hits_name *found = find(&hits_for(ledger)->lists[scope], name);

    return found != NULL ? found->sum : 0;
}

size_t hits_each(struct ledger *ledger, enum hits_scope scope, hits_each_fn *each, void *context)
{
    const struct hits_list *list = &hits_for(ledger)->lists[scope];

    for (size_t i = 0; each != NULL && i < list->count; i++)
        each(context, list->names[i]->name, list->names[i]->sum);
    return list->count;
}

bool hits_are_complete(struct ledger *ledger, enum hits_scope scope)
{
    const struct hits *hits = hits_for(ledger);

    return hits->hour - hits->lists[scope].since >= HITS_HOURS;
}

void hits_missed_some(struct ledger *ledger, enum hits_scope scope)
{
    struct hits *hits = hits_for(ledger);

    hits->is_since_dirty = hits->is_since_dirty || hits->lists[scope].since != hits->hour;
    hits->lists[scope].since = hits->hour;
}

void hits_tick(struct ledger *ledger)
{
    uint64_t now_ms = ledger_boot_ms(ledger);
    struct hits *hits = hits_for(ledger);

    if (now_ms - hits->written_boot_ms < WRITE_EVERY_MS)
        return;
    hits->written_boot_ms = now_ms;
    write_hours(ledger);
}

void hits_save(struct ledger *ledger)
{
    if (ledger->hits != NULL)
        write_hours(ledger);
}

void hits_forget(struct ledger *ledger)
{
    struct hits *hits = ledger->hits;

    if (hits == NULL)
        return;
    for (unsigned scope = 0; scope < HITS_SCOPES; scope++) {
        for (size_t i = 0; i < hits->lists[scope].count; i++)
            free_name(hits->lists[scope].names[i]);
        xfree(hits->lists[scope].names);
    }
    xfree(hits);
    ledger->hits = NULL;
}
