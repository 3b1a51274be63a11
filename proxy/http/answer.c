/*
 * answer - our own small responses.
 *
 * Threads  any; pure
 */
#include "proxy/http/answer.h"

#include "base/log.h"
#include "proxy/http/forward.h"

static const struct {
    unsigned status;
    const char *name;
} names[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};

const char *answer_status_name(unsigned status)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].status == status)
            return names[i].name;
    return "Unknown";
}

/* ---- what the client prefers ---- */

/* "0.5" in thousandths (RFC 9110 §12.4.2); 0 when it is malformed. */
static unsigned read_quality(struct slice text)
{
    unsigned value = 0;

    if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.len > 1 && text.at[1] != '.'))
        return 0;
    value = (unsigned)(text.at[0] - '0') * 1000;
    for (unsigned i = 2, scale = 100; i < text.len; i++, scale /= 10) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        value += (unsigned)(text.at[i] - '0') * scale;
    }
    return value <= 1000 ? value : 0;
}

/* What stands in front of the next semicolon, trimmed and taken off `rest`. */
static struct slice take_parameter(struct slice *rest)
{
    const char *semicolon = rest->len > 0 ? memchr(rest->at, ';', rest->len) : NULL;
    size_t len = semicolon == NULL ? rest->len : (size_t)(semicolon - rest->at);
    struct slice one = slice_trim(slice_of(rest->at, len));

    *rest = semicolon == NULL ? SLICE("") : slice_after(*rest, len + 1);
    return one;
}

static unsigned quality_of(struct slice parameters)
{
    while (parameters.len > 0) {
        struct slice one = take_parameter(&parameters);

        if (one.len >= 2 && ascii_lower(one.at[0]) == 'q' && one.at[1] == '=')
            return read_quality(slice_after(one, 2));
    }
    return 1000;
}

static const struct {
    struct slice range;
    enum answer_form form;
    unsigned precision; /* a type that is named goes before a range that holds it */
} forms[] = {
    {SLICE_INIT("text/html"), ANSWER_HTML, 2},
    {SLICE_INIT("application/xhtml+xml"), ANSWER_HTML, 2},
    {SLICE_INIT("application/json"), ANSWER_JSON, 2},
    {SLICE_INIT("application/problem+json"), ANSWER_JSON, 2},
    {SLICE_INIT("text/plain"), ANSWER_TEXT, 2},
    {SLICE_INIT("text/*"), ANSWER_TEXT, 1},
    {SLICE_INIT("application/*"), ANSWER_JSON, 1},
    {SLICE_INIT("*/*"), ANSWER_TEXT, 0},
};

enum answer_form answer_form(struct slice accept)
{
    enum answer_form best = ANSWER_TEXT;
    unsigned best_rank = 0;
    struct slice rest = accept;
    struct slice element;

    while (slice_next_element(&rest, &element)) {
        struct slice range = take_parameter(&element);
        unsigned quality = quality_of(element);

        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            unsigned rank = quality * 4 + forms[i].precision;

            if (rank > best_rank && range.len == forms[i].range.len && quality > 0 &&
                slice_equal_nocase(range, forms[i].range)) {
                best = forms[i].form;
                best_rank = rank;
            }
        }
    }
    return best;
}

/* ---- bodies ---- */

/* Escaped, a detail and a request id of this length still fit into MAX_BODY. */
enum { MAX_DETAIL = 256, MAX_BODY = 4096 };

static const char *const content_types[] = {
    [ANSWER_TEXT] = "text/plain; charset=utf-8",
    [ANSWER_HTML] = "text/html; charset=utf-8",
    [ANSWER_JSON] = "application/problem+json",
};

static void write_html_escaped(struct writer *w, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.at[i]) {
        case '<': write_literal(w, "&lt;"); break;
        case '>': write_literal(w, "&gt;"); break;
        case '&': write_literal(w, "&amp;"); break;
        case '"': write_literal(w, "&quot;"); break;
        default: write_char(w, text.at[i]);
        }
    }
}

