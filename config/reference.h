/*
 * reference - the documents made from the table of keys: reference page, folder page, JSON Schema.
 *
 * The committed ones are compared with what this gives by a test.
 *
 * Owner    nobody      Threads  any
 */
#ifndef CONFIG_REFERENCE_H
#define CONFIG_REFERENCE_H

#include <stddef.h>

struct buffer;

typedef void reference_fn(struct buffer *out);

/* docs/configuration.md, conf.d/README.md, docs/conf.schema.json */
reference_fn reference_page, reference_folder, reference_schema;

struct reference {
    const char *path; /* below the root of the repository */
    reference_fn *write;
};

extern const struct reference references[];
extern const size_t reference_count;

#endif
