/*
 * internal - what parse.c and values.c share: a reader that walks documents beside the table of
 * keys and knows at each moment where it is.
 *
 * Owner    parse_documents(), on its stack      Threads  one at a time
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "config/finding.h"
#include "config/keys.h"
#include "config/pointer.h"

struct configuration;
struct documents;

struct reader {
    struct arena *arena;
    struct findings *findings;
    const struct documents *documents;
    struct pointer pointer;
    /* A struct of each shape with all defaults in it; copied into each new object. */
    void *prototypes[SHAPE_COUNT];
};

/* A finding of rule "config" at the place where the reader is. */
struct finding *reader_report(struct reader *reader, enum finding_severity severity,
                              const char *format, ...) __attribute__((format(printf, 3, 4)));
#define reader_block(reader, ...) reader_report((reader), FINDING_BLOCK, __VA_ARGS__)

/* The document that says what is read now; NULL at the root. */
const char *reader_file(const struct reader *reader);

void reader_enter(struct reader *reader, const char *name);
void reader_enter_item(struct reader *reader, size_t index);
void reader_leave(struct reader *reader);

/* Checks `value` and writes it into the struct at `base` that has the key's field. */
void value_read(struct reader *reader, const struct key *key, json_t *value, char *base);
/* Writes what the key's default says. */
void value_read_default(struct reader *reader, const struct key *key, char *base);

/* Readers of one type each, in the table of values.c. */
typedef void value_fn(struct reader *reader, const struct key *key, json_t *value, char *base);
value_fn value_read_list, value_read_words, value_read_counts, value_read_header_object,
    value_read_split, value_read_tokens, value_read_objects, value_read_shapes;

enum { VALUE_SHOWN_MAX = 64 };
/* The value as written, cut to a length that fits a message. */
const char *value_shown(const json_t *value, char out[VALUE_SHOWN_MAX]);
/* `70000 is not a weight (0 to 1000)` */
void value_report_wrong(struct reader *reader, const struct key *key, const json_t *value,
                        const char *what);
/* The reason is the end of a sentence that begins with the value. */
void value_report_reason(struct reader *reader, const json_t *value, const char *reason);
/* The text of a string, or NULL and a finding. */
const char *value_expect_text(struct reader *reader, const json_t *value, const char *what);
/* True for an object that is not too large, else a finding. */
bool value_expect_object(struct reader *reader, const struct key *key, const json_t *value);
char *value_lowered(struct reader *reader, const char *text);
/* For qsort: compares structs that begin with their name. */
int value_by_name(const void *a, const void *b);
void value_keep_list(const struct key *key, char *base, void *items, size_t count);

/* An object of a shape into the struct at `base`, which has the defaults already. */
void object_read(struct reader *reader, enum shape_id shape, json_t *object, char *base);
/* Name to object of a shape; an array sorted by name into the key's field. */
void map_read(struct reader *reader, const struct key *key, json_t *object, char *base);

/* List of objects of a shape; an array in the order given into the key's field. */
void list_read(struct reader *reader, const struct key *key, json_t *list, char *base);

/* Writes a number into the key's field, whatever its width. */
void value_keep_number(const struct key *key, char *base, uint64_t value);

/* What must hold among all people (parse_people.c). */
void people_check(struct reader *reader, struct configuration *configuration);

/* What must hold within one object, beyond its single keys (parse_objects.c). */
void object_check(struct reader *reader, enum shape_id shape, json_t *object, char *base);

#endif
