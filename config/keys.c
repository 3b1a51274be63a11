/*
 * keys - the table of keys, made from keys.def.
 *
 * Owner    nobody: constant      Threads  any
 */
#include "config/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "config/model.h"
#include "config/text.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define TIB(n) ((uint64_t)(n) << 40)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define NONE NULL

#define FIELD(type, field)                                                                         \
    .offset = offsetof(struct type, field), .bytes = sizeof(((struct type *)NULL)->field)
/* A pointer and, right behind it, its count: written as one struct key_list. */
#define LIST_FIELD(type, field, count_field)                                                       \
    .offset = offsetof(struct type, field) +                                                       \
              0 * sizeof(char[offsetof(struct type, count_field) ==                                \
                                      offsetof(struct type, field) + sizeof(void *)                \
                                  ? 1                                                              \
                                  : -1]),                                                          \
    .bytes = sizeof(struct key_list)
#define PRESENT(type, field) .present = 1 + offsetof(struct type, field)
#define SAME_STRUCT          .offset = 0
#define NOT_KEPT             .bytes = 0

#define SHAPE(id, type, title, help) static const struct key id##_keys[] = {
#define KEY(key_name, key_type, where, key_default, key_help, ...)                                 \
    {.name = (key_name),                                                                           \
     .type = TYPE_##key_type,                                                                      \
     where,                                                                                        \
     .default_text = key_default,                                                                  \
     .help = key_help,                                                                             \
     __VA_ARGS__},
#define END_SHAPE                                                                                  \
    }                                                                                              \
    ;
#include "config/keys.def"
#undef SHAPE
#undef KEY
#undef END_SHAPE

static const struct shape shapes[SHAPE_COUNT] = {
#define SHAPE(shape_id, type, shape_title, shape_help)                                             \
    [SHAPE_##shape_id] = {.id = #shape_id,                                                         \
                          .title = (shape_title),                                                  \
                          .help = shape_help,                                                      \
                          .bytes = sizeof(type),                                                   \
                          .keys = shape_id##_keys,                                                 \
                          .key_count = sizeof(shape_id##_keys) / sizeof(struct key)},
#define KEY(...)
#define END_SHAPE
#include "config/keys.def"
#undef SHAPE
#undef KEY
#undef END_SHAPE
};

const struct shape *shape_of(enum shape_id id)
{
    return &shapes[id];
}

const struct key *key_find(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->key_count; i++)
        if (strcmp(shape->keys[i].name, name) == 0)
            return &shape->keys[i];
    return NULL;
}

bool words_next(const char **rest, char *out, size_t out_bytes)
{
    size_t len = strcspn(*rest, "|");

    if (**rest == '\0')
        return false;
    slice_copy(slice_of(*rest, len), out, out_bytes);
    *rest += len + ((*rest)[len] == '|');
    return true;
}

int words_index(const char *words, const char *word)
{
    char one[64];

    for (int i = 0; words_next(&words, one, sizeof(one)); i++)
        if (strcmp(one, word) == 0)
            return i;
    return -1;
}

const char *key_type_word(const struct key *key)
{
    static const char *const words[] = {
        [TYPE_COUNT] = "whole number",
        [TYPE_NUMBER] = "whole number",
        [TYPE_FLAG] = "true or false",
        [TYPE_SIZE] = "size",
        [TYPE_DURATION] = "duration",
        [TYPE_WORD] = "word",
        [TYPE_WORDS] = "list of words",
        [TYPE_CHOICE] = "word",
        [TYPE_TEXT] = "text",
        [TYPE_BODY] = "text",
        [TYPE_FILE] = "file",
        [TYPE_NAME] = "name",
        [TYPE_PATH] = "path",
        [TYPE_TARGET] = "path with query",
        [TYPE_LOCATION] = "URL or path",
        [TYPE_HOST] = "host",
        [TYPE_TOKEN] = "token",
        [TYPE_HEADER_VALUE] = "field value",
        [TYPE_LISTEN_ADDRESS] = "address",
        [TYPE_SERVER_ADDRESS] = "address",
        [TYPE_STATUS_RANGES] = "statuses",
        [TYPE_NETWORKS] = "list of networks",
        [TYPE_HOSTS] = "list of hosts",
        [TYPE_METHODS] = "list of methods",
        [TYPE_NAMES] = "list of names",
        [TYPE_TEXTS] = "list of texts",
        [TYPE_URLS] = "list of URLs",
        [TYPE_COUNTS] = "list of whole numbers",
        [TYPE_HEADER_MATCH] = "object: field to value",
        [TYPE_HEADER_SET] = "object: field to value",
        [TYPE_HEADER_NAMES] = "list of field names",
        [TYPE_SPLIT] = "object: pool to weight",
        [TYPE_TOKENS] = "list of hashes",
        [TYPE_TIME] = "time",
        [TYPE_CLOCK] = "time of the day",
        [TYPE_OBJECTS] = "list of objects",
        [TYPE_LIST] = "list of objects",
        [TYPE_OBJECT] = "object",
        [TYPE_MAP] = "object by name",
    };

    return words[key->type];
}

static size_t words_text(const char *words, char *out, size_t out_bytes)
{
    char one[64];
    size_t used = 0;

    out[0] = '\0';
    while (words_next(&words, one, sizeof(one)) && used + sizeof(one) + 8 < out_bytes) {
        const char *name = one[strlen(one) - 1] == ':' ? "NAME" : "";

        used += (size_t)snprintf(out + used, out_bytes - used, "%s\"%s%s\"", used > 0 ? ", " : "",
                                 one, name);
    }
    return used;
}

const char *key_range_text(const struct key *key, char *out, size_t out_bytes)
{
    char low[32];
    char high[32];
    size_t used = 0;

    out[0] = '\0';
    if (key->words != NULL) {
        words_text(key->words, out, out_bytes);
        return out;
    }
    switch (key->type) {
    case TYPE_COUNT:
    case TYPE_COUNTS:
        used = (size_t)snprintf(out, out_bytes, "%" PRIu64 " to %" PRIu64, key->min, key->max);
        break;
    case TYPE_NUMBER:
        used = (size_t)snprintf(out, out_bytes, "%" PRId64 " to %" PRIu64, key->lowest, key->max);
        break;
    case TYPE_SIZE:
        used = (size_t)snprintf(out, out_bytes, "%s to %s", text_of_size(key->min, low),
                                text_of_size(key->max, high));
        break;
    case TYPE_DURATION:
        used = (size_t)snprintf(out, out_bytes, "%s to %s", text_of_duration(key->min, low),
                                text_of_duration(key->max, high));
        break;
    case TYPE_TEXT:
    case TYPE_BODY:
        (void)snprintf(out, out_bytes, "at most %s", text_of_size(key->max, high));
        break;
    default: break;
    }
    if (key->zero_word != NULL && used < out_bytes)
        (void)snprintf(out + used, out_bytes - used, ", or \"%s\"", key->zero_word);
    return out;
}
