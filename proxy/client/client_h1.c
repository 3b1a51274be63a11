/*
 * client_h1 - one connection from a client that speaks HTTP/1.
 *
 * Reads heads and bodies, one request after the other: what a client sends ahead waits in the
 * inbox, at most one block of it.
 *
 * Owner    the worker that accepted it.      Threads  the worker's
 */
#include "proxy/client/client_h1.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "proxy/client/client.h"
#include "proxy/client/client_h1_write.h"
#include "proxy/handshakes.h"
#include "proxy/hold.h"
#include "proxy/http/body.h"
#include "proxy/http/proxy_protocol.h"
#include "proxy/limits.h"
#include "proxy/listener.h"
#include "proxy/network.h"
#include "proxy/request.h"
#include "proxy/request_end.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker.h"
#include "tls/engine.h"

enum { TICK_MS = 1000, LINGER_MS = 5000, LINGER_TOTAL_S = 30, MAX_SKIPPED = 16 };

static void set_deadline(struct client *client);
static void on_broken(struct transport *transport, int error);
static size_t consume(struct client *client, char *bytes, size_t count);

static struct client *client_of(struct transport *transport)
{
    struct client *client = (struct client *)transport;

    CHECK_OBJ(client, CLIENT_TAG);
    return client;
}

static const struct conf_listener *conf_of(const struct client *client)
{
    return &client->listener->numbers;
}

static struct listener_row *row_of(const struct client *client)
{
    const struct worker *worker = client->transport.worker;

    return counters_listener(worker->counters, worker->index, client->listener->counter_slot);
}

static struct head_limits limits_of(const struct client *client)
{
    const struct conf_limits *limits = &conf_of(client)->limits;

    return (struct head_limits){.head_bytes = limits->header_bytes,
                                .line_bytes = limits->request_line,
                                .fields = limits->header_count,
                                .underscores = (uint8_t)limits->underscores};
}

/* ---- states ---- */

static void enter(struct client *client, enum client_state state)
{
    if (client->state == CLIENT_IDLE)
        count_less(&row_of(client)->connections_idle);
    client->state = (uint8_t)state;
    client->unsent = SIZE_MAX; /* the first look finds progress */
    if (state == CLIENT_IDLE)
        count_one(&row_of(client)->connections_idle);
    set_deadline(client);
}

static bool is_ending(const struct client *client)
{
    return client->state >= CLIENT_ENDING || client->transport.is_closing;
}

/* How often a busy connection is looked after: often enough for its shortest timeout. */
static uint64_t tick_ms(const struct conf_listener *conf)
{
    uint64_t tick = TICK_MS;

    if (conf->timeouts.body_idle_ms / 2 < tick)
        tick = conf->timeouts.body_idle_ms / 2;
    if (conf->timeouts.write_idle_ms / 2 < tick)
        tick = conf->timeouts.write_idle_ms / 2;
    return tick > 10 ? tick : 10;
}

static uint64_t busy_ms(const struct client *client)
{
    const struct conf_listener *conf = conf_of(client);

    switch (client->request->state) {
    case REQUEST_HEAD: return conf->timeouts.headers_ms;
    case REQUEST_TUNNEL: return conf->timeouts.tunnel_idle_ms;
    default: return tick_ms(conf);
    }
}

static void set_deadline(struct client *client)
{
    uint64_t length = 0;

    switch (client->state) {
    case CLIENT_PROXY_HEADER:
    case CLIENT_HANDSHAKE: length = conf_of(client)->timeouts.headers_ms; break;
    case CLIENT_IDLE:
        length = transport_is_full(&client->transport) ? conf_of(client)->timeouts.write_idle_ms
                                                       : conf_of(client)->timeouts.keepalive_ms;
        break;
    case CLIENT_BUSY: length = busy_ms(client); break;
    case CLIENT_ENDING: length = conf_of(client)->timeouts.write_idle_ms; break;
    case CLIENT_LINGERING: length = LINGER_MS; break;
    }
    deadline_set(&client->transport.worker->deadlines, &client->deadline, length);
}