static void write_json_escaped(struct writer *w, struct slice text)
{
    char escaped[6 * MAX_DETAIL];

    if (text.len > MAX_DETAIL)
        text.len = MAX_DETAIL;
    write_bytes(w, escaped, log_escape(text, escaped));
}

static void write_text_body(struct writer *w, const struct answer *answer)
{
    write_u64(w, answer->status);
    write_char(w, ' ');
    write_text(w, answer_status_name(answer->status));
    if (answer->detail.len > 0) {
        write_literal(w, ": ");
        write_slice(w, answer->detail);
    }
    if (answer->request_id.len > 0) {
        write_literal(w, "\nrequest ");
        write_slice(w, answer->request_id);
    }
    write_literal(w, "\n");
}

static void write_html_body(struct writer *w, const struct answer *answer)
{
    const char *name = answer_status_name(answer->status);

    write_literal(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>");
    write_u64(w, answer->status);
    write_char(w, ' ');
    write_text(w, name);
    write_literal(w, "</title>\n<h1>");
    write_u64(w, answer->status);
    write_char(w, ' ');
    write_text(w, name);
    write_literal(w, "</h1>\n");
    if (answer->detail.len > 0) {
        write_literal(w, "<p>");
        write_html_escaped(w, answer->detail);
        write_literal(w, "</p>\n");
    }
    if (answer->request_id.len > 0) {
        write_literal(w, "<p><small>request ");
        write_html_escaped(w, answer->request_id);
        write_literal(w, "</small></p>\n");
    }
    write_literal(w, "</html>\n");
}

static void write_json_body(struct writer *w, const struct answer *answer)
{
    write_literal(w, "{\"type\":\"about:blank\",\"title\":\"");
    write_text(w, answer_status_name(answer->status));
    write_literal(w, "\",\"status\":");
    write_u64(w, answer->status);
    if (answer->detail.len > 0) {
        write_literal(w, ",\"detail\":\"");
        write_json_escaped(w, answer->detail);
        write_char(w, '"');
    }
    if (answer->request_id.len > 0) {
        write_literal(w, ",\"request_id\":\"");
        write_json_escaped(w, answer->request_id);
        write_char(w, '"');
    }
    write_literal(w, "}\n");
}

static struct slice make_body(const struct answer *answer, char *memory, size_t bytes)
{
    struct writer w = writer_over(memory, bytes);

    if (answer->has_fixed_body)
        return answer->body;
    switch (answer->form) {
    case ANSWER_HTML: write_html_body(&w, answer); break;
    case ANSWER_JSON: write_json_body(&w, answer); break;
    default: write_text_body(&w, answer);
    }
    return writer_slice(&w);
}

/* Unless it is empty, or the route has an opinion on it. */
static void write_own_field(struct writer *w, const struct answer *answer, struct slice name,
                            struct slice value)
{
    if (value.len > 0 && !forward_is_edited(name, answer->edits))
        write_field(w, name, value);
}

static void write_head(struct writer *w, const struct answer *answer, struct slice content_type,
                       size_t length)
{
    write_literal(w, "HTTP/1.1 ");
    write_u64(w, answer->status);
    write_char(w, ' ');
    write_text(w, answer_status_name(answer->status));
    write_literal(w, "\r\n");
    write_own_field(w, answer, SLICE("Date"), answer->date);
    if (answer->status != 204 && answer->status != 304) {
        write_own_field(w, answer, SLICE("Content-Type"), content_type);
        write_literal(w, "Content-Length: ");
        write_u64(w, length);
        write_literal(w, "\r\n");
    }
    if (!answer->has_fixed_body)
        write_own_field(w, answer, SLICE("Cache-Control"), SLICE("no-store"));
    write_own_field(w, answer, SLICE("Location"), answer->location);
    write_own_field(w, answer, SLICE("Allow"), answer->allow);
    if (answer->retry_after_s > 0) {
        write_literal(w, "Retry-After: ");
        write_u64(w, answer->retry_after_s);
        write_literal(w, "\r\n");
    }
    write_own_field(w, answer, SLICE("X-Request-Id"), answer->request_id);
    forward_write_edits(w, answer->edits);
    if (answer->closes)
        write_literal(w, "Connection: close\r\n");
    else if (answer->is_http_10)
        write_literal(w, "Connection: keep-alive\r\n");
}

static struct slice type_of(const struct answer *answer)
{
    if (!answer->has_fixed_body)
        return slice_from(content_types[answer->form == ANSWER_GRPC ? ANSWER_TEXT : answer->form]);
    if (answer->content_type.len > 0 || answer->body.len == 0)
        return answer->content_type;
    return slice_from(content_types[ANSWER_TEXT]);
}

/* ---- gRPC ---- */

bool answer_is_grpc(struct slice content_type)
{
    struct slice name = SLICE("application/grpc");

    return content_type.len >= name.len &&
           slice_equal_nocase(slice_of(content_type.at, name.len), name) &&
           (content_type.len == name.len || strchr("+; ", content_type.at[name.len]) != NULL);
}

/* grpc/doc/http-grpc-status-mapping.md */
unsigned answer_grpc_status(unsigned status)
{
    switch (status) {
    case 400: return 13; /* INTERNAL */
    case 401: return 16; /* UNAUTHENTICATED */
    case 403: return 7;  /* PERMISSION_DENIED */
    case 404: return 12; /* UNIMPLEMENTED */
    case 429:
    case 502:
    case 503:
    case 504: return 14; /* UNAVAILABLE */
    default: return 2;   /* UNKNOWN */
    }
}

static void write_percent_encoded(struct writer *w, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if (c >= ' ' && c <= '~' && c != '%') {
            write_char(w, (char)c);
        } else {
            write_char(w, '%');
            write_char(w, digits[c >> 4]);
            write_char(w, digits[c & 15]);
        }
    }
}

