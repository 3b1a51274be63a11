/*
 * h2_message - decoded HTTP/2 heads as messages, what is malformed refused.
 *
 * nghttp2 has checked most of this already.  It is checked here all the same: what is wrong with a
 * head must not depend on who decoded it, and from here on it is text for a server.
 *
 * Threads  any; pure
 */
#include "proxy/http/h2_message.h"

#include "proxy/http/answer.h"
#include "proxy/http/head_rules.h"

enum { LINE_REST = sizeof("  HTTP/1.1") - 1, FIELD_OVERHEAD = 32 };

/* Of servers: what was decoded was held to its limits as it came. */
static const struct head_limits response_limits = {
    .head_bytes = SIZE_MAX,
    .line_bytes = SIZE_MAX,
    .fields = MESSAGE_MAX_FIELDS,
    .underscores = HEAD_UNDERSCORES_ALLOW,
};

/* What is being filled. */
struct reading {
    struct head_reading head;
    struct h2_scratch *scratch;
    struct slice authority;
    struct slice scheme;
    struct slice protocol;
    struct slice status_text;
    size_t bytes;
    struct field *cookie;
    char *cookie_end;
};

static bool refuse(struct reading *reading, unsigned status, const char *why)
{
    return head_refuse(&reading->head, status, why);
}

static void clear(struct message *message)
{
    head_clear(message);
    message->http_minor = 1;
    message->is_http2 = true;
}

/* ---- pseudo-fields ---- */

static bool is_pseudo(struct slice name)
{
    return name.len > 0 && name.at[0] == ':';
}

static struct slice *request_place(struct reading *reading, struct slice name)
{
    if (slice_equal(name, SLICE(":method")))
        return &reading->head.message->method_text;
    if (slice_equal(name, SLICE(":path")))
        return &reading->head.message->target;
    if (slice_equal(name, SLICE(":scheme")))
        return &reading->scheme;
    if (slice_equal(name, SLICE(":authority")))
        return &reading->authority;
    return slice_equal(name, SLICE(":protocol")) ? &reading->protocol : NULL;
}

static struct slice *response_place(struct reading *reading, struct slice name)
{
    return slice_equal(name, SLICE(":status")) ? &reading->status_text : NULL;
}

typedef struct slice *place_fn(struct reading *reading, struct slice name);

/* Those in front, each once and known; how many is given back. */
static bool read_pseudo(struct reading *reading, const struct h2_head *head, place_fn *place_of,
                        size_t *count_out)
{
    size_t count = 0;

    for (; count < head->count && is_pseudo(head->fields[count].name); count++) {
        struct slice value = head->fields[count].value;
        struct slice *place = place_of(reading, head->fields[count].name);

        if (place == NULL)
            return refuse(reading, 400, "a pseudo-field that is not known");
        if (place->at != NULL)
            return refuse(reading, 400, "a pseudo-field that stands twice");
        if (value.len == 0)
            return refuse(reading, 400, "an empty pseudo-field");
        *place = value;
        reading->bytes += head->fields[count].name.len + value.len + FIELD_OVERHEAD;
    }
    *count_out = count;
    return true;
}

/* ---- fields ---- */