/* Has the client taken some of what waits for it since the last look? */
static bool has_taken(struct client *client)
{
    size_t unsent = transport_unsent(&client->transport);
    bool has = unsent < client->unsent;

    client->unsent = unsent;
    return has;
}

/* Reads as long as there is somewhere to put it. */
static void set_reading(struct client *client)
{
    const struct request *req = client->request;
    size_t waiting = buffer_length(&client->inbox);
    bool is_bounded = waiting < REQUEST_READ_AHEAD;

    if (client->state == CLIENT_BUSY && waiting > 0) {
        if (req->state == REQUEST_HEAD || client->needs_more)
            is_bounded = true; /* by limits.header_bytes */
        else if (req->upload == HALF_OPEN || req->state == REQUEST_TUNNEL)
            is_bounded = false;
    }
    if (is_bounded && !client->is_eof && client->state != CLIENT_ENDING)
        transport_read_start(&client->transport);
    else
        transport_read_stop(&client->transport);
}

/* ---- the end of the connection ---- */

static void close_now(struct client *client)
{
    deadline_clear(&client->deadline);
    transport_close(&client->transport);
}

static void break_off(struct client *client)
{
    deadline_clear(&client->deadline);
    transport_reset(&client->transport);
}

static void linger(struct client *client)
{
    transport_shutdown(&client->transport);
    client->born_s = (uint32_t)(worker_now_ms(client->transport.worker) / 1000);
    enter(client, CLIENT_LINGERING);
    if (client->is_eof)
        close_now(client);
    else
        transport_read_start(&client->transport);
}

/* Everything is written.  Whoever may still be sending must not meet a reset that eats our answer
 * (RFC 9112 §9.6): then FIN first, and read on for a while. */
static void end_connection(struct client *client, bool lingers)
{
    if (client->transport.is_closing)
        return;
    transport_flush(client->transport.worker); /* it may point into the inbox */
    if (!client->is_consuming)
        buffer_reset(&client->inbox, 0);
    if (client->transport.queued_bytes > 0) {
        client->lingers = lingers;
        enter(client, CLIENT_ENDING);
        set_reading(client);
    } else if (lingers) {
        linger(client);
    } else {
        close_now(client);
    }
}

void client_h1_abort(struct client *client)
{
    if (client->request != NULL)
        request_client_gone(client->request, FAILURE_STOPPED);
    break_off(client);
}

bool client_h1_must_close(const struct client *client)
{
    const struct conf_listener *conf = conf_of(client);
    const struct worker *worker = client->transport.worker;
    uint64_t age_ms = worker_now_ms(worker) - (uint64_t)client->born_s * 1000;

    return worker->is_stopping || client->listener->now == NULL ||
           (conf->keepalive_requests > 0 && client->served >= conf->keepalive_requests) ||
           (conf->connection_age_ms > 0 && age_ms > conf->connection_age_ms);
}

void client_h1_retire(struct client *client)
{
    struct request *req = client->request;

    if (client->state == CLIENT_LINGERING) {
        close_now(client);
    } else if (req == NULL && client->state != CLIENT_ENDING) {
        end_connection(client, false);
    } else if (req != NULL && req->state == REQUEST_HEAD && client->listener->now == NULL) {
        client->request = NULL;
        request_give(req);
        end_connection(client, false);
    }
}

static uint64_t place_key(const struct client *client, const uint8_t address[16])
{
    return hash_bytes(hash_process_key(), address, 16) ^
           hash_slice(hash_process_key(), slice_from(client->listener->address));
}

static void on_closed(struct transport *transport)
{
    struct client *client = client_of(transport);
    struct worker *worker = transport->worker;

    CHECK(client->request == NULL);
    if (client->state == CLIENT_IDLE)
        count_less(&row_of(client)->connections_idle);
    count_less(&row_of(client)->connections_open);
    if (client->is_counted_place)
        client_limit_give_address(worker->client_limit, place_key(client, client->socket_peer));
    client_limit_give(worker->client_limit);
    deadline_clear(&client->deadline);
    list_remove(&client->link);
    buffer_fini(&client->inbox);
    xfree(client->identity);
    worker->client_count--;
    listener_client_died(client->listener);
    client->tag = 0;
    slab_give(&worker->client_slab, client);
    listener_resume_all(worker);
    worker_check_stopped(worker);
}

