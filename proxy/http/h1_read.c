/*
 * h1_read - HTTP/1 heads, read strictly.  The only file that knows llhttp.
 *
 * llhttp (strict mode, no lenient flag) judges the request line: method and target.  Status lines
 * and field lines are taken apart here, where their ends are known already, and so is what fields
 * mean: Host, Connection, Content-Length, Transfer-Encoding, Expect and the version.
 *
 * Threads  one worker; pure
 */
#include "proxy/http/h1_read.h"

#include <llhttp.h>

#include "base/check.h"
#include "base/list.h"
#include "proxy/http/head_rules.h"

#if !defined(LLHTTP_STRICT_MODE) || LLHTTP_STRICT_MODE != 1
#error "llhttp must be built and used with LLHTTP_STRICT_MODE=1"
#endif

enum { EMPTY_LINES_BYTES = 8, MAX_CONNECTION_OPTIONS = 64, MAX_METHOD = 32 };

/* ---- the request line ---- */

/* What llhttp fills. */
struct request_line {
    llhttp_t parser;
    struct message *message;
};

static struct message *message_of(llhttp_t *parser)
{
    return container_of(parser, struct request_line, parser)->message;
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
    struct message *message = message_of(parser);

    if (message->target.len > 0)
        return HPE_USER;
    message->target = slice_of(at, len);
    return 0;
}

static const llhttp_settings_t settings = {.on_url = on_target};

/* ---- fields ---- */

/* One line, without its line end.  What is no token before the colon is refused: a space there, a
 * line that continues the last one, a line without a colon. */
static bool read_field(struct head_reading *reading, struct slice line)
{
    const char *colon = memchr(line.at, ':', line.len);
    struct field *field;

    if (colon == NULL)
        return head_refuse(reading, 400, "a line that is not a field");
    field = head_new_field(reading);
    if (field == NULL)
        return false;
    field->name = slice_of(line.at, (size_t)(colon - line.at));
    field->value = slice_trim(slice_after(line, field->name.len + 1));
    field->header = header_find(field->name);
    field->is_dropped = false;
    return head_judge_value(reading, field->value) && head_judge_field(reading, field);
}

/* Takes a line off `rest`, its CRLF too; false when there is none. */
static inline bool take_line(struct slice *rest, struct slice *line_out)
{
    const char *newline = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t end = newline == NULL ? 0 : (size_t)(newline - rest->at);

    if (end == 0 || rest->at[end - 1] != '\r')
        return false;
    *line_out = slice_of(rest->at, end - 1);
    *rest = slice_after(*rest, end + 1);
    return true;
}

/* Field lines up to the empty line, with which `rest` must end. */
static bool read_fields(struct head_reading *reading, struct slice rest)
{
    struct slice line;

    for (;;) {
        if (!take_line(&rest, &line))
            return head_refuse(reading, 400, "an incomplete head");
        if (line.len == 0)
            return rest.len == 0 || head_refuse(reading, 400, "an empty line in the head");
        if (!read_field(reading, line))
            return false;
    }
}

/* ---- finding the end of a head ---- */

size_t head_skip_empty_lines(struct slice bytes)
{
    size_t skip = 0;

    while (skip < EMPTY_LINES_BYTES && bytes.len >= skip + 2 && bytes.at[skip] == '\r' &&
           bytes.at[skip + 1] == '\n')
        skip += 2;
    return skip;
}

/* False when no line can begin so: garbage need not wait for a line end that never comes. */
static bool may_begin_line(struct slice rest)
{
    if (rest.len == 0)
        return true;
    if (rest.at[0] == '\r')
        return rest.len == 1 || rest.at[1] == '\n';
    return (unsigned char)rest.at[0] > ' ' && rest.at[0] != 0x7f;
}

enum head_search head_search(struct slice bytes, size_t *from, const struct head_limits *limits)
{
    size_t line = *from;

