/*
 * forward - heads written anew.
 *
 * Threads  any; pure
 */
#include "proxy/http/forward.h"

#include <arpa/inet.h>

static char without_underscore(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

/* The same to a server that makes variables of names, as CGI does? */
static bool is_same_variable(struct slice one, struct slice other)
{
    if (one.len != other.len)
        return false;
    for (size_t i = 0; i < one.len; i++)
        if (without_underscore(one.at[i]) != without_underscore(other.at[i]))
            return false;
    return true;
}

static bool is_in_edits(struct slice name, const struct forward_edits *edits)
{
    bool (*is_same)(struct slice, struct slice) =
        edits->is_identity ? is_same_variable : slice_equal_nocase;

    for (uint32_t i = 0; i < edits->set_count; i++)
        if (is_same(edits->set[i].name, name))
            return true;
    for (uint32_t i = 0; i < edits->remove_count; i++)
        if (is_same(edits->remove[i], name))
            return true;
    return false;
}

/* Most routes edit nothing: that is told without a look at the name. */
static inline bool is_edited(struct slice name, const struct forward_edits *edits)
{
    return edits != NULL && edits->set_count + edits->remove_count > 0 && is_in_edits(name, edits);
}

bool forward_is_edited(struct slice name, const struct forward_edits *edits)
{
    return is_edited(name, edits);
}

void forward_write_edits(struct writer *w, const struct forward_edits *edits)
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

/* Does the route set or remove this field of ours? */
static inline bool is_left_to_route(const struct forward_request *request, enum header header)
{
    return is_edited(header_slice(header), request->edits);
}

static void write_via(struct writer *w, const struct message *message)
{
    write_literal(w, "Via: ");
    if (message->known[HEADER_VIA].at != NULL)
        write_joined(w, message, HEADER_VIA);
    if (message->is_http2)
        write_literal(w, "2.0 " FORWARD_PSEUDONYM "\r\n");
    else if (message->http_minor == 0)
        write_literal(w, "1.0 " FORWARD_PSEUDONYM "\r\n");
    else
        write_literal(w, "1.1 " FORWARD_PSEUDONYM "\r\n");
}

static void write_forwarded_for(struct writer *w, const struct message *message,
                                const struct forward_request *request, struct slice peer)
{
    write_literal(w, "X-Forwarded-For: ");
    if (request->is_peer_trusted && message->known[HEADER_X_FORWARDED_FOR].at != NULL)
        write_joined(w, message, HEADER_X_FORWARDED_FOR);
    write_slice(w, peer);
    write_literal(w, "\r\n");
}

/* An IPv6 address needs brackets and quotes, a host with a port quotes (RFC 7239 §4, §6). */
static void write_forwarded(struct writer *w, const struct message *message,
                            const struct forward_request *request, struct slice peer)
{
    struct slice host = request->forwarded_host;
    bool is_ipv6 = memchr(peer.at, ':', peer.len) != NULL;
    char *at;

    write_literal(w, "Forwarded: ");
    if (request->is_peer_trusted && message->known[HEADER_FORWARDED].at != NULL)
        write_joined(w, message, HEADER_FORWARDED);
    at = writer_room(w, peer.len + host.len + sizeof("for=\"[]\";host=\"\";proto=https\r\n"));
    if (at == NULL)
        return;
    at = is_ipv6 ? put_literal(at, "for=\"[") : put_literal(at, "for=");
    at = put_slice(at, peer);
    if (is_ipv6)
        at = put_literal(at, "]\"");
    if (host.len > 0) {
        at = put_literal(at, ";host=\"");
        at = put_slice(at, host);
        at = put_literal(at, "\"");
    }
    writer_keep(w, request->is_https ? put_literal(at, ";proto=https\r\n")
                                     : put_literal(at, ";proto=http\r\n"));
}

/* A field that is ours to say: `own`, unless the trusted peer has said it. */
static void write_once(struct writer *w, const struct message *message,
                       const struct forward_request *request, enum header header, struct slice name,
                       struct slice own)
{
    struct slice kept = message->known[header];
    struct slice value = request->is_peer_trusted && kept.len > 0 ? kept : own;

    if (value.len > 0 && !is_left_to_route(request, header))
        write_field(w, name, value);
}

static void write_ours(struct writer *w, const struct message *message,
                       const struct forward_request *request)
{
    struct slice scheme = request->is_https ? SLICE("https") : SLICE("http");
    struct slice peer = request->peer.len > 0 ? request->peer : SLICE("unknown");

    if (!is_left_to_route(request, HEADER_VIA))
        write_via(w, message);
    if (!is_left_to_route(request, HEADER_X_FORWARDED_FOR))
        write_forwarded_for(w, message, request, peer);
    if (!is_left_to_route(request, HEADER_FORWARDED))
        write_forwarded(w, message, request, peer);
    write_once(w, message, request, HEADER_X_FORWARDED_PROTO, SLICE("X-Forwarded-Proto"), scheme);
    write_once(w, message, request, HEADER_X_FORWARDED_HOST, SLICE("X-Forwarded-Host"),
               request->forwarded_host);
    if (request->is_peer_trusted) { /* we have nothing to say in their place */
        write_once(w, message, request, HEADER_X_FORWARDED_PORT, SLICE("X-Forwarded-Port"),
                   SLICE(""));
        write_once(w, message, request, HEADER_X_REAL_IP, SLICE("X-Real-IP"), SLICE(""));
    }
    if (request->request_id.len > 0 && !is_left_to_route(request, HEADER_X_REQUEST_ID))
        write_field(w, SLICE("X-Request-Id"), request->request_id);
}

/* Max-Forwards counts OPTIONS and TRACE down (RFC 9110 §7.6.2). */
static bool write_max_forwards(struct writer *w, const struct message *message,
                               const struct field *field)
{
    uint64_t hops;

    if (message->method != METHOD_OPTIONS || !slice_to_u64(field->value, &hops) || hops == 0)
        return false;
    write_literal(w, "Max-Forwards: ");
    write_u64(w, hops - 1);
    write_literal(w, "\r\n");
    return true;
}

static bool request_field_passes(const struct field *field, const struct forward_request *request)
{
    if (field->header == HEADER_TRAILER)
        return request->body == FORWARD_CHUNKED;
    return !(header_flags(field->header) & (HEADER_HOP | HEADER_OURS | HEADER_FRAMING)) &&
           field->header != HEADER_VIA && field->header != HEADER_X_REQUEST_ID;
}

static void write_request_fields(struct writer *w, const struct message *message,
                                 const struct forward_request *request)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];

        if (field->is_dropped || !request_field_passes(field, request))
            continue;
        if (is_edited(field->name, request->edits) || is_edited(field->name, request->identity))
            continue;
        if (field->header == HEADER_MAX_FORWARDS && write_max_forwards(w, message, field))
            continue;
        write_field(w, field->name, field->value);
    }
}

