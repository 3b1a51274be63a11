/*
 * text - durations, sizes, names, addresses and networks from text.
 *
 * Owner    results live in the arena given      Threads  any
 */
#include "config/text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/slice.h"

struct unit {
    const char *word;
    uint64_t factor;
};

/* Largest first, for text_of_…; the order does not matter for reading. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"TiB", UINT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20},
    {"KiB", 1 << 10},           {"B", 1},         {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_with_unit(const char *text, const struct unit *units, uint64_t *value_out)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t number;
    uint64_t value;

    if (digits == 0 || !slice_to_u64(slice_of(text, digits), &number))
        return false;
    for (; units->word != NULL; units++) {
        if (strcmp(text + digits, units->word) != 0)
            continue;
        if (__builtin_mul_overflow(number, units->factor, &value))
            return false;
        *value_out = value;
        return true;
    }
    return false;
}

static const char *with_unit(uint64_t value, const struct unit *units, char out[32])
{
    while (units[1].word != NULL && (value == 0 || value % units->factor != 0))
        units++;
    (void)snprintf(out, 32, "%" PRIu64 "%s", value / units->factor, units->word);
    return out;
}

static bool is_only_digits(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

const char *text_read_duration(const char *text, uint64_t *ms_out)
{
    if (is_only_digits(text))
        return "has no unit (write \"5s\" or \"250ms\")";
    if (!read_with_unit(text, duration_units, ms_out))
        return "is not a duration (a whole number and ms, s, m, h or d: \"5s\", \"250ms\")";
    return NULL;
}

const char *text_read_size(const char *text, uint64_t *bytes_out)
{
    if (is_only_digits(text))
        return "has no unit (write \"64KiB\" or \"512B\")";
    if (!read_with_unit(text, size_units, bytes_out))
        return "is not a size (a whole number and B, KiB, MiB, GiB or TiB: \"64KiB\")";
    return NULL;
}

const char *text_of_duration(uint64_t ms, char out[32])
{
    if (ms == 0)
        return memcpy(out, "0s", 3);
    return with_unit(ms, duration_units, out);
}

const char *text_of_size(uint64_t bytes, char out[32])
{
    return with_unit(bytes, size_units, out);
}

bool text_is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len > 0 && len <= TEXT_NAME_MAX && text[len] == '\0' && text[0] != '-';
}

bool text_is_token(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (!is_letter(*text) && !is_digit(*text) && strchr("!#$%&'*+-.^_`|~", *text) == NULL)
            return false;
    return true;
}

bool text_is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

bool text_is_field_value(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return len == 0 || (strchr(" \t", text[0]) == NULL && strchr(" \t", text[len - 1]) == NULL);
}

bool text_is_sha256(const char *text)
{
    if (strncmp(text, "sha256:", 7) != 0 || strlen(text) != 7 + 64)
        return false;
    return text[7 + strspn(text + 7, "0123456789abcdef")] == '\0';
}

static void map_ipv4(const unsigned char v4[4], uint8_t out[16])
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, v4, 4);
}

static bool read_ip(const char *text, uint8_t out[16], bool *is_ipv6_out)
{
    unsigned char v4[4];

    if (inet_pton(AF_INET, text, v4) == 1) {
        map_ipv4(v4, out);
        *is_ipv6_out = false;
        return true;
    }
    if (inet_pton(AF_INET6, text, out) != 1)
        return false;
    *is_ipv6_out = true;
    return true;
}

static const char *read_unix_address(struct arena *arena, const char *text,
                                     struct conf_address *address_out)
{
    const char *path = text + strlen("unix:");

    if (path[0] == '\0')
        return "names no socket (write \"unix:/run/app.sock\")";
    if (path[0] != '/')
        return "is not an absolute path (write \"unix:/run/app.sock\")";
    if (strlen(path) > TEXT_UNIX_PATH_MAX)
        return "is too long for a Unix socket (at most 107 bytes)";
    if (!text_is_printable(path))
        return "has control characters";
    *address_out = (struct conf_address){
        .kind = ADDRESS_UNIX, .text = arena_strdup(arena, text), .host = arena_strdup(arena, path)};
    return NULL;
}

/* "host:port" and "[v6]:port" taken apart; the reason, or NULL. */
static const char *split_port(const char *text, char host_out[256], uint16_t *port_out)
{
    const char *colon = strrchr(text, ':');
    struct slice host;
    uint64_t port;

    if (text[0] == '[') {
        const char *end = strchr(text, ']');

        if (end == NULL || end[1] != ':')
            return "has no port (write \"[2001:db8::1]:8080\")";
        host = slice_of(text + 1, (size_t)(end - text) - 1);
        colon = end + 1;
    } else if (colon == NULL) {
        return "has no port (write \"10.0.0.1:8080\")";
    } else if (memchr(text, ':', (size_t)(colon - text)) != NULL) {
        return "is ambiguous: put an IPv6 address in brackets (\"[2001:db8::1]:8080\")";
    } else {
        host = slice_of(text, (size_t)(colon - text));
    }
    if (!slice_to_u64(slice_from(colon + 1), &port) || port < 1 || port > 65535)
        return "has a port that is not 1 to 65535";
    if (host.len >= 256)
        return "is too long for a host";
    slice_copy(host, host_out, 256);
    *port_out = (uint16_t)port;
    return NULL;
}

