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

enum { EMPTY_LINES_BYTES = 8 };

/* What one run of llhttp fills. */
struct reading {
    llhttp_t parser;
    struct message *message;
    const struct head_limits *limits;
    struct slice name; /* of the field whose value comes next */
    unsigned status;
    const char *why;
    bool has_value;
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

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *reading = reading_of(parser);
    struct slice value = slice_trim(slice_of(at, len));
    struct field *field;

    if (reading->has_value)
        return refuse(reading, 400, "a header field continued on the next line");
    reading->has_value = true;
    if (!is_token(reading->name))
        return refuse(reading, 400, "a field name that is not a token");
    if (!is_field_value(value))
        return refuse(reading, 400, "a control character in a field value");
    field = add_field(reading, value);
    if (field == NULL)
        return HPE_USER;
    if (field->header != HEADER_OTHER) {
        struct slice *known = &reading->message->known[field->header];

        if (known->at != NULL && (header_flags(field->header) & HEADER_ONCE))
            return refuse(reading, 400, "a field that may stand only once stands twice");
        if (known->at == NULL)
            *known = value;
    } else if (reading->limits->underscores != HEAD_UNDERSCORES_ALLOW &&
               memchr(reading->name.at, '_', reading->name.len) != NULL) {
        return judge_underscore(reading, field);
    }
    return 0;
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
        if (end == line + 1 && line > 0) {
            if (end + 1 > limits->head_bytes)
                return HEAD_TOO_LARGE;
            *from = end + 1;
            return HEAD_FOUND;
        }
        if (line == 0 && end > limits->line_bytes)
            return HEAD_LINE_TOO_LONG;
        if (bytes.at[line] == ' ' || bytes.at[line] == '\t' || bytes.at[line] == '\r')
            return HEAD_MALFORMED;
        line = end + 1;
    }
    *from = line;
    if (line == 0 && bytes.len > limits->line_bytes)
        return HEAD_LINE_TOO_LONG;
    return bytes.len > limits->head_bytes ? HEAD_TOO_LARGE : HEAD_INCOMPLETE;
}

/* ---- what the fields mean ---- */

/* Connection (RFC 9110 §7.6.1): what it names goes, except what is end-to-end by its nature. */
static void apply_connection_option(struct message *message, struct slice option)
{
    enum header header;

    if (slice_equal_nocase(option, SLICE("close")))
        message->has_connection_close = true;
    else if (slice_equal_nocase(option, SLICE("keep-alive")))
        message->has_connection_keep_alive = true;
    else if (slice_equal_nocase(option, SLICE("upgrade")))
        message->has_connection_upgrade = true;
    header = header_find(option);
    if (header != HEADER_OTHER && (header_flags(header) & (HEADER_KEEP | HEADER_FRAMING)))
        return;
    for (uint32_t i = 0; i < message->field_count; i++)
        if (slice_equal_nocase(message->fields[i].name, option))
            message->fields[i].is_dropped = true;
}

static void apply_list(struct message *message, struct field *field)
{
    struct slice rest = field->value;
    struct slice element;

    while (slice_next_element(&rest, &element)) {
        if (field->header == HEADER_CONNECTION && element.len > 0)
            apply_connection_option(message, element);
        if (field->header == HEADER_TE && slice_equal_nocase(element, SLICE("trailers")))
            message->has_te_trailers = true;
    }
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

static void read_hop_fields(struct message *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        struct field *field = &message->fields[i];

        if (field->header == HEADER_CONNECTION || field->header == HEADER_TE)
            apply_list(message, field);
    }
    if (message->has_connection_upgrade && message->known[HEADER_UPGRADE].at != NULL)
        message->upgrade = message->known[HEADER_UPGRADE];
    message->has_trailer_field = message->known[HEADER_TRAILER].len > 0;
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
    size_t end = (size_t)(newline - head.at) - 1;
    struct slice version = end >= 9 ? slice_of(head.at + end - 9, 9) : SLICE("");

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

unsigned head_parse_request(struct message *message, struct slice head,
                            const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {.message = message, .limits = limits, .why = ""};
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
    message->method_text =
        slice_of(head.at, (size_t)((const char *)memchr(head.at, ' ', head.len) - head.at));
    read_hop_fields(message);
    status = judge_framing(message, 400, why_out);
    return status != 0 ? status : judge_expect(message, why_out);
}

unsigned head_parse_response(struct message *message, struct slice head,
                             const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {.message = message, .limits = limits, .why = ""};

    clear(message);
    *why_out = "a malformed status line";
    if (!slice_starts_with(head, SLICE("HTTP/1.")) || head.len < 14 ||
        (head.at[7] != '0' && head.at[7] != '1') || head.at[8] != ' ')
        return 502;
    if (run(&reading, HTTP_RESPONSE, head) != 0) {
        *why_out = reading.why;
        return 502;
    }
    message->http_minor = (uint8_t)(head.at[7] - '0');
    message->status = reading.parser.status_code;
    if (message->status < 100 || message->status > 599 || !is_field_value(message->reason)) {
        *why_out = "a status that is none";
        return 502;
    }
    read_hop_fields(message);
    return judge_framing(message, 502, why_out);
}

unsigned head_parse_trailers(struct message *message, struct slice trailers,
                             const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {.message = message, .limits = limits, .why = ""};
    struct slice rest = trailers;

    clear(message);
    while (rest.len > 2) {
        const char *newline = memchr(rest.at, '\n', rest.len);
        struct slice line = slice_of(rest.at, (size_t)(newline - rest.at) - 1);
        const char *colon = memchr(line.at, ':', line.len);

        *why_out = "a malformed trailer field";
        if (colon == NULL)
            return 400;
        on_name(&reading.parser, line.at, (size_t)(colon - line.at));
        if (on_value(&reading.parser, colon + 1, line.len - (size_t)(colon - line.at) - 1) != 0) {
            *why_out = reading.why;
            return reading.status;
        }
        if (header_flags(message->fields[message->field_count - 1].header) &
            (HEADER_FRAMING | HEADER_HOP)) {
            *why_out = "a framing or hop-by-hop field in the trailers";
            return 400;
        }
        rest = slice_after(rest, (size_t)(newline - rest.at) + 1);
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