static void write_connection(struct writer *w, const struct message *message,
                             const struct forward_request *request)
{
    if (request->passes_upgrade && message->upgrade.len > 0) {
        write_literal(w, "Connection: upgrade\r\n");
        write_field(w, SLICE("Upgrade"), message->upgrade);
    } else if (message->has_te_trailers) {
        if (!request->is_h2)
            write_literal(w, "Connection: TE\r\n");
        write_literal(w, "TE: trailers\r\n");
    }
    if (request->passes_expect && message->expects_continue)
        write_literal(w, "Expect: 100-continue\r\n");
}

static void write_request_line(struct writer *w, const struct message *message,
                               const struct forward_request *request)
{
    char *at = writer_room(w, message->method_text.len + request->path.len + request->query.len +
                                  request->host.len + sizeof("  HTTP/1.1\r\nHost: \r\n"));

    if (at == NULL)
        return;
    at = put_slice(at, message->method_text);
    at = put_literal(at, " ");
    at = put_slice(at, request->path);
    at = put_slice(at, request->query);
    at = put_literal(at, " HTTP/1.1\r\nHost: ");
    at = put_slice(at, request->host);
    writer_keep(w, put_literal(at, "\r\n"));
}

void forward_write_request(struct writer *w, const struct message *message,
                           const struct forward_request *request)
{
    write_request_line(w, message, request);
    write_request_fields(w, message, request);
    write_ours(w, message, request);
    if (!request->is_h2 || request->body != FORWARD_CHUNKED)
        write_framing(w, request->body, request->length);
    write_connection(w, message, request);
    forward_write_edits(w, request->identity);
    forward_write_edits(w, request->edits);
    write_literal(w, "\r\n");
}

