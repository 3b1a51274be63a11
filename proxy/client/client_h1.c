/*
 * client_h1 - a client's connection on which HTTP/1 is spoken.
 *
 * Reads heads and bodies, one request after the other: what a client sends ahead waits in the
 * inbox, at most one block of it.
 *
 * Owner    the worker that accepted it.      Threads  the worker's
 */
#include "proxy/client/internal.h"

#include "base/check.h"
#include "proxy/http/body.h"
#include "proxy/request.h"
#include "proxy/request_end.h"
#include "proxy/upstream/upstream.h"

enum { MAX_SKIPPED = 16 };

/* Reads as long as there is somewhere to put it. */
void client_h1_set_reading(struct client *client)
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
    count_less(&client_row(client)->connections_idle);
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

/* The first line of HTTP/2's preface, where HTTP/1 has a request (RFC 9113 §3.4).  TLS agrees on it
 * by ALPN alone. */
static bool is_preface(const struct client *client, struct slice head)
{
    return head.len == 18 && client->served == 1 && client->transport.tls == NULL &&
           memcmp(head.at, "PRI * HTTP/2.0\r\n\r\n", 18) == 0;
}

static size_t begin_h2(struct client *client, struct slice bytes)
{
    request_give(TAKE_POINTER(&client->request));
    client->served = 0;
    client_enter(client, CLIENT_IDLE);
    client_h2_begin(client);
    client_h2_read(client, bytes.at, bytes.len);
    return bytes.len;
}

/* The bytes of a whole head that were used, or 0: more must come, or it was refused. */
static size_t read_head(struct client *client, struct slice bytes)
{
    struct worker *worker = client->transport.worker;
    struct request *req = client->request;
    struct head_limits limits = client_limits(client);
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
    if (is_preface(client, slice_of(bytes.at, head_bytes)))
        return begin_h2(client, bytes);
    req->received_bytes += head_bytes;
    status = head_parse_request(worker->message, slice_of(bytes.at, head_bytes), &limits, &why);
    if (status != 0) {
        request_refuse(req, client_failure_of_status(status), why);
        return 0;
    }
    if (worker->message->dropped_fields > 0)
        count_add(&client_row(client)->fields_dropped, worker->message->dropped_fields);
    request_begin(req);
    if (client->request != NULL && !client_is_ending(client))
        client_set_deadline(client);
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
    struct head_limits limits = client_limits(client);
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
    client_set_deadline(client);
    return count;
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
        client_set_deadline(client); /* timeouts.headers */
    return used;
}

