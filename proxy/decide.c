/*
 * decide - from a parsed head to a route, and to what it asks for: whether the request may pass,
 * and where to.  What its server gets is in outgoing.c.
 *
 * Owner    the request.      Threads  the worker's
 */

#include "proxy/request.h"

#include "base/check.h"
#include "base/hash.h"
#include "observe/record.h"
#include "proxy/client/client.h"
#include "proxy/decision.h"
#include "proxy/hold.h"
#include "proxy/http/target.h"
#include "proxy/limits.h"
#include "proxy/network.h"
#include "proxy/route/route.h"
#include "proxy/snapshot.h"
#include "proxy/tapping.h"
#include "proxy/transport.h"
#include "proxy/worker.h"
#include "tls/context.h"
#include "tls/engine.h"

enum { LOCATION_ROOM = 4096 };

static const struct slice served_methods =
    SLICE_INIT("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");

/* ---- who is asking ---- */

static bool is_trusted_text(void *context, struct slice text)
{
    const struct conf_networks *trusted = context;
    uint8_t address[16];

    return network_parse_address(text, address) && network_contains(trusted, address);
}

static void find_client(struct decision *d)
{
    struct request *req = d->req;
    const struct conf_networks *trusted = &req->listener->conf->trusted_proxies;
    struct slice told;

    d->has_peer = req->ops->peer(req, d->peer, &d->peer_port);
    d->is_peer_trusted = d->has_peer && trusted->count > 0 && network_contains(trusted, d->peer);
    memcpy(req->client_address, d->peer, sizeof(d->peer));
    if (d->is_peer_trusted) {
        told = forward_client_address(d->message, is_trusted_text, (void *)(uintptr_t)trusted);
        if (told.len > 0 && !network_parse_address(told, req->client_address))
            memcpy(req->client_address, d->peer, sizeof(d->peer));
    }
    if (d->has_peer)
        network_write_address(d->peer, req->client_text);
    else
        req->client_text[0] = '\0';
}

static bool is_usable_id(struct slice id)
{
    if (id.len == 0 || id.len >= REQUEST_ID_BYTES)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.' || c == '+' || c == '/' || c == '=' || c == ':'))
            return false;
    }
    return true;
}

/* 16 digits at once: each nibble to its own byte, then all bytes to digits. */
static void write_hex_digits(uint64_t bits, char *out)
{
    for (unsigned half = 0; half < 2; half++) {
        uint64_t nibbles = (bits >> (32 * half)) & 0xffffffffu;
        uint64_t letters;

        nibbles = (nibbles | nibbles << 16) & 0x0000ffff0000ffffu;
        nibbles = (nibbles | nibbles << 8) & 0x00ff00ff00ff00ffu;
        nibbles = (nibbles | nibbles << 4) & 0x0f0f0f0f0f0f0f0fu;
        letters = ((nibbles + 0x0606060606060606u) >> 4) & 0x0101010101010101u; /* above 9 */
        nibbles += 0x3030303030303030u + letters * ('a' - '0' - 10);
        memcpy(out + 8 * half, &nibbles, 8);
    }
}

static void name_request(struct decision *d)
{
    struct request *req = d->req;
    struct slice told = d->message->known[HEADER_X_REQUEST_ID];

    if (is_usable_id(told)) {
        slice_copy(told, req->request_id, sizeof(req->request_id));
        return;
    }
    for (unsigned half = 0; half < 2; half++) {
        write_hex_digits(random_next(&req->worker->random), req->request_id + 16 * half);
    }
    req->request_id[32] = '\0';
}

/* ---- the record for the access log ---- */

/* Also where only a sample is written: whether it fails is not known yet. */
static bool is_logged(const struct request *req)
{
    return strcmp(req->hold->snapshot->conf->observe.access_log_path, "off") != 0;
}

static void begin_record(struct request *req, const struct message *message)
{
    struct record *record;

    if (!is_logged(req))
        return;
    record = slab_take(&req->worker->record_slab);
    memset(record, 0, offsetof(struct record, text));
    record_put(record, RECORD_METHOD, message->method_text, 32);
    record_put(record, RECORD_HOST, message->known[HEADER_HOST], 128);
    record_put(record, RECORD_PATH, message->target, 320);
    record_put(record, RECORD_USER_AGENT, message->known[HEADER_USER_AGENT], 256);
    record_put(record, RECORD_REFERER, message->known[HEADER_REFERER], 160);
    record_put(record, RECORD_REQUEST_ID, slice_from(req->request_id), REQUEST_ID_BYTES);
    record_put(record, RECORD_LISTENER, slice_from(req->listener->conf->name), 63);
    req->record = record;
}

void request_note_unread(struct request *req)
{
    uint16_t port;
    struct record *record;

    req->ops->peer(req, req->client_address, &port);
    req->request_id[0] = '\0';
    if (!is_logged(req))
        return;
    record = slab_take(&req->worker->record_slab);
    memset(record, 0, offsetof(struct record, text));
    for (int which = 0; which < RECORD_LISTENER; which++)
        record_put(record, (enum record_text)which, SLICE(""), 0);
    record_put(record, RECORD_LISTENER, slice_from(req->listener->conf->name), 63);
    req->record = record;
}

