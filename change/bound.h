/*
 * bound - what an approval binds: one object, serialised once; its bytes are stored, served and
 * hashed, never written again.
 *
 *   digest = "sha256:" + hex(SHA-256("twokey-change-v1\n" + bytes))
 *
 * Members: apply, base, change, cluster, contributors, deletes, diff, files, findings_overridden,
 * impact, iteration, nonce, policy, required, target, v; and overrides, where the change has some.
 *
 * Owner    results are the caller's      Threads  any
 */
#ifndef CHANGE_BOUND_H
#define CHANGE_BOUND_H

#include <stdint.h>

#include "base/digest.h"
#include "base/slice.h"

struct change;

struct bound_facts {
    const char *cluster; /* uuid */
    const char *nonce;   /* 128 random bits, hex */
    const char *diff_digest;
    const char *impact_digest; /* of what was told about the impact */
};

/* The bytes (xfree() them) of a change at its current iteration; no newline at the end. */
char *bound_write(const struct change *change, const struct bound_facts *facts, size_t *bytes_out);
/* Recomputed from stored bytes, always. */
char *bound_digest(struct slice bytes, char text_out[DIGEST_TEXT]);

#endif
