/*
 * proxy_protocol - the PROXY protocol, versions 1 and 2.
 *
 * Threads  any; pure
 */
#include "proxy/http/proxy_protocol.h"

#include <arpa/inet.h>

enum { V1_MAX_BYTES = 107, V2_HEAD_BYTES = 16 };

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static void map_v4(const uint8_t four[4], uint8_t out[16])
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, four, 4);
}

static bool next_word(struct slice *rest, char *word, size_t room)
{
    const char *space = rest->len > 0 ? memchr(rest->at, ' ', rest->len) : NULL;
    size_t len = space == NULL ? rest->len : (size_t)(space - rest->at);

    if (len == 0 || len >= room || memchr(rest->at, '\0', len) != NULL)
        return false;
    slice_copy(slice_of(rest->at, len), word, room);
    *rest = slice_after(*rest, space == NULL ? len : len + 1);
    return true;
}

static bool read_port(struct slice *rest, uint16_t *port)
{
    char word[8];
    uint64_t number;

    if (!next_word(rest, word, sizeof(word)) || !slice_to_u64(slice_from(word), &number) ||
        number > 65535 || (word[0] == '0' && word[1] != '\0'))
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool read_address(struct slice *rest, bool is_ipv6, uint8_t out[16])
{
    char word[64];
    uint8_t four[4];

    if (!next_word(rest, word, sizeof(word)))
        return false;
    if (is_ipv6)
        return inet_pton(AF_INET6, word, out) == 1;
    if (inet_pton(AF_INET, word, four) != 1)
        return false;
    map_v4(four, out);
    return true;
}

static bool read_v1_line(struct slice line, struct proxy_protocol_source *source)
{
    char family[16];
    uint8_t destination[16];
    uint16_t port;
    bool is_ipv6;

    line = slice_after(line, 6);
    if (!next_word(&line, family, sizeof(family)))
        return false;
    if (strcmp(family, "UNKNOWN") == 0)
        return true;
    is_ipv6 = strcmp(family, "TCP6") == 0;
    if ((!is_ipv6 && strcmp(family, "TCP4") != 0) || line.len == 0 || line.at[line.len - 1] == ' ')
        return false;
    if (!read_address(&line, is_ipv6, source->address) ||
        !read_address(&line, is_ipv6, destination) || !read_port(&line, &source->port) ||
        !read_port(&line, &port) || line.len > 0)
        return false;
    source->is_known = true;
    return true;
}

static enum proxy_protocol_result read_v1(struct slice bytes, struct proxy_protocol_source *source,
                                          size_t *used_out)
{
    size_t look = bytes.len < V1_MAX_BYTES ? bytes.len : V1_MAX_BYTES;
    const char *newline = memchr(bytes.at, '\n', look);
    size_t end;

    if (newline == NULL)
        return bytes.len >= V1_MAX_BYTES ? PROXY_PROTOCOL_MALFORMED : PROXY_PROTOCOL_INCOMPLETE;
    end = (size_t)(newline - bytes.at);
    if (end < 8 || bytes.at[end - 1] != '\r' || !read_v1_line(slice_of(bytes.at, end - 1), source))
        return PROXY_PROTOCOL_MALFORMED;
    *used_out = end + 1;
    return PROXY_PROTOCOL_DONE;
}

/* The TLVs behind the addresses must fill the rest exactly. */
static bool check_tlvs(const uint8_t *at, size_t left)
{
    while (left > 0) {
        size_t len;

        if (left < 3)
            return false;
        len = (size_t)at[1] << 8 | at[2];
        if (len > left - 3)
            return false;
        at += 3 + len;
        left -= 3 + len;
    }
    return true;
}

static bool read_v2_addresses(uint8_t family, const uint8_t *at, size_t len,
                              struct proxy_protocol_source *source)
{
    size_t need = family >> 4 == 1 ? 12 : family >> 4 == 2 ? 36 : 216;

    if (family == 0) /* unspecified: whatever follows is passed over */
        return true;
    if (len < need || family >> 4 == 0 || family >> 4 > 3 || (family & 15) > 2 ||
        !check_tlvs(at + need, len - need))
        return false;
    if (family == 0x11) {
        map_v4(at, source->address);
        source->port = (uint16_t)(at[8] << 8 | at[9]);
        source->is_known = true;
    } else if (family == 0x21) {
        memcpy(source->address, at, 16);
        source->port = (uint16_t)(at[32] << 8 | at[33]);
        source->is_known = true;
    }
    return true;
}

static enum proxy_protocol_result read_v2(struct slice bytes, struct proxy_protocol_source *source,
                                          size_t *used_out)
{
    const uint8_t *at = (const uint8_t *)bytes.at;
    size_t len;

    if (bytes.len < V2_HEAD_BYTES)
        return PROXY_PROTOCOL_INCOMPLETE;
    len = (size_t)at[14] << 8 | at[15];
    if (at[12] >> 4 != 2 || (at[12] & 15) > 1 || len > PROXY_PROTOCOL_MAX_BYTES - V2_HEAD_BYTES)
        return PROXY_PROTOCOL_MALFORMED;
    if (bytes.len < V2_HEAD_BYTES + len)
        return PROXY_PROTOCOL_INCOMPLETE;
    *used_out = V2_HEAD_BYTES + len;
    if ((at[12] & 15) == 0) /* LOCAL: a health check of the proxy in front */
        return PROXY_PROTOCOL_DONE;
    return read_v2_addresses(at[13], at + V2_HEAD_BYTES, len, source) ? PROXY_PROTOCOL_DONE
                                                                      : PROXY_PROTOCOL_MALFORMED;
}

enum proxy_protocol_result proxy_protocol_read(struct slice bytes,
                                               struct proxy_protocol_source *source_out,
                                               size_t *used_out)
{
    size_t compare = bytes.len < sizeof(v2_signature) ? bytes.len : sizeof(v2_signature);

    *source_out = (struct proxy_protocol_source){.is_known = false};
    if (bytes.len == 0)
        return PROXY_PROTOCOL_INCOMPLETE;
    if (memcmp(bytes.at, v2_signature, compare) == 0)
        return read_v2(bytes, source_out, used_out);
    compare = bytes.len < 6 ? bytes.len : 6;
    if (memcmp(bytes.at, "PROXY ", compare) == 0)
        return read_v1(bytes, source_out, used_out);
    return PROXY_PROTOCOL_MALFORMED;
}
