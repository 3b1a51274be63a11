/*
 * headers - look-up of known field names by a table that is free of collisions.
 *
 * Threads  any, after headers_init()
 */
#include "proxy/http/headers.h"

#include <pthread.h>

#include "base/check.h"

enum { SLOTS = 256, FACTORS_TRIED = 1 << 20 };

static const struct slice names[HEADER_COUNT] = {
    [HEADER_OTHER] = SLICE_INIT(""),
#define HEADER(identifier, name, flags, help) [HEADER_##identifier] = SLICE_INIT(name),
#include "proxy/http/headers.def"
#undef HEADER
};

#define HOP     HEADER_HOP
#define FRAMING HEADER_FRAMING
#define OURS    HEADER_OURS
#define KEEP    HEADER_KEEP
#define SECRET  HEADER_SECRET
#define ONCE    HEADER_ONCE
const uint8_t header_flags_of[HEADER_COUNT] = {
#define HEADER(identifier, name, flags, help) [HEADER_##identifier] = (flags),
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

/* Case is folded roughly here; whether it is the same name is asked afterwards. */
static uint32_t four_at(const char *at)
{
    uint32_t four;

    memcpy(&four, at, sizeof(four));
    return four | 0x20202020u;
}

static unsigned slot_of(struct slice name, unsigned factor)
{
    size_t len = name.len;
    uint32_t first = len >= 4 ? four_at(name.at) : (unsigned char)name.at[0] | 0x20u;
    uint32_t last = len >= 4 ? four_at(name.at + len - 4) : (unsigned char)name.at[len - 1] | 0x20u;
    uint32_t mixed = first + last * 31u + (uint32_t)len * 0x9e3779b9u;

    return (mixed * factor) >> 24 & (SLOTS - 1);
}

static bool fits(unsigned factor)
{
    memset(slots, 0, sizeof(slots));
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        unsigned slot = slot_of(names[i], factor);

        if (slots[slot] != 0)
            return false;
        slots[slot] = (uint8_t)i;
    }
    return true;
}

static void build(void)
{
    unsigned factor = 2654435761u;

    for (unsigned i = 0; i < FACTORS_TRIED && multiplier == 0; i++, factor += 2)
        if (fits(factor))
            multiplier = factor;
    /* Two rows of the same first and last four letters and length: mix in more of the name. */
    CHECK(multiplier != 0);
}

void headers_init(void)
{
    pthread_once(&once, build);
}

enum header header_find(struct slice name)
{
    enum header found;

    CHECK(multiplier != 0);
    if (name.len < 2)
        return HEADER_OTHER;
    found = slots[slot_of(name, multiplier)];
    return found != HEADER_OTHER && slice_equal_nocase(names[found], name) ? found : HEADER_OTHER;
}

const char *header_name(enum header header)
{
    return names[header].at;
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

#define EVERY_BYTE(value) ((value)*0x0101010101010101u)

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Eight bytes at once: is one of them below 0x20 or 0x7f?  Tabs count too, and are rare. */
static bool may_have_control(const char *at)
{
    uint64_t bytes;
    uint64_t below_space;
    uint64_t not_delete;

    memcpy(&bytes, at, sizeof(bytes));
    below_space = (bytes - EVERY_BYTE(0x20u)) & ~bytes;
    not_delete = bytes ^ EVERY_BYTE(0x7fu);
    return ((below_space | ((not_delete - EVERY_BYTE(1u)) & ~not_delete)) & EVERY_BYTE(0x80u)) != 0;
}

bool is_field_value(struct slice text)
{
    size_t i = 0;

    for (; i + 8 <= text.len; i += 8) {
        if (!may_have_control(text.at + i))
            continue;
        for (size_t j = i; j < i + 8; j++)
            if (is_control((unsigned char)text.at[j]))
                return false;
    }
    for (; i < text.len; i++)
        if (is_control((unsigned char)text.at[i]))
            return false;
    return true;
}