/* ---- which route ---- */

bool decision_find_header(void *context, struct slice name, struct slice *value_out)
{
    const struct field *field = message_find(context, name);

    if (field == NULL)
        return false;
    *value_out = field->value;
    return true;
}

static const struct snapshot_route *find_route(struct decision *d)
{
    struct request *req = d->req;
    const struct snapshot *snapshot = req->hold->snapshot;
    struct route_query query = {
        .host = d->target.host,
        .path = d->target.path,
        .method = d->message->method_text,
        .listener = req->listener->index,
        .is_https = req->is_https,
        .header = decision_find_header,
        .header_context = (void *)(uintptr_t)d->message,
    };
    int route = route_match(snapshot->route_table, req->worker->route_scratch, &query);

    return route == ROUTE_NONE ? NULL : &snapshot->routes[route];
}

static uint64_t rate_key(struct decision *d, const struct conf_route *route)
{
    const struct hash_key *key = hash_process_key();
    const struct field *field;

    switch (route->rate_limit.key) {
    case RATE_KEY_HEADER:
        field = message_find(d->message, slice_from(route->rate_limit.header));
        return field == NULL ? 0 : hash_slice(key, field->value);
    case RATE_KEY_ROUTE: return 0;
    default: return hash_bytes(key, d->req->client_address, 16);
    }
}

static enum failure judge_access(struct decision *d, const struct snapshot_route *route,
                                 struct answer *answer)
{
    struct request *req = d->req;
    const struct conf_route *conf = route->conf;
    struct route_row *row =
        counters_route(req->worker->counters, req->worker->index, route->counter_slot);
    uint64_t wait_ms = 0;

    if ((conf->has_allow && !network_contains(&conf->allow, req->client_address)) ||
        (conf->has_deny && network_contains(&conf->deny, req->client_address))) {
        count_one(&row->denied);
        return FAILURE_DENIED;
    }
    if (route->rate != NULL &&
        !rate_table_pass(route->rate, rate_key(d, conf), conf->rate_limit.requests_per_second,
                         conf->rate_limit.burst, req->worker->now_ns, &wait_ms)) {
        count_one(&row->rate_limited);
        answer->retry_after_s = (uint32_t)(wait_ms / 1000) + 1;
        return FAILURE_RATE_LIMITED;
    }
    return FAILURE_NONE;
}

/* ---- answers of our own ---- */

/* Where a location begins with the client's own path, "//evil" would name another host. */
static void write_path(struct writer *w, const struct target *target)
{
    size_t slashes = 0;

    while (slashes < target->path.len &&
           (target->path.at[slashes] == '/' || target->path.at[slashes] == '\\'))
        slashes++;
    if (writer_length(w) > 0 || slashes < 2) {
        write_slice(w, target->path);
        return;
    }
    write_char(w, '/');
    write_slice(w, slice_after(target->path, slashes));
}

static void write_expanded(struct writer *w, const char *pattern, const struct target *target)
{
    while (*pattern != '\0') {
        const char *brace = strchr(pattern, '{');

        if (brace == NULL) {
            write_text(w, pattern);
            return;
        }
        write_bytes(w, pattern, (size_t)(brace - pattern));
        if (strncmp(brace, "{path}", 6) == 0) {
            write_path(w, target);
            pattern = brace + 6;
        } else if (strncmp(brace, "{query}", 7) == 0) {
            write_slice(w, target->query);
            pattern = brace + 7;
        } else if (strncmp(brace, "{host}", 6) == 0) {
            write_slice(w, target->host);
            pattern = brace + 6;
        } else if (strncmp(brace, "{uri}", 5) == 0) {
            write_path(w, target);
            write_slice(w, target->query);
            pattern = brace + 5;
        } else {
            write_char(w, *brace);
            pattern = brace + 1;
        }
    }
}

static enum failure answer_redirect(struct decision *d, const struct snapshot_route *from,
                                    struct answer *answer)
{
    const struct conf_route *route = from->conf;
    size_t room = LOCATION_ROOM + d->message->target.len + 2 * TARGET_HOST_BYTES +
                  3 * strlen(route->redirect.location);
    char *memory = transport_scratch(d->req->worker, room);
    struct writer w;

    if (memory == NULL)
        return FAILURE_LINE_TOO_LONG;
    w = writer_over(memory, room);
    write_expanded(&w, route->redirect.location, &d->target);
    transport_scratch_trim(d->req->worker, memory, writer_length(&w));
    if (w.overflow)
        return FAILURE_LINE_TOO_LONG;
    answer->status = route->redirect.status;
    answer->location = writer_slice(&w);
    answer->edits = &from->response_edits;
    return FAILURE_NONE;
}

static enum failure answer_fixed(const struct snapshot_route *from, struct answer *answer)
{
    const struct conf_route *route = from->conf;

    answer->status = route->respond.status;
    answer->has_fixed_body = true;
    answer->body = slice_of(route->respond.body, route->respond.body_bytes);
    answer->content_type = slice_from(
        route->respond.content_type != NULL ? route->respond.content_type : "text/plain");
    answer->edits = &from->response_edits;
    return FAILURE_NONE;
}

