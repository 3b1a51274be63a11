/*
 * digest - SHA-256 and HMAC-SHA-256; SHA-1 where a protocol asks for it.
 *
 * Threads  any
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { DIGEST_BYTES = 32, DIGEST_TEXT = 7 + 64 + 1, DIGEST_SHA1_BYTES = 20 };

struct digest {
    unsigned char bytes[DIGEST_BYTES];
};

struct digest digest_of(struct slice content);
struct digest digest_hmac(struct slice key, struct slice content);
/* Proves nothing any more: for handshakes of WebSockets. */
void digest_sha1(struct slice content, unsigned char out[DIGEST_SHA1_BYTES]);
/* "sha256:" and 64 lower-case hex digits, with a NUL; returns text_out. */
char *digest_text(const struct digest *digest, char text_out[DIGEST_TEXT]);
/* 64 lower-case hex digits; false on anything else. */
bool digest_parse_hex(struct slice hex, struct digest *digest_out);
/* Takes the same time wherever they differ. */
bool digest_equal(const void *a, const void *b, size_t bytes);

#endif
