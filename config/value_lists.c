/*
 * value_lists - readers of the values that hold several: lists, and objects without a shape.
 *
 * What is wrong with one item is reported at that item; the others are read all the same.
 *
 * Owner    parse_documents()      Threads  one at a time
 */
#include "config/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/model.h"
#include "config/text.h"

/* ---- lists ---- */

typedef const char *item_fn(struct reader *reader, const struct key *key, const char *text,
                            void *item_out);

static const char *item_network(struct reader *reader, const struct key *key, const char *text,
                                void *item_out)
{
    (void)reader;
    (void)key;
    return text_read_network(text, item_out);
}

static const char *item_host(struct reader *reader, const struct key *key, const char *text,
                             void *item_out)
{
    (void)key;
    return text_read_host_pattern(reader->arena, text, item_out);
}

static const char *keep_item(struct reader *reader, const char *text, void *item_out)
{
    *(const char **)item_out = arena_strdup(reader->arena, text);
    return NULL;
}

static const char *item_method(struct reader *reader, const struct key *key, const char *text,
                               void *item_out)
{
    (void)key;
    if (!text_is_token(text))
        return "is not a method";
    for (const char *c = text; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            return "has small letters: methods are compared as written (\"GET\", \"POST\")";
    if (strcmp(text, "CONNECT") == 0)
        return "is not proxied";
    return keep_item(reader, text, item_out);
}

static const char *item_name(struct reader *reader, const struct key *key, const char *text,
                             void *item_out)
{
    (void)key;
    if (!text_is_name(text))
        return "is not a name (a-z, 0-9 and \"-\")";
    return keep_item(reader, text, item_out);
}

static const char *item_text(struct reader *reader, const struct key *key, const char *text,
                             void *item_out)
{
    (void)key;
    if (text[0] == '\0' || !text_is_printable(text))
        return "is empty or has control characters";
    return keep_item(reader, text, item_out);
}

static const char *item_url(struct reader *reader, const struct key *key, const char *text,
                            void *item_out)
{
    const char *why = text_check_url(reader->arena, text);

    (void)key;
    return why != NULL ? why : keep_item(reader, text, item_out);
}

static const char *item_field(struct reader *reader, const struct key *key, const char *text,
                              void *item_out)
{
    char *name = value_lowered(reader, text);

    (void)key;
    if (!text_is_token(text))
        return "is not the name of a field";
    *(const char **)item_out = name;
    return text_check_editable_field(name);
}

/* A list of texts, each read by `read` into an item of `item_bytes`. */
static void read_items(struct reader *reader, const struct key *key, json_t *value, char *base,
                       item_fn *read, size_t item_bytes)
{
    size_t count = json_array_size(value);
    char *items;
    char text[VALUE_SHOWN_MAX];
    size_t kept = 0;

    if (!json_is_array(value)) {
        reader_block(reader, "%s is not a list", value_shown(value, text));
        return;
    }
    if (key->max > 0 && count > key->max) {
        reader_block(reader, "has %zu items (at most %" PRIu64 ")", count, key->max);
        return;
    }
    items = arena_array(reader->arena, count, item_bytes);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        const char *item_text_now;
        const char *why;

        reader_enter_item(reader, i);
        item_text_now = value_expect_text(reader, item, "allowed here");
        if (item_text_now != NULL) {
            why = read(reader, key, item_text_now, items + kept * item_bytes);
            if (why != NULL)
                value_report_reason(reader, item, why);
            else
                kept++;
        }
        reader_leave(reader);
    }
    value_keep_list(key, base, items, kept);
}

void value_read_list(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    static item_fn *const readers[] = {
        [TYPE_NETWORKS] = item_network, [TYPE_HOSTS] = item_host, [TYPE_METHODS] = item_method,
        [TYPE_NAMES] = item_name,       [TYPE_TEXTS] = item_text, [TYPE_HEADER_NAMES] = item_field,
        [TYPE_URLS] = item_url,
    };

    read_items(reader, key, value, base, readers[key->type],
               key->type == TYPE_NETWORKS ? sizeof(struct conf_network) : sizeof(char *));
}

