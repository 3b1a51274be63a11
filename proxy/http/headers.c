/*
 * headers - look-up of known field names by a table that is free of collisions.
 *
 * Threads  any, after headers_init()
 */
#include "proxy/http/headers.h"

#include <pthread.h>

#include "base/check.h"

enum { SLOTS = 512 };

struct row {
    struct slice name;
    unsigned flags;
};

#define HOP     HEADER_HOP
#define FRAMING HEADER_FRAMING
#define OURS    HEADER_OURS
#define KEEP    HEADER_KEEP
#define SECRET  HEADER_SECRET
#define ONCE    HEADER_ONCE
static const struct row rows[HEADER_COUNT] = {
    [HEADER_OTHER] = {SLICE_INIT(""), 0},
#define HEADER(identifier, name, flags, help) [HEADER_##identifier] = {SLICE_INIT(name), flags},
#include "proxy/http/headers.def"
#undef HEADER
};
#undef HOP
#undef FRAMING
#undef OURS
#undef KEEP
#undef SECRET
#undef ONCE

static uint8_t slots[SLOTS];
static unsigned multiplier;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static unsigned slot_of(struct slice name, unsigned factor)
{
    unsigned first = (unsigned char)name.at[0] | 0x20u;
    unsigned middle = (unsigned char)name.at[name.len / 2] | 0x20u;
    unsigned last = (unsigned char)name.at[name.len - 1] | 0x20u;
    unsigned mixed = (unsigned)name.len + first * 7u + middle * 131u + last * 8209u;

    return (mixed * factor) >> 16 & (SLOTS - 1);
}

static bool fits(unsigned factor)
{
    memset(slots, 0, sizeof(slots));
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        unsigned slot = slot_of(rows[i].name, factor);

        if (slots[slot] != 0)
            return false;
        slots[slot] = (uint8_t)i;
    }
    return true;
}

static void build(void)
{
    for (unsigned factor = 2654435761u; multiplier == 0; factor += 2)
        if (fits(factor))
            multiplier = factor;
}

void headers_init(void)
{
    pthread_once(&once, build);
}

enum header header_find(struct slice name)
{
    enum header found;

    if (name.len < 2)
        return HEADER_OTHER;
    found = slots[slot_of(name, multiplier)];
    return found != HEADER_OTHER && slice_equal_nocase(rows[found].name, name) ? found
                                                                               : HEADER_OTHER;
}

unsigned header_flags(enum header header)
{
    return rows[header].flags;
}

const char *header_name(enum header header)
{
    return rows[header].name.at;
}

static const bool token_chars[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,         ['&'] = 1,         ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,         ['^'] = 1,         ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

bool is_token(struct slice text)
{
    bool all = text.len > 0;

    for (size_t i = 0; i < text.len; i++)
        all &= token_chars[(unsigned char)text.at[i]];
    return all;
}

bool is_field_value(struct slice text)
{
    unsigned bad = 0;

    /* Without branches, so that the compiler can take many bytes at once. */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        bad |= (unsigned)((c < 0x20) & (c != '\t')) | (unsigned)(c == 0x7f);
    }
    return bad == 0;
}