/* ---- reading ---- */

static void begin_request(struct client *client)
{
    struct worker *worker = client->transport.worker;
    struct request *req = request_take(worker);

    req->client = client;
    req->ops = &client_h1_ops;
    req->is_https = client->transport.tls != NULL;
    req->started_ns = worker->now_ns;
    req->progress_ms = worker_now_ms(worker);
    client->request = req;
    client->skipped = 0;
    client->needs_more = false;
    client->served++;
    /* Its deadline is set once it is known whether the head is whole already. */
    count_less(&row_of(client)->connections_idle);
    client->state = CLIENT_BUSY;
    client->unsent = SIZE_MAX;
}

static void refuse_head(struct client *client, enum head_search found)
{
    struct request *req = client->request;

    if (found == HEAD_LINE_TOO_LONG)
        request_refuse(req, FAILURE_LINE_TOO_LONG, NULL);
    else if (found == HEAD_TOO_LARGE)
        request_refuse(req, FAILURE_HEAD_TOO_LARGE, NULL);
    else
        request_refuse(req, FAILURE_BAD_REQUEST, "a line of the head is malformed");
}

static enum failure failure_of_status(unsigned status)
{
    switch (status) {
    case 417: return FAILURE_EXPECTATION;
    case 431: return FAILURE_HEAD_TOO_LARGE;
    case 501: return FAILURE_UNKNOWN_METHOD;
    case 505: return FAILURE_UNKNOWN_VERSION;
    default: return FAILURE_BAD_REQUEST;
    }
}

/* The bytes of a whole head that were used, or 0: more must come, or it was refused. */
static size_t read_head(struct client *client, struct slice bytes)
{
    struct worker *worker = client->transport.worker;
    struct request *req = client->request;
    struct head_limits limits = limits_of(client);
    enum head_search found = head_search(bytes, &req->searched, &limits);
    size_t head_bytes = req->searched;
    const char *why;
    unsigned status;

    if (found == HEAD_INCOMPLETE)
        return 0;
    if (found != HEAD_FOUND) {
        refuse_head(client, found);
        return 0;
    }
    req->received_bytes += head_bytes;
    status = head_parse_request(worker->message, slice_of(bytes.at, head_bytes), &limits, &why);
    if (status != 0) {
        request_refuse(req, failure_of_status(status), why);
        return 0;
    }
    if (worker->message->dropped_fields > 0)
        count_add(&row_of(client)->fields_dropped, worker->message->dropped_fields);
    request_begin(req);
    if (client->request != NULL && !is_ending(client))
        set_deadline(client);
    return head_bytes;
}

/* What is read only to be dropped is over no limit: the client was told that it may go on. */
static bool is_over_limit(const struct request *req, struct slice data)
{
    return req->state != REQUEST_ANSWERED && req->body_limit > 0 &&
           req->uploaded_bytes + data.len > req->body_limit;
}

/* The bytes of the body that were used. */
static size_t read_upload(struct client *client, char *bytes, size_t count)
{
    struct worker *worker = client->transport.worker;
    struct request *req = client->request;
    struct head_limits limits = limits_of(client);
    struct slice data;
    struct slice trailers;
    const char *why = "a malformed chunked body";
    size_t used;
    enum body_result result = body_read(&req->body, &limits, bytes, count, &data, &used, &trailers);

    req->received_bytes += used;
    client->needs_more = result == BODY_NEEDS;
    if (result == BODY_MALFORMED ||
        (trailers.len > 2 && head_parse_trailers(worker->trailers, trailers, &limits, &why) != 0)) {
        request_upload_failed(req, FAILURE_BAD_REQUEST, why);
        return count;
    }
    if (is_over_limit(req, data)) {
        request_upload_failed(req, FAILURE_BODY_TOO_LARGE, NULL);
        return count;
    }
    request_upload(req, data);
    if (result == BODY_ENDED)
        request_upload_ended(req, trailers.len > 2 ? worker->trailers : NULL);
    else
        transport_flush(worker);
    return used;
}

