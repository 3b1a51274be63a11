/*
 * client - one connection from a client, whatever is spoken on it: accepted, PROXY header, TLS
 * handshake, its places and deadlines, and its end.
 *
 * Owner    the worker that accepted it.      Threads  the worker's
 */
#include "proxy/client/client.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "proxy/client/client_h2.h"
#include "proxy/client/internal.h"
#include "proxy/handshakes.h"
#include "proxy/http/proxy_protocol.h"
#include "proxy/limits.h"
#include "proxy/network.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "tls/context.h"
#include "tls/engine.h"

enum { TICK_MS = 1000, LINGER_MS = 5000, LINGER_TOTAL_S = 30 };

static void on_broken(struct transport *transport, int error);

static struct client *client_of(struct transport *transport)
{
    struct client *client = (struct client *)transport;

    CHECK_OBJ(client, CLIENT_TAG);
    return client;
}

/* ---- states ---- */

void client_enter(struct client *client, enum client_state state)
{
    if (client->state == CLIENT_IDLE)
        count_less(&client_row(client)->connections_idle);
    client->state = (uint8_t)state;
    client->unsent = SIZE_MAX; /* the first look finds progress */
    if (state == CLIENT_IDLE)
        count_one(&client_row(client)->connections_idle);
    client_set_deadline(client);
}

uint64_t client_tick_ms(const struct client *client)
{
    const struct conf_listener *conf = client_conf(client);
    uint64_t tick = TICK_MS;

    if (conf->timeouts.body_idle_ms / 2 < tick)
        tick = conf->timeouts.body_idle_ms / 2;
    if (conf->timeouts.write_idle_ms / 2 < tick)
        tick = conf->timeouts.write_idle_ms / 2;
    return tick > 10 ? tick : 10;
}

static uint64_t idle_ms(const struct client *client)
{
    if (transport_is_full(&client->transport))
        return client_conf(client)->timeouts.write_idle_ms;
    return client->h2 != NULL ? client_h2_idle_ms(client)
                              : client_conf(client)->timeouts.keepalive_ms;
}

void client_set_deadline(struct client *client)
{
    uint64_t length = 0;

    switch (client->state) {
    case CLIENT_PROXY_HEADER:
    case CLIENT_HANDSHAKE: length = client_conf(client)->timeouts.headers_ms; break;
    case CLIENT_IDLE: length = idle_ms(client); break;
    case CLIENT_BUSY:
        length = client->h2 != NULL ? client_tick_ms(client) : client_h1_busy_ms(client);
        break;
    case CLIENT_ENDING: length = client_conf(client)->timeouts.write_idle_ms; break;
    case CLIENT_LINGERING: length = LINGER_MS; break;
    }
    deadline_set(&client->transport.worker->deadlines, &client->deadline, length);
}

bool client_has_taken(struct client *client)
{
    size_t unsent = transport_unsent(&client->transport);
    bool has = unsent < client->unsent;

    client->unsent = unsent;
    return has;
}

/* ---- the end of the connection ---- */

static void close_now(struct client *client)
{
    deadline_clear(&client->deadline);
    transport_close(&client->transport);
}

void client_break_off(struct client *client)
{
    deadline_clear(&client->deadline);
    transport_reset(&client->transport);
}

static void linger(struct client *client)
{
    transport_shutdown(&client->transport);
    client->born_s = (uint32_t)(worker_now_ms(client->transport.worker) / 1000);
    client_enter(client, CLIENT_LINGERING);
    if (client->is_eof)
        close_now(client);
    else if (client->h2 == NULL || !client->h2->is_over) /* who has sent too much is not read */
        transport_read_start(&client->transport);
}

void client_end(struct client *client, bool lingers)
{
    if (client->transport.is_closing)
        return;
    transport_flush(client->transport.worker); /* it may point into the inbox */
    if (!client->is_consuming)
        buffer_reset(&client->inbox, 0);
    if (client->transport.queued_bytes > 0) {
        client->lingers = lingers;
        client_enter(client, CLIENT_ENDING);
        transport_read_stop(&client->transport);
    } else if (lingers) {
        linger(client);
    } else {
        close_now(client);
    }
}

bool client_is_spent(const struct client *client)
{
    const struct conf_listener *conf = client_conf(client);
    const struct worker *worker = client->transport.worker;
    uint64_t age_ms = worker_now_ms(worker) - (uint64_t)client->born_s * 1000;

    return worker->is_stopping || client->listener->now == NULL ||
           (conf->keepalive_requests > 0 && client->served >= conf->keepalive_requests) ||
           (conf->connection_age_ms > 0 && age_ms > conf->connection_age_ms);
}

