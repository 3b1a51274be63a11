/*
 * values - one reader for each type of value in the table of keys.
 *
 * Each reports what is wrong at the place where the reader is and then leaves the field as it was.
 *
 * Owner    parse_documents()      Threads  one at a time
 */
#include "config/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "config/suggest.h"
#include "config/text.h"

/* ---- writing ---- */

void value_keep_number(const struct key *key, char *base, uint64_t value)
{
    char *at = base + key->offset;

    switch (key->bytes) {
    case 0: break;
    case 1: *(uint8_t *)at = (uint8_t)value; break;
    case 2: *(uint16_t *)(void *)at = (uint16_t)value; break;
    case 4: *(uint32_t *)(void *)at = (uint32_t)value; break;
    case 8: *(uint64_t *)(void *)at = value; break;
    default: panic("%s: no number has %zu bytes", key->name, key->bytes);
    }
}

static void keep_text(struct reader *reader, const struct key *key, char *base, const char *text)
{
    if (key->bytes == 0)
        return;
    CHECK(key->bytes == sizeof(char *));
    *(const char **)(void *)(base + key->offset) = arena_strdup(reader->arena, text);
}

void value_keep_list(const struct key *key, char *base, void *items, size_t count)
{
    if (key->bytes == 0)
        return;
    CHECK(key->bytes == sizeof(struct key_list));
    *(struct key_list *)(void *)(base + key->offset) = (struct key_list){items, count};
}

int value_by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- saying what is there ---- */

/* The value as written, cut to a length that fits a message. */
const char *value_shown(const json_t *value, char out[VALUE_SHOWN_MAX])
{
    char *text;

    if (json_is_object(value))
        return "an object";
    if (json_is_array(value))
        return "a list";
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL)
        return "the value";
    if (snprintf(out, VALUE_SHOWN_MAX, "%s", text) >= VALUE_SHOWN_MAX)
        memcpy(out + VALUE_SHOWN_MAX - 4, "...", 4);
    xfree(text);
    return out;
}

void value_report_wrong(struct reader *reader, const struct key *key, const json_t *value,
                        const char *what)
{
    char text[VALUE_SHOWN_MAX];
    char range[512];

    key_range_text(key, range, sizeof(range));
    reader_block(reader, "%s is not %s%s%s%s", value_shown(value, text), what, range[0] ? " (" : "",
                 range, range[0] ? ")" : "");
}

/* The reason is the end of a sentence that begins with the value. */
void value_report_reason(struct reader *reader, const json_t *value, const char *reason)
{
    char text[VALUE_SHOWN_MAX];

    reader_block(reader, "%s %s", value_shown(value, text), reason);
}

/* The text of a string, or NULL and a finding. */
const char *value_expect_text(struct reader *reader, const json_t *value, const char *what)
{
    char text[VALUE_SHOWN_MAX];

    if (json_is_string(value))
        return json_string_value(value);
    reader_block(reader, "%s is not %s (a text in quotes)", value_shown(value, text), what);
    return NULL;
}

static bool is_zero_word(const struct key *key, const json_t *value)
{
    return key->zero_word != NULL && json_is_string(value) &&
           strcmp(json_string_value(value), key->zero_word) == 0;
}

/* ---- numbers and words ---- */

static void read_count(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    json_int_t number = json_integer_value(value);
    char digits[24];

    if (is_zero_word(key, value)) {
        value_keep_number(key, base, 0);
        return;
    }
    (void)snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)number);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number < key->min ||
        (uint64_t)number > key->max || (key->words != NULL && words_index(key->words, digits) < 0))
        value_report_wrong(reader, key, value, key->noun);
    else
        value_keep_number(key, base, (uint64_t)number);
}

static void read_number(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < key->lowest || number > (json_int_t)key->max)
        value_report_wrong(reader, key, value, key->noun);
    else
        value_keep_number(key, base, (uint64_t)number);
}

static void read_flag(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    if (!json_is_boolean(value))
        value_report_wrong(reader, key, value, "true or false");
    else
        value_keep_number(key, base, json_is_true(value));
}

typedef const char *quantity_fn(const char *text, uint64_t *value_out);

static void read_quantity(struct reader *reader, const struct key *key, json_t *value, char *base,
                          quantity_fn *read, const char *noun, const char *units)
{
    uint64_t number = 0;
    const char *why;
    char text[VALUE_SHOWN_MAX];

    if (is_zero_word(key, value)) {
        value_keep_number(key, base, 0);
        return;
    }
    if (json_is_number(value)) {
        reader_block(reader, "%s has no unit (write %s)", value_shown(value, text), units);
        return;
    }
    if (!json_is_string(value)) {
        value_report_wrong(reader, key, value, noun);
        return;
    }
    why = read(json_string_value(value), &number);
    if (why != NULL)
        value_report_reason(reader, value, why);
    else if (number < key->min || number > key->max)
        value_report_wrong(reader, key, value, "allowed here");
    else
        value_keep_number(key, base, number);
}

static void read_size(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    read_quantity(reader, key, value, base, text_read_size, "a size", "\"64KiB\" or \"512B\"");
}