static size_t read_tunnel(struct client *client, char *bytes, size_t count)
{
    struct request *req = client->request;

    if (count == 0 || upstream_is_full(req->upstream))
        return 0;
    req->received_bytes += count;
    request_tunnel_from_client(req, slice_of(bytes, count));
    transport_flush(client->transport.worker);
    set_deadline(client);
    return count;
}

static size_t read_proxy_header(struct client *client, struct slice bytes)
{
    struct proxy_protocol_source source;
    size_t used = 0;

    switch (proxy_protocol_read(bytes, &source, &used)) {
    case PROXY_PROTOCOL_INCOMPLETE: return 0;
    case PROXY_PROTOCOL_MALFORMED:
        count_one(&row_of(client)->bad_requests);
        break_off(client);
        return 0;
    default: break;
    }
    if (source.is_known) {
        memcpy(client->peer, source.address, sizeof(client->peer));
        client->peer_port = source.port;
        client->has_peer = true;
    }
    enter(client, CLIENT_IDLE);
    return used;
}

/* ---- TLS ---- */

static const struct tls_server *tls_of(const struct client *client)
{
    const struct snapshot_listener *now = client->listener->now;

    return now != NULL ? now->tls : NULL;
}

/* What stands in the inbox came before TLS: the PROXY header, and maybe more. */
static void read_before_tls(struct client *client, char *bytes, size_t count)
{
    struct buffer rest;
    size_t used;

    buffer_append(&client->inbox, bytes, count);
    used = read_proxy_header(client, buffer_slice(&client->inbox));
    if (is_ending(client) || client->state == CLIENT_PROXY_HEADER)
        return;
    buffer_consume(&client->inbox, used);
    rest = client->inbox;
    buffer_init(&client->inbox);
    enter(client, CLIENT_HANDSHAKE);
    transport_secure(&client->transport, tls_of(client), buffer_slice(&rest));
    buffer_fini(&rest);
}

static void note_identity(struct client *client)
{
    struct tls_identity identity;

    if (!tls_engine_identity(client->transport.tls, &identity))
        return;
    client->identity = xmalloc(sizeof(identity));
    *client->identity = identity;
}

static void on_secured(struct transport *transport)
{
    struct client *client = client_of(transport);

    count_one(&row_of(client)->tls_handshakes);
    if (tls_engine_is_resumed(transport->tls))
        count_one(&row_of(client)->tls_resumed);
    if (conf_of(client)->tls.client_auth.mode != CLIENT_AUTH_OFF)
        note_identity(client);
    if (client->state == CLIENT_HANDSHAKE)
        enter(client, CLIENT_IDLE);
}

static bool admits(struct transport *transport)
{
    struct client *client = client_of(transport);
    const struct snapshot_listener *now = client->listener->now;

    if (now == NULL ||
        handshakes_admit(now, client->has_peer ? client->peer : NULL, transport->worker->now_ns))
        return true;
    count_one(&row_of(client)->tls_limited);
    return false;
}

static const char clear_text_refused[] = "HTTP/1.1 400 Bad Request\r\n"
                                         "Content-Type: text/plain\r\n"
                                         "Content-Length: 46\r\n"
                                         "Connection: close\r\n\r\n"
                                         "This port speaks TLS: begin with https:// here\n";

static void on_insecure(struct transport *transport)
{
    struct client *client = client_of(transport);

    if (client->state == CLIENT_HANDSHAKE) {
        count_one(&row_of(client)->tls_failures);
        if (tls_engine_was_http(transport->tls))
            transport_send_clear(transport, SLICE(clear_text_refused));
        linger(client); /* a reset would overtake the alert */
        return;
    }
    on_broken(transport, UV_EPROTO);
}

/* At least one CRLF before a request line is to be ignored (RFC 9112 §2.2); a few are. */
static size_t skip_empty_lines(struct client *client, struct slice bytes)
{
    size_t skip = client->skipped < MAX_SKIPPED ? head_skip_empty_lines(bytes) : 0;

    client->skipped = (uint8_t)(client->skipped + skip);
    return skip;
}