/* One step; the bytes it used, 0 when it can go no further. */
static size_t consume_step(struct client *client, char *bytes, size_t count)
{
    struct request *req = client->request;

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
    while (used < count && !client_is_ending(client)) {
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

/* A head that is not whole is no request yet. */
static void drop_head(struct client *client)
{
    request_give(TAKE_POINTER(&client->request));
}

/* After the client's FIN: what can never become whole ends here. */
static void judge_eof(struct client *client)
{
    struct request *req = client->request;
    bool is_used_up = buffer_length(&client->inbox) == 0;

    if (!client->is_eof || client_is_ending(client))
        return;
    is_used_up = is_used_up || client->needs_more;
    if (req == NULL) {
        client_end(client, false);
    } else if (req->state == REQUEST_HEAD) {
        drop_head(client);
        client_end(client, false);
    } else if (req->state == REQUEST_TUNNEL) {
        if (is_used_up && req->upload == HALF_OPEN)
            request_client_half_closed(req);
    } else if (req->upload == HALF_OPEN && is_used_up) {
        request_client_gone(req, FAILURE_CLIENT_LEFT);
    } else if (req->state == REQUEST_QUEUED) {
        request_client_gone(req, FAILURE_CLIENT_LEFT);
    }
}

void client_h1_consume_inbox(struct client *client)
{
    size_t used;

    if (client->is_consuming || client_is_ending(client))
        return;
    if (buffer_length(&client->inbox) > 0) {
        used = consume(client, client->inbox.data + client->inbox.start,
                       buffer_length(&client->inbox));
        transport_flush(client->transport.worker); /* it may point into the inbox */
        if (client_is_ending(client))
            return;
        if (client->h2 != NULL) {
            buffer_reset(&client->inbox, 0);
            return;
        }
        buffer_consume(&client->inbox, used);
        if (buffer_length(&client->inbox) == 0)
            buffer_reset(&client->inbox, 0);
    }
    judge_eof(client);
    if (!client_is_ending(client))
        client_h1_set_reading(client);
}

/* ---- events of the connection ---- */

void client_h1_read(struct client *client, char *bytes, size_t count)
{
    size_t used;

    if (client->request != NULL)
        client->request->progress_ms = worker_now_ms(client->transport.worker);
    if (buffer_length(&client->inbox) > 0) {
        buffer_append(&client->inbox, bytes, count);
        client_h1_consume_inbox(client);
        return;
    }
    used = consume(client, bytes, count);
    if (client_is_ending(client) || client->h2 != NULL)
        return;
    if (used < count)
        buffer_append(&client->inbox, bytes + used, count - used);
    client_h1_set_reading(client);
}

void client_h1_eof(struct client *client)
{
    if (client->request != NULL)
        client->request->is_client_half_closed = true;
    judge_eof(client);
}

void client_h1_broken(struct client *client)
{
    struct request *req = client->request;

    if (req != NULL && req->state != REQUEST_HEAD)
        request_client_gone(req, FAILURE_CLIENT_LEFT);
    else if (req != NULL)
        drop_head(client);
    client_break_off(client);
}

void client_h1_drained(struct client *client)
{
    if (client->request != NULL && client->request->state != REQUEST_HEAD)
        request_client_drained(client->request);
    if (!client_is_ending(client))
        client_h1_consume_inbox(client);
}

void client_h1_retire(struct client *client)
{
    struct request *req = client->request;

    if (req == NULL) {
        client_end(client, false);
    } else if (req->state == REQUEST_HEAD && client->listener->now == NULL) {
        drop_head(client);
        client_end(client, false);
    }
}

void client_h1_abort(struct client *client)
{
    if (client->request != NULL)
        request_client_gone(client->request, FAILURE_STOPPED);
}

/* ---- deadlines ---- */

uint64_t client_h1_busy_ms(const struct client *client)
{
    const struct conf_listener *conf = client_conf(client);

    switch (client->request->state) {
    case REQUEST_HEAD: return conf->timeouts.headers_ms;
    case REQUEST_TUNNEL: return conf->timeouts.tunnel_idle_ms;
    default: return client_tick_ms(client);
    }
}

/* A look at a connection whose request is under way. */
static void tick(struct client *client)
{
    struct request *req = client->request;
    const struct conf_listener *conf = client_conf(client);
    uint64_t silent_ms;

    if (client_has_taken(client))
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
    client_set_deadline(client);
}

/* It would not understand a 408. */
static bool begins_like_h2(const struct client *client)
{
    struct slice waiting = buffer_slice(&client->inbox);

    return client->served == 1 && waiting.len >= 14 &&
           memcmp(waiting.at, "PRI * HTTP/2.0", 14) == 0;
}

void client_h1_due(struct client *client)
{
    struct request *req = client->request;

    if (req->state == REQUEST_TUNNEL) {
        request_client_gone(req, FAILURE_TUNNEL_IDLE);
    } else if (req->state != REQUEST_HEAD) {
        tick(client);
    } else if (begins_like_h2(client)) {
        drop_head(client);
        client_end(client, false);
    } else {
        request_refuse(req, FAILURE_HEAD_TIMEOUT, NULL);
    }
}

/* ---- events of the request ---- */

void client_h1_want_upload(struct request *req)
{
    client_h1_consume_inbox(req->client);
    if (req->client->request == req && !client_is_ending(req->client))
        client_h1_set_reading(req->client);
}

void client_h1_tunnel_moved(struct request *req)
{
    client_set_deadline(req->client);
}

void client_h1_become_tunnel(struct request *req)
{
    client_set_deadline(req->client);
    client_h1_consume_inbox(req->client);
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
        client_break_off(client);
        return;
    }
    if (closes || !is_clean) {
        client_end(client, lingers);
        return;
    }
    client_enter(client, CLIENT_IDLE);
    if (client->listener->now == NULL || client->transport.worker->is_stopping)
        client_end(client, false);
    else if (!client->is_consuming && (buffer_length(&client->inbox) > 0 || client->is_eof))
        client_h1_consume_inbox(client);
}
