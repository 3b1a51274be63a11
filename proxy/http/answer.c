/*
 * answer - our own small responses.
 *
 * Threads  any; pure
 */
#include "proxy/http/answer.h"

#include "base/log.h"

static const struct {
    unsigned status;
    const char *name;
} names[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {508, "Loop Detected"},
};

const char *answer_status_name(unsigned status)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].status == status)
            return names[i].name;
    return "Unknown";
}

/* ---- what the client prefers ---- */

/* q in thousandths (RFC 9110 §12.4.2); 1000 when there is none, 0 when it is malformed. */
static unsigned quality(struct slice parameters)
{
    while (parameters.len > 0) {
        const char *semicolon = memchr(parameters.at, ';', parameters.len);
        size_t len = semicolon == NULL ? parameters.len : (size_t)(semicolon - parameters.at);
        struct slice one = slice_trim(slice_of(parameters.at, len));
        unsigned value = 0;

        parameters = semicolon == NULL ? SLICE("") : slice_after(parameters, len + 1);
        if (one.len < 3 || ascii_lower(one.at[0]) != 'q' || one.at[1] != '=')
            continue;
        if (one.at[2] == '1')
            return 1000;
        for (unsigned i = 0, scale = 100; i < 3; i++, scale /= 10)
            if (one.len > 4 + i && one.at[4 + i] >= '0' && one.at[4 + i] <= '9')
                value += (unsigned)(one.at[4 + i] - '0') * scale;
        return value;
    }
    return 1000;
}

static int form_of(struct slice type)
{
    if (slice_equal_nocase(type, SLICE("text/html")) ||
        slice_equal_nocase(type, SLICE("application/xhtml+xml")))
        return ANSWER_HTML;
    if (slice_equal_nocase(type, SLICE("application/json")) ||
        slice_equal_nocase(type, SLICE("application/problem+json")))
        return ANSWER_JSON;
    if (slice_equal_nocase(type, SLICE("text/plain")) || slice_equal_nocase(type, SLICE("text/*")))
        return ANSWER_TEXT;
    return -1;
}

enum answer_form answer_form(struct slice accept)
{
    enum answer_form best = ANSWER_TEXT;
    unsigned best_quality = 0;
    struct slice rest = accept;
    struct slice element;

    while (slice_next_element(&rest, &element)) {
        const char *semicolon = element.len > 0 ? memchr(element.at, ';', element.len) : NULL;
        size_t len = semicolon == NULL ? element.len : (size_t)(semicolon - element.at);
        int form = form_of(slice_trim(slice_of(element.at, len)));
        unsigned q = quality(slice_after(element, semicolon == NULL ? len : len + 1));

        if (form >= 0 && q > best_quality) {
            best = (enum answer_form)form;
            best_quality = q;
        }
    }
    return best;
}

/* ---- bodies ---- */

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
    char escaped[6 * 256];

    if (text.len > 256)
        text.len = 256;
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

static void write_head(struct writer *w, const struct answer *answer, struct slice content_type,
                       size_t length)
{
    write_literal(w, "HTTP/1.1 ");
    write_u64(w, answer->status);
    write_char(w, ' ');
    write_text(w, answer_status_name(answer->status));
    write_literal(w, "\r\nDate: ");
    write_slice(w, answer->date);
    write_literal(w, "\r\n");
    if (answer->status != 204 && answer->status != 304) {
        write_field(w, SLICE("Content-Type"), content_type);
        write_literal(w, "Content-Length: ");
        write_u64(w, length);
        write_literal(w, "\r\n");
    }
    if (!answer->has_fixed_body)
        write_literal(w, "Cache-Control: no-store\r\n");
    if (answer->location.len > 0)
        write_field(w, SLICE("Location"), answer->location);
    if (answer->allow.len > 0)
        write_field(w, SLICE("Allow"), answer->allow);
    if (answer->retry_after_s > 0) {
        write_literal(w, "Retry-After: ");
        write_u64(w, answer->retry_after_s);
        write_literal(w, "\r\n");
    }
    if (answer->request_id.len > 0)
        write_field(w, SLICE("X-Request-Id"), answer->request_id);
    if (answer->closes)
        write_literal(w, "Connection: close\r\n");
    else if (answer->is_http_10)
        write_literal(w, "Connection: keep-alive\r\n");
}

void answer_write(struct writer *w, const struct answer *answer)
{
    char memory[4096];
    struct slice body = make_body(answer, memory, sizeof(memory));
    struct slice type = answer->has_fixed_body && answer->content_type.len > 0
                            ? answer->content_type
                            : slice_from(content_types[answer->form]);

    write_head(w, answer, type, body.len);
    write_literal(w, "\r\n");
    if (!answer->is_head && answer->status != 204 && answer->status != 304)
        write_slice(w, body);
}