static size_t read_first_bytes(struct client *client, struct slice bytes)
{
    size_t used = read_head(client, bytes);

    if (used == 0 && client->state == CLIENT_BUSY)
        set_deadline(client); /* timeouts.headers */
    return used;
}

/* One step; the bytes it used, 0 when it can go no further. */
static size_t consume_step(struct client *client, char *bytes, size_t count)
{
    struct request *req = client->request;

    if (client->state == CLIENT_PROXY_HEADER)
        return read_proxy_header(client, slice_of(bytes, count));
    if (req == NULL) {
        size_t skip = skip_empty_lines(client, slice_of(bytes, count));

        if (skip > 0)
            return skip;
        /* Half an empty line; or a client that does not read what it asked for. */
        if ((count == 1 && bytes[0] == '\r') || transport_is_full(&client->transport))
            return 0;
        begin_request(client);
        return read_first_bytes(client, slice_of(bytes, count));
    }
    switch (req->state) {
    case REQUEST_HEAD: return read_head(client, slice_of(bytes, count));
    case REQUEST_TUNNEL: return read_tunnel(client, bytes, count);
    default:
        if (req->upload != HALF_OPEN || !request_takes_upload(req))
            return 0;
        return read_upload(client, bytes, count);
    }
}

static size_t consume(struct client *client, char *bytes, size_t count)
{
    struct worker *worker = client->transport.worker;
    size_t used = 0;

    client->is_consuming = true;
    client->needs_more = false;
    while (used < count && !is_ending(client)) {
        size_t step = consume_step(client, bytes + used, count - used);

        if (step == 0)
            break;
        used += step;
        if (worker->scratch_used > WORKER_SCRATCH / 2) {
            transport_flush(worker);
            worker->scratch_used = 0;
        }
    }
    client->is_consuming = false;
    return used;
}

/* After the client's FIN: what can never become whole ends here. */
static void judge_eof(struct client *client)
{
    struct request *req = client->request;
    bool is_used_up = buffer_length(&client->inbox) == 0;

    if (!client->is_eof || is_ending(client))
        return;
    is_used_up = is_used_up || client->needs_more;
    if (req == NULL) {
        end_connection(client, false);
    } else if (req->state == REQUEST_HEAD) {
        client->request = NULL;
        request_give(req);
        end_connection(client, false);
    } else if (req->state == REQUEST_TUNNEL) {
        if (is_used_up && req->upload == HALF_OPEN)
            request_client_half_closed(req);
    } else if (req->upload == HALF_OPEN && is_used_up) {
        request_client_gone(req, FAILURE_CLIENT_LEFT);
    } else if (req->state == REQUEST_QUEUED) {
        request_client_gone(req, FAILURE_CLIENT_LEFT);
    }
}

/* Goes on with what waits in the inbox. */
static void consume_inbox(struct client *client)
{
    size_t used;

    if (client->is_consuming || is_ending(client))
        return;
    if (buffer_length(&client->inbox) > 0) {
        used = consume(client, client->inbox.data + client->inbox.start,
                       buffer_length(&client->inbox));
        transport_flush(client->transport.worker); /* it may point into the inbox */
        if (is_ending(client))
            return;
        buffer_consume(&client->inbox, used);
        if (buffer_length(&client->inbox) == 0)
            buffer_reset(&client->inbox, 0);
    }
    judge_eof(client);
    if (!is_ending(client))
        set_reading(client);
}

static void on_read(struct transport *transport, char *bytes, size_t count)
{
    struct client *client = client_of(transport);
    size_t used = 0;

    if (client->state == CLIENT_LINGERING) {
        uint32_t now_s = (uint32_t)(worker_now_ms(transport->worker) / 1000);

        if (now_s - client->born_s > LINGER_TOTAL_S)
            close_now(client);
        else
            set_deadline(client);
        return;
    }
    if (client->state == CLIENT_PROXY_HEADER && tls_of(client) != NULL) {
        read_before_tls(client, bytes, count);
        return;
    }
    if (client->request != NULL)
        client->request->progress_ms = worker_now_ms(transport->worker);
    if (buffer_length(&client->inbox) > 0) {
        buffer_append(&client->inbox, bytes, count);
        consume_inbox(client);
        return;
    }
    used = consume(client, bytes, count);
    if (is_ending(client))
        return;
    if (used < count)
        buffer_append(&client->inbox, bytes + used, count - used);
    set_reading(client);
}

