/*
 * texttable - see texttable.h.
 *
 * Owner    the caller.      Threads  one at a time
 */
#include "admin/texttable.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"

static void add_cell(struct texttable *table, const char *text)
{
    if (table->cells == table->room) {
        size_t room = table->room * 2;
        const char **texts = arena_array(table->arena, room, sizeof(*texts));
        memcpy(texts, table->texts, table->cells * sizeof(*texts));
        table->texts = texts;
        table->room = room;
    }
    table->texts[table->cells++] = text;
}

void texttable_init(struct texttable *table, struct arena *arena, const char *const *headings)
{
    *table = (struct texttable){.arena = arena, .room = 64};
    table->texts = arena_array(arena, table->room, sizeof(*table->texts));
    for (; headings[table->columns] != NULL; table->columns++) {
        CHECK(table->columns < TEXTTABLE_COLUMNS);
        add_cell(table, headings[table->columns]);
    }
}

void texttable_cell(struct texttable *table, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    add_cell(table, arena_strdup(table->arena, text));
}

/* In characters, so that a name that is not ASCII does not shift its line. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789.,%-+")] == '\0';
}

struct column {
    size_t width;
    bool is_right;
};

static struct column measure(const struct texttable *table, size_t column)
{
    struct column found = {0, table->cells > table->columns};

    for (size_t i = column; i < table->cells; i += table->columns) {
        size_t width = width_of(table->texts[i]);
        if (width > found.width)
            found.width = width;
        if (i >= table->columns && !is_number(table->texts[i]))
            found.is_right = false;
    }
    return found;
}

static void add_spaces(struct buffer *out, size_t count)
{
    memset(buffer_reserve(out, count + 1), ' ', count);
    out->end += (uint32_t)count;
}

void texttable_write(const struct texttable *table, struct buffer *out, unsigned indent)
{
    struct column columns[TEXTTABLE_COLUMNS];

    CHECK(table->cells % table->columns == 0);
    for (size_t i = 0; i < table->columns; i++)
        columns[i] = measure(table, i);
    for (size_t i = 0; i < table->cells; i++) {
        size_t at = i % table->columns;
        size_t gap = columns[at].width - width_of(table->texts[i]);
        bool is_last = at + 1 == table->columns;
        add_spaces(out, at == 0 ? indent : 2);
        if (columns[at].is_right)
            add_spaces(out, gap);
        buffer_append_slice(out, slice_from(table->texts[i]));
        if (is_last)
            buffer_append_literal(out, "\n");
        else if (!columns[at].is_right)
            add_spaces(out, gap);
    }
}