    for (;;) {
        const char *newline = memchr(bytes.at + line, '\n', bytes.len - line);
        size_t end;

        if (newline == NULL)
            break;
        end = (size_t)(newline - bytes.at);
        if (end == line || bytes.at[end - 1] != '\r')
            return HEAD_MALFORMED;
        if (end == line + 1) {
            if (end + 1 > limits->head_bytes)
                return HEAD_TOO_LARGE;
            *from = end + 1;
            return HEAD_FOUND;
        }
        if (line == 0 && end - 1 > limits->line_bytes)
            return HEAD_LINE_TOO_LONG;
        if (!may_begin_line(slice_of(bytes.at + line, end - line)))
            return HEAD_MALFORMED;
        line = end + 1;
    }
    *from = line;
    if (!may_begin_line(slice_after(bytes, line)))
        return HEAD_MALFORMED;
    if (line == 0 && bytes.len > limits->line_bytes + 2)
        return HEAD_LINE_TOO_LONG;
    return bytes.len > limits->head_bytes ? HEAD_TOO_LARGE : HEAD_INCOMPLETE;
}

/* ---- what the fields mean ---- */

static void drop_fields(struct message *message, struct slice name)
{
    for (uint32_t i = 0; i < message->field_count; i++)
        if (message->fields[i].header == HEADER_OTHER &&
            slice_equal_nocase(message->fields[i].name, name))
            message->fields[i].is_dropped = true;
}

/* What Connection names goes (RFC 9110 §7.6.1).  Known fields do not need that: what is hop-by-hop
 * goes anyway, and nothing that is end-to-end or ours can be taken away so. */
static void drop_named(struct message *message, struct slice name)
{
    if (header_find(name) != HEADER_OTHER)
        return;
    message->names_fields = true;
    drop_fields(message, name);
}

static void apply_connection_option(struct message *message, struct slice option)
{
    if (slice_equal_nocase(option, SLICE("keep-alive")))
        message->has_connection_keep_alive = true;
    else if (slice_equal_nocase(option, SLICE("close"))) {
        message->has_connection_close = true;
        drop_fields(message, option); /* "Close" is reserved, and no field of its own */
    } else if (slice_equal_nocase(option, SLICE("upgrade")))
        message->has_connection_upgrade = true;
    else if (option.len > 0)
        drop_named(message, option);
}

/* False when there are so many options that looking each up is an attack. */
static bool read_connection(struct message *message)
{
    unsigned options = 0;

    for (uint32_t i = 0; i < message->field_count; i++) {
        struct slice rest = message->fields[i].value;
        struct slice option;

        if (message->fields[i].header != HEADER_CONNECTION)
            continue;
        while (slice_next_element(&rest, &option)) {
            if (++options > MAX_CONNECTION_OPTIONS)
                return false;
            apply_connection_option(message, option);
        }
    }
    return true;
}

static bool te_takes_trailers(const struct message *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        struct slice rest = message->fields[i].value;
        struct slice element;

        if (message->fields[i].header != HEADER_TE)
            continue;
        while (slice_next_element(&rest, &element))
            if (slice_equal_nocase(element, SLICE("trailers")))
                return true;
    }
    return false;
}

/* name[/version], and not HTTP/2 under any of its names: tunnelled, it would carry requests past
 * everything that is decided here. */
static bool may_pass_upgrade(struct slice protocol)
{
    const char *slash = protocol.len > 0 ? memchr(protocol.at, '/', protocol.len) : NULL;

    if (protocol.len >= 2 && slice_equal_nocase(slice_of(protocol.at, 2), SLICE("h2")))
        return false;
    if (slash == NULL)
        return is_token(protocol);
    return is_token(slice_of(protocol.at, (size_t)(slash - protocol.at))) &&
           is_token(slice_after(protocol, (size_t)(slash - protocol.at) + 1));
}

static struct slice first_upgrade(const struct message *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        struct slice rest = message->fields[i].value;
        struct slice protocol;

        if (message->fields[i].header != HEADER_UPGRADE)
            continue;
        while (slice_next_element(&rest, &protocol))
            if (may_pass_upgrade(protocol))
                return protocol;
    }
    return SLICE("");
}

static bool read_hop_fields(struct head_reading *reading)
{
    struct message *message = reading->message;
    const struct slice *known = message->known;

    if (known[HEADER_CONNECTION].at != NULL && !read_connection(message))
        return head_refuse(reading, 400, "too many options in Connection");
    if (known[HEADER_TE].at != NULL)
        message->has_te_trailers = te_takes_trailers(message);
    /* HTTP/1.0 knows no upgrade (RFC 9110 §7.8). */
    if (known[HEADER_UPGRADE].at != NULL && message->has_connection_upgrade &&
        message->http_minor > 0)
        message->upgrade = first_upgrade(message);
    message->has_trailer_field = known[HEADER_TRAILER].len > 0;
    return true;
}

