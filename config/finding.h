/*
 * finding - one diagnostic about a configuration: where, how bad, which rule, what to do.
 *
 * The parser, validation and (later) the detectors all report through it.
 *
 * Owner    the findings list; texts live in its arena.      Threads  one at a time
 */
#ifndef CONFIG_FINDING_H
#define CONFIG_FINDING_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

enum finding_severity {
    FINDING_INFO,
    FINDING_WARNING,
    FINDING_ERROR, /* must be named to be accepted */
    FINDING_BLOCK, /* does not build, or must never run */
};

struct finding {
    enum finding_severity severity;
    const char *rule;    /* "config" for the parser's own, else a detector's id: "D001" */
    const char *file;    /* "conf.d/30-pools.json" or NULL when no one file is meant */
    const char *pointer; /* RFC 6901; "" is the whole document */
    const char *message; /* what is wrong, and what would be right */
    const char *fix;     /* what to do, or NULL */
    int line;            /* 0 when unknown */
    int column;
    bool is_unreadable; /* the file or directory could not be read at all */
};

struct findings {
    struct arena *arena; /* borrowed */
    struct finding *items;
    size_t count;
    size_t room;
};

void findings_init(struct findings *findings, struct arena *arena);
void findings_fini(struct findings *findings);

/* Adds a finding whose message is formatted; returns it, so that line, column and fix can be
 * filled.  file and pointer are copied. */
struct finding *finding_add(struct findings *findings, enum finding_severity severity,
                            const char *rule, const char *file, const char *pointer,
                            const char *format, ...) __attribute__((format(printf, 6, 7)));

size_t findings_count_at_least(const struct findings *findings, enum finding_severity severity);
const char *finding_severity_word(enum finding_severity severity);

/* "conf.d/30-pools.json: /pools/shop: what is wrong"; with line:column when known. */
size_t finding_text(const struct finding *finding, char *out, size_t out_bytes);

#endif
