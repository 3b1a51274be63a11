/*
 * websocket - see websocket.h.
 *
 * Threads  any; pure
 */
#include "proxy/http/websocket.h"

#include <string.h>

#include "base/digest.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static char *put_base64(char *at, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0u) |
                         (left > 2 ? (uint32_t)bytes[i + 2] : 0u);

        *at++ = digits[three >> 18];
        *at++ = digits[three >> 12 & 63];
        *at++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[three & 63] : '=';
    }
    return at;
}

void websocket_make_key(const uint64_t random[2], char key_out[WEBSOCKET_KEY + 1])
{
    unsigned char bytes[16];

    memcpy(bytes, random, sizeof(bytes));
    *put_base64(key_out, bytes, sizeof(bytes)) = '\0';
}

bool websocket_is_accepted(struct slice key, struct slice accept)
{
    char text[WEBSOCKET_KEY + sizeof(GUID)];
    unsigned char digest[DIGEST_SHA1_BYTES];
    char expected[28];

    if (key.len != WEBSOCKET_KEY)
        return false;
    memcpy(text, key.at, WEBSOCKET_KEY);
    memcpy(text + WEBSOCKET_KEY, GUID, sizeof(GUID));
    digest_sha1(slice_of(text, sizeof(text) - 1), digest);
    put_base64(expected, digest, sizeof(digest));
    return slice_equal(accept, slice_of(expected, sizeof(expected)));
}
