/*
 * writer - numbers into memory of fixed size.
 *
 * Threads  one at a time
 */
#include "proxy/http/writer.h"

void write_u64(struct writer *w, uint64_t value)
{
    char digits[SLICE_DIGITS];

    write_slice(w, slice_of_u64(value, digits));
}

void write_hex(struct writer *w, uint64_t value)
{
    char digits[16];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    write_bytes(w, digits + at, sizeof(digits) - at);
}
