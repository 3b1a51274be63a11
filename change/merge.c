/*
 * merge - see merge.h.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "change/merge.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "change/refusal.h"
#include "config/pointer.h"

/* jansson's iteration wants what it does not change to be changeable. */
static json_t *unconst(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

static bool is_equal(const json_t *a, const json_t *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(a, b) == 1);
}

/* ---- the names of objects, in order ---- */

struct names {
    const char **items;
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_add(struct names *names, const json_t *object)
{
    const char *key;
    json_t *value;

    names->items = xrealloc(names->items,
                            (names->count + json_object_size(object) + 1) * sizeof(*names->items));
    json_object_foreach(unconst(object), key, value) names->items[names->count++] = key;
}

/* Those of all the objects (others count as empty), each once, sorted; borrowed from them. */
static struct names names_of(const json_t *a, const json_t *b, const json_t *c)
{
    struct names names = {0};
    size_t kept = 0;

    names_add(&names, a);
    names_add(&names, b);
    names_add(&names, c);
    qsort(names.items, names.count, sizeof(*names.items), by_text);
    for (size_t i = 0; i < names.count; i++) {
        if (kept == 0 || strcmp(names.items[kept - 1], names.items[i]) != 0)
            names.items[kept++] = names.items[i];
    }
    names.count = kept;
    return names;
}

/* ---- merge patch ---- */

json_t *merge_patch(const json_t *base, const json_t *patch)
{
    json_t *result;
    const char *key;
    json_t *value;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    result = json_is_object(base) ? json_copy(unconst(base)) : json_object();
    json_object_foreach(unconst(patch), key, value)
    {
        if (json_is_null(value))
            json_object_del(result, key);
        else
            json_object_set_new(result, key, merge_patch(json_object_get(base, key), value));
    }
    /* what the patch does not name is still shared with base */
    json_object_foreach(result, key, value)
    {
        if (value == json_object_get(base, key))
            json_object_set_new(result, key, json_deep_copy(value));
    }
    return result;
}

json_t *merge_patch_between(const json_t *base, const json_t *target)
{
    json_t *patch;
    const char *key;
    json_t *value;

    if (!json_is_object(base) || !json_is_object(target))
        return json_deep_copy(target);
    patch = json_object();
    json_object_foreach(unconst(base), key, value)
    {
        if (json_object_get(target, key) == NULL)
            json_object_set_new(patch, key, json_null());
    }
    json_object_foreach(unconst(target), key, value)
    {
        const json_t *before = json_object_get(base, key);

        if (!is_equal(before, value))
            json_object_set_new(patch, key, merge_patch_between(before, value));
    }
    return patch;
}

/* ---- deletions ---- */

static void collect_deletions(struct pointer *at, const json_t *base, const json_t *target,
                              json_t *out)
{
    struct names names;

    if (target == NULL || (json_object_size(base) > 0 && !json_is_object(target))) {
        json_array_append_new(out, json_string(pointer_text(at)));
        return;
    }
    if (!json_is_object(base) || at->depth == POINTER_MAX_STEPS)
        return;
    names = names_of(base, NULL, NULL);
    for (size_t i = 0; i < names.count; i++) {
        pointer_push(at, names.items[i]);
        collect_deletions(at, json_object_get(base, names.items[i]),
                          json_object_get(target, names.items[i]), out);
        pointer_pop(at);
    }
    xfree(names.items);
}

static int by_string(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *sorted_strings(json_t *list)
{
    size_t count = json_array_size(list);
    json_t **items = xcalloc(count + 1, sizeof(json_t *));
    json_t *sorted = json_array();

    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(list, i);
    qsort(items, count, sizeof(json_t *), by_string);
    for (size_t i = 0; i < count; i++)
        json_array_append(sorted, items[i]);
    xfree(items);
    json_decref(list);
    return sorted;
}

json_t *merge_deletions(const json_t *base, const json_t *target)
{
    json_t *out = json_array();
    struct pointer at;

    pointer_init(&at);
    collect_deletions(&at, base, target, out);
    pointer_fini(&at);
    return sorted_strings(out);
}

/* `below` names the same as `above`, or something inside of it. */
static bool is_within(const char *below, const char *above)
{
    size_t len = strlen(above);

    return strncmp(below, above, len) == 0 && (below[len] == '\0' || below[len] == '/');
}

/* The whole, or a section: naming it lists nothing that is inside of it. */
static bool is_section(const char *pointer)
{
    return pointer[0] != '/' || strchr(pointer + 1, '/') == NULL;
}

static bool covers(const char *entry, const char *deletion)
{
    return strcmp(entry, deletion) == 0 || (!is_section(entry) && is_within(deletion, entry));
}

static const json_t *value_at(const json_t *value, const char *pointer)
{
    char name[256];

    while (value != NULL && *pointer == '/') {
        size_t len = 0;

        for (pointer++; *pointer != '\0' && *pointer != '/' && len + 1 < sizeof(name); pointer++) {
            char c = *pointer;

            if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
                c = *++pointer == '0' ? '~' : '/';
            name[len++] = c;
        }
        name[len] = '\0';
        value = json_object_get(value, name);
    }
    return *pointer == '\0' ? value : NULL;
}

static void add_error(json_t *errors, const char *rule, const char *pointer, const char *message,
                      const char *fix)
{
    json_array_append_new(errors,
                          json_pack("{s:s, s:s, s:s, s:s, s:s?}", "rule", rule, "severity", "block",
                                    "pointer", pointer, "message", message, "fix", fix));
}

/* An entry deletes something: what goes is inside of it, or it goes with something above it. */
static bool entry_deletes(const char *entry, const json_t *base, const json_t *deletions)
{
    for (size_t i = 0; i < json_array_size(deletions); i++) {
        const char *deletion = json_string_value(json_array_get(deletions, i));

        if (covers(entry, deletion))
            return true;
        if (is_within(entry, deletion) && value_at(base, entry) != NULL)
            return true;
    }
    return false;
}

static bool check_entries(const json_t *base, const json_t *deletions, const json_t *deletes,
                          struct refusal *refusal)
{
    json_t *errors = json_array();
    size_t wrong;

    for (size_t i = 0; i < json_array_size(deletes); i++) {
        const char *entry = json_string_value(json_array_get(deletes, i));
        char at[32];

        (void)snprintf(at, sizeof(at), "/deletes/%zu", i);
        if (entry == NULL)
            add_error(errors, "invalid-field", at,
                      "is not a string (a pointer such as \"/pools/shop/servers/s9\")", NULL);
        else if (!entry_deletes(entry, base, deletions))
            add_error(errors, "invalid-field", at, "names nothing that this change deletes",
                      "take the entry out, or take out of the configuration what it names");
    }
    wrong = json_array_size(errors);
    if (wrong == 0) {
        json_decref(errors);
        return true;
    }
    return refuse_with(refusal, "invalid-field", NULL, json_pack("{s:o}", "errors", errors),
                       "%zu of the entries of \"deletes\" %s nothing that this change deletes",
                       wrong, wrong == 1 ? "names" : "name");
}

static bool check_listed(const json_t *deletions, const json_t *deletes, struct refusal *refusal)
{
    json_t *errors = json_array();
    size_t missing;

    for (size_t i = 0; i < json_array_size(deletions); i++) {
        const char *deletion = json_string_value(json_array_get(deletions, i));
        bool is_listed = false;

        for (size_t n = 0; n < json_array_size(deletes) && !is_listed; n++)
            is_listed = covers(json_string_value(json_array_get(deletes, n)), deletion);
        if (!is_listed)
            add_error(errors, "unlisted-delete", deletion,
                      "would go, and \"deletes\" does not name it",
                      "add this pointer to \"deletes\" if it is meant to go");
    }
    missing = json_array_size(errors);
    if (missing == 0) {
        json_decref(errors);
        return true;
    }
    return refuse_with(refusal, "unlisted-delete", NULL, json_pack("{s:o}", "errors", errors),
                       "%zu thing%s would be deleted that \"deletes\" does not name", missing,
                       missing == 1 ? "" : "s");
}

bool merge_check_deletes(const json_t *base, const json_t *target, const json_t *deletes,
                         struct refusal *refusal)
{
    json_t *deletions = merge_deletions(base, target);
    bool is_fine = check_entries(base, deletions, deletes, refusal) &&
                   check_listed(deletions, deletes, refusal);

    json_decref(deletions);
    return is_fine;
}

/* ---- three ways ---- */

struct three_way {
    struct pointer at;
    json_t *conflicts;
};

static json_t *copy_of(const json_t *value)
{
    return value != NULL ? json_deep_copy(value) : NULL;
}

/* NULL: nothing is there. */
static json_t *join(struct three_way *way, const json_t *base, const json_t *mine,
                    const json_t *theirs)
{
    struct names names;
    json_t *result;

    if (is_equal(mine, base) || is_equal(mine, theirs))
        return copy_of(theirs);
    if (is_equal(theirs, base))
        return copy_of(mine);
    if (!json_is_object(mine) || !json_is_object(theirs) || way->at.depth == POINTER_MAX_STEPS) {
        json_array_append_new(way->conflicts, json_string(pointer_text(&way->at)));
        return copy_of(theirs);
    }
    result = json_object();
    names = names_of(mine, theirs, NULL);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        json_t *value;

        pointer_push(&way->at, name);
        value = join(way, json_object_get(base, name), json_object_get(mine, name),
                     json_object_get(theirs, name));
        pointer_pop(&way->at);
        if (value != NULL)
            json_object_set_new(result, name, value);
    }
    xfree(names.items);
    return result;
}

json_t *merge_three_way(const json_t *base, const json_t *mine, const json_t *theirs,
                        json_t **conflicts_out)
{
    struct three_way way = {.conflicts = json_array()};
    json_t *result;

    pointer_init(&way.at);
    result = join(&way, base, mine, theirs);
    pointer_fini(&way.at);
    *conflicts_out = way.conflicts;
    return result;
}

/* ---- bytes ---- */

char *merge_canonical(const json_t *value, size_t *bytes_out)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    CHECK(text != NULL); /* what jansson has read it can write */
    if (bytes_out != NULL)
        *bytes_out = strlen(text);
    return text;
}