void client_retire(struct client *client)
{
    if (client->state == CLIENT_LINGERING)
        close_now(client);
    else if (client->state < CLIENT_IDLE)
        client_end(client, false);
    else if (client->state != CLIENT_ENDING && client->h2 != NULL)
        client_h2_retire(client);
    else if (client->state != CLIENT_ENDING)
        client_h1_retire(client);
}

void client_abort(struct client *client)
{
    if (client->h2 != NULL)
        client_h2_abort(client);
    else
        client_h1_abort(client);
    client_break_off(client);
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
    if (client->h2 != NULL)
        client_h2_free(client);
    if (client->state == CLIENT_IDLE)
        count_less(&client_row(client)->connections_idle);
    count_less(&client_row(client)->connections_open);
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

enum failure client_failure_of_status(unsigned status)
{
    switch (status) {
    case 417: return FAILURE_EXPECTATION;
    case 414: return FAILURE_LINE_TOO_LONG;
    case 431: return FAILURE_HEAD_TOO_LARGE;
    case 501: return FAILURE_UNKNOWN_METHOD;
    case 505: return FAILURE_UNKNOWN_VERSION;
    default: return FAILURE_BAD_REQUEST;
    }
}

/* ---- PROXY header ---- */

/* The bytes that it took. */
static size_t read_proxy_header(struct client *client, struct slice bytes)
{
    struct proxy_protocol_source source;
    size_t used = 0;

    switch (proxy_protocol_read(bytes, &source, &used)) {
    case PROXY_PROTOCOL_INCOMPLETE: return 0;
    case PROXY_PROTOCOL_MALFORMED:
        count_one(&client_row(client)->bad_requests);
        client_break_off(client);
        return 0;
    default: break;
    }
    if (source.is_known) {
        memcpy(client->peer, source.address, sizeof(client->peer));
        client->peer_port = source.port;
        client->has_peer = true;
    }
    client_enter(client, CLIENT_IDLE);
    return used;
}

/* ---- TLS ---- */

static const struct tls_server *tls_of(const struct client *client)
{
    const struct snapshot_listener *now = client->listener->now;

    return now != NULL ? now->tls : NULL;
}

/* What stands in the inbox came before TLS: the PROXY header is taken off. */
static void begin_tls(struct client *client)
{
    struct buffer rest = client->inbox;

    buffer_init(&client->inbox);
    client_enter(client, CLIENT_HANDSHAKE);
    transport_secure(&client->transport, tls_of(client), buffer_slice(&rest));
    buffer_fini(&rest);
}

static void read_first_bytes(struct client *client, char *bytes, size_t count)
{
    size_t used;

    buffer_append(&client->inbox, bytes, count);
    used = read_proxy_header(client, buffer_slice(&client->inbox));
    if (client_is_ending(client) || client->state == CLIENT_PROXY_HEADER)
        return;
    buffer_consume(&client->inbox, used);
    if (tls_of(client) != NULL)
        begin_tls(client);
    else
        client_h1_consume_inbox(client);
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

    count_one(&client_row(client)->tls_handshakes);
    if (tls_engine_is_resumed(transport->tls))
        count_one(&client_row(client)->tls_resumed);
    if (client_conf(client)->tls.client_auth.mode != CLIENT_AUTH_OFF)
        note_identity(client);
    if (client->state != CLIENT_HANDSHAKE)
        return;
    client_enter(client, CLIENT_IDLE);
    if (tls_engine_protocol(transport->tls) == TLS_ALPN_H2)
        client_h2_begin(client);
}

static bool admits(struct transport *transport)
{
    struct client *client = client_of(transport);
    const struct snapshot_listener *now = client->listener->now;

    if (now == NULL ||
        handshakes_admit(now, client->has_peer ? client->peer : NULL, transport->worker->now_ns))
        return true;
    count_one(&client_row(client)->tls_limited);
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
        count_one(&client_row(client)->tls_failures);
        if (tls_engine_was_http(transport->tls))
            transport_send_clear(transport, SLICE(clear_text_refused));
        linger(client); /* a reset would overtake the alert */
        return;
    }
    on_broken(transport, UV_EPROTO);
}

/* ---- events of the transport ---- */

static void read_lingering(struct client *client)
{
    uint32_t now_s = (uint32_t)(worker_now_ms(client->transport.worker) / 1000);

    if (now_s - client->born_s > LINGER_TOTAL_S)
        close_now(client);
    else
        client_set_deadline(client);
}