static bool judge_transfer_encoding(struct head_reading *reading)
{
    struct message *message = reading->message;
    unsigned seen = 0;

    for (uint32_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].header != HEADER_TRANSFER_ENCODING)
            continue;
        seen++;
        message->is_chunked = slice_equal_nocase(message->fields[i].value, SLICE("chunked"));
        if (!message->is_chunked || seen > 1)
            return head_refuse(reading, 400, "a Transfer-Encoding other than one chunked");
    }
    if (seen > 0 && message->http_minor == 0)
        return head_refuse(reading, 400, "Transfer-Encoding in an HTTP/1.0 message");
    return true;
}

/* Content-Length and Transfer-Encoding (RFC 9112 §6). */
static bool judge_framing(struct head_reading *reading)
{
    const struct slice *known = reading->message->known;

    if (!head_judge_length(reading))
        return false;
    if (known[HEADER_TRANSFER_ENCODING].at == NULL)
        return true;
    if (!judge_transfer_encoding(reading))
        return false;
    return known[HEADER_CONTENT_LENGTH].at == NULL ||
           head_refuse(reading, 400, "both Content-Length and Transfer-Encoding");
}

static bool judge_upgrade(struct head_reading *reading)
{
    const struct message *message = reading->message;
    bool has_body = message->is_chunked ||
                    (message->content_length != MESSAGE_NO_LENGTH && message->content_length > 0);

    return message->upgrade.len == 0 || !has_body ||
           head_refuse(reading, 400, "an upgrade of a request that has a body");
}

/* ---- whole heads ---- */

/* llhttp knows a fixed list of methods: one that it does not know, but that could be one, is 501.
 */
static unsigned judge_unknown_method(struct slice line, const char **why)
{
    const char *space = memchr(line.at, ' ', line.len);

    *why = "a malformed request line";
    if (space == NULL || !is_token(slice_of(line.at, (size_t)(space - line.at))))
        return 400;
    *why = "a method that is not known";
    return 501;
}

/* The version stands at the end of the request line: only 1.0 and 1.1 are spoken here. */
static unsigned judge_version(struct slice line, uint8_t *minor_out, const char **why)
{
    struct slice version = line.len >= 9 ? slice_after(line, line.len - 9) : SLICE("");

    *why = "a malformed request line";
    if (!slice_starts_with(version, SLICE(" HTTP/")))
        return 400;
    *why = "an HTTP version other than 1.0 and 1.1";
    if (slice_equal(version, SLICE(" HTTP/2.0")) || slice_equal(version, SLICE(" HTTP/3.0")))
        return 505;
    if (!slice_starts_with(version, SLICE(" HTTP/1.")) ||
        (version.at[8] != '0' && version.at[8] != '1'))
        return 400;
    *minor_out = (uint8_t)(version.at[8] - '0');
    return 0;
}

static enum method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET: return METHOD_GET;
    case HTTP_HEAD: return METHOD_HEAD;
    case HTTP_POST: return METHOD_POST;
    case HTTP_PUT: return METHOD_PUT;
    case HTTP_DELETE: return METHOD_DELETE;
    case HTTP_OPTIONS: return METHOD_OPTIONS;
    case HTTP_TRACE: return METHOD_TRACE;
    case HTTP_CONNECT: return METHOD_CONNECT;
    case HTTP_PATCH: return METHOD_PATCH;
    case HTTP_PROPFIND: return METHOD_PROPFIND;
    default: return METHOD_OTHER;
    }
}

bool head_find_method(struct slice text, enum method *method_out)
{
    static const llhttp_settings_t none = {0};
    llhttp_t parser;
    char line[MAX_METHOD + sizeof(" / HTTP/1.1\r\n")];
    size_t rest = sizeof(" / HTTP/1.1\r\n") - 1;

    if (text.len > MAX_METHOD || !is_token(text))
        return false;
    memcpy(line, text.at, text.len);
    memcpy(line + text.len, " / HTTP/1.1\r\n", rest);
    llhttp_init(&parser, HTTP_REQUEST, &none);
    if (llhttp_execute(&parser, line, text.len + rest) != HPE_OK || parser.method == HTTP_PRI)
        return false;
    *method_out = method_of(parser.method);
    return true;
}