/* "Trailers-Only": 200, and what failed in a head that is all there is. */
static void write_grpc(struct writer *w, const struct answer *answer)
{
    write_literal(w, "HTTP/1.1 200 OK\r\n");
    write_own_field(w, answer, SLICE("Date"), answer->date);
    write_literal(w, "Content-Type: application/grpc\r\nGrpc-Status: ");
    write_u64(w, answer_grpc_status(answer->status));
    write_literal(w, "\r\nGrpc-Message: ");
    write_percent_encoded(w, answer->detail.len > 0
                                 ? answer->detail
                                 : slice_from(answer_status_name(answer->status)));
    write_literal(w, "\r\nContent-Length: 0\r\n");
    write_own_field(w, answer, SLICE("X-Request-Id"), answer->request_id);
    if (answer->closes)
        write_literal(w, "Connection: close\r\n");
    else if (answer->is_http_10)
        write_literal(w, "Connection: keep-alive\r\n");
    write_literal(w, "\r\n");
}

void answer_write(struct writer *w, const struct answer *answer)
{
    char memory[MAX_BODY];
    struct answer bounded = *answer;
    struct slice body;

    if (bounded.detail.len > MAX_DETAIL)
        bounded.detail.len = MAX_DETAIL;
    if (bounded.request_id.len > MAX_DETAIL)
        bounded.request_id.len = MAX_DETAIL;
    if (answer->form == ANSWER_GRPC && !answer->has_fixed_body && answer->location.len == 0) {
        write_grpc(w, &bounded);
        return;
    }
    body = make_body(&bounded, memory, sizeof(memory));
    write_head(w, answer, type_of(answer), body.len);
    write_literal(w, "\r\n");
    if (!answer->is_head && answer->status != 204 && answer->status != 304)
        write_slice(w, body);
}
