/*
 * h1_read - HTTP/1 heads, read strictly.  The only file that knows llhttp.
 *
 * llhttp (strict mode, no lenient flag) judges the grammar; the meaning of Host, Connection,
 * Content-Length, Transfer-Encoding, Expect and the version is judged here.
 *
 * Threads  one worker; pure
 */
#include "proxy/http/h1_read.h"

#include <llhttp.h>

#include "base/check.h"
#include "base/list.h"

#if !defined(LLHTTP_STRICT_MODE) || LLHTTP_STRICT_MODE != 1
#error "llhttp must be built and used with LLHTTP_STRICT_MODE=1"
#endif

enum { EMPTY_LINES_BYTES = 8, MAX_CONNECTION_OPTIONS = 64 };

/* What one run of llhttp fills. */
struct reading {
    llhttp_t parser;
    struct message *message;
    const struct head_limits *limits;
    struct slice name; /* of the field whose value comes next */
    unsigned status;
    const char *why;
    bool has_value;
    bool keeps_underscores;
};

static int refuse(struct reading *reading, unsigned status, const char *why)
{
    if (reading->status == 0) {
        reading->status = status;
        reading->why = why;
    }
    return HPE_USER;
}

static struct reading *reading_of(llhttp_t *parser)
{
    return container_of(parser, struct reading, parser);
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
    struct message *message = reading_of(parser)->message;

    if (message->target.len > 0)
        return refuse(reading_of(parser), 400, "request target in pieces");
    message->target = slice_of(at, len);
    return 0;
}

static int on_reason(llhttp_t *parser, const char *at, size_t len)
{
    reading_of(parser)->message->reason = slice_of(at, len);
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *reading = reading_of(parser);

    reading->name = slice_of(at, len);
    reading->has_value = false;
    return 0;
}

static struct field *add_field(struct reading *reading, struct slice value)
{
    struct message *message = reading->message;
    struct field *field;

    if (message->field_count >= reading->limits->fields ||
        message->field_count >= MESSAGE_MAX_FIELDS) {
        refuse(reading, 431, "too many header fields");
        return NULL;
    }
    field = &message->fields[message->field_count++];
    field->name = reading->name;
    field->value = value;
    field->header = header_find(reading->name);
    field->is_dropped = false;
    return field;
}

static int judge_underscore(struct reading *reading, struct field *field)
{
    if (reading->limits->underscores == HEAD_UNDERSCORES_REJECT)
        return refuse(reading, 400, "a field name with an underscore");
    field->is_dropped = true;
    reading->message->dropped_fields++;
    return 0;
}

static int judge_known(struct reading *reading, const struct field *field)
{
    struct slice *known = &reading->message->known[field->header];

    if (known->at == NULL)
        *known = field->value;
    else if (header_flags(field->header) & HEADER_ONCE)
        return refuse(reading, 400, "a field that may stand only once stands twice");
    return 0;
}

static int judge_unknown(struct reading *reading, struct field *field)
{
    if (!is_token(field->name))
        return refuse(reading, 400, "a field name that is not a token");
    if (!reading->keeps_underscores && memchr(field->name.at, '_', field->name.len) != NULL)
        return judge_underscore(reading, field);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *reading = reading_of(parser);
    const char *name_end = reading->name.at + reading->name.len;
    struct slice value = slice_trim(slice_of(at, len));
    struct field *field;

    /* A folded line comes as a second span, or as a first one that begins on the next line; the
     * span of an empty value stands anywhere. */
    if (reading->has_value || (value.len > 0 && at > name_end + 2 &&
                               memchr(name_end, '\n', (size_t)(at - name_end)) != NULL))
        return refuse(reading, 400, "a header field continued on the next line");
    reading->has_value = true;
    if (value.len == 0)
        value.at = name_end;
    if (!is_field_value(value))
        return refuse(reading, 400, "a control character in a field value");
    field = add_field(reading, value);
    if (field == NULL)
        return HPE_USER;
    return field->header != HEADER_OTHER ? judge_known(reading, field)
                                         : judge_unknown(reading, field);
}

static int on_value_complete(llhttp_t *parser)
{
    struct reading *reading = reading_of(parser);

    /* llhttp gives no span for an empty value. */
    return reading->has_value ? 0 : on_value(parser, reading->name.at + reading->name.len, 0);
}

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_target,
    .on_status = on_reason,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

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

/* What Connection names goes (RFC 9110 §7.6.1).  Known fields do not need that: what is hop-by-hop
 * goes anyway, and nothing that is end-to-end or ours can be taken away so. */
static void drop_named(struct message *message, struct slice name)
{
    if (header_find(name) != HEADER_OTHER)
        return;
    for (uint32_t i = 0; i < message->field_count; i++)
        if (message->fields[i].header == HEADER_OTHER &&
            slice_equal_nocase(message->fields[i].name, name))
            message->fields[i].is_dropped = true;
}