/* OPTIONS that may go no further asks this proxy (RFC 9110 §7.6.2). */
static bool ends_here(const struct message *message)
{
    uint64_t hops;

    return message->method == METHOD_OPTIONS &&
           slice_to_u64(message->known[HEADER_MAX_FORWARDS], &hops) && hops == 0;
}

static enum failure answer_options(struct answer *answer)
{
    answer->status = 204;
    answer->has_fixed_body = true;
    answer->allow = served_methods;
    return FAILURE_NONE;
}

/* ---- all together ---- */

static void note_head(struct decision *d)
{
    struct request *req = d->req;
    const struct message *message = d->message;

    req->method = message->method;
    req->http_minor = message->http_minor;
    req->expects_continue = message->expects_continue;
    req->form = answer_form(message->known[HEADER_ACCEPT]);
    if (message->method == METHOD_POST && answer_is_grpc(message->known[HEADER_CONTENT_TYPE]))
        req->form = ANSWER_GRPC;
    req->wants_close = message->has_connection_close ||
                       (message->http_minor == 0 && !message->has_connection_keep_alive);
    if (message->is_chunked)
        body_begin(&req->body, FORWARD_CHUNKED, 0);
    else if (message->content_length != MESSAGE_NO_LENGTH)
        body_begin(&req->body, FORWARD_LENGTH, message->content_length);
    else
        body_begin(&req->body, FORWARD_NO_BODY, 0);
    req->upload = body_is_empty(&req->body) ? HALF_ENDED : HALF_OPEN;
}

static enum failure judge_method(struct decision *d, struct answer *answer, const char **why)
{
    if (forward_via_count(d->message) >= 2)
        return FAILURE_LOOP;
    if (d->message->method == METHOD_TRACE) {
        answer->allow = served_methods;
        *why = "TRACE is not served";
        return FAILURE_METHOD_NOT_ALLOWED;
    }
    return FAILURE_NONE;
}

/* The certificate that the client saw was for another site (RFC 9110 §7.4, §15.5.20). */
static enum failure judge_name(struct decision *d)
{
    const struct tls_server *tls = d->req->listener->tls;
    const char *asked = tls_engine_server_name(d->req->client->transport.tls);

    return tls == NULL || tls_server_serves_alike(tls, asked, d->target.host) ? FAILURE_NONE
                                                                              : FAILURE_MISDIRECTED;
}

static enum failure judge_target(struct decision *d, const char **why)
{
    unsigned status;

    d->memory.path = d->req->worker->path_memory;
    d->memory.path_bytes = WORKER_PATH_MEMORY;
    status = target_parse(d->message, &d->memory, &d->target, why);
    if (status != 0)
        return status == 501 ? FAILURE_UNKNOWN_METHOD : FAILURE_BAD_REQUEST;
    *why = NULL;
    if (d->target.is_absolute && d->target.is_https != d->req->is_https) {
        *why = "the scheme of the absolute target is not the connection's";
        return FAILURE_BAD_REQUEST;
    }
    if (d->req->claims_https && !d->is_peer_trusted) { /* RFC 9110 §7.4 */
        *why = "https was asked for in clear text, and not by a trusted proxy";
        return FAILURE_MISDIRECTED;
    }
    return d->req->is_https ? judge_name(d) : FAILURE_NONE;
}

static enum failure take_route(struct decision *d, struct answer *answer)
{
    struct request *req = d->req;
    const struct snapshot_route *route = find_route(d);
    enum failure failure;

    if (route == NULL)
        return FAILURE_NO_ROUTE;
    req->route = route;
    count_one(
        &counters_route(req->worker->counters, req->worker->index, route->counter_slot)->requests);
    if (route->conf->body_limit != UINT64_MAX)
        req->body_limit = route->conf->body_limit;
    failure = judge_access(d, route, answer);
    if (failure != FAILURE_NONE)
        return failure;
    if (req->body_limit > 0 && req->body.kind == FORWARD_LENGTH && req->body.left > req->body_limit)
        return FAILURE_BODY_TOO_LARGE;
    switch (route->conf->action) {
    case ACTION_REDIRECT: return answer_redirect(d, route, answer);
    case ACTION_RESPOND: return answer_fixed(route, answer);
    default: return ends_here(d->message) ? answer_options(answer) : outgoing_prepare(d, route);
    }
}

enum failure request_decide(struct request *req, struct answer *answer_out, const char **why_out)
{
    struct decision d = {.req = req, .message = req->worker->message};
    enum failure failure;

    req->body_limit = req->listener->conf->limits.body;
    note_head(&d);
    find_client(&d);
    name_request(&d);
    begin_record(req, d.message);
    failure = judge_target(&d, why_out);
    if (failure == FAILURE_NONE)
        failure = judge_method(&d, answer_out, why_out);
    if (failure != FAILURE_NONE)
        return failure;
    failure = take_route(&d, answer_out);
    if (req->worker->draw.skip-- == 0)
        tapping_begin(req, &d.target, d.message);
    return failure;
}
