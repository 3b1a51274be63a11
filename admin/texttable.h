/*
 * texttable - aligned columns for people: numbers to the right, words to the left.
 *
 * Owner    the caller; cells live in his arena.      Threads  one at a time
 */
#ifndef ADMIN_TEXTTABLE_H
#define ADMIN_TEXTTABLE_H

#include <stddef.h>

struct arena;
struct buffer;

enum { TEXTTABLE_COLUMNS = 12 };

struct texttable {
    struct arena *arena;
    size_t columns;
    size_t cells; /* of all rows, in order; the first row is the heading */
    size_t room;
    const char **texts;
};

/* The headings end with NULL. */
void texttable_init(struct texttable *table, struct arena *arena, const char *const *headings);
/* One cell, formatted; a row is full when it has as many as there are headings. */
void texttable_cell(struct texttable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends heading and rows; `indent` spaces before each line. */
void texttable_write(const struct texttable *table, struct buffer *out, unsigned indent);

#endif
