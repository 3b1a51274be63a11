/*
 * log - the structured log: one JSON object a line on stderr, each event named once.
 *
 *   log_event(EV_SERVER_DOWN, LOG_TEXT("pool", pool->name), LOG_NUMBER("port", 80));
 *
 * Threads  any but workers, which never wait for a file: they tell the observer or control.
 * Repeats of one event are limited to 20 a second; what was left out is counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_NOTICE, LOG_WARNING, LOG_ERROR };

enum event {
#define EVENT(name, level, word, help) EV_##name,
#include "base/events.def"
#undef EVENT
    EVENT_COUNT
};

struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } kind;
    struct slice text;
    int64_t number;
};

#define LOG_TEXT(key, value)  ((struct log_field){(key), LOG_FIELD_TEXT, slice_from(value), 0})
#define LOG_SLICE(key, value) ((struct log_field){(key), LOG_FIELD_TEXT, (value), 0})
#define LOG_NUMBER(key, value)                                                                     \
    ((struct log_field){(key), LOG_FIELD_NUMBER, {NULL, 0}, (int64_t)(value)})

#define log_event(event, ...)                                                                      \
    log_event_fields((event), (const struct log_field[]){__VA_ARGS__},                             \
                     sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

void log_event_fields(enum event event, const struct log_field *fields, size_t count);
/* Below this level nothing is written; the default is LOG_NOTICE. */
void log_set_level(enum log_level level);

/* Appends `text` as the inside of a JSON string; bytes that are not UTF-8 or are control
 * characters are escaped.  Returns the bytes written, never more than 6 × text.len. */
size_t log_escape(struct slice text, char *out);

#endif
