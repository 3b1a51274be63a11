/*
 * histogram - where a duration belongs in the log-linear buckets; integers only.
 *
 * Buckets 0 to 3 are 16 µs wide; from 64 µs on each octave has four of equal width, so that
 * no bucket is wider than a quarter of its lower edge.  The last one has no upper edge.
 *
 * Owner    nobody (pure).      Threads  any
 */
#include "observe/counters.h"

enum { LINEAR_SHIFT = 4, PER_OCTAVE_BITS = 2, PER_OCTAVE = 1 << PER_OCTAVE_BITS };

unsigned histogram_bucket(uint64_t us)
{
    unsigned shift;
    uint64_t bucket;

    if (us < PER_OCTAVE << LINEAR_SHIFT)
        return (unsigned)(us >> LINEAR_SHIFT);
    shift = 63u - (unsigned)__builtin_clzll(us) - PER_OCTAVE_BITS;
    bucket = (uint64_t)PER_OCTAVE * (shift - LINEAR_SHIFT) + (us >> shift);
    return bucket < HISTOGRAM_BUCKETS ? (unsigned)bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_edge_us(unsigned bucket)
{
    unsigned next = bucket + 1;

    if (next >= HISTOGRAM_BUCKETS)
        return UINT64_MAX;
    if (next < PER_OCTAVE)
        return (uint64_t)next << LINEAR_SHIFT;
    return (uint64_t)(PER_OCTAVE + next % PER_OCTAVE) << (next / PER_OCTAVE - 1 + LINEAR_SHIFT);
}