static void on_read(struct transport *transport, char *bytes, size_t count)
{
    struct client *client = client_of(transport);

    if (client->state == CLIENT_LINGERING)
        read_lingering(client);
    else if (client->state == CLIENT_PROXY_HEADER)
        read_first_bytes(client, bytes, count);
    else if (client->h2 != NULL)
        client_h2_read(client, bytes, count);
    else
        client_h1_read(client, bytes, count);
}

static void on_eof(struct transport *transport)
{
    struct client *client = client_of(transport);

    client->is_eof = true;
    if (client->state == CLIENT_LINGERING)
        close_now(client);
    else if (client->state < CLIENT_IDLE)
        client_end(client, false);
    else if (client->h2 != NULL)
        client_h2_eof(client);
    else
        client_h1_eof(client);
}

static void on_broken(struct transport *transport, int error)
{
    struct client *client = client_of(transport);

    (void)error; /* gone is gone */
    if (client->h2 != NULL)
        client_h2_broken(client);
    else
        client_h1_broken(client);
}

static void on_drained(struct transport *transport)
{
    struct client *client = client_of(transport);

    if (client->state == CLIENT_ENDING) {
        client_end(client, client->lingers);
        return;
    }
    if (client->state == CLIENT_IDLE)
        client_set_deadline(client);
    if (client->h2 != NULL)
        client_h2_drained(client);
    else
        client_h1_drained(client);
}

static void on_due(struct deadline *deadline)
{
    struct client *client = container_of(deadline, struct client, deadline);

    worker_note_time(client->transport.worker);
    if (client->h2 != NULL && client->state <= CLIENT_BUSY)
        client_h2_due(client);
    else if (client->state == CLIENT_BUSY)
        client_h1_due(client);
    else if (client->state <= CLIENT_ENDING && client_has_taken(client))
        client_set_deadline(client);
    else if (client->state <= CLIENT_ENDING && transport_is_full(&client->transport))
        client_break_off(client);
    else
        close_now(client);
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

bool client_peer(const struct request *req, uint8_t address_out[16], uint16_t *port_out)
{
    memcpy(address_out, req->client->peer, 16);
    *port_out = req->client->peer_port;
    return req->client->has_peer;
}

static bool take_place(struct client *client)
{
    uint32_t most = client_conf(client)->limits.connections_per_client;

    client->is_counted_place = false;
    if (most == 0 || !client->has_peer)
        return true;
    client->is_counted_place = client_limit_take_address(
        client->transport.worker->client_limit, place_key(client, client->socket_peer), most);
    return client->is_counted_place;
}

static bool expects_proxy_header(const struct client *client)
{
    const struct conf_listener *conf = client_conf(client);

    return conf->proxy_protocol == PROXY_PROTOCOL_ACCEPT &&
           (!client->has_peer || network_contains(&conf->proxy_protocol_from, client->peer));
}

/* By the golden ratio: of any few connections in a row about `percent` are in, so that a share of
 * few connections is not of none. */
static uint16_t next_lot(struct worker *worker)
{
    worker->lot = (uint16_t)((worker->lot + LOT_STRIDE) % CLIENT_LOTS);
    return worker->lot;
}

void client_accept(struct listener *listener)
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
    client->lot = next_lot(worker);
    client->tried = 0;
    client->born_s = (uint32_t)(worker_now_ms(worker) / 1000);
    client->listener = listener;
    client->request = NULL;
    client->identity = NULL;
    client->h2 = NULL;
    list_append(&worker->clients, &client->link);
    deadline_init(&client->deadline, on_due);
    buffer_init(&client->inbox);
    listener->clients++;
    worker->client_count++;
    count_one(&client_row(client)->connections);
    count_one(&client_row(client)->connections_open);
    error = transport_accept(&client->transport, worker, &ops, &listener->handle.stream,
                             listener->is_local);
    if (error == 0)
        note_peer(client);
    if (error != 0 || !take_place(client)) {
        count_one(&client_row(client)->connections_refused);
        client->is_counted_place = false;
        close_now(client);
        return;
    }
    if (expects_proxy_header(client)) {
        client_enter(client, CLIENT_PROXY_HEADER);
    } else if (tls_of(client) != NULL) {
        client_enter(client, CLIENT_HANDSHAKE);
        transport_secure(&client->transport, tls_of(client), SLICE(""));
    } else {
        client_enter(client, CLIENT_IDLE);
    }
    client_h1_set_reading(client);
}