/* ---- responses ---- */

static void write_status_line(struct writer *w, const struct message *message)
{
    /* A sender says its own version, whoever it speaks to (RFC 9110 §2.5). */
    char *at = writer_room(w, message->reason.len + sizeof("HTTP/1.1 200 \r\n"));

    if (at == NULL)
        return;
    at = put_literal(at, "HTTP/1.1 ");
    *at++ = (char)('0' + message->status / 100);
    *at++ = (char)('0' + message->status / 10 % 10);
    *at++ = (char)('0' + message->status % 10);
    at = put_literal(at, " ");
    at = put_slice(at, message->reason);
    writer_keep(w, put_literal(at, "\r\n"));
}

static void write_response_fields(struct writer *w, const struct message *message, bool has_chunks,
                                  const struct forward_edits *edits)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];

        if (field->is_dropped || ((header_flags(field->header) & (HEADER_HOP | HEADER_FRAMING)) &&
                                  !(has_chunks && field->header == HEADER_TRAILER)))
            continue;
        if (!is_edited(field->name, edits))
            write_field(w, field->name, field->value);
    }
}

/* Fields of ours, each unless the server or the route has seen to it. */
static void write_added(struct writer *w, const struct message *message,
                        const struct forward_response *response)
{
    if (message->known[HEADER_DATE].at == NULL && !is_edited(SLICE("date"), response->edits))
        write_field(w, SLICE("Date"), response->date);
    if (response->request_id.len > 0 && message->known[HEADER_X_REQUEST_ID].at == NULL &&
        !is_edited(SLICE("x-request-id"), response->edits))
        write_field(w, SLICE("X-Request-Id"), response->request_id);
    if (response->set_cookie.len > 0)
        write_field(w, SLICE("Set-Cookie"), response->set_cookie);
}

/* 1xx and 204 have no framing at all (RFC 9110 §8.6, RFC 9112 §6.1). */
static void write_response_framing(struct writer *w, const struct message *message,
                                   const struct forward_response *response)
{
    if (message->status < 200 || message->status == 204)
        return;
    if (response->keeps_length && message->content_length != MESSAGE_NO_LENGTH)
        write_framing(w, FORWARD_LENGTH, message->content_length);
    else
        write_framing(w, response->body, response->length);
}

static void write_response_connection(struct writer *w, const struct message *message,
                                      const struct forward_response *response)
{
    if (response->is_upgrade) {
        write_literal(w, "Connection: upgrade\r\n");
        write_field(w, SLICE("Upgrade"), message->upgrade);
    } else if (response->closes) {
        write_literal(w, "Connection: close\r\n");
    } else if (response->to_http_10) {
        write_literal(w, "Connection: keep-alive\r\n");
    }
}

void forward_write_response(struct writer *w, const struct message *message,
                            const struct forward_response *response)
{
    write_status_line(w, message);
    write_response_fields(w, message, response->body == FORWARD_CHUNKED, response->edits);
    write_added(w, message, response);
    write_response_framing(w, message, response);
    write_response_connection(w, message, response);
    forward_write_edits(w, response->edits);
    write_literal(w, "\r\n");
}

