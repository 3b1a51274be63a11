/*
 * slice - text as pointer and length.
 *
 * Threads  any (values)
 */
#include "base/slice.h"

static uint64_t eight_at(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof(eight));
    return eight;
}

#define EVERY_BYTE(value) ((value)*0x0101010101010101u)

/* ascii_lower() of eight bytes at once: bit 7 of a sum tells which of them are capitals. */
static uint64_t lower_eight(uint64_t bytes)
{
    uint64_t seven_bits = bytes & EVERY_BYTE(0x7fu);
    uint64_t from_a = seven_bits + EVERY_BYTE(0x80u - 'A');
    uint64_t past_z = seven_bits + EVERY_BYTE(0x7fu - 'Z');

    return bytes | ((from_a ^ past_z) & ~bytes & EVERY_BYTE(0x80u)) >> 2;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    size_t i = 0;

    if (a.len != b.len)
        return false;
    for (; i + 8 <= a.len; i += 8)
        if (lower_eight(eight_at(a.at + i)) != lower_eight(eight_at(b.at + i)))
            return false;
    for (; i < a.len; i++)
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice text)
{
    while (text.len > 0 && is_blank(text.at[0]))
        text = slice_after(text, 1);
    while (text.len > 0 && is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

bool slice_next_element(struct slice *rest, struct slice *element_out)
{
    const char *comma;

    if (rest->at == NULL)
        return false;
    comma = rest->len > 0 ? memchr(rest->at, ',', rest->len) : NULL;
    if (comma == NULL) {
        *element_out = slice_trim(*rest);
        *rest = (struct slice){NULL, 0};
        return true;
    }
    *element_out = slice_trim(slice_of(rest->at, (size_t)(comma - rest->at)));
    *rest = slice_after(*rest, (size_t)(comma - rest->at) + 1);
    return true;
}

bool slice_to_u64(struct slice text, uint64_t *value_out)
{
    uint64_t value = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text.at[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *value_out = value;
    return true;
}

struct slice slice_of_u64(uint64_t value, char digits[SLICE_DIGITS])
{
    size_t at = SLICE_DIGITS;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return slice_of(digits + at, SLICE_DIGITS - at);
}

char *slice_copy(struct slice text, char *dst, size_t dst_bytes)
{
    size_t len = text.len < dst_bytes - 1 ? text.len : dst_bytes - 1;

    if (len > 0)
        memcpy(dst, text.at, len);
    dst[len] = '\0';
    return dst;
}