/* ---- the difference, to be read ---- */

static const char masked[] = "changed (secret)";

/* people, a person, tokens: `at` is that deep already. */
static bool is_secret(const struct pointer *at)
{
    return at->depth >= 3 && strcmp(at->steps[0].name, "people") == 0 &&
           strcmp(at->steps[2].name, "tokens") == 0;
}

static bool may_hold_secrets(const struct pointer *at)
{
    return at->depth == 0 || (at->depth < 3 && strcmp(at->steps[0].name, "people") == 0);
}

static json_t *shown(struct pointer *at, const json_t *value)
{
    json_t *result;
    const char *key;
    json_t *member;

    if (is_secret(at))
        return json_string(masked);
    if (!json_is_object(value) || !may_hold_secrets(at))
        return json_deep_copy(value);
    result = json_object();
    json_object_foreach(unconst(value), key, member)
    {
        pointer_push(at, key);
        json_object_set_new(result, key, shown(at, member));
        pointer_pop(at);
    }
    return result;
}

static void add_difference(struct pointer *at, const json_t *before, const json_t *after,
                           json_t *out)
{
    const char *op = before == NULL ? "add" : after == NULL ? "remove" : "change";
    json_t *row = json_pack("{s:s, s:s}", "op", op, "pointer", pointer_text(at));

    if (before != NULL)
        json_object_set_new(row, "before", shown(at, before));
    if (after != NULL)
        json_object_set_new(row, "after", shown(at, after));
    json_array_append_new(out, row);
}