static void read_duration(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    read_quantity(reader, key, value, base, text_read_duration, "a duration",
                  "\"5s\" or \"250ms\"");
}

static int word_of(struct reader *reader, const struct key *key, const json_t *value)
{
    char range[512];
    char one[64];
    char text[VALUE_SHOWN_MAX];
    const char *words = key->words;
    struct suggestion suggestion;
    char best[64] = "";
    int index = json_is_string(value) ? words_index(words, json_string_value(value)) : -1;

    if (index >= 0)
        return index;
    if (json_is_string(value)) {
        suggestion_init(&suggestion, json_string_value(value));
        while (words_next(&words, one, sizeof(one))) {
            suggestion_offer(&suggestion, one);
            if (suggestion.best == one) { /* `one` is overwritten by the next */
                memcpy(best, one, sizeof(best));
                suggestion.best = best;
            }
        }
    }
    reader_block(reader, "%s is not one of %s%s%s%s", value_shown(value, text),
                 key_range_text(key, range, sizeof(range)), best[0] ? "; did you mean \"" : "",
                 best, best[0] ? "\"?" : "");
    return -1;
}

static void read_word(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    int index = word_of(reader, key, value);

    if (index >= 0)
        value_keep_number(key, base, (uint64_t)index);
}

char *value_lowered(struct reader *reader, const char *text)
{
    char *copy = arena_strdup(reader->arena, text);

    for (char *c = copy; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return copy;
}

/* "header:x-user" is the word "header:" and a name. */
static void read_choice(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    const char *text = value_expect_text(reader, value, "one of the words allowed");
    const char *colon = text != NULL ? strchr(text, ':') : NULL;
    char word[64];
    int index;

    if (text == NULL)
        return;
    slice_copy(slice_of(text, colon != NULL ? (size_t)(colon - text) + 1 : strlen(text)), word,
               sizeof(word));
    index = words_index(key->words, word);
    if (index < 0) {
        (void)word_of(reader, key, value);
    } else if (colon != NULL && !text_is_token(colon + 1)) {
        value_report_reason(reader, value, "does not name a field or cookie behind the colon");
    } else {
        value_keep_number(key, base, (uint64_t)index);
        if (colon != NULL)
            *(const char **)(void *)(base + key->second) =
                strcmp(word, "header:") == 0 ? value_lowered(reader, colon + 1)
                                             : arena_strdup(reader->arena, colon + 1);
    }
}

/* ---- texts ---- */

/* What is wrong with the text, or NULL; the text as it is kept. */
static const char *check_text(struct reader *reader, const struct key *key, const char *text,
                              const char **kept_out)
{
    *kept_out = text;
    switch (key->type) {
    case TYPE_NAME: return text_is_name(text) ? NULL : "is not a name (a-z, 0-9 and \"-\")";
    case TYPE_TOKEN:
        return text_is_token(text) ? NULL : "is not a token (letters, digits, !#$%&'*+-.^_`|~)";
    case TYPE_PATH: return text_check_path(text, false);
    case TYPE_TARGET: return text_check_path(text, true);
    case TYPE_LOCATION: return text_check_location(text);
    case TYPE_HOST: return text_read_host(reader->arena, text, kept_out);
    case TYPE_HEADER_VALUE:
        return text_is_field_value(text) ? NULL : "has bytes that a field value cannot hold";
    default:
        if (text[0] == '\0')
            return "is empty";
        return text_is_printable(text) ? NULL : "has control characters";
    }
}

static void read_text(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    const char *text = value_expect_text(reader, value, "a text");
    size_t max = key->max > 0 ? (size_t)key->max : 4096;
    const char *kept;
    const char *why;

    if (text == NULL)
        return;
    why = check_text(reader, key, text, &kept);
    if (why != NULL)
        value_report_reason(reader, value, why);
    else if (strlen(text) > max)
        reader_block(reader, "is too long (%zu bytes; at most %zu)", strlen(text), max);
    else
        keep_text(reader, key, base, kept);
}

static void read_body(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    const char *text = value_expect_text(reader, value, "a body");

    if (text == NULL)
        return;
    if (json_string_length(value) > key->max) {
        reader_block(reader, "is too long (%zu bytes; at most %" PRIu64 ")",
                     json_string_length(value), key->max);
        return;
    }
    keep_text(reader, key, base, text);
    *(size_t *)(void *)(base + key->second) = json_string_length(value);
}

static void read_address(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    const char *text = value_expect_text(reader, value, "an address");
    const char *why;

    if (text == NULL)
        return;
    why = text_read_address(reader->arena, text, key->type == TYPE_SERVER_ADDRESS,
                            (struct conf_address *)(void *)(base + key->offset));
    if (why != NULL)
        value_report_reason(reader, value, why);
}

static void read_status_ranges(struct reader *reader, const struct key *key, json_t *value,
                               char *base)
{
    const char *text = value_expect_text(reader, value, "a list of statuses");
    struct conf_status_range *ranges;
    size_t count;
    const char *why;

    if (text == NULL)
        return;
    why = text_read_status_ranges(reader->arena, text, &ranges, &count);
    if (why != NULL)
        value_report_reason(reader, value, why);
    else
        value_keep_list(key, base, ranges, count);
}

static void read_time(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    const char *text = value_expect_text(reader, value, "a time");
    int64_t wall_ms;
    const char *why;

    if (text == NULL)
        return;
    why = text_read_time(text, &wall_ms);
    if (why != NULL)
        value_report_reason(reader, value, why);
    else
        value_keep_number(key, base, (uint64_t)wall_ms);
}

static void read_clock(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    const char *text = value_expect_text(reader, value, "a time of the day");
    uint16_t minutes;
    const char *why;

    if (text == NULL)
        return;
    why = text_read_clock(text, &minutes);
    if (why != NULL)
        value_report_reason(reader, value, why);
    else
        value_keep_number(key, base, minutes);
}

static void read_object(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    char scratch = 0; /* stands in for what is checked but not kept */
    bool is_kept = shape_of(key->shape)->bytes > sizeof(scratch);

    if (value_expect_object(reader, key, value))
        object_read(reader, key->shape, value, is_kept ? base + key->offset : &scratch);
}

static void read_map(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    if (value_expect_object(reader, key, value))
        map_read(reader, key, value, base);
}

/* ---- the table ---- */

static value_fn *const readers[] = {
    [TYPE_COUNT] = read_count,
    [TYPE_NUMBER] = read_number,
    [TYPE_FLAG] = read_flag,
    [TYPE_SIZE] = read_size,
    [TYPE_DURATION] = read_duration,
    [TYPE_WORD] = read_word,
    [TYPE_WORDS] = value_read_words,
    [TYPE_CHOICE] = read_choice,
    [TYPE_TEXT] = read_text,
    [TYPE_BODY] = read_body,
    [TYPE_FILE] = read_text,
    [TYPE_NAME] = read_text,
    [TYPE_PATH] = read_text,
    [TYPE_TARGET] = read_text,
    [TYPE_LOCATION] = read_text,
    [TYPE_HOST] = read_text,
    [TYPE_TOKEN] = read_text,
    [TYPE_HEADER_VALUE] = read_text,
    [TYPE_LISTEN_ADDRESS] = read_address,
    [TYPE_SERVER_ADDRESS] = read_address,
    [TYPE_STATUS_RANGES] = read_status_ranges,
    [TYPE_NETWORKS] = value_read_list,
    [TYPE_HOSTS] = value_read_list,
    [TYPE_METHODS] = value_read_list,
    [TYPE_NAMES] = value_read_list,
    [TYPE_TEXTS] = value_read_list,
    [TYPE_URLS] = value_read_list,
    [TYPE_COUNTS] = value_read_counts,
    [TYPE_HEADER_MATCH] = value_read_header_object,
    [TYPE_HEADER_SET] = value_read_header_object,
    [TYPE_HEADER_NAMES] = value_read_list,
    [TYPE_SPLIT] = value_read_split,
    [TYPE_TOKENS] = value_read_tokens,
    [TYPE_TIME] = read_time,
    [TYPE_CLOCK] = read_clock,
    [TYPE_OBJECTS] = value_read_objects,
    [TYPE_LIST] = value_read_shapes,
    [TYPE_OBJECT] = read_object,
    [TYPE_MAP] = read_map,
};

static void report_no_effect(struct reader *reader, const struct key *key, const json_t *value)
{
    bool is_empty = (json_is_array(value) && json_array_size(value) == 0) ||
                    (json_is_object(value) && json_object_size(value) == 0) || json_is_false(value);

    if (!is_empty)
        reader_report(reader, FINDING_WARNING, "has no effect in this version: %s", key->no_effect);
}

void value_read(struct reader *reader, const struct key *key, json_t *value, char *base)
{
    if (json_is_null(value)) {
        reader_block(reader, "is null (leave the key out for its default)");
        return;
    }
    if (key->not_yet != NULL)
        reader_block(reader, "is not supported by this version (%s)", key->not_yet);
    if (key->no_effect != NULL)
        report_no_effect(reader, key, value);
    if (key->present > 0)
        *(bool *)(base + key->present - 1) = true;
    readers[key->type](reader, key, value, base);
}

static json_t *default_value(const struct key *key)
{
    const char *text = key->default_text;
    bool is_number = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';

    if (key->type == TYPE_FLAG)
        return json_boolean(strcmp(text, "true") == 0);
    if (is_number && (key->type == TYPE_COUNT || key->type == TYPE_NUMBER))
        return json_integer(strtoll(text, NULL, 10));
    if (strcmp(text, "[]") == 0)
        return json_array();
    return json_string(text);
}

void value_read_default(struct reader *reader, const struct key *key, char *base)
{
    json_t *value;

    if (key->type == TYPE_OBJECT || key->type == TYPE_MAP)
        return;
    if (key->default_text == NULL || key->default_text[0] == '(') {
        if (key->unset != 0)
            value_keep_number(key, base, key->unset);
        return;
    }
    value = default_value(key);
    readers[key->type](reader, key, value, base);
    json_decref(value);
}