/* Letters, digits, "-", "_" in labels of 1 to 63 bytes; at most 253 in all. */
static bool is_host_name(const char *text)
{
    size_t label = 0;

    if (strlen(text) > 253)
        return false;
    for (; *text != '\0'; text++) {
        if (*text == '.') {
            if (label == 0)
                return false;
            label = 0;
            continue;
        }
        if (!is_letter(*text) && !is_digit(*text) && *text != '-' && *text != '_')
            return false;
        if (++label > 63)
            return false;
    }
    return label > 0;
}

static char *lowered(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);

    for (char *c = copy; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return copy;
}

/* Only digits and dots: an address that somebody mistyped, not a name. */
static bool looks_like_ipv4(const char *text)
{
    return text[strspn(text, "0123456789.")] == '\0';
}

const char *text_read_address(struct arena *arena, const char *text, bool names,
                              struct conf_address *address_out)
{
    struct conf_address address = {.kind = ADDRESS_IP};
    char host[256];
    const char *why;

    if (strncmp(text, "unix:", 5) == 0)
        return read_unix_address(arena, text, address_out);
    if (strstr(text, "://") != NULL)
        return "is a URL (write only host and port: \"10.0.0.1:8080\")";
    why = split_port(text, host, &address.port);
    if (why != NULL)
        return why;
    if (!read_ip(host, address.ip, &address.is_ipv6) || address.is_ipv6 != (text[0] == '[')) {
        if (text[0] == '[' || looks_like_ipv4(host) || !is_host_name(host))
            return host[0] == '\0' || strcmp(host, "*") == 0
                       ? "names no address (write \"0.0.0.0:8080\" or \"[::]:8080\" for all)"
                       : "is not an address";
        if (!names)
            return "is a name (an IP address, or \"unix:/path\", is needed here)";
        address.kind = ADDRESS_NAME;
    }
    address.text = arena_strdup(arena, text);
    address.host = lowered(arena, host);
    *address_out = address;
    return NULL;
}

const char *text_read_network(const char *text, struct conf_network *network_out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct conf_network network;
    char host[64];
    bool is_ipv6;
    uint64_t bits;
    unsigned width;

    if (len >= sizeof(host))
        return "is not a network (\"10.0.0.0/8\", \"2001:db8::/32\")";
    slice_copy(slice_of(text, len), host, sizeof(host));
    if (!read_ip(host, network.address, &is_ipv6))
        return "is not a network (\"10.0.0.0/8\", \"2001:db8::/32\")";
    width = is_ipv6 ? 128 : 32;
    bits = width;
    if (slash != NULL && (!slice_to_u64(slice_from(slash + 1), &bits) || bits > width))
        return is_ipv6 ? "has a prefix that is not /0 to /128"
                       : "has a prefix that is not /0 to /32";
    network.prefix_bits = (uint8_t)(bits + 128 - width);
    for (unsigned bit = network.prefix_bits; bit < 128; bit++)
        if (network.address[bit / 8] & (0x80 >> (bit % 8)))
            return "has bits set behind its prefix (did you mean another length?)";
    *network_out = network;
    return NULL;
}