static void collect_differences(struct pointer *at, const json_t *before, const json_t *after,
                                json_t *out)
{
    struct names names;

    if (is_equal(before, after))
        return;
    if (!json_is_object(before) || !json_is_object(after) || at->depth == POINTER_MAX_STEPS) {
        add_difference(at, before, after, out);
        return;
    }
    names = names_of(before, after, NULL);
    for (size_t i = 0; i < names.count; i++) {
        pointer_push(at, names.items[i]);
        collect_differences(at, json_object_get(before, names.items[i]),
                            json_object_get(after, names.items[i]), out);
        pointer_pop(at);
    }
    xfree(names.items);
}

json_t *merge_diff(const json_t *before, const json_t *after)
{
    json_t *out = json_array();
    struct pointer at;

    pointer_init(&at);
    collect_differences(&at, before, after, out);
    pointer_fini(&at);
    return out;
}

static void append_value(struct buffer *out, const json_t *value)
{
    size_t bytes;
    char *text;

    if (value == NULL)
        return;
    text = merge_canonical(value, &bytes);
    buffer_append(out, text, bytes);
    xfree(text);
}

char *merge_diff_text(const json_t *diff)
{
    struct buffer out;
    char *text;

    buffer_init(&out);
    for (size_t i = 0; i < json_array_size(diff); i++) {
        const json_t *row = json_array_get(diff, i);
        const json_t *before = json_object_get(row, "before");
        const json_t *after = json_object_get(row, "after");

        buffer_printf(&out, "%c %s  ",
                      before == NULL  ? '+'
                      : after == NULL ? '-'
                                      : '~',
                      json_string_value(json_object_get(row, "pointer")));
        append_value(&out, before);
        if (before != NULL && after != NULL)
            buffer_append_literal(&out, " -> ");
        append_value(&out, after);
        buffer_append_literal(&out, "\n");
    }
    text = xstrdup(buffer_text(&out));
    buffer_fini(&out);
    return text;
}
