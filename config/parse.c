/*
 * parse - merged documents to the model, driven by the table of keys.
 *
 * Owner    the configuration lives in its arena      Threads  one at a time
 */
#include "config/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "config/document.h"
#include "config/internal.h"
#include "config/model.h"
#include "config/suggest.h"
#include "config/text.h"

/* ---- where we are ---- */

void reader_enter(struct reader *reader, const char *name)
{
    pointer_push(&reader->pointer, name);
}

void reader_enter_item(struct reader *reader, size_t index)
{
    pointer_push_index(&reader->pointer, index);
}

void reader_leave(struct reader *reader)
{
    pointer_pop(&reader->pointer);
}

const char *reader_file(const struct reader *reader)
{
    const struct pointer *pointer = &reader->pointer;

    if (pointer->depth == 0)
        return NULL;
    return documents_file_of(reader->documents, pointer->steps[0].name,
                             pointer->depth > 1 ? pointer->steps[1].name : "");
}

struct finding *reader_report(struct reader *reader, enum finding_severity severity,
                              const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return finding_add(reader->findings, severity, "config", reader_file(reader),
                       pointer_text(&reader->pointer), "%s", message);
}

/* ---- defaults ---- */

static void write_defaults(struct reader *reader, enum shape_id id, char *base)
{
    const struct shape *shape = shape_of(id);

    for (size_t i = 0; i < shape->key_count; i++) {
        const struct key *key = &shape->keys[i];
        bool is_kept = key->type == TYPE_OBJECT && shape_of(key->shape)->bytes > 1;

        if (is_kept)
            write_defaults(reader, key->shape, base + key->offset);
        else
            value_read_default(reader, key, base);
    }
}

static const void *prototype_of(struct reader *reader, enum shape_id id)
{
    if (reader->prototypes[id] == NULL) {
        reader->prototypes[id] = arena_alloc(reader->arena, shape_of(id)->bytes);
        write_defaults(reader, id, reader->prototypes[id]);
    }
    return reader->prototypes[id];
}

/* ---- objects and maps ---- */

static void unknown_key(struct reader *reader, const struct shape *shape, const char *name)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < shape->key_count; i++)
        suggestion_offer(&suggestion, shape->keys[i].name);
    if (suggestion.best != NULL)
        reader_block(reader, "is not a key of %s; did you mean \"%s\"?", shape->title,
                     suggestion.best);
    else
        reader_block(reader, "is not a key of %s (docs/configuration.md lists them)", shape->title);
}

static void report_missing(struct reader *reader, const struct shape *shape, const json_t *object)
{
    for (size_t i = 0; i < shape->key_count; i++) {
        const struct key *key = &shape->keys[i];

        if (key->is_required && json_object_get(object, key->name) == NULL)
            reader_block(reader, "has no \"%s\" (%s)", key->name, key->help);
    }
}

void object_read(struct reader *reader, enum shape_id id, json_t *object, char *base)
{
    const struct shape *shape = shape_of(id);
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const struct key *key = key_find(shape, name);

        reader_enter(reader, name);
        if (key != NULL)
            value_read(reader, key, value, base);
        else
            unknown_key(reader, shape, name);
        reader_leave(reader);
    }
    report_missing(reader, shape, object);
    object_check(reader, id, object, base);
}

static bool map_entry(struct reader *reader, const struct shape *shape, enum shape_id id,
                      const char *name, json_t *value, char *base)
{
    char text[VALUE_SHOWN_MAX];

    if (!text_is_name(name))
        reader_block(reader,
                     "\"%s\" is not a name (a-z, 0-9 and \"-\", 1 to 63 of them, not "
                     "\"-\" first)",
                     name);
    if (!json_is_object(value)) {
        reader_block(reader, "%s is not an object", value_shown(value, text));
        return false;
    }
    memcpy(base, prototype_of(reader, id), shape->bytes);
    if (shape->bytes > 1)
        *(const char **)(void *)base = arena_strdup(reader->arena, name);
    object_read(reader, id, value, base);
    return true;
}

void map_read(struct reader *reader, const struct key *key, json_t *object, char *base)
{
    const struct shape *shape = shape_of(key->shape);
    char *items = arena_array(reader->arena, json_object_size(object), shape->bytes);
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        reader_enter(reader, name);
        count += map_entry(reader, shape, key->shape, name, value, items + count * shape->bytes);
        reader_leave(reader);
    }
    if (shape->bytes > 1 && count > 0)
        qsort(items, count, shape->bytes, value_by_name);
    value_keep_list(key, base, items, count);
}

void list_read(struct reader *reader, const struct key *key, json_t *list, char *base)
{
    const struct shape *shape = shape_of(key->shape);
    char *items = arena_array(reader->arena, json_array_size(list), shape->bytes);
    size_t count = 0;
    size_t i;
    json_t *value;
    char text[VALUE_SHOWN_MAX];

    json_array_foreach(list, i, value)
    {
        reader_enter_item(reader, i);
        if (!json_is_object(value)) {
            reader_block(reader, "%s is not an object", value_shown(value, text));
        } else {
            memcpy(items + count * shape->bytes, prototype_of(reader, key->shape), shape->bytes);
            object_read(reader, key->shape, value, items + count++ * shape->bytes);
        }
        reader_leave(reader);
    }
    value_keep_list(key, base, items, count);
}

void parse_documents(const struct documents *documents, struct configuration *configuration,
                     struct findings *findings)
{
    struct reader reader = {
        .arena = configuration->arena, .findings = findings, .documents = documents};

    pointer_init(&reader.pointer);
    write_defaults(&reader, SHAPE_CONFIGURATION, (char *)configuration);
    object_read(&reader, SHAPE_CONFIGURATION, documents->merged, (char *)configuration);
    people_check(&reader, configuration);
    pointer_fini(&reader.pointer);
}