static void on_eof(struct transport *transport)
{
    struct client *client = client_of(transport);

    client->is_eof = true;
    if (client->state == CLIENT_LINGERING) {
        close_now(client);
        return;
    }
    if (client->request != NULL)
        client->request->is_client_half_closed = true;
    judge_eof(client);
}

static void on_broken(struct transport *transport, int error)
{
    struct client *client = client_of(transport);

    (void)error; /* gone is gone */
    if (client->request != NULL && client->request->state != REQUEST_HEAD) {
        request_client_gone(client->request, FAILURE_CLIENT_LEFT);
    } else if (client->request != NULL) {
        request_give(client->request);
        client->request = NULL;
    }
    break_off(client);
}

static void on_drained(struct transport *transport)
{
    struct client *client = client_of(transport);

    if (client->state == CLIENT_ENDING) {
        end_connection(client, client->lingers);
        return;
    }
    if (client->state == CLIENT_IDLE)
        set_deadline(client);
    if (client->request != NULL && client->request->state != REQUEST_HEAD)
        request_client_drained(client->request);
    if (!is_ending(client))
        consume_inbox(client);
}

/* ---- deadlines ---- */

/* A look at a connection whose request is under way. */
static void tick(struct client *client)
{
    struct request *req = client->request;
    const struct conf_listener *conf = conf_of(client);
    uint64_t silent_ms;

    if (has_taken(client))
        req->progress_ms = worker_now_ms(client->transport.worker);
    silent_ms = worker_now_ms(client->transport.worker) - req->progress_ms;
    if (client->transport.queued_bytes > 0) {
        if (silent_ms >= conf->timeouts.write_idle_ms) {
            request_client_gone(req, FAILURE_CLIENT_STALLED);
            return;
        }
    } else if (request_waits_for_client(req) && silent_ms >= conf->timeouts.body_idle_ms) {
        request_upload_failed(req, FAILURE_BODY_TIMEOUT, NULL);
        return;
    }
    if (!client->transport.is_reading && transport_peer_is_gone(&client->transport)) {
        request_client_gone(req, FAILURE_CLIENT_LEFT);
        return;
    }
    set_deadline(client);
}

static void on_due(struct deadline *deadline)
{
    struct client *client = container_of(deadline, struct client, deadline);
    struct request *req = client->request;

    worker_note_time(client->transport.worker);
    if (client->state == CLIENT_BUSY && req->state == REQUEST_HEAD)
        request_refuse(req, FAILURE_HEAD_TIMEOUT, NULL);
    else if (client->state == CLIENT_BUSY && req->state == REQUEST_TUNNEL)
        request_client_gone(req, FAILURE_TUNNEL_IDLE);
    else if (client->state == CLIENT_BUSY)
        tick(client);
    else if (client->state <= CLIENT_ENDING && has_taken(client))
        set_deadline(client);
    else if (client->state <= CLIENT_ENDING && transport_is_full(&client->transport))
        break_off(client);
    else
        close_now(client);
}

/* ---- events of the request ---- */

void client_h1_want_upload(struct request *req)
{
    consume_inbox(req->client);
    if (req->client->request == req && !is_ending(req->client))
        set_reading(req->client);
}

void client_h1_tunnel_moved(struct request *req)
{
    set_deadline(req->client);
}

void client_h1_become_tunnel(struct request *req)
{
    set_deadline(req->client);
    consume_inbox(req->client);
}

/* Answers of ours may leave a client still sending: its FIN is awaited. */
static bool must_linger(const struct request *req)
{
    return req->upload != HALF_ENDED || req->failure == FAILURE_BAD_REQUEST ||
           buffer_length(&req->client->inbox) > 0 || req->method == METHOD_OTHER;
}

/* A response cut short shows as such by its framing; one that ends with the connection must end
 * with a reset, or it would pass for a whole one. */