void forward_write_interim(struct writer *w, const struct message *message)
{
    write_status_line(w, message);
    write_response_fields(w, message, false, NULL);
    write_literal(w, "\r\n");
}

void forward_drop_edited(struct message *message, const struct forward_edits *edits)
{
    for (uint32_t i = 0; i < message->field_count; i++)
        message->fields[i].is_dropped |= is_edited(message->fields[i].name, edits);
}

void forward_write_trailers(struct writer *w, const struct message *trailers)
{
    for (uint32_t i = 0; i < trailers->field_count; i++)
        if (!trailers->fields[i].is_dropped)
            write_field(w, trailers->fields[i].name, trailers->fields[i].value);
}

/* ---- the way so far ---- */

/* The pseudonym in "[name/]version pseudonym [comment]". */
static struct slice via_pseudonym(struct slice element)
{
    size_t at = 0;
    size_t end;

    while (at < element.len && element.at[at] != ' ' && element.at[at] != '\t')
        at++;
    element = slice_trim(slice_after(element, at));
    for (end = 0; end < element.len && element.at[end] != ' ' && element.at[end] != '\t'; end++)
        ;
    return slice_of(element.at, end);
}

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
        while (slice_next_element(&rest, &element))
            count += slice_equal_nocase(via_pseudonym(element), SLICE(FORWARD_PSEUDONYM));
    }
    return count;
}

/* Takes the last element off a comma-separated list, trimmed; false when none is left. */
static bool take_last_element(struct slice *list, struct slice *element_out)
{
    size_t start = list->len;

    if (list->at == NULL)
        return false;
    while (start > 0 && list->at[start - 1] != ',')
        start--;
    *element_out = slice_trim(slice_after(*list, start));
    *list = start > 0 ? slice_of(list->at, start - 1) : slice_of(NULL, 0);
    return true;
}

static bool is_address(struct slice text, int family)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (text.len == 0 || text.len >= sizeof(address))
        return false;
    slice_copy(text, address, sizeof(address));
    return inet_pton(family, address, &ignored) == 1;
}

/* An element without its port and brackets; empty when there is no address in it. */
static struct slice bare_address(struct slice element)
{
    struct slice bare = element;
    struct slice port = SLICE("0");
    const char *cut;
    uint64_t ignored;

    if (is_address(element, AF_INET6))
        return element;
    cut = memchr(element.at, element.at[0] == '[' ? ']' : ':', element.len);
    if (cut != NULL && element.at[0] == '[') {
        bare = slice_of(element.at + 1, (size_t)(cut - element.at) - 1);
        if (cut + 1 < element.at + element.len && cut[1] != ':')
            return SLICE("");
        if (cut + 1 < element.at + element.len)
            port = slice_after(element, (size_t)(cut - element.at) + 2);
        return is_address(bare, AF_INET6) && slice_to_u64(port, &ignored) ? bare : SLICE("");
    }
    if (cut != NULL) {
        bare = slice_of(element.at, (size_t)(cut - element.at));
        port = slice_after(element, bare.len + 1);
    }
    return is_address(bare, AF_INET) && slice_to_u64(port, &ignored) ? bare : SLICE("");
}

struct slice forward_client_address(const struct message *message, forward_trust_fn *is_trusted,
                                    void *context)
{
    struct slice client = SLICE("");

    if (message->known[HEADER_X_FORWARDED_FOR].at == NULL)
        return client;
    for (uint32_t i = message->field_count; i-- > 0;) {
        struct slice list = message->fields[i].value;
        struct slice element;

        if (message->fields[i].header != HEADER_X_FORWARDED_FOR)
            continue;
        while (take_last_element(&list, &element)) {
            if (element.len == 0)
                continue;
            element = bare_address(element);
            /* Who added that, and who came before it, nobody knows. */
            if (element.len == 0)
                return client;
            client = element;
            if (!is_trusted(context, element))
                return client;
        }
    }
    return client;
}