void value_read_counts(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    size_t i;
    size_t kept = 0;
    json_t *item;
    uint64_t *items;
    char text[VALUE_SHOWN_MAX];

    if (!json_is_array(value)) {
        reader_block(reader, "%s is not a list", value_shown(value, text));
        return;
    }
    items = arena_array(reader->arena, json_array_size(value), sizeof(*items));
    json_array_foreach(value, i, item)
    {
        reader_enter_item(reader, i);
        if (!json_is_integer(item) || json_integer_value(item) < (json_int_t)key->min ||
            json_integer_value(item) > (json_int_t)key->max)
            value_report_wrong(reader, key, item, key->noun);
        else
            items[kept++] = (uint64_t)json_integer_value(item);
        reader_leave(reader);
    }
    value_keep_list(key, base, items, kept);
}

static unsigned word_bit(struct reader *reader, const struct key *key, const json_t *item)
{
    const char *word = value_expect_text(reader, item, "one of the words allowed");
    int index = word != NULL ? words_index(key->words, word) : -1;

    if (word != NULL && index < 0)
        value_report_wrong(reader, key, item, "one of the words allowed");
    return index >= 0 ? 1U << index : 0;
}

void value_read_words(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    size_t i;
    json_t *item;
    unsigned bits = 0;
    char text[VALUE_SHOWN_MAX];

    if (!json_is_array(value)) {
        reader_block(reader, "%s is not a list", value_shown(value, text));
        return;
    }
    json_array_foreach(value, i, item)
    {
        reader_enter_item(reader, i);
        bits |= word_bit(reader, key, item);
        reader_leave(reader);
    }
    value_keep_number(key, base, bits);
}

/* ---- objects that are not of a shape ---- */

/* The order of members in a document means nothing, so it does not reach the model. */
static void sort_by_name(void *items, size_t count, size_t bytes)
{
    if (count > 0)
        qsort(items, count, bytes, value_by_name);
}

bool value_expect_object(struct reader *reader, const struct key *key, const json_t *value)
{
    char text[VALUE_SHOWN_MAX];

    if (!json_is_object(value))
        reader_block(reader, "%s is not an object", value_shown(value, text));
    else if (key->type != TYPE_SPLIT && key->max > 0 && json_object_size(value) > key->max)
        reader_block(reader, "has %zu members (at most %" PRIu64 ")", json_object_size(value),
                     key->max);
    else
        return true;
    return false;
}

static bool read_field(struct reader *reader, const struct key *key, const char *name,
                       const json_t *value, struct conf_header_edit *edit_out)
{
    const char *text = value_expect_text(reader, value, "a field value");
    const char *why = NULL;

    if (text == NULL)
        return false;
    edit_out->name = value_lowered(reader, name);
    edit_out->value = arena_strdup(reader->arena, text);
    if (!text_is_token(name))
        why = "is not the name of a field";
    else if (key->type == TYPE_HEADER_SET)
        why = text_check_editable_field(edit_out->name);
    if (why != NULL) {
        reader_block(reader, "\"%s\" %s", name, why);
        return false;
    }
    if (!text_is_field_value(text)) {
        value_report_reason(reader, value, "has bytes that a field value cannot hold");
        return false;
    }
    return true;
}

void value_read_header_object(struct reader *reader, const struct key *key, json_t *value,
                              char *base)
{
    struct conf_header_edit *edits;
    size_t count = 0;
    const char *name;
    json_t *member;

    if (!value_expect_object(reader, key, value))
        return;
    edits = arena_array(reader->arena, json_object_size(value), sizeof(*edits));
    json_object_foreach(value, name, member)
    {
        reader_enter(reader, name);
        if (read_field(reader, key, name, member, &edits[count])) {
            for (size_t i = 0; i < count; i++)
                if (strcmp(edits[i].name, edits[count].name) == 0)
                    reader_block(reader, "names the same field as another member");
            count++;
        }
        reader_leave(reader);
    }
    sort_by_name(edits, count, sizeof(*edits));
    value_keep_list(key, base, edits, count);
}

