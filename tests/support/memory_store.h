/*
 * memory_store - a store in memory, in place of SQLite: it outlives store_close(), can be copied
 * and put back, and fails when it is told to.  For unit tests; included by one file of a test.
 */
#ifndef TESTS_SUPPORT_MEMORY_STORE_H
#define TESTS_SUPPORT_MEMORY_STORE_H

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/store.h"

struct memory_entry {
    char *key;
    char *bytes;
    size_t len;
    uint64_t version;
};

struct memory_image {
    struct memory_entry *entries; /* sorted by key */
    size_t count;
    size_t room;
    uint64_t transactions;
};

struct store {
    int unused;
};

struct store_txn {
    struct memory_entry expects[64];
    size_t expect_count;
    struct memory_entry writes[256]; /* bytes NULL: deleted */
    size_t write_count;
};

static struct memory_image memory;
static struct store memory_handle;
static struct store_txn memory_txn;
static bool memory_txn_is_open;
static bool memory_fails;            /* every commit, as a full disk does */
static int memory_commits_left = -1; /* so many are done before memory_fails; -1: all */

static size_t memory_place(const char *key)
{
    size_t low = 0;
    size_t high = memory.count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(memory.entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct memory_entry *memory_find(const char *key)
{
    size_t at = memory_place(key);

    return at < memory.count && strcmp(memory.entries[at].key, key) == 0 ? &memory.entries[at]
                                                                         : NULL;
}

static char *memory_copy(const char *bytes, size_t len)
{
    char *copy = xmalloc(len + 1);

    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static void memory_clear(struct memory_image *image)
{
    for (size_t i = 0; i < image->count; i++) {
        xfree(image->entries[i].key);
        xfree(image->entries[i].bytes);
    }
    xfree(image->entries);
    *image = (struct memory_image){0};
}

static __attribute__((unused)) struct memory_image memory_save(void)
{
    struct memory_image image = memory;

    image.room = memory.count;
    image.entries = xcalloc(memory.count + 1, sizeof(struct memory_entry));
    for (size_t i = 0; i < memory.count; i++) {
        image.entries[i] = memory.entries[i];
        image.entries[i].key = xstrdup(memory.entries[i].key);
        image.entries[i].bytes = memory_copy(memory.entries[i].bytes, memory.entries[i].len);
    }
    return image;
}

/* Takes the image. */
static __attribute__((unused)) void memory_restore(struct memory_image *image)
{
    memory_clear(&memory);
    memory = *image;
    *image = (struct memory_image){0};
}

static void memory_write(const char *key, const char *bytes, size_t len, uint64_t version)
{
    size_t at = memory_place(key);
    struct memory_entry *entry = memory_find(key);

    if (entry == NULL) {
        if (memory.count == memory.room) {
            memory.room = memory.room * 2 + 64;
            memory.entries = xrealloc(memory.entries, memory.room * sizeof(struct memory_entry));
        }
        memmove(&memory.entries[at + 1], &memory.entries[at],
                (memory.count - at) * sizeof(struct memory_entry));
        memory.count++;
        entry = &memory.entries[at];
        *entry = (struct memory_entry){.key = xstrdup(key)};
    }
    xfree(entry->bytes);
    entry->bytes = memory_copy(bytes, len);
    entry->len = len;
    entry->version = version;
}

static void memory_delete(const char *key)
{
    struct memory_entry *entry = memory_find(key);
    size_t at = memory_place(key);

    if (entry == NULL)
        return;
    xfree(entry->key);
    xfree(entry->bytes);
    memmove(entry, entry + 1, (memory.count - at - 1) * sizeof(struct memory_entry));
    memory.count--;
}

struct store *store_open(const char *state_directory, struct error *why)
{
    (void)state_directory;
    (void)why;
    return &memory_handle;
}

struct store *store_open_to_read(const char *state_directory, struct error *why)
{
    return store_open(state_directory, why);
}

void store_tick(struct store *store)
{
    (void)store;
}

void store_close(struct store **store)
{
    CHECK(!memory_txn_is_open);
    *store = NULL;
}

enum store_condition store_condition(const struct store *store, struct error *why)
{
    (void)store;
    if (memory_fails)
        error_set(why, ERROR_SYSTEM, "the disk is full");
    return memory_fails ? STORE_READ_ONLY : STORE_GOOD;
}

bool store_get(struct store *store, const char *key, struct buffer *out, uint64_t *version_out)
{
    const struct memory_entry *entry = memory_find(key);

    (void)store;
    if (entry == NULL)
        return false;
    if (out != NULL) {
        buffer_clear(out);
        buffer_append(out, entry->bytes, entry->len);
    }
    if (version_out != NULL)
        *version_out = entry->version;
    return true;
}

void store_list(struct store *store, const char *prefix, const char *after, bool is_descending,
                store_each_fn *each, void *context)
{
    size_t len = strlen(prefix);

    (void)store;
    for (size_t n = 0; n < memory.count; n++) {
        const struct memory_entry *entry =
            &memory.entries[is_descending ? memory.count - 1 - n : n];
        int order = after != NULL ? strcmp(entry->key, after) : 0;

        if (strncmp(entry->key, prefix, len) != 0 ||
            (after != NULL && (is_descending ? order >= 0 : order <= 0)))
            continue;
        if (!each(context, entry->key, slice_of(entry->bytes, entry->len), entry->version))
            return;
    }
}

struct store_txn *store_begin(struct store *store)
{
    (void)store;
    CHECK(!memory_txn_is_open);
    memory_txn_is_open = true;
    memory_txn = (struct store_txn){0};
    return &memory_txn;
}

void store_expect(struct store_txn *txn, const char *key, uint64_t version)
{
    CHECK(txn->expect_count < 64);
    txn->expects[txn->expect_count++] =
        (struct memory_entry){.key = xstrdup(key), .version = version};
}

void store_put(struct store_txn *txn, const char *key, struct slice value)
{
    CHECK(txn->write_count < 256);
    txn->writes[txn->write_count++] = (struct memory_entry){
        .key = xstrdup(key), .bytes = memory_copy(value.at, value.len), .len = value.len};
}

void store_delete(struct store_txn *txn, const char *key)
{
    CHECK(txn->write_count < 256);
    txn->writes[txn->write_count++] = (struct memory_entry){.key = xstrdup(key)};
}

void store_abandon(struct store_txn **holder)
{
    struct store_txn *txn = *holder;

    for (size_t i = 0; i < txn->expect_count; i++)
        xfree(txn->expects[i].key);
    for (size_t i = 0; i < txn->write_count; i++) {
        xfree(txn->writes[i].key);
        xfree(txn->writes[i].bytes);
    }
    memory_txn_is_open = false;
    *holder = NULL;
}

static bool memory_expects_hold(const struct store_txn *txn)
{
    for (size_t i = 0; i < txn->expect_count; i++) {
        const struct memory_entry *entry = memory_find(txn->expects[i].key);

        if ((entry != NULL ? entry->version : 0) != txn->expects[i].version)
            return false;
    }
    return true;
}

enum store_outcome store_commit(struct store_txn **holder, bool may_use_reserve, struct error *why)
{
    struct store_txn *txn = *holder;
    enum store_outcome outcome = STORE_DONE;

    (void)may_use_reserve;
    if (memory_commits_left == 0)
        memory_fails = true;
    if (memory_commits_left > 0)
        memory_commits_left--;
    if (memory_fails) {
        error_set(why, ERROR_SYSTEM, "the disk is full");
        outcome = STORE_FAILED;
    } else if (!memory_expects_hold(txn)) {
        outcome = STORE_CONFLICT;
    } else {
        memory.transactions++;
        for (size_t i = 0; i < txn->write_count; i++) {
            if (txn->writes[i].bytes == NULL)
                memory_delete(txn->writes[i].key);
            else
                memory_write(txn->writes[i].key, txn->writes[i].bytes, txn->writes[i].len,
                             memory.transactions);
        }
    }
    store_abandon(holder);
    return outcome;
}

#endif
