/*
 * target - request target and Host, checked and in normal form.
 *
 * Threads  any; pure
 */
#include "proxy/http/target.h"

#include "base/check.h"

/* ---- host ---- */

static bool is_port(struct slice port)
{
    uint64_t number = 0;

    return port.len == 0 || (port.len <= 5 && slice_to_u64(port, &number) && number <= 65535);
}

static const bool name_chars[256] = {
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['-'] = 1,
    ['.'] = 1,         ['_'] = 1,         ['~'] = 1,
};
static const bool literal_chars[256] = {
    ['0' ... '9'] = 1, ['A' ... 'F'] = 1, ['a' ... 'f'] = 1, [':'] = 1, ['.'] = 1,
};

static bool all_of(struct slice text, const bool allowed[256])
{
    bool all = true;

    for (size_t i = 0; i < text.len; i++)
        all &= allowed[(unsigned char)text.at[i]];
    return all;
}

/* An IPv6 address in brackets, roughly: no name and no IPv4 address stands in brackets. */
static bool is_literal(struct slice name)
{
    unsigned colons = 0;

    for (size_t i = 0; i < name.len; i++)
        colons += name.at[i] == ':';
    return colons >= 2 && all_of(slice_of(name.at + 1, name.len - 2), literal_chars);
}

/* Splits host and port; false when it is neither name nor literal. */
static bool split_authority(struct slice authority, struct slice *name, struct slice *port)
{
    const char *cut;

    *port = SLICE("");
    if (authority.len > 0 && authority.at[0] == '[') {
        cut = memchr(authority.at, ']', authority.len);
        if (cut == NULL)
            return false;
        *name = slice_of(authority.at, (size_t)(cut - authority.at) + 1);
        authority = slice_after(authority, name->len);
        if (authority.len > 0 && authority.at[0] != ':')
            return false;
        if (authority.len > 0)
            *port = slice_after(authority, 1);
        return is_literal(*name);
    }
    cut = authority.len > 0 ? memchr(authority.at, ':', authority.len) : NULL;
    *name = cut == NULL ? authority : slice_of(authority.at, (size_t)(cut - authority.at));
    if (cut != NULL)
        *port = slice_after(authority, name->len + 1);
    return all_of(*name, name_chars);
}

bool target_normal_host(struct slice authority, char out[TARGET_HOST_BYTES], struct slice *host_out,
                        const char **why_out)
{
    struct slice name;
    struct slice port;

    *why_out = "a Host that is not a host and port";
    if (!split_authority(authority, &name, &port) || !is_port(port))
        return false;
    if (name.len > 1 && name.at[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= TARGET_HOST_BYTES || name.at[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++)
        out[i] = ascii_lower(name.at[i]);
    *host_out = slice_of(out, name.len);
    return true;
}

/* ---- path ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Escapes are two hex digits and not %00; `*has_dots` is set where a dot segment may be. */
static bool check_path(struct slice path, bool *has_dots, const char **why_out)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.at[i];

        if (c <= 0x20 || c >= 0x7f || c == '#') {
            *why_out = "a byte that may not stand in a path";
            return false;
        }
        if (c == '.' && path.at[i - 1] == '/')
            *has_dots = true;
        if (c != '%')
            continue;
        if (i + 2 >= path.len || hex(path.at[i + 1]) < 0 || hex(path.at[i + 2]) < 0) {
            *why_out = "a percent sign without two hex digits in the path";
            return false;
        }
        if (path.at[i + 1] == '0' && path.at[i + 2] == '0') {
            *why_out = "%00 in the path";
            return false;
        }
        if (path.at[i + 1] == '2' && (path.at[i + 2] | 0x20) == 'e')
            *has_dots = true;
    }
    return true;
}

/* How many dots a segment is made of, %2e counted as one; 0 when it is made of something else. */
static unsigned dots_of(struct slice segment)
{
    unsigned dots = 0;

    while (segment.len > 0) {
        if (segment.at[0] == '.') {
            segment = slice_after(segment, 1);
        } else if (segment.len >= 3 && segment.at[0] == '%' && segment.at[1] == '2' &&
                   (segment.at[2] | 0x20) == 'e') {
            segment = slice_after(segment, 3);
        } else {
            return 0;
        }
        dots++;
    }
    return dots;
}

/* RFC 3986 §5.2.4, but "/.." at the root is an attack, not "/". */
static bool remove_dots(struct slice path, char *out, struct slice *path_out)
{
    size_t length = 0;
    size_t at = 0;

    while (at < path.len) {
        const char *next = memchr(path.at + at + 1, '/', path.len - at - 1);
        size_t end = next == NULL ? path.len : (size_t)(next - path.at);
        struct slice segment = slice_of(path.at + at + 1, end - at - 1);
        unsigned dots = dots_of(segment);
        bool is_last = end == path.len;

        if (dots == 2) {
            if (length == 0)
                return false;
            while (out[--length] != '/')
                ;
        } else if (dots != 1) {
            memcpy(out + length, path.at + at, end - at);
            length += end - at;
        }
        if (is_last && (dots == 1 || dots == 2))
            out[length++] = '/';
        at = end;
    }
    *path_out = slice_of(out, length);
    return true;
}

bool target_normal_path(struct slice path, char *out, struct slice *path_out, const char **why_out)
{
    bool has_dots = false;

    *why_out = "a path that does not begin with /";
    if (path.len == 0 || path.at[0] != '/')
        return false;
    if (!check_path(path, &has_dots, why_out))
        return false;
    *path_out = path;
    *why_out = "a path that leaves the root";
    return !has_dots || remove_dots(path, out, path_out);
}

/* ---- the whole target ---- */

static bool check_query(struct slice query, const char **why_out)
{
    *why_out = "a byte that may not stand in a query";
    for (size_t i = 0; i < query.len; i++) {
        unsigned char c = (unsigned char)query.at[i];

        if (c <= 0x20 || c >= 0x7f || c == '#')
            return false;
    }
    return true;
}

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
    char scratch[TARGET_HOST_BYTES];
    struct slice ignored;

    if (given.at == NULL && message->http_minor > 0) {
        *why_out = "no Host";
        return 400;
    }
    /* Host is replaced by an absolute target's authority, yet must be well-formed itself. */
    if (given.at != NULL && !target_normal_host(given, scratch, &ignored, why_out))
        return 400;
    if (!target->is_absolute)
        target->authority = given;
    if (target->authority.len == 0 && !target->is_absolute)
        return 0;
    return target_normal_host(target->authority, memory->host, &target->host, why_out) ? 0 : 400;
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
        if (!check_query(target->query, why_out))
            return 400;
    }
    if (rest.len > 0) {
        CHECK(rest.len <= memory->path_bytes);
        if (!target_normal_path(rest, memory->path, &target->path, why_out))
            return 400;
    } else if (message->method == METHOD_OPTIONS && target->query.len == 0) {
        /* OPTIONS http://host is OPTIONS * (RFC 9112 §3.2.4). */
        target->is_asterisk = true;
        target->path = SLICE("*");
    }
    return find_authority(message, memory, target, why_out);
}