void value_read_split(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    struct conf_split *split;
    size_t count = 0;
    const char *name;
    json_t *weight;
    uint64_t sum = 0;

    if (!value_expect_object(reader, key, value))
        return;
    split = arena_array(reader->arena, json_object_size(value), sizeof(*split));
    json_object_foreach(value, name, weight)
    {
        reader_enter(reader, name);
        if (!json_is_integer(weight) || json_integer_value(weight) < 0 ||
            (uint64_t)json_integer_value(weight) > key->max) {
            value_report_wrong(reader, key, weight, key->noun);
            sum++; /* no second finding about the sum */
        } else {
            split[count].pool_name = arena_strdup(reader->arena, name);
            split[count].pool = CONFIG_NONE;
            split[count].weight = (uint32_t)json_integer_value(weight);
            sum += split[count].weight;
            count++;
        }
        reader_leave(reader);
    }
    if (sum == 0)
        reader_report(reader, FINDING_BLOCK,
                      "sends no request anywhere: at least one weight must be above 0")
            ->rule = "D016";
    sort_by_name(split, count, sizeof(*split));
    value_keep_list(key, base, split, count);
}

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* What is written is never repeated: it might be the token itself. */
static bool read_token(struct reader *reader, const json_t *item, struct conf_token *token_out)
{
    const json_t *hash = json_is_object(item) ? json_object_get(item, "hash") : item;
    const json_t *id = json_is_object(item) ? json_object_get(item, "id") : NULL;
    const char *text = json_string_value(hash);
    const char *name;
    json_t *member;

    if (json_is_object(item))
        json_object_foreach((json_t *)(uintptr_t)item, name,
                            member) if (member != hash && member != id)
            reader_block(reader, "\"%s\" is not a key of a token (\"id\", \"hash\")", name);
    if (text == NULL || !text_is_sha256(text)) {
        reader_block(reader, "is not the hash of a token (\"sha256:\" and 64 hex digits; `twokey "
                             "token PERSON` prints both)");
        return false;
    }
    if (id != NULL && (!json_is_string(id) || !text_is_name(json_string_value(id)))) {
        reader_block(reader, "its \"id\" is not a name (a-z, 0-9 and \"-\")");
        return false;
    }
    token_out->id = id != NULL ? arena_strdup(reader->arena, json_string_value(id)) : NULL;
    text += strlen("sha256:");
    for (size_t i = 0; i < sizeof(token_out->hash); i++)
        token_out->hash[i] =
            (unsigned char)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    return true;
}

void value_read_tokens(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    size_t i;
    size_t kept = 0;
    json_t *item;
    struct conf_token *tokens;

    if (!json_is_array(value)) {
        reader_block(reader, "is not a list of hashes");
        return;
    }
    if (json_array_size(value) > key->max) {
        reader_block(reader, "has %zu items (at most %" PRIu64 ")", json_array_size(value),
                     key->max);
        return;
    }
    tokens = arena_array(reader->arena, json_array_size(value), sizeof(*tokens));
    json_array_foreach(value, i, item)
    {
        reader_enter_item(reader, i);
        kept += read_token(reader, item, &tokens[kept]);
        reader_leave(reader);
    }
    value_keep_list(key, base, tokens, kept);
}

void value_read_shapes(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    char text[VALUE_SHOWN_MAX];

    if (!json_is_array(value))
        reader_block(reader, "%s is not a list", value_shown(value, text));
    else if (json_array_size(value) > key->max)
        reader_block(reader, "has %zu items (at most %" PRIu64 ")", json_array_size(value),
                     key->max);
    else
        list_read(reader, key, value, base);
}

void value_read_objects(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    size_t i;
    json_t *item;
    char text[VALUE_SHOWN_MAX];

    (void)key;
    (void)base;
    if (!json_is_array(value))
        reader_block(reader, "%s is not a list", value_shown(value, text));
    json_array_foreach(value, i, item)
    {
        reader_enter_item(reader, i);
        if (!json_is_object(item))
            reader_block(reader, "%s is not an object", value_shown(item, text));
        reader_leave(reader);
    }
}
