/*
 * reference_schema - a JSON Schema (2020-12) from the table of keys.
 *
 * It is for editors: what needs more than one value to judge is left to `twokey check`.
 *
 * Owner    nobody      Threads  any
 */
#include "config/reference.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/keys.h"

#define NAME_PATTERN "^[a-z0-9][a-z0-9-]{0,62}$"

static json_t *text_like(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *list_of(json_t *items)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *object_of(json_t *members)
{
    return json_pack("{s:s, s:{s:b}, s:o}", "type", "object", "patternProperties", "^//", 1,
                     "additionalProperties", members);
}

static json_t *reference_to(enum shape_id id)
{
    return json_pack("{s:s++}", "$ref", "#/$defs/", shape_of(id)->id, "");
}

/* A list of the words, those with a name behind a colon as a pattern. */
static json_t *words_schema(const char *words)
{
    json_t *any = json_array();
    json_t *plain = json_array();
    char one[64];

    while (words_next(&words, one, sizeof(one))) {
        if (one[strlen(one) - 1] == ':')
            json_array_append_new(
                any, json_pack("{s:s, s:s++}", "type", "string", "pattern", "^", one, "[!-~]+$"));
        else
            json_array_append_new(plain, json_string(one));
    }
    if (json_array_size(any) == 0) {
        json_decref(any);
        return json_pack("{s:o}", "enum", plain);
    }
    json_array_append_new(any, json_pack("{s:o}", "enum", plain));
    return json_pack("{s:o}", "anyOf", any);
}

static json_t *number_schema(const struct key *key)
{
    json_int_t low = key->type == TYPE_NUMBER ? (json_int_t)key->lowest : (json_int_t)key->min;
    const char *words = key->words;
    json_t *only;
    char one[64];

    if (words == NULL)
        return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", low, "maximum",
                         (json_int_t)key->max);
    only = json_array();
    while (words_next(&words, one, sizeof(one)))
        json_array_append_new(only, json_integer(strtoll(one, NULL, 10)));
    return json_pack("{s:o}", "enum", only);
}

static json_t *text_schema(const struct key *key)
{
    json_t *schema = json_pack("{s:s}", "type", "string");

    if (key->max > 0)
        json_object_set_new(schema, "maxLength", json_integer((json_int_t)key->max));
    return schema;
}

static json_t *value_schema(const struct key *key)
{
    switch (key->type) {
    case TYPE_COUNT:
    case TYPE_NUMBER: return number_schema(key);
    case TYPE_FLAG: return json_pack("{s:s}", "type", "boolean");
    case TYPE_SIZE: return text_like("^[0-9]+(B|KiB|MiB|GiB|TiB)$");
    case TYPE_DURATION: return text_like("^[0-9]+(ms|s|m|h|d)$");
    case TYPE_WORD:
    case TYPE_CHOICE: return words_schema(key->words);
    case TYPE_WORDS: return list_of(words_schema(key->words));
    case TYPE_NAME: return text_like(NAME_PATTERN);
    case TYPE_PATH: return text_like("^/[^?#]*$");
    case TYPE_TARGET: return text_like("^/[^#]*$");
    case TYPE_TOKEN: return text_like("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
    case TYPE_LISTEN_ADDRESS:
    case TYPE_SERVER_ADDRESS: return text_like("^(unix:/.+|.+:[0-9]{1,5})$");
    case TYPE_STATUS_RANGES: return text_like("^[0-9]{3}(-[0-9]{3})?(, *[0-9]{3}(-[0-9]{3})?)*$");
    case TYPE_METHODS: return list_of(text_like("^[!#$%&'*+.^_`|~0-9A-Z-]+$"));
    case TYPE_NAMES: return list_of(text_like(NAME_PATTERN));
    case TYPE_COUNTS: return list_of(number_schema(key));
    case TYPE_URLS: return list_of(text_like("^https?://[^/?#@]+([/?][^#]*)?$"));
    case TYPE_NETWORKS:
    case TYPE_HOSTS:
    case TYPE_TEXTS:
    case TYPE_HEADER_NAMES: return list_of(json_pack("{s:s}", "type", "string"));
    case TYPE_HEADER_MATCH:
    case TYPE_HEADER_SET: return object_of(json_pack("{s:s}", "type", "string"));
    case TYPE_SPLIT: return object_of(number_schema(key));
    case TYPE_TOKENS: return list_of(json_pack("{s:[s, s]}", "type", "string", "object"));
    case TYPE_TIME: return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
    case TYPE_CLOCK: return text_like("^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$");
    case TYPE_LIST: return list_of(reference_to(key->shape));
    case TYPE_OBJECTS: return list_of(json_pack("{s:s}", "type", "object"));
    case TYPE_OBJECT: return reference_to(key->shape);
    case TYPE_MAP: return object_of(reference_to(key->shape));
    default: return text_schema(key);
    }
}

static json_t *default_schema(const struct key *key)
{
    const char *text = key->default_text;

    if (text == NULL || text[0] == '(')
        return NULL;
    if (strcmp(text, "[]") == 0)
        return json_array();
    if (key->type == TYPE_FLAG)
        return json_boolean(strcmp(text, "true") == 0);
    if ((key->type == TYPE_COUNT || key->type == TYPE_NUMBER) &&
        text[strspn(text, "0123456789")] == '\0')
        return json_integer(strtoll(text, NULL, 10));
    return json_string(text);
}

static json_t *key_schema(const struct key *key)
{
    json_t *schema = value_schema(key);
    json_t *value = default_schema(key);

    CHECK(schema != NULL);
    if (key->zero_word != NULL)
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "const", key->zero_word);
    json_object_set_new(schema, "description", json_string(key->help));
    if (value != NULL)
        json_object_set_new(schema, "default", value);
    return schema;
}

static json_t *shape_schema(const struct shape *shape)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    json_t *schema = json_pack("{s:s, s:s}", "type", "object", "description", shape->help);

    for (size_t i = 0; i < shape->key_count; i++) {
        json_object_set_new(properties, shape->keys[i].name, key_schema(&shape->keys[i]));
        if (shape->keys[i].is_required)
            json_array_append_new(required, json_string(shape->keys[i].name));
    }
    json_object_set_new(schema, "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    json_decref(required);
    json_object_set_new(schema, "patternProperties", json_pack("{s:b}", "^//", 1));
    json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

/* Exactly one says what happens to a request. */
static void add_actions(json_t *route)
{
    json_object_set_new(route, "oneOf",
                        json_pack("[{s:[s]}, {s:[s]}, {s:[s]}, {s:[s]}]", "required", "pool",
                                  "required", "split", "required", "redirect", "required",
                                  "respond"));
}

void reference_schema(struct buffer *out)
{
    json_t *root =
        json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                  "A configuration document of twokey");
    json_t *definitions = json_object();
    char *text;

    json_object_update_new(root, shape_schema(shape_of(SHAPE_CONFIGURATION)));
    json_object_set_new(json_object_get(root, "properties"), "$schema",
                        json_pack("{s:s}", "type", "string"));
    for (int id = 0; id < SHAPE_COUNT; id++)
        if (id != SHAPE_CONFIGURATION)
            json_object_set_new(definitions, shape_of((enum shape_id)id)->id,
                                shape_schema(shape_of((enum shape_id)id)));
    add_actions(json_object_get(definitions, "ROUTE"));
    json_object_set_new(root, "$defs", definitions);
    text = json_dumps(root, JSON_INDENT(1));
    CHECK(text != NULL);
    buffer_append(out, text, strlen(text));
    buffer_append_literal(out, "\n");
    xfree(text);
    json_decref(root);
}
