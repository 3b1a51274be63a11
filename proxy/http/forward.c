/*
 * forward - heads written anew.
 *
 * Threads  any; pure
 */
#include "proxy/http/forward.h"

static bool is_edited(struct slice name, const struct forward_edits *edits)
{
    if (edits == NULL)
        return false;
    for (uint32_t i = 0; i < edits->set_count; i++)
        if (slice_equal_nocase(edits->set[i].name, name))
            return true;
    for (uint32_t i = 0; i < edits->remove_count; i++)
        if (slice_equal_nocase(edits->remove[i], name))
            return true;
    return false;
}

static void write_edits(struct writer *w, const struct forward_edits *edits)
{
    if (edits == NULL)
        return;
    for (uint32_t i = 0; i < edits->set_count; i++)
        write_field(w, edits->set[i].name, edits->set[i].value);
}

static void write_framing(struct writer *w, enum forward_body body, uint64_t length)
{
    if (body == FORWARD_CHUNKED) {
        write_literal(w, "Transfer-Encoding: chunked\r\n");
    } else if (body == FORWARD_LENGTH) {
        write_literal(w, "Content-Length: ");
        write_u64(w, length);
        write_literal(w, "\r\n");
    }
}

/* ---- requests ---- */

/* All lines of a field, joined: for those that we add an element to. */
static void write_joined(struct writer *w, const struct message *message, enum header header)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];

        if (field->header == header && !field->is_dropped && field->value.len > 0) {
            write_slice(w, field->value);
            write_literal(w, ", ");
        }
    }
}

static void write_via(struct writer *w, const struct message *message)
{
    write_literal(w, "Via: ");
    if (message->known[HEADER_VIA].at != NULL)
        write_joined(w, message, HEADER_VIA);
    if (message->http_minor == 0)
        write_literal(w, "1.0 " FORWARD_PSEUDONYM "\r\n");
    else
        write_literal(w, "1.1 " FORWARD_PSEUDONYM "\r\n");
}

static void write_forwarded_for(struct writer *w, const struct message *message,
                                const struct forward_request *request)
{
    struct slice peer = request->peer.len > 0 ? request->peer : SLICE("unknown");
    bool is_ipv6 = memchr(peer.at, ':', peer.len) != NULL;

    write_literal(w, "X-Forwarded-For: ");
    if (request->is_peer_trusted)
        write_joined(w, message, HEADER_X_FORWARDED_FOR);
    write_slice(w, peer);
    write_literal(w, "\r\nForwarded: ");
    if (request->is_peer_trusted)
        write_joined(w, message, HEADER_FORWARDED);
    write_text(w, is_ipv6 ? "for=\"[" : "for=");
    write_slice(w, peer);
    write_text(w, is_ipv6 ? "]\"" : "");
    if (request->forwarded_host.len > 0) {
        write_literal(w, ";host=\"");
        write_slice(w, request->forwarded_host);
        write_literal(w, "\"");
    }
    write_text(w, request->is_https ? ";proto=https\r\n" : ";proto=http\r\n");
}

static void write_once(struct writer *w, const char *name, struct slice kept, struct slice own)
{
    struct slice value = kept.len > 0 ? kept : own;

    if (value.len == 0)
        return;
    write_text(w, name);
    write_slice(w, value);
    write_literal(w, "\r\n");
}

static void write_ours(struct writer *w, const struct message *message,
                       const struct forward_request *request)
{
    bool keep = request->is_peer_trusted;
    struct slice none = SLICE("");
    struct slice scheme = request->is_https ? SLICE("https") : SLICE("http");

    write_via(w, message);
    write_forwarded_for(w, message, request);
    write_once(w, "X-Forwarded-Proto: ", keep ? message->known[HEADER_X_FORWARDED_PROTO] : none,
               scheme);
    write_once(w, "X-Forwarded-Host: ", keep ? message->known[HEADER_X_FORWARDED_HOST] : none,
               request->forwarded_host);
    if (keep) {
        write_once(w, "X-Forwarded-Port: ", message->known[HEADER_X_FORWARDED_PORT], none);
        write_once(w, "X-Real-IP: ", message->known[HEADER_X_REAL_IP], none);
    }
    write_once(w, "X-Request-Id: ", none, request->request_id);
}

/* Max-Forwards counts OPTIONS and TRACE down (RFC 9110 §7.6.2). */
static bool write_max_forwards(struct writer *w, const struct message *message,
                               const struct field *field)
{
    uint64_t hops;

    if (field->header != HEADER_MAX_FORWARDS || message->method != METHOD_OPTIONS ||
        !slice_to_u64(field->value, &hops) || hops == 0)
        return false;
    write_literal(w, "Max-Forwards: ");
    write_u64(w, hops - 1);
    write_literal(w, "\r\n");
    return true;
}

static bool request_field_passes(const struct field *field, const struct forward_request *request)
{
    unsigned flags = header_flags(field->header);

    if (field->is_dropped || (flags & (HEADER_HOP | HEADER_OURS)))
        return false;
    if (field->header == HEADER_EXPECT)
        return request->passes_expect;
    if (field->header == HEADER_TRAILER)
        return request->body == FORWARD_CHUNKED;
    if (flags & HEADER_FRAMING)
        return false;
    return field->header != HEADER_VIA && field->header != HEADER_X_REQUEST_ID;
}

static void write_connection(struct writer *w, const struct message *message, bool upgrade)
{
    if (upgrade) {
        write_literal(w, "Connection: upgrade\r\nUpgrade: ");
        write_slice(w, message->upgrade);
        write_literal(w, "\r\n");
    } else if (message->has_te_trailers) {
        write_literal(w, "Connection: TE\r\nTE: trailers\r\n");
    }
}

