/*
 * document - the JSON files of a configuration, read and merged; remembers who said what.
 *
 * Comments ("//…" keys) and "$schema" are gone from what it holds.  Problems become findings and
 * reading goes on: one syntax error hides only its own file.
 *
 * Owner    whoever called documents_init()      Threads  one at a time
 */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct findings;

enum {
    DOCUMENT_MAX_BYTES = 64 << 20,
    DOCUMENT_MAX_DEPTH = 16,
    DOCUMENTS_MAX = 1000,
};

struct documents {
    struct findings *findings; /* borrowed */
    json_t *merged;            /* section to name to value */
    json_t *origins;           /* section to name to index in files */
    char **files;
    size_t file_count;
};

void documents_init(struct documents *documents, struct findings *findings);
void documents_fini(struct documents *documents);

/* Reads every *.json of `directory` in name order; false when it cannot be read at all. */
bool documents_read_directory(struct documents *documents, const char *directory);
/* Adds one document that findings call `file`. */
void documents_add(struct documents *documents, const char *file, struct slice bytes);

/* The file that says /section/name, or else /section; NULL when none does. */
const char *documents_file_of(const struct documents *documents, const char *section,
                              const char *name);

#endif