bool text_is_loopback(const struct conf_address *address)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};
    static const uint8_t v4_mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};

    if (address->kind == ADDRESS_NAME)
        return strcmp(address->host, "localhost") == 0;
    return address->kind == ADDRESS_IP &&
           (memcmp(address->ip, v6_loopback, 16) == 0 || memcmp(address->ip, v4_mapped, 13) == 0);
}

bool text_is_any_address(const struct conf_address *address)
{
    static const uint8_t v6_any[16];
    static const uint8_t v4_any[16] = {[10] = 0xff, [11] = 0xff};

    return address->kind == ADDRESS_IP &&
           (memcmp(address->ip, v6_any, 16) == 0 || memcmp(address->ip, v4_any, 16) == 0);
}

const char *text_loopback_of(const struct conf_address *address)
{
    static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(address->ip, v4_mapped, sizeof(v4_mapped)) == 0 ? "127.0.0.1" : "[::1]";
}

/* The host part of a pattern or a Host field: a name, an IPv4 address, or "[v6]". */
static const char *check_host(const char *text)
{
    uint8_t ip[16];
    bool is_ipv6;
    size_t len = strlen(text);

    if (text[0] == '\0')
        return "is empty";
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            return "is not ASCII (write the name as it is in DNS: \"xn--…\")";
    if (strchr(text, '/') != NULL)
        return "is not a host (no scheme, no path)";
    if (text[0] == '[') {
        char inner[64];

        if (text[len - 1] != ']' || len - 2 >= sizeof(inner))
            return "is not an IPv6 address in brackets";
        slice_copy(slice_of(text + 1, len - 2), inner, sizeof(inner));
        return read_ip(inner, ip, &is_ipv6) && is_ipv6 ? NULL
                                                       : "is not an IPv6 address in brackets";
    }
    if (strchr(text, '*') != NULL)
        return "has a \"*\" elsewhere than as the whole first label (\"*.example.com\")";
    if (!is_host_name(text))
        return "is not a host (letters, digits, \"-\", labels of at most 63 bytes)";
    return NULL;
}

const char *text_read_host_pattern(struct arena *arena, const char *text, const char **host_out)
{
    char host[260];
    size_t len = strlen(text);
    const char *why;
    bool is_wildcard = strncmp(text, "*.", 2) == 0;

    if (strcmp(text, "*") == 0)
        return "matches any host: leave \"hosts\" out to say that";
    if (len >= sizeof(host))
        return "is too long for a host";
    if (strchr(text, '/') != NULL)
        return "is not a host (no scheme, no path)";
    if (text[0] != '[' && strchr(text, ':') != NULL)
        return "has a port (a route matches whatever port the client named)";
    slice_copy(slice_of(text, len), host, sizeof(host));
    if (len > 1 && host[len - 1] == '.')
        host[len - 1] = '\0';
    why = check_host(is_wildcard ? host + 2 : host);
    if (why == NULL)
        *host_out = lowered(arena, host);
    return why;
}

const char *text_read_host(struct arena *arena, const char *text, const char **host_out)
{
    char host[260];
    uint16_t port;
    const char *end = text[0] == '[' ? strchr(text, ']') : text;
    const char *why;

    if (end != NULL && strchr(end, ':') != NULL) {
        char bare[256];

        why = split_port(text, bare, &port);
        if (why != NULL)
            return why;
        (void)snprintf(host, sizeof(host), text[0] == '[' ? "[%s]" : "%s", bare);
    } else {
        if (strlen(text) >= sizeof(host))
            return "is too long for a host";
        slice_copy(slice_from(text), host, sizeof(host));
    }
    why = check_host(host);
    if (why == NULL)
        *host_out = lowered(arena, text);
    return why;
}