void forward_write_request(struct writer *w, const struct message *message,
                           const struct forward_request *request)
{
    write_slice(w, message->method_text);
    write_char(w, ' ');
    write_slice(w, request->path);
    write_slice(w, request->query);
    write_literal(w, " HTTP/1.1\r\nHost: ");
    write_slice(w, request->host);
    write_literal(w, "\r\n");
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];

        if (!request_field_passes(field, request) || is_edited(field->name, request->edits))
            continue;
        if (!write_max_forwards(w, message, field))
            write_field(w, field->name, field->value);
    }
    write_ours(w, message, request);
    write_framing(w, request->body, request->length);
    write_connection(w, message, request->passes_upgrade);
    write_edits(w, request->edits);
    write_literal(w, "\r\n");
}

/* ---- responses ---- */

static bool response_field_passes(const struct field *field)
{
    unsigned flags = header_flags(field->header);

    if (field->is_dropped || (flags & HEADER_HOP))
        return false;
    return !(flags & HEADER_FRAMING) || field->header == HEADER_TRAILER;
}

static void write_status_line(struct writer *w, const struct message *message, bool to_http_10)
{
    (void)to_http_10; /* a sender says its own version, whoever it speaks to (RFC 9110 §2.5) */
    write_literal(w, "HTTP/1.1 ");
    write_u64(w, message->status);
    write_char(w, ' ');
    write_slice(w, message->reason);
    write_literal(w, "\r\n");
}

static void write_response_end(struct writer *w, const struct message *message,
                               const struct forward_response *response)
{
    if (message->known[HEADER_DATE].at == NULL) {
        write_literal(w, "Date: ");
        write_slice(w, response->date);
        write_literal(w, "\r\n");
    }
    if (response->request_id.len > 0 && message->known[HEADER_X_REQUEST_ID].at == NULL)
        write_field(w, SLICE("X-Request-Id"), response->request_id);
    if (response->set_cookie.len > 0)
        write_field(w, SLICE("Set-Cookie"), response->set_cookie);
    if (response->keeps_length && message->content_length != MESSAGE_NO_LENGTH)
        write_framing(w, FORWARD_LENGTH, message->content_length);
    else
        write_framing(w, response->body, response->length);
    if (response->is_upgrade) {
        write_literal(w, "Connection: upgrade\r\nUpgrade: ");
        write_slice(w, message->upgrade);
        write_literal(w, "\r\n");
    } else if (response->closes) {
        write_literal(w, "Connection: close\r\n");
    } else if (response->to_http_10) {
        write_literal(w, "Connection: keep-alive\r\n");
    }
    write_edits(w, response->edits);
    write_literal(w, "\r\n");
}

void forward_write_response(struct writer *w, const struct message *message,
                            const struct forward_response *response)
{
    write_status_line(w, message, response->to_http_10);
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];

        if (response_field_passes(field) && !is_edited(field->name, response->edits))
            write_field(w, field->name, field->value);
    }
    write_response_end(w, message, response);
}

void forward_write_interim(struct writer *w, const struct message *message)
{
    write_status_line(w, message, false);
    for (uint32_t i = 0; i < message->field_count; i++)
        if (response_field_passes(&message->fields[i]))
            write_field(w, message->fields[i].name, message->fields[i].value);
    write_literal(w, "\r\n");
}

void forward_write_trailers(struct writer *w, const struct message *trailers)
{
    for (uint32_t i = 0; i < trailers->field_count; i++)
        if (!trailers->fields[i].is_dropped)
            write_field(w, trailers->fields[i].name, trailers->fields[i].value);
}

/* ---- the way so far ---- */

unsigned forward_via_count(const struct message *message)
{
    unsigned count = 0;

    if (message->known[HEADER_VIA].at == NULL)
        return 0;
    for (uint32_t i = 0; i < message->field_count; i++) {
        struct slice rest = message->fields[i].value;
        struct slice element;

        if (message->fields[i].header != HEADER_VIA)
            continue;
        while (slice_next_element(&rest, &element)) {
            const char *space = element.len > 0 ? memchr(element.at, ' ', element.len) : NULL;
            struct slice name =
                space == NULL ? element
                              : slice_trim(slice_after(element, (size_t)(space - element.at)));

            space = name.len > 0 ? memchr(name.at, ' ', name.len) : NULL;
            if (space != NULL)
                name.len = (size_t)(space - name.at);
            count += slice_equal_nocase(name, SLICE(FORWARD_PSEUDONYM));
        }
    }
    return count;
}

/* The element before `*end` of a comma-separated list, from its right; false when none is left. */
static bool previous_element(struct slice list, size_t *end, struct slice *element_out)
{
    size_t start;

    if (*end == 0)
        return false;
    start = *end - 1;
    while (start > 0 && list.at[start - 1] != ',')
        start--;
    if (start == *end - 1 && list.at[start] == ',')
        *element_out = SLICE("");
    else
        *element_out = slice_trim(slice_of(list.at + start, *end - start));
    *end = start > 0 ? start - 1 : 0;
    return true;
}

struct slice forward_client_address(const struct message *message, forward_trust_fn *is_trusted,
                                    void *context)
{
    struct slice client = SLICE("");

    for (uint32_t i = message->field_count; i-- > 0;) {
        struct slice list = message->fields[i].value;
        size_t end = list.len;
        struct slice element;

        if (message->fields[i].header != HEADER_X_FORWARDED_FOR)
            continue;
        while (previous_element(list, &end, &element)) {
            if (element.len == 0)
                return client;
            client = element;
            if (!is_trusted(context, element))
                return client;
        }
    }
    return client;
}
