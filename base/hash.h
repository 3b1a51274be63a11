/*
 * hash - SipHash-1-3 over bytes, under a 128-bit key.
 *
 * With the process's random key it withstands peers who choose the bytes (tables);
 * with HASH_STABLE it gives the same number in every process (consistent hashing).
 *
 * Threads  any; hash_process_key() is fixed before the first thread starts
 * Source   Aumasson, Bernstein: SipHash: a fast short-input PRF (2012)
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

extern const struct hash_key HASH_STABLE;

/* Random, drawn once a process. */
const struct hash_key *hash_process_key(void);

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t count);

static inline uint64_t hash_slice(const struct hash_key *key, struct slice text)
{
    return hash_bytes(key, text.at, text.len);
}

/* A good second number from a first one (the finaliser of MurmurHash3). */
static inline uint64_t hash_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;
    return h;
}

/* xorshift64*: small, fast, one state word per owner; never for secrets. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dULL;
}

/* From the kernel; never zero. */
uint64_t random_seed(void);

#endif
