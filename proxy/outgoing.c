/*
 * outgoing - a request that may pass, as its server gets it: the pool that is drawn, what chooses
 * among its servers, whether it can be sent again, and its head.
 *
 * Owner    the request.      Threads  the worker's
 */
#include "proxy/decision.h"

#include "base/hash.h"
#include "proxy/affinity.h"
#include "proxy/client/client.h"
#include "proxy/hold.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/transport.h"
#include "proxy/worker.h"
#include "tls/engine.h"

enum { HEAD_ROOM = 4096 };

/* ---- which pool, and which of its servers ---- */

static const struct snapshot_pool *draw_pool(struct decision *d, const struct snapshot_route *route)
{
    uint32_t drawn;

    if (route->split_count == 0)
        return route->pool;
    drawn = (uint32_t)(random_next(&d->req->worker->random) >> 32) % route->split_total;
    for (size_t i = 0; i < route->split_count; i++)
        if (drawn < route->split[i].up_to)
            return route->split[i].pool;
    return route->split[route->split_count - 1].pool;
}

static void prepare_choice(struct decision *d, const struct snapshot_pool *pool)
{
    struct request *req = d->req;
    struct affinity asks = {
        .path = d->target.path,
        .query = d->target.query,
        .cookies = d->message->known[HEADER_COOKIE],
        .client_address = req->client_address,
        .header = decision_find_header,
        .header_context = (void *)(uintptr_t)d->message,
    };

    req->choice =
        (struct balance_choice){.sticky = affinity_sticky(pool, &asks, req->worker->sticky_key)};
    if (pool->balance.method == METHOD_MAGLEV)
        req->choice.has_hash = affinity_hash(pool->conf, &asks, &req->choice.hash);
    else if (req->choice.sticky >= 0)
        req->choice.hash = hash_bytes(&HASH_STABLE, req->client_address, 16);
}

/* ---- the head as servers get it ---- */

/* The path after the route's rewrite; `memory` has room for it. */
static struct slice rewrite_path(struct decision *d, const struct conf_route *route,
                                 struct writer *memory)
{
    struct slice path = d->target.path;
    struct slice prefix = slice_from(route->path_prefix);
    struct slice rest;

    if (route->rewrite.path != NULL)
        return slice_from(route->rewrite.path);
    if (route->rewrite.path_prefix == NULL || prefix.at == NULL || d->target.is_asterisk)
        return path;
    if (prefix.len > 0 && prefix.at[prefix.len - 1] == '/')
        prefix.len--;
    rest = slice_after(path, prefix.len < path.len ? prefix.len : path.len);
    write_text(memory, route->rewrite.path_prefix);
    /* One slash where they meet, whichever of both has it. */
    if (memory->at > memory->start && memory->at[-1] == '/' && rest.len > 0 && rest.at[0] == '/')
        memory->at--;
    write_slice(memory, rest);
    if (writer_length(memory) == 0)
        write_char(memory, '/');
    return writer_slice(memory);
}

/* h2c is never offered to a server: the tokens of Upgrade but for it. */
static bool offers_upgrade(struct decision *d)
{
    struct request *req = d->req;
    struct slice upgrade = d->message->upgrade;

    if (upgrade.len == 0 || upgrade.len >= sizeof(req->upgrade) || d->message->http_minor == 0)
        return false;
    for (size_t i = 0; i + 3 <= upgrade.len; i++)
        if (slice_equal_nocase(slice_of(upgrade.at + i, 3), SLICE("h2c")))
            return false;
    slice_copy(upgrade, req->upgrade, sizeof(req->upgrade));
    return true;
}

/* Nothing but the switch helps its client (RFC 6455 §4.1, RFC 8441 §5). */
static bool wants_websocket(const struct decision *d)
{
    return d->req->must_upgrade || message_find(d->message, SLICE("sec-websocket-key")) != NULL;
}

static struct slice host_for_server(struct decision *d, const struct conf_route *route)
{
    if (route->rewrite.host != NULL)
        return slice_from(route->rewrite.host);
    if (d->target.authority.len > 0)
        return d->target.authority;
    /* HTTP/1.0 without Host: the address that the client spoke to (RFC 9112 §3.3). */
    return slice_from(d->req->listener->conf->address.text);
}

/* ---- who the client is ---- */

enum { MOST_IDENTITY = 3 };

static void set_identity(struct forward_edits *edits, struct forward_edit *set, const char *name,
                         const char *value)
{
    if (name == NULL)
        return;
    set[edits->set_count++] = (struct forward_edit){slice_from(name), slice_from(value)};
    edits->set_bytes += (uint32_t)(strlen(name) + strlen(value) + 4);
}

