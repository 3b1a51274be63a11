/*
 * text_http - paths, locations, field names and statuses from text.
 *
 * Owner    results live in the arena given      Threads  any
 */
#include "config/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/slice.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_dot_segment(struct slice segment)
{
    return slice_equal(segment, SLICE(".")) || slice_equal(segment, SLICE("..")) ||
           slice_equal_nocase(segment, SLICE("%2e")) ||
           slice_equal_nocase(segment, SLICE(".%2e")) ||
           slice_equal_nocase(segment, SLICE("%2e.")) ||
           slice_equal_nocase(segment, SLICE("%2e%2e"));
}

static const char *check_path_bytes(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
            return "has a byte that a path cannot hold (percent-encode it)";
        if (strchr("\"<>\\^`{|}", *c) != NULL)
            return "has a character that must be percent-encoded";
        if (*c == '%' && (!is_hex(c[1]) || !is_hex(c[2])))
            return "has a \"%\" without two hex digits behind it";
        if (strncmp(c, "%00", 3) == 0)
            return "has a %00, which requests may not have";
    }
    return NULL;
}

static bool has_needless_escape(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        char digits[3] = {0};
        char letter;

        if (*c != '%')
            continue;
        memcpy(digits, c + 1, 2);
        letter = (char)strtol(digits, NULL, 16);
        if ((letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
            (letter >= 'a' && letter <= 'z') || strchr("-._~", letter) != NULL)
            return true;
    }
    return false;
}

const char *text_check_path(const char *text, bool with_query)
{
    size_t len = strcspn(text, "?");
    const char *why;

    if (text[0] != '/')
        return "does not begin with \"/\"";
    if (strchr(text, '#') != NULL)
        return "has a \"#\" (fragments never reach a server)";
    if (text[len] == '?' && !with_query)
        return "has a query (only paths are compared)";
    why = check_path_bytes(text);
    if (why != NULL)
        return why;
    for (size_t at = 1; at <= len;) {
        size_t segment = strcspn(text + at, "/?");

        if (is_dot_segment(slice_of(text + at, segment)))
            return "has a \".\" or \"..\" segment: they are resolved before paths are compared";
        at += segment + 1;
    }
    if (!with_query && has_needless_escape(text))
        return "escapes a letter, digit, \"-\", \".\", \"_\" or \"~\": those are decoded before "
               "paths are compared";
    return NULL;
}

const char *text_check_location(const char *text)
{
    static const char *const known[] = {"{host}", "{path}", "{query}", "{uri}"};

    if (text[0] != '/' && strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0 &&
        text[0] != '{')
        return "does not begin with \"/\", \"https://\" or \"http://\"";
    if (text[0] == '{' && strncmp(text, "{path}", 6) != 0 && strncmp(text, "{uri}", 5) != 0)
        return "begins with a placeholder that is not {path} or {uri}";
    for (const char *c = text; *c != '\0'; c++) {
        bool is_known = false;

        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || *c == '"' || *c == '\\')
            return "has a byte that a URL cannot hold (percent-encode it)";
        if (*c != '{' && *c != '}')
            continue;
        for (size_t i = 0; *c == '{' && i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strncmp(c, known[i], strlen(known[i])) == 0;
        if (!is_known)
            return "has a placeholder that is not {host}, {path}, {query} or {uri}";
        c += strcspn(c, "}");
    }
    return NULL;
}

const char *text_check_url(struct arena *arena, const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : NULL;
    const char *end;
    const char *read;

    if (host == NULL)
        return "is not an http or https URL (write \"http://alerts.internal:9093\")";
    if (strlen(text) > TEXT_URL_MAX)
        return "is longer than 2000 bytes";
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f ||
            strchr("\"<>\\^`{|}", *c) != NULL)
            return "has a byte that a URL cannot hold (percent-encode it)";
    if (strchr(text, '#') != NULL)
        return "has a \"#\" (fragments are never sent)";
    end = host + strcspn(host, "/?");
    if (memchr(host, '@', (size_t)(end - host)) != NULL)
        return "has a user or password in it, which everybody could read who may see the "
               "configuration";
    if (end == host)
        return "has no host";
    return text_read_host(arena, arena_slice(arena, slice_of(host, (size_t)(end - host))).at,
                          &read);
}

const char *text_check_editable_field(const char *name)
{
    static const struct {
        const char *name;
        const char *why;
    } ours[] = {
        {"connection", "is between two neighbours and written by twokey itself"},
        {"keep-alive", "is between two neighbours and written by twokey itself"},
        {"proxy-connection", "is between two neighbours and never forwarded"},
        {"te", "is between two neighbours and written by twokey itself"},
        {"trailer", "belongs to the framing of the message, which is twokey's own"},
        {"transfer-encoding", "belongs to the framing of the message, which is twokey's own"},
        {"content-length", "belongs to the framing of the message, which is twokey's own"},
        {"upgrade", "is between two neighbours and written by twokey itself"},
        {"http2-settings", "is between two neighbours and never forwarded"},
        {"expect", "belongs to the exchange itself"},
        {"host", "is changed by rewrite.host"},
    };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(name, ours[i].name) == 0)
            return ours[i].why;
    return NULL;
}

static bool read_status(struct slice text, uint16_t *status_out)
{
    uint64_t status;

    if (text.len != 3 || !slice_to_u64(text, &status) || status < 100 || status > 599)
        return false;
    *status_out = (uint16_t)status;
    return true;
}

const char *text_read_status_ranges(struct arena *arena, const char *text,
                                    struct conf_status_range **ranges_out, size_t *count_out)
{
    struct conf_status_range ranges[32];
    struct slice rest = slice_from(text);
    struct slice one;
    size_t count = 0;

    while (slice_next_element(&rest, &one)) {
        const char *dash = one.len > 0 ? memchr(one.at, '-', one.len) : NULL;
        struct slice low = dash != NULL ? slice_of(one.at, (size_t)(dash - one.at)) : one;
        struct slice high = dash != NULL ? slice_after(one, low.len + 1) : one;

        if (count == sizeof(ranges) / sizeof(ranges[0]))
            return "has too many ranges (at most 32)";
        if (!read_status(low, &ranges[count].from) || !read_status(high, &ranges[count].to))
            return "is not a list of statuses (\"200-399\", \"200,204,301-302\")";
        if (ranges[count].from > ranges[count].to)
            return "has a range that ends before it begins";
        count++;
    }
    if (count == 0)
        return "is empty (write \"200-399\")";
    *ranges_out = arena_array(arena, count, sizeof(ranges[0]));
    memcpy(*ranges_out, ranges, count * sizeof(ranges[0]));
    *count_out = count;
    return NULL;
}