static void apply_connection_option(struct message *message, struct slice option)
{
    if (slice_equal_nocase(option, SLICE("keep-alive")))
        message->has_connection_keep_alive = true;
    else if (slice_equal_nocase(option, SLICE("close")))
        message->has_connection_close = true;
    else if (slice_equal_nocase(option, SLICE("upgrade")))
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

/* `bad` is the status for what is wrong. */
static unsigned read_hop_fields(struct message *message, unsigned bad, const char **why)
{
    const struct slice *known = message->known;

    *why = "too many options in Connection";
    if (known[HEADER_CONNECTION].at != NULL && !read_connection(message))
        return bad;
    if (known[HEADER_TE].at != NULL)
        message->has_te_trailers = te_takes_trailers(message);
    /* HTTP/1.0 knows no upgrade (RFC 9110 §7.8). */
    if (known[HEADER_UPGRADE].at != NULL && message->has_connection_upgrade &&
        message->http_minor > 0)
        message->upgrade = first_upgrade(message);
    message->has_trailer_field = known[HEADER_TRAILER].len > 0;
    return 0;
}

static unsigned judge_transfer_encoding(struct message *message, unsigned bad, const char **why)
{
    unsigned seen = 0;

    for (uint32_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].header != HEADER_TRANSFER_ENCODING)
            continue;
        seen++;
        message->is_chunked = slice_equal_nocase(message->fields[i].value, SLICE("chunked"));
        if (!message->is_chunked || seen > 1) {
            *why = "a Transfer-Encoding other than one chunked";
            return bad;
        }
    }
    if (seen > 0 && message->http_minor == 0) {
        *why = "Transfer-Encoding in an HTTP/1.0 message";
        return bad;
    }
    return 0;
}

/* Content-Length and Transfer-Encoding (RFC 9112 §6); `bad` is the status for what is wrong. */
static unsigned judge_framing(struct message *message, unsigned bad, const char **why)
{
    struct slice length = message->known[HEADER_CONTENT_LENGTH];

    message->content_length = MESSAGE_NO_LENGTH;
    if (length.at != NULL &&
        (!slice_to_u64(length, &message->content_length) || message->content_length > INT64_MAX)) {
        *why = "a Content-Length that is not a number of bytes";
        return bad;
    }
    if (message->known[HEADER_TRANSFER_ENCODING].at != NULL) {
        if (judge_transfer_encoding(message, bad, why) != 0)
            return bad;
        if (length.at != NULL) {
            *why = "both Content-Length and Transfer-Encoding";
            return bad;
        }
    }
    return 0;
}

static unsigned judge_upgrade(const struct message *message, const char **why)
{
    *why = "an upgrade of a request that has a body";
    return message->upgrade.len > 0 &&
                   (message->is_chunked ||
                    (message->content_length != MESSAGE_NO_LENGTH && message->content_length > 0))
               ? 400
               : 0;
}

static unsigned judge_expect(struct message *message, const char **why)
{
    struct slice expect = message->known[HEADER_EXPECT];

    if (expect.at == NULL || message->http_minor == 0)
        return 0;
    if (!slice_equal_nocase(expect, SLICE("100-continue"))) {
        *why = "an Expect other than 100-continue";
        return 417;
    }
    message->expects_continue = true;
    return 0;
}

/* ---- running llhttp over a whole head ---- */

static void clear(struct message *message)
{
    /* Everything but the array of fields. */
    memset(message, 0, offsetof(struct message, fields));
    message->content_length = MESSAGE_NO_LENGTH;
}

/* llhttp knows a fixed list of methods: one that it does not know, but that could be one, is 501.
 */
static unsigned judge_unknown_method(struct slice head, const char **why)
{
    const char *space = memchr(head.at, ' ', head.len);

    *why = "a malformed request line";
    if (space == NULL || !is_token(slice_of(head.at, (size_t)(space - head.at))))
        return 400;
    *why = "a method that is not known";
    return 501;
}