/* What the certificate says, in the fields of this listener; those of all listeners are taken from
 * the client, whoever it is. */
static void tell_identity(struct decision *d, struct forward_edits *edits,
                          struct forward_edit set[MOST_IDENTITY])
{
    const struct snapshot *snapshot = d->req->hold->snapshot;
    const struct tls_identity *identity = d->req->client->identity;
    const struct conf_identity_headers *headers;

    *edits = (struct forward_edits){.set = set,
                                    .remove = snapshot->identity_headers,
                                    .remove_count = snapshot->identity_header_count,
                                    .is_identity = true};
    if (identity == NULL || snapshot->identity_header_count == 0)
        return;
    headers = &d->req->listener->conf->tls.client_auth.headers;
    set_identity(edits, set, headers->subject, identity->subject);
    set_identity(edits, set, headers->fingerprint, identity->fingerprint);
    set_identity(edits, set, headers->serial, identity->serial);
}

static enum failure build_head(struct decision *d, const struct snapshot_route *route)
{
    struct request *req = d->req;
    const struct conf_route *conf = route->conf;
    struct slice target = d->message->target;
    size_t room = HEAD_ROOM + target.len;
    char *path_memory = transport_scratch(req->worker, room);
    struct writer path_writer;
    struct forward_edit identity_fields[MOST_IDENTITY];
    struct forward_edits identity;
    struct forward_request forward;
    struct writer w;
    size_t head_room;

    if (path_memory == NULL)
        return FAILURE_HEAD_TOO_LARGE;
    path_writer = writer_over(path_memory, room);
    forward = (struct forward_request){
        .path = rewrite_path(d, conf, &path_writer),
        .query = d->target.query,
        .host = host_for_server(d, conf),
        .peer = slice_from(req->client_text),
        .forwarded_host = d->target.authority,
        .request_id = slice_from(req->request_id),
        .is_https = req->is_https,
        .is_peer_trusted = d->is_peer_trusted,
        .passes_upgrade = req->passes_upgrade,
        .passes_expect = req->expects_continue,
        .is_h2 = req->pool->conf->protocol == PROTOCOL_H2,
        .body = req->body.kind,
        .length = req->body.left,
        .identity = &identity,
        .edits = &route->request_edits,
    };
    tell_identity(d, &identity, identity_fields);
    head_room =
        HEAD_ROOM + identity.set_bytes + route->request_edits.set_bytes + 2 * (size_t)req->searched;
    w = writer_over(buffer_reserve(&req->head, head_room), head_room);
    forward_write_request(&w, d->message, &forward);
    if (w.overflow || path_writer.overflow)
        return FAILURE_HEAD_TOO_LARGE;
    req->head.end = (uint32_t)(req->head.start + writer_length(&w));
    return FAILURE_NONE;
}

/* ---- all together ---- */

enum failure outgoing_prepare(struct decision *d, const struct snapshot_route *route)
{
    struct request *req = d->req;
    const struct snapshot_pool *pool = draw_pool(d, route);
    bool is_h2 = pool->conf->protocol == PROTOCOL_H2;

    req->passes_upgrade = offers_upgrade(d);
    if (req->passes_upgrade && !body_is_empty(&req->body))
        return FAILURE_BAD_REQUEST;
    if (is_h2 && req->passes_upgrade && wants_websocket(d))
        return FAILURE_NO_WEBSOCKET;
    if (is_h2) /* has no upgrades: the request goes without (RFC 9110 §7.8) */
        req->passes_upgrade = false;
    req->has_te_trailers = d->message->has_te_trailers || d->message->is_http2;
    req->is_chunked_to_server = req->body.kind == FORWARD_CHUNKED;
    req->passes_trailers = req->is_chunked_to_server && !d->message->names_fields &&
                           (d->message->has_te_trailers || d->message->has_trailer_field);
    /* HTTP/2 says whether a server has looked at a request: any method may have to go again. */
    req->keeps_replay =
        !body_is_empty(&req->body) &&
        (is_h2 || (method_is_idempotent(req->method) && req->body.kind == FORWARD_LENGTH &&
                   req->body.left <= REQUEST_REPLAY));
    req->retries_left =
        (uint8_t)(pool->conf->retry.attempts < BALANCE_MAX_TRIED ? pool->conf->retry.attempts
                                                                 : BALANCE_MAX_TRIED - 1);
    prepare_choice(d, pool);
    req->pool = pool;
    return build_head(d, route);
}