/* method SP target SP version: llhttp would take several spaces. */
static unsigned read_request_line(struct message *message, struct slice line, const char **why)
{
    struct request_line parsed = {.message = message};
    struct slice *target = &message->target;
    unsigned status = judge_version(line, &message->http_minor, why);
    llhttp_errno_t result;

    if (status != 0)
        return status;
    llhttp_init(&parsed.parser, HTTP_REQUEST, &settings);
    result = llhttp_execute(&parsed.parser, line.at, line.len + 2);
    /* PRI is the preface of HTTP/2 and no method here. */
    if (result == HPE_INVALID_METHOD || (result == HPE_OK && parsed.parser.method == HTTP_PRI))
        return judge_unknown_method(line, why);
    *why = result != HPE_OK ? llhttp_get_error_reason(&parsed.parser) : "a malformed request line";
    if (result != HPE_OK || target->len == 0)
        return 400;
    message->method = method_of(parsed.parser.method);
    message->method_text = slice_of(line.at, (size_t)(target->at - line.at) - 1);
    return is_token(message->method_text) && target->at + target->len == line.at + line.len - 9
               ? 0
               : 400;
}

unsigned head_parse_request(struct message *message, struct slice head,
                            const struct head_limits *limits, const char **why_out)
{
    struct head_reading reading = head_reading_of(message, limits);
    struct slice line;
    unsigned status;

    head_clear(message);
    *why_out = "a malformed request line";
    if (!take_line(&head, &line))
        return 400;
    status = read_request_line(message, line, why_out);
    if (status != 0)
        return status;
    if (read_fields(&reading, head) && read_hop_fields(&reading) && judge_framing(&reading) &&
        judge_upgrade(&reading) && head_judge_expect(&reading))
        return 0;
    *why_out = reading.why;
    return reading.status;
}

/* HTTP/1.x, a space, three digits, and a space or the end of the line. */
static bool is_status_line(struct slice line)
{
    return line.len >= 12 && slice_starts_with(line, SLICE("HTTP/1.")) &&
           (line.at[7] == '0' || line.at[7] == '1') && line.at[8] == ' ' && line.at[9] >= '1' &&
           line.at[9] <= '5' && line.at[10] >= '0' && line.at[10] <= '9' && line.at[11] >= '0' &&
           line.at[11] <= '9' && (line.len == 12 || line.at[12] == ' ');
}

static bool read_status_line(struct message *message, struct slice line)
{
    if (!is_status_line(line))
        return false;
    message->http_minor = (uint8_t)(line.at[7] - '0');
    message->status =
        (uint16_t)((line.at[9] - '0') * 100 + (line.at[10] - '0') * 10 + (line.at[11] - '0'));
    message->reason = slice_after(line, line.len > 13 ? 13 : line.len);
    return is_field_value(message->reason);
}

unsigned head_parse_response(struct message *message, struct slice head,
                             const struct head_limits *limits, const char **why_out)
{
    struct head_reading reading = {.message = message, .limits = limits, .keeps_underscores = true};
    struct slice line;

    head_clear(message);
    *why_out = "a malformed status line";
    if (!take_line(&head, &line) || !read_status_line(message, line))
        return 502;
    if (read_fields(&reading, head) && read_hop_fields(&reading) && judge_framing(&reading))
        return 0;
    *why_out = reading.why;
    return 502;
}

unsigned head_parse_trailers(struct message *message, struct slice trailers,
                             const struct head_limits *limits, const char **why_out)
{
    struct head_reading reading = head_reading_of(message, limits);

    head_clear(message);
    if (read_fields(&reading, trailers) && head_judge_trailers(&reading))
        return 0;
    *why_out = reading.why;
    return reading.status;
}

const struct field *message_find(const struct message *message, struct slice name)
{
    for (uint32_t i = 0; i < message->field_count; i++)
        if (!message->fields[i].is_dropped && slice_equal_nocase(message->fields[i].name, name))
            return &message->fields[i];
    return NULL;
}
