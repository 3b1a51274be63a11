/*
 * target - request target and Host, checked and in normal form.
 *
 * Threads  any; pure
 */
#include "proxy/http/target.h"

#include <arpa/inet.h>

/* ---- host ---- */

static bool is_port(struct slice port)
{
    uint64_t number = 0;

    return port.len == 0 || (port.len <= 5 && slice_to_u64(port, &number) && number <= 65535);
}

/* What may stand in a name, in lower case; 0: what may not. */
static const char name_chars[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',
    ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',
    ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',
    ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
    ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y',
    ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f',
    ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm',
    ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't',
    ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z', ['-'] = '-',
    ['.'] = '.', ['_'] = '_', ['~'] = '~',
};

/* The length of the name in front of `authority`, its lower case in `out`; 0: it is none. */
static size_t read_name(struct slice authority, char out[TARGET_HOST_BYTES])
{
    size_t most = authority.len < TARGET_HOST_BYTES - 1 ? authority.len : TARGET_HOST_BYTES - 1;
    size_t len = 0;
    bool has_empty_label = authority.at[0] == '.';

    for (char before = '\0', c; len < most; before = c) {
        c = name_chars[(unsigned char)authority.at[len]];
        if (c == '\0')
            break;
        has_empty_label |= c == '.' && before == '.';
        out[len++] = c;
    }
    return has_empty_label ? 0 : len;
}

/* The same for an IPv6 address in its brackets; a zone means nothing to another machine. */
static size_t read_literal(struct slice authority, char out[TARGET_HOST_BYTES])
{
    const char *bracket = memchr(authority.at, ']', authority.len);
    size_t len = bracket == NULL ? 0 : (size_t)(bracket - authority.at) + 1;
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (len < 4 || len - 2 >= sizeof(address) || memchr(authority.at, '\0', len) != NULL)
        return 0;
    slice_copy(slice_of(authority.at + 1, len - 2), address, sizeof(address));
    if (inet_pton(AF_INET6, address, &ignored) != 1)
        return 0;
    for (size_t i = 0; i < len; i++)
        out[i] = ascii_lower(authority.at[i]);
    return len;
}

bool target_normal_host(struct slice authority, char out[TARGET_HOST_BYTES], struct slice *host_out,
                        const char **why_out)
{
    size_t len;

    *why_out = "a Host that is not a host and port";
    if (authority.len == 0)
        return false;
    len = authority.at[0] == '[' ? read_literal(authority, out) : read_name(authority, out);
    if (len == 0)
        return false;
    if (len < authority.len &&
        (authority.at[len] != ':' || !is_port(slice_after(authority, len + 1))))
        return false;
    if (out[len - 1] == '.')
        len--;
    *host_out = slice_of(out, len);
    return true;
}

/* ---- path ---- */

enum path_byte { PATH_PLAIN, PATH_DOT = 1, PATH_ESCAPE = 2, PATH_BAD = 4 };

static const uint8_t path_bytes[256] = {
    [0 ... 0x20] = PATH_BAD, ['#'] = PATH_BAD,           ['.'] = PATH_DOT,
    ['%'] = PATH_ESCAPE,     [0x7f ... 0xff] = PATH_BAD,
};