static bool has_upper(struct slice name)
{
    bool any = false;

    for (size_t i = 0; i < name.len; i++)
        any |= name.at[i] >= 'A' && name.at[i] <= 'Z';
    return any;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9113 §8.2.1, as far as it asks more than HTTP/1. */
static bool judge_form(struct reading *reading, struct slice name, struct slice value)
{
    if (is_pseudo(name))
        return refuse(reading, 400, "a pseudo-field that does not stand in front");
    if (has_upper(name))
        return refuse(reading, 400, "a field name with an upper-case letter");
    if (value.len > 0 && (is_blank(value.at[0]) || is_blank(value.at[value.len - 1])))
        return refuse(reading, 400, "a field value that begins or ends with a space");
    return head_judge_value(&reading->head, value);
}

/* RFC 9113 §8.2.2: what HTTP/1 says of a connection is malformed here. */
static bool judge_hop(struct reading *reading, enum header header, struct slice value)
{
    switch (header) {
    case HEADER_CONNECTION:
    case HEADER_KEEP_ALIVE:
    case HEADER_PROXY_CONNECTION:
    case HEADER_TRANSFER_ENCODING:
    case HEADER_UPGRADE: return refuse(reading, 400, "a connection's field, which HTTP/2 has not");
    case HEADER_TE:
        reading->head.message->has_te_trailers = slice_equal_nocase(value, SLICE("trailers"));
        return reading->head.message->has_te_trailers ||
               refuse(reading, 400, "a TE other than trailers");
    default: return true;
    }
}

static struct field *new_field(struct reading *reading, struct slice name, enum header header,
                               struct slice value)
{
    struct field *field = head_new_field(&reading->head);

    if (field != NULL)
        *field = (struct field){.name = name, .value = value, .header = header};
    return field;
}

/* Cookie may come in pieces, and is one field again behind us (RFC 9113 §8.2.3). */
static bool read_cookie(struct reading *reading, struct slice piece)
{
    struct h2_scratch *scratch = reading->scratch;
    struct field *cookie = reading->cookie;

    if (cookie == NULL) {
        cookie = new_field(reading, SLICE("cookie"), HEADER_COOKIE, piece);
        reading->cookie = cookie;
        if (cookie != NULL)
            reading->head.message->known[HEADER_COOKIE] = piece;
        return cookie != NULL;
    }
    if (reading->cookie_end == NULL) {
        if (cookie->value.len > scratch->room)
            return refuse(reading, 431, "cookies that are too long");
        memcpy(scratch->at, cookie->value.at, cookie->value.len);
        cookie->value.at = scratch->at;
        reading->cookie_end = scratch->at + cookie->value.len;
    }
    if (scratch->room - cookie->value.len < piece.len + 2)
        return refuse(reading, 431, "cookies that are too long");
    memcpy(reading->cookie_end, "; ", 2);
    if (piece.len > 0)
        memcpy(reading->cookie_end + 2, piece.at, piece.len);
    reading->cookie_end += 2 + piece.len;
    cookie->value.len += 2 + piece.len;
    reading->head.message->known[HEADER_COOKIE] = cookie->value;
    return true;
}

/* :authority wins; a Host beside it may say nothing else (RFC 9113 §8.3.1). */
static bool read_host(struct reading *reading, struct slice name, struct slice value)
{
    struct field *field;

    if (reading->authority.at == NULL) {
        field = new_field(reading, name, HEADER_HOST, value);
        return field != NULL && head_judge_known(&reading->head, field);
    }
    return slice_equal_nocase(value, reading->authority) ||
           refuse(reading, 400, "a Host that is not the :authority");
}

static bool read_field(struct reading *reading, struct slice name, struct slice value)
{
    enum header header;
    struct field *field;

    reading->bytes += name.len + value.len + FIELD_OVERHEAD;
    if (!judge_form(reading, name, value))
        return false;
    header = header_find(name);
    if (!judge_hop(reading, header, value))
        return false;
    if (header == HEADER_COOKIE && reading->scratch != NULL)
        return read_cookie(reading, value);
    if (header == HEADER_HOST)
        return read_host(reading, name, value);
    field = new_field(reading, name, header, value);
    return field != NULL && head_judge_field(&reading->head, field);
}

static bool read_fields(struct reading *reading, const struct h2_head *head, size_t from)
{
    for (size_t i = from; i < head->count; i++)
        if (!read_field(reading, head->fields[i].name, head->fields[i].value))
            return false;
    if (reading->bytes > reading->head.limits->head_bytes)
        return refuse(reading, 431, "a head that is too large");
    return true;
}

/* ---- requests ---- */

static bool is_path(struct slice path, enum method method)
{
    bool all = true;

    for (size_t i = 0; i < path.len; i++)
        all &= path.at[i] > ' ' && path.at[i] < 0x7f && path.at[i] != '#';
    if (path.len == 1 && path.at[0] == '*')
        return method == METHOD_OPTIONS;
    return all && path.at[0] == '/';
}

/* A WebSocket's CONNECT (RFC 8441 §4) is a GET with an upgrade. */
static bool read_extended(struct reading *reading)
{
    struct message *message = reading->head.message;

    if (!slice_equal(reading->protocol, SLICE("websocket")))
        return refuse(reading, 501, "an extended CONNECT for another protocol than websocket");
    message->method = METHOD_GET;
    message->method_text = SLICE("GET");
    message->upgrade = reading->protocol;
    message->has_connection_upgrade = true;
    return true;
}

static bool judge_method(struct reading *reading)
{
    struct message *message = reading->head.message;

    if (message->method_text.at == NULL)
        return refuse(reading, 400, "no :method");
    if (!is_token(message->method_text))
        return refuse(reading, 400, "a :method that is not a token");
    if (!head_find_method(message->method_text, &message->method))
        return refuse(reading, 501, "a method that is not known");
    if (reading->protocol.at == NULL)
        return message->method != METHOD_CONNECT ||
               refuse(reading, 501, "CONNECT: this is not a forward proxy");
    if (message->method != METHOD_CONNECT)
        return refuse(reading, 400, "a :protocol without CONNECT");
    return read_extended(reading);
}

static bool judge_request_line(struct reading *reading)
{
    struct message *message = reading->head.message;
    struct slice scheme = reading->scheme;

    if (!judge_method(reading))
        return false;
    if (scheme.at == NULL || message->target.at == NULL)
        return refuse(reading, 400, "no :scheme or no :path");
    if (!slice_equal_nocase(scheme, SLICE("https")) && !slice_equal_nocase(scheme, SLICE("http")))
        return refuse(reading, 400, "a :scheme other than http and https");
    if (message->method_text.len + message->target.len + LINE_REST >
        reading->head.limits->line_bytes)
        return refuse(reading, 414, "a :path that is too long");
    if (!is_path(message->target, message->method))
        return refuse(reading, 400, "a :path that is not one");
    return true;
}

static bool add_authority(struct reading *reading)
{
    struct field *field;

    if (reading->authority.at == NULL)
        return true;
    if (!is_field_value(reading->authority))
        return refuse(reading, 400, "a control character in :authority");
    field = new_field(reading, SLICE("host"), HEADER_HOST, reading->authority);
    return field != NULL && head_judge_known(&reading->head, field);
}

static bool judge_request_body(struct reading *reading, bool is_last)
{
    struct message *message = reading->head.message;
    bool has_length = message->content_length != MESSAGE_NO_LENGTH;

    if (is_last && has_length && message->content_length > 0)
        return refuse(reading, 400, "a Content-Length of a request that has no body");
    if (reading->protocol.at != NULL && (is_last || has_length))
        return refuse(reading, 400, "an upgrade of a request that has a body, or an end");
    message->is_chunked = !is_last && !has_length && reading->protocol.at == NULL;
    return true;
}

static bool judge_request(struct reading *reading, bool is_last)
{
    struct message *message = reading->head.message;

    if (message->known[HEADER_HOST].at == NULL)
        return refuse(reading, 400, "no :authority and no Host");
    if (!head_judge_length(&reading->head) || !judge_request_body(reading, is_last))
        return false;
    message->has_trailer_field = message->known[HEADER_TRAILER].len > 0;
    return head_judge_expect(&reading->head);
}

unsigned h2_request_message(struct message *message, const struct h2_head *head, bool is_last,
                            const struct head_limits *limits, struct h2_scratch *scratch,
                            bool *is_extended_out, const char **why_out)
{
    struct reading reading = {.head = head_reading_of(message, limits), .scratch = scratch};
    size_t pseudo;

    clear(message);
    if (!read_pseudo(&reading, head, request_place, &pseudo) || !judge_request_line(&reading) ||
        !add_authority(&reading) || !read_fields(&reading, head, pseudo) ||
        !judge_request(&reading, is_last)) {
        *why_out = reading.head.why;
        return reading.head.status;
    }
    *is_extended_out = reading.protocol.at != NULL;
    return 0;
}

/* ---- responses ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool judge_status(struct reading *reading)
{
    struct slice text = reading->status_text;
    const char *name;

    if (text.len != 3 || text.at[0] < '1' || text.at[0] > '5' || !is_digit(text.at[1]) ||
        !is_digit(text.at[2]))
        return refuse(reading, 502, "a :status that is not one");
    reading->head.message->status =
        (uint16_t)((text.at[0] - '0') * 100 + (text.at[1] - '0') * 10 + (text.at[2] - '0'));
    if (reading->head.message->status == 101)
        return refuse(reading, 502, "a 101, which HTTP/2 has not");
    name = answer_status_name(reading->head.message->status);
    reading->head.message->reason = slice_from(name);
    return true;
}

static bool judge_response(struct reading *reading, bool is_last)
{
    struct message *message = reading->head.message;
    unsigned status = message->status;

    if (status < 200 && is_last)
        return refuse(reading, 502, "an interim response that ends the stream");
    if (!head_judge_length(&reading->head))
        return false;
    message->has_trailer_field = message->known[HEADER_TRAILER].len > 0;
    message->is_chunked = !is_last && message->content_length == MESSAGE_NO_LENGTH &&
                          status >= 200 && status != 204 && status != 304;
    return true;
}

unsigned h2_response_message(struct message *message, const struct h2_head *head, bool is_last,
                             const char **why_out)
{
    struct reading reading = {.head = head_reading_of(message, &response_limits)};
    size_t pseudo;

    clear(message);
    if (read_pseudo(&reading, head, response_place, &pseudo) && judge_status(&reading) &&
        read_fields(&reading, head, pseudo) && judge_response(&reading, is_last))
        return 0;
    *why_out = reading.head.why;
    return 502;
}

/* ---- trailers ---- */

unsigned h2_trailers_message(struct message *message, const struct h2_head *head,
                             const struct head_limits *limits, const char **why_out)
{
    struct reading reading = {.head = head_reading_of(message, limits)};

    clear(message);
    if (read_fields(&reading, head, 0) && head_judge_trailers(&reading.head))
        return 0;
    *why_out = reading.head.why;
    return reading.head.status;
}
