/*
 * hash - SipHash-1-3 over bytes.
 *
 * Threads  any
 */
#include "base/hash.h"

#include <pthread.h>
#include <sys/random.h>

#include "base/check.h"

const struct hash_key HASH_STABLE = {0x74776f6b65792031ULL, 0x737461626c652031ULL};

static struct hash_key process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void random_fill(void *bytes, size_t count)
{
    CHECK(getrandom(bytes, count, 0) == (ssize_t)count);
}

static void draw_process_key(void)
{
    random_fill(&process_key, sizeof(process_key));
}

const struct hash_key *hash_process_key(void)
{
    pthread_once(&process_key_once, draw_process_key);
    return &process_key;
}

uint64_t random_seed(void)
{
    uint64_t seed = 0;

    while (seed == 0)
        random_fill(&seed, sizeof(seed));
    return seed;
}

static inline uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    struct sip s = {key->k0 ^ 0x736f6d6570736575ULL, key->k1 ^ 0x646f72616e646f6dULL,
                    key->k0 ^ 0x6c7967656e657261ULL, key->k1 ^ 0x7465646279746573ULL};
    uint64_t last = (uint64_t)count << 56;
    size_t left = count;

    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, 8);
        sip_word(&s, word);
    }
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << (8 * i);
    sip_word(&s, last);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
