/*
 * digest - SHA-256 and HMAC-SHA-256, by OpenSSL.
 *
 * Threads  any
 */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/check.h"

struct digest digest_of(struct slice content)
{
    struct digest digest;

    SHA256((const unsigned char *)(content.len > 0 ? content.at : ""), content.len, digest.bytes);
    return digest;
}

struct digest digest_hmac(struct slice key, struct slice content)
{
    struct digest digest;
    unsigned len = 0;

    CHECK(HMAC(EVP_sha256(), key.at, (int)key.len, (const unsigned char *)content.at, content.len,
               digest.bytes, &len) != NULL);
    CHECK(len == DIGEST_BYTES);
    return digest;
}

void digest_sha1(struct slice content, unsigned char out[DIGEST_SHA1_BYTES])
{
    SHA1((const unsigned char *)content.at, content.len, out);
}

char *digest_text(const struct digest *digest, char text_out[DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";

    memcpy(text_out, "sha256:", 7);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        text_out[7 + 2 * i] = hex[digest->bytes[i] >> 4];
        text_out[8 + 2 * i] = hex[digest->bytes[i] & 15];
    }
    text_out[DIGEST_TEXT - 1] = '\0';
    return text_out;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse_hex(struct slice hex, struct digest *digest_out)
{
    struct digest digest;

    if (hex.len != 2 * DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_value(hex.at[2 * i]);
        int low = hex_value(hex.at[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        digest.bytes[i] = (unsigned char)(high << 4 | low);
    }
    *digest_out = digest;
    return true;
}

bool digest_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}