/* The version stands at the end of the request line: only 1.0 and 1.1 are spoken here. */
static unsigned judge_version(struct slice head, uint8_t *minor_out, const char **why)
{
    const char *newline = memchr(head.at, '\n', head.len);
    size_t line = newline == NULL ? 0 : (size_t)(newline - head.at);
    struct slice version = line >= 10 ? slice_of(newline - 10, 9) : SLICE("");

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

/* One space on each side of the target: llhttp takes several. */
static unsigned judge_request_line(struct message *message, struct slice head, const char **why)
{
    struct slice target = message->target;

    *why = "a malformed request line";
    if (target.len == 0)
        return 400;
    message->method_text = slice_of(head.at, (size_t)(target.at - head.at) - 1);
    if (!is_token(message->method_text) ||
        !slice_starts_with(slice_of(target.at + target.len, 6), SLICE(" HTTP/")))
        return 400;
    return 0;
}

static unsigned run(struct reading *reading, llhttp_type_t type, struct slice head)
{
    llhttp_errno_t result;

    llhttp_init(&reading->parser, type, &settings);
    result = llhttp_execute(&reading->parser, head.at, head.len);
    if (reading->status != 0)
        return reading->status;
    if (result == HPE_PAUSED)
        return 0;
    if (result == HPE_INVALID_METHOD)
        return judge_unknown_method(head, &reading->why);
    reading->why =
        result == HPE_OK ? "an incomplete head" : llhttp_get_error_reason(&reading->parser);
    return 400;
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

static unsigned read_meaning(struct message *message, const char **why)
{
    unsigned status = read_hop_fields(message, 400, why);

    if (status == 0)
        status = judge_framing(message, 400, why);
    if (status == 0)
        status = judge_upgrade(message, why);
    return status != 0 ? status : judge_expect(message, why);
}

unsigned head_parse_request(struct message *message, struct slice head,
                            const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {.message = message,
                              .limits = limits,
                              .why = "",
                              .keeps_underscores = limits->underscores == HEAD_UNDERSCORES_ALLOW};
    uint8_t minor = 0;
    unsigned status;

    clear(message);
    status = judge_version(head, &minor, why_out);
    if (status != 0)
        return status;
    status = run(&reading, HTTP_REQUEST, head);
    *why_out = reading.why;
    if (status != 0)
        return status;
    message->http_minor = minor;
    message->method = method_of(reading.parser.method);
    status = judge_request_line(message, head, why_out);
    return status != 0 ? status : read_meaning(message, why_out);
}

/* HTTP/1.x, a space, three digits, and a space or the end of the line. */
static bool is_status_line(struct slice head)
{
    return head.len >= 14 && slice_starts_with(head, SLICE("HTTP/1.")) &&
           (head.at[7] == '0' || head.at[7] == '1') && head.at[8] == ' ' && head.at[9] >= '1' &&
           head.at[9] <= '5' && head.at[10] >= '0' && head.at[10] <= '9' && head.at[11] >= '0' &&
           head.at[11] <= '9' && (head.at[12] == ' ' || head.at[12] == '\r');
}

unsigned head_parse_response(struct message *message, struct slice head,
                             const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {
        .message = message, .limits = limits, .why = "", .keeps_underscores = true};

    clear(message);
    *why_out = "a malformed status line";
    if (!is_status_line(head))
        return 502;
    if (run(&reading, HTTP_RESPONSE, head) != 0) {
        *why_out = reading.why;
        return 502;
    }
    message->http_minor = (uint8_t)(head.at[7] - '0');
    message->status = reading.parser.status_code;
    if (!is_field_value(message->reason)) {
        *why_out = "a control character in the status line";
        return 502;
    }
    if (read_hop_fields(message, 502, why_out) != 0)
        return 502;
    return judge_framing(message, 502, why_out);
}

/* A field that we know has its place, and its meaning, in the head alone. */
static bool judge_trailer(struct message *message)
{
    struct field *field = &message->fields[message->field_count - 1];

    if (header_flags(field->header) & (HEADER_FRAMING | HEADER_HOP))
        return false;
    if (field->header != HEADER_OTHER && !field->is_dropped) {
        field->is_dropped = true;
        message->dropped_fields++;
    }
    return true;
}

static unsigned read_trailer(struct reading *reading, struct slice line)
{
    const char *colon = line.len > 0 ? memchr(line.at, ':', line.len) : NULL;

    if (colon == NULL || colon == line.at)
        return 400;
    on_name(&reading->parser, line.at, (size_t)(colon - line.at));
    if (on_value(&reading->parser, colon + 1, line.len - (size_t)(colon - line.at) - 1) != 0)
        return reading->status;
    if (!judge_trailer(reading->message)) {
        reading->why = "a framing or hop-by-hop field in the trailers";
        return 400;
    }
    return 0;
}

unsigned head_parse_trailers(struct message *message, struct slice trailers,
                             const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {.message = message,
                              .limits = limits,
                              .why = "a malformed trailer field",
                              .keeps_underscores = limits->underscores == HEAD_UNDERSCORES_ALLOW};
    struct slice rest = trailers;

    clear(message);
    while (!slice_equal(rest, SLICE("\r\n"))) {
        const char *newline = rest.len > 0 ? memchr(rest.at, '\n', rest.len) : NULL;
        size_t end = newline == NULL ? 0 : (size_t)(newline - rest.at);
        unsigned status = end > 0 && rest.at[end - 1] == '\r'
                              ? read_trailer(&reading, slice_of(rest.at, end - 1))
                              : 400;

        if (status != 0) {
            *why_out = reading.why;
            return status;
        }
        rest = slice_after(rest, end + 1);
    }
    return 0;
}

const struct field *message_find(const struct message *message, struct slice name)
{
    for (uint32_t i = 0; i < message->field_count; i++)
        if (!message->fields[i].is_dropped && slice_equal_nocase(message->fields[i].name, name))
            return &message->fields[i];
    return NULL;
}