static bool must_reset(const struct request *req)
{
    return !req->is_response_started || req->download_kind == FORWARD_UNTIL_CLOSE ||
           req->status == 101 || req->upload == HALF_BROKEN ||
           req->failure == FAILURE_CLIENT_STALLED || req->failure == FAILURE_STOPPED;
}

void client_h1_finish(struct request *req, bool is_clean)
{
    struct client *client = req->client;
    bool closes = req->closes || req->wants_close;
    bool lingers = must_linger(req);
    bool resets = !is_clean && must_reset(req);

    client->request = NULL;
    request_give(req);
    if (client->transport.is_closing)
        return;
    if (resets) {
        break_off(client);
        return;
    }
    if (closes || !is_clean) {
        end_connection(client, lingers);
        return;
    }
    enter(client, CLIENT_IDLE);
    if (client->listener->now == NULL || client->transport.worker->is_stopping)
        end_connection(client, false);
    else if (!client->is_consuming && (buffer_length(&client->inbox) > 0 || client->is_eof))
        consume_inbox(client);
}

/* ---- a new connection ---- */

static const struct transport_ops ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_broken = on_broken,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .on_secured = on_secured,
    .on_insecure = on_insecure,
    .admits = admits,
};

static void note_peer(struct client *client)
{
    struct sockaddr_storage from;
    int bytes = sizeof(from);

    memset(client->peer, 0, sizeof(client->peer));
    client->peer_port = 0;
    client->has_peer =
        client->transport.handle.any.type == UV_TCP &&
        uv_tcp_getpeername(&client->transport.handle.tcp, (struct sockaddr *)&from, &bytes) == 0 &&
        network_from_sockaddr((struct sockaddr *)&from, client->peer, &client->peer_port);
    memcpy(client->socket_peer, client->peer, sizeof(client->peer));
}

static bool take_place(struct client *client)
{
    uint32_t most = conf_of(client)->limits.connections_per_client;

    client->is_counted_place = false;
    if (most == 0 || !client->has_peer)
        return true;
    client->is_counted_place = client_limit_take_address(
        client->transport.worker->client_limit, place_key(client, client->socket_peer), most);
    return client->is_counted_place;
}

static bool expects_proxy_header(const struct client *client)
{
    const struct conf_listener *conf = conf_of(client);

    return conf->proxy_protocol == PROXY_PROTOCOL_ACCEPT &&
           (!client->has_peer || network_contains(&conf->proxy_protocol_from, client->peer));
}

void client_h1_accept(struct listener *listener)
{
    struct worker *worker = listener->worker;
    struct client *client = slab_take(&worker->client_slab);
    int error;

    client->tag = CLIENT_TAG;
    client->transport.worker = worker;
    client->state = CLIENT_PROXY_HEADER;
    client->is_eof = client->is_consuming = client->needs_more = client->lingers = false;
    client->skipped = 0;
    client->served = 0;
    client->lot = (uint16_t)((random_next(&worker->random) >> 32) % CLIENT_LOTS);
    client->born_s = (uint32_t)(worker_now_ms(worker) / 1000);
    client->listener = listener;
    client->request = NULL;
    client->identity = NULL;
    list_append(&worker->clients, &client->link);
    deadline_init(&client->deadline, on_due);
    buffer_init(&client->inbox);
    listener->clients++;
    worker->client_count++;
    count_one(&row_of(client)->connections);
    count_one(&row_of(client)->connections_open);
    error = transport_accept(&client->transport, worker, &ops, &listener->handle.stream,
                             listener->is_local);
    if (error == 0)
        note_peer(client);
    if (error != 0 || !take_place(client)) {
        count_one(&row_of(client)->connections_refused);
        client->is_counted_place = false;
        close_now(client);
        return;
    }
    if (expects_proxy_header(client)) {
        enter(client, CLIENT_PROXY_HEADER);
    } else if (tls_of(client) != NULL) {
        enter(client, CLIENT_HANDSHAKE);
        transport_secure(&client->transport, tls_of(client), SLICE(""));
    } else {
        enter(client, CLIENT_IDLE);
    }
    set_reading(client);
}
