/*
 * headers - look-up of known field names by a table that is free of collisions.
 *
 * Threads  any, after headers_init()
 */
#include "proxy/http/headers.h"

#include <pthread.h>

#include "base/check.h"

/* Three words of eight bytes cover a name of up to 24. */
enum { SLOTS = 256, FACTORS_TRIED = 1 << 20, MAX_NAME = 24 };

const struct slice header_names[HEADER_COUNT] = {
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

/* A name in three words that overlap where it is short, so that comparing takes no loop. */
struct words {
    uint64_t word[3];
};

/* Of each known name: its words, and 0x20 in every byte that is a letter.  A name is known when its
 * words are the same after that bit is set: exactly the letters are compared without case. */
struct row {
    struct words name;
    struct words letters;
    size_t len;
};

static struct row rows[HEADER_COUNT];
static uint8_t slots[SLOTS];
static unsigned multiplier;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t eight_at(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof(eight));
    return eight;
}

static uint32_t four_at(const char *at)
{
    uint32_t four;

    memcpy(&four, at, sizeof(four));
    return four;
}

static inline struct words words_of(struct slice name)
{
    const char *end = name.at + name.len;

    if (name.len >= 8)
        return (struct words){
            {eight_at(name.at), eight_at(end - 8), name.len > 16 ? eight_at(name.at + 8) : 0}};
    if (name.len >= 4)
        return (struct words){{four_at(name.at), four_at(end - 4), 0}};
    return (struct words){
        {(unsigned char)name.at[0], (unsigned char)end[-1], (unsigned char)name.at[1]}};
}

/* Case is folded roughly here; whether it is the same name is asked afterwards. */
static unsigned slot_of(const struct words *words, size_t len, unsigned factor)
{
    uint64_t folded =
        (words->word[0] | 0x2020202020202020u) + (words->word[1] | 0x2020202020202020u) * 31u + len;

    return (unsigned)((uint32_t)(folded ^ folded >> 32) * factor) >> 24 & (SLOTS - 1);
}

static bool fits(unsigned factor)
{
    memset(slots, 0, sizeof(slots));
    for (unsigned i = 1; i < HEADER_COUNT; i++) {
        unsigned slot = slot_of(&rows[i].name, rows[i].len, factor);

        if (slots[slot] != 0)
            return false;
        slots[slot] = (uint8_t)i;
    }
    return true;
}

static void fill_row(struct row *row, struct slice name)
{
    char letters[MAX_NAME];

    CHECK(name.len >= 2 && name.len <= MAX_NAME);
    for (size_t i = 0; i < name.len; i++)
        letters[i] = name.at[i] >= 'a' && name.at[i] <= 'z' ? 0x20 : 0;
    row->name = words_of(name);
    row->letters = words_of(slice_of(letters, name.len));
    row->len = name.len;
}

static void build(void)
{
    unsigned factor = 2654435761u;

    for (unsigned i = 1; i < HEADER_COUNT; i++)
        fill_row(&rows[i], header_names[i]);
    for (unsigned i = 0; i < FACTORS_TRIED && multiplier == 0; i++, factor += 2)
        if (fits(factor))
            multiplier = factor;
    /* Two names of the same first and last eight letters and length: mix in more of the name. */
    CHECK(multiplier != 0);
}

void headers_init(void)
{
    pthread_once(&once, build);
}

enum header header_find(struct slice name)
{
    struct words words;
    const struct row *row;
    unsigned slot;

    CHECK(multiplier != 0);
    if (name.len < 2 || name.len > MAX_NAME)
        return HEADER_OTHER;
    words = words_of(name);
    slot = slot_of(&words, name.len, multiplier);
    row = &rows[slots[slot]];
    if (row->len != name.len)
        return HEADER_OTHER;
    for (unsigned i = 0; i < 3; i++)
        if ((words.word[i] | row->letters.word[i]) != row->name.word[i])
            return HEADER_OTHER;
    return slots[slot];
}

const char *header_name(enum header header)
{
    return header_names[header].at;
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

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Sixteen bytes at once; 0xff where one is a control character. */
typedef uint8_t sixteen __attribute__((vector_size(16)));

static inline sixteen controls_at(const char *at)
{
    sixteen bytes;

    memcpy(&bytes, at, sizeof(bytes));
    return (sixteen)((bytes < 0x20) & (bytes != '\t')) | (sixteen)(bytes == 0x7f);
}

static bool has_long_control(struct slice text)
{
    const char *last = text.at + text.len - 16;
    sixteen controls = controls_at(last);
    uint64_t halves[2];

    for (const char *at = text.at; at < last; at += 16)
        controls |= controls_at(at);
    memcpy(halves, &controls, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

#define EVERY_BYTE(value) ((value)*0x0101010101010101u)

/* Eight bytes at once: is one of them below 0x20, a tab too, or 0x7f? */
static inline bool has_odd_byte(uint64_t bytes)
{
    uint64_t not_delete = bytes ^ EVERY_BYTE(0x7fu);

    return ((((bytes - EVERY_BYTE(0x20u)) & ~bytes) |
             ((not_delete - EVERY_BYTE(1u)) & ~not_delete)) &
            EVERY_BYTE(0x80u)) != 0;
}

bool is_field_value(struct slice text)
{
    if (text.len >= 16)
        return !has_long_control(text);
    if (text.len >= 8 && !has_odd_byte(eight_at(text.at)) &&
        !has_odd_byte(eight_at(text.at + text.len - 8)))
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (is_control((unsigned char)text.at[i]))
            return false;
    return true;
}
