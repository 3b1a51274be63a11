/*
 * network - addresses as 16 bytes.
 *
 * Threads  any; pure
 */
#include "proxy/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config/model.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool matches(const struct conf_network *network, const uint8_t address[16])
{
    unsigned whole = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;

    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || ((network->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

bool network_contains(const struct conf_networks *networks, const uint8_t address[16])
{
    for (size_t i = 0; i < networks->count; i++)
        if (matches(&networks->items[i], address))
            return true;
    return false;
}

bool network_parse_address(struct slice text, uint8_t address_out[16])
{
    char copy[NETWORK_TEXT + 16];
    char *cut;

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    slice_copy(text, copy, sizeof(copy));
    if (copy[0] == '[') {
        cut = strchr(copy, ']');
        if (cut == NULL)
            return false;
        *cut = '\0';
        return inet_pton(AF_INET6, copy + 1, address_out) == 1;
    }
    cut = strchr(copy, ':');
    if (cut != NULL && strchr(cut + 1, ':') == NULL)
        *cut = '\0';
    if (inet_pton(AF_INET6, copy, address_out) == 1)
        return true;
    memcpy(address_out, mapped, sizeof(mapped));
    return inet_pton(AF_INET, copy, address_out + 12) == 1;
}

static char *write_byte(char *at, unsigned value)
{
    if (value >= 100)
        *at++ = (char)('0' + value / 100);
    if (value >= 10)
        *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

char *network_write_address(const uint8_t address[16], char text_out[NETWORK_TEXT])
{
    char *at = text_out;

    if (memcmp(address, mapped, sizeof(mapped)) != 0) {
        text_out[0] = '\0';
        inet_ntop(AF_INET6, address, text_out, NETWORK_TEXT);
        return text_out;
    }
    for (unsigned i = 12; i < 16; i++) {
        if (i > 12)
            *at++ = '.';
        at = write_byte(at, address[i]);
    }
    *at = '\0';
    return text_out;
}

bool network_from_sockaddr(const struct sockaddr *from, uint8_t address_out[16], uint16_t *port_out)
{
    memset(address_out, 0, 16);
    *port_out = 0;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;

        memcpy(address_out, mapped, sizeof(mapped));
        memcpy(address_out + 12, &v4->sin_addr, 4);
        *port_out = ntohs(v4->sin_port);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;

        memcpy(address_out, &v6->sin6_addr, 16);
        *port_out = ntohs(v6->sin6_port);
        return true;
    }
    return false;
}
