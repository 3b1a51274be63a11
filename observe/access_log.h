/*
 * access_log - a record as one line of JSON.
 *
 * Texts come from peers: whatever bytes they hold, the line stays one line of valid JSON.
 *
 * Owner    the observer.      Threads  one at a time
 */
#ifndef OBSERVE_ACCESS_LOG_H
#define OBSERVE_ACCESS_LOG_H

#include <stddef.h>
#include <stdint.h>

struct record;

/* No line is longer. */
enum { ACCESS_LOG_LINE_BYTES = 10240 };

struct access_log {
    const char *const *reason_words;
    const char *const *failure_words;
    int64_t second;     /* that time_text is of */
    char time_text[32]; /* "2026-11-22T10:41:40." */
};

void access_log_init(struct access_log *log, const char *const *reason_words,
                     const char *const *failure_words);

/* Writes the line and its newline; returns the bytes written, at most ACCESS_LOG_LINE_BYTES. */
size_t access_log_format(struct access_log *log, const struct record *record, char *out);

#endif