/* The kinds of bytes in a path or query, or'ed together. */
static unsigned kinds_of(struct slice text)
{
    unsigned kinds = PATH_PLAIN;

    for (size_t i = 0; i < text.len; i++)
        kinds |= path_bytes[(unsigned char)text.at[i]];
    return kinds;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_unreserved(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* Escapes are two hex digits and not %00; those that need not be are decoded (RFC 3986 §6.2.2.2),
 * or a route for /admin would be passed by /%61dmin. */
static bool decode_unreserved(struct slice path, char *out, struct slice *path_out,
                              const char **why_out)
{
    size_t length = 0;

    for (size_t i = 0; i < path.len; i++) {
        int high = i + 2 < path.len ? hex(path.at[i + 1]) : -1;
        int low = i + 2 < path.len ? hex(path.at[i + 2]) : -1;

        out[length++] = path.at[i];
        if (path.at[i] != '%')
            continue;
        *why_out = "a percent sign without two hex digits in the path";
        if (high < 0 || low < 0)
            return false;
        *why_out = "%00 in the path";
        if (high == 0 && low == 0)
            return false;
        if (is_unreserved(high << 4 | low)) {
            out[length - 1] = (char)(high << 4 | low);
            i += 2;
        }
    }
    *path_out = slice_of(out, length);
    return true;
}

static bool has_dot_segment(struct slice path)
{
    for (size_t i = 1; i < path.len; i++)
        if (path.at[i] == '.' && path.at[i - 1] == '/')
            return true;
    return false;
}

/* 1 and 2 for the segments "." and "..", 0 for any other. */
static unsigned dots_of(struct slice segment)
{
    if (segment.len == 0 || segment.len > 2 || segment.at[0] != '.' ||
        segment.at[segment.len - 1] != '.')
        return 0;
    return (unsigned)segment.len;
}

/* RFC 3986 §5.2.4, but "/.." at the root is an attack, not "/".  `out` may be where `path` is. */
static bool remove_dots(struct slice path, char *out, struct slice *path_out)
{
    size_t length = 0;
    size_t at = 0;

    while (at < path.len) {
        const char *next = memchr(path.at + at + 1, '/', path.len - at - 1);
        size_t end = next == NULL ? path.len : (size_t)(next - path.at);
        unsigned dots = dots_of(slice_of(path.at + at + 1, end - at - 1));

        if (dots == 2) {
            if (length == 0)
                return false;
            while (out[--length] != '/')
                ;
        } else if (dots == 0) {
            memmove(out + length, path.at + at, end - at);
            length += end - at;
        }
        if (end == path.len && dots > 0)
            out[length++] = '/';
        at = end;
    }
    *path_out = slice_of(out, length);
    return true;
}

bool target_normal_path(struct slice path, char *out, struct slice *path_out, const char **why_out)
{
    unsigned kinds = kinds_of(path);
    struct slice decoded = path;

    *why_out = "a path that does not begin with /";
    if (path.len == 0 || path.at[0] != '/')
        return false;
    *why_out = "a byte that may not stand in a path";
    if (kinds & PATH_BAD)
        return false;
    if ((kinds & PATH_ESCAPE) && !decode_unreserved(path, out, &decoded, why_out))
        return false;
    *why_out = "a path that leaves the root";
    if ((kinds & (PATH_DOT | PATH_ESCAPE)) && has_dot_segment(decoded))
        return remove_dots(decoded, out, path_out);
    *path_out = decoded;
    return true;
}

/* ---- the whole target ---- */

/* scheme://authority[/path][?query] */
static unsigned parse_absolute(struct slice *rest, struct target *target, const char **why_out)
{
    const char *slash;
    size_t authority_bytes;

    *why_out = "an absolute target of a scheme other than http and https";
    target->is_absolute = true;
    if (rest->len > 7 && slice_equal_nocase(slice_of(rest->at, 7), SLICE("http://"))) {
        *rest = slice_after(*rest, 7);
    } else if (rest->len > 8 && slice_equal_nocase(slice_of(rest->at, 8), SLICE("https://"))) {
        *rest = slice_after(*rest, 8);
        target->is_https = true;
    } else {
        return 400;
    }
    slash = memchr(rest->at, '/', rest->len);
    authority_bytes = slash == NULL ? rest->len : (size_t)(slash - rest->at);
    slash = memchr(rest->at, '?', authority_bytes);
    if (slash != NULL)
        authority_bytes = (size_t)(slash - rest->at);
    target->authority = slice_of(rest->at, authority_bytes);
    *rest = slice_after(*rest, authority_bytes);
    return 0;
}

static unsigned find_authority(const struct message *message, struct target_memory *memory,
                               struct target *target, const char **why_out)
{
    struct slice given = message->known[HEADER_HOST];

    if (given.at == NULL && message->http_minor > 0) {
        *why_out = "no Host";
        return 400;
    }
    /* A Host that an absolute target replaces must be well-formed all the same. */
    if (given.at != NULL && !target_normal_host(given, memory->host, &target->host, why_out))
        return 400;
    if (target->is_absolute)
        return target_normal_host(target->authority, memory->host, &target->host, why_out) ? 0
                                                                                           : 400;
    target->authority = given;
    return 0;
}

unsigned target_parse(const struct message *message, struct target_memory *memory,
                      struct target *target, const char **why_out)
{
    struct slice rest = message->target;
    const char *mark;
    unsigned status;

    *target = (struct target){.path = SLICE("/"), .query = SLICE("")};
    if (message->method == METHOD_CONNECT) {
        *why_out = "CONNECT: this is not a forward proxy";
        return 501;
    }
    if (rest.len == 1 && rest.at[0] == '*') {
        *why_out = "the target * of a method other than OPTIONS";
        if (message->method != METHOD_OPTIONS)
            return 400;
        target->is_asterisk = true;
        target->path = rest;
        return find_authority(message, memory, target, why_out);
    }
    if (rest.len > 0 && rest.at[0] != '/') {
        status = parse_absolute(&rest, target, why_out);
        if (status != 0)
            return status;
    }
    mark = rest.len > 0 ? memchr(rest.at, '?', rest.len) : NULL;
    if (mark != NULL) {
        target->query = slice_after(rest, (size_t)(mark - rest.at));
        rest.len -= target->query.len;
        *why_out = "a byte that may not stand in a query";
        if (kinds_of(target->query) & PATH_BAD)
            return 400;
    }
    if (rest.len > 0) {
        *why_out = "a path that is too long";
        if (rest.len > memory->path_bytes ||
            !target_normal_path(rest, memory->path, &target->path, why_out))
            return 400;
    } else if (message->method == METHOD_OPTIONS && target->query.len == 0) {
        /* OPTIONS http://host is OPTIONS * (RFC 9112 §3.2.4). */
        target->is_asterisk = true;
        target->path = SLICE("*");
    }
    return find_authority(message, memory, target, why_out);
}
