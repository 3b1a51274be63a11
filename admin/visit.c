/*
 * visit - see visit.h.
 *
 * Owner    admin/listener.c      Threads  control only
 */
#include "admin/visit.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "admin/bind.h"
#include "admin/call.h"
#include "admin/caller.h"
#include "admin/dispatch.h"
#include "admin/internal.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "proxy/snapshot.h"
#include "tls/engine.h"

/* Of who comes over TLS the socket says nothing. */
static void note_address(struct visit *visit)
{
    struct sockaddr_storage own = {0};
    const struct sockaddr_storage *address = &own;
    socklen_t bytes = sizeof(own);
    char host[NI_MAXHOST];

    if (visit->caller != NULL)
        address = caller_socket_address(visit->caller);
    else if (getpeername(visit->fd, (struct sockaddr *)&own, &bytes) != 0)
        own.ss_family = AF_UNSPEC;
    visit->is_remote = !bind_is_loopback(address);
    bytes =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getnameinfo((const struct sockaddr *)address, bytes, host, sizeof(host), NULL, 0,
                    NI_NUMERICHOST) == 0)
        visit->address = xstrdup(host);
}

struct visit *visit_new(int fd, bool is_local, struct caller *caller)
{
    struct visit *visit = xcalloc(1, sizeof(*visit));

    list_init(&visit->link);
    visit->fd = fd;
    visit->since_ms = clock_ms();
    visit->is_local = is_local;
    visit->is_secured = caller != NULL;
    if (caller != NULL)
        caller_take_seat(caller, &visit->caller);
    if (!is_local)
        note_address(visit);
    return visit;
}

void visit_free(struct visit **holder)
{
    struct visit *visit = TAKE_POINTER(holder);

    if (visit->caller != NULL)
        caller_take_seat(visit->caller, NULL);
    list_remove(&visit->link);
    xfree(visit->address);
    xfree(visit);
}

/* ---- who it is ---- */

static void note_user(struct call *call, int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
        return;
    call->uid = (int64_t)peer.uid;
    call->peer = arena_printf(call->arena, "unix:uid=%u", peer.uid);
}

static bool is_certified(const struct visit *visit, struct slice host)
{
    char name[256];

    if (visit->caller == NULL || host.len >= sizeof(name))
        return false;
    slice_copy(host, name, sizeof(name));
    for (char *c = name; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return tls_engine_is_for(caller_engine(visit->caller), slice_from(name));
}

void visit_describe(struct visit *visit, struct call *call)
{
    call->visit = visit;
    if (visit->is_local)
        note_user(call, visit->fd);
    if (visit->address != NULL)
        call->peer = arena_strdup(call->arena, visit->address);
    call->is_remote = visit->is_remote;
    call->is_secured = visit->is_secured;
    call->is_host_certified = is_certified(visit, dispatch_host_name(call->host));
}

static void take_name(void *context, const char *name)
{
    struct call *call = context;
    struct call_certificate *certificate = &call->certificate;

    certificate->names[certificate->name_count++] = arena_strdup(call->arena, name);
}

void visit_look_at_certificate(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    struct call_certificate *certificate = &call->certificate;
    const struct tls_engine *engine;
    enum tls_belief belief;

    if (call->visit == NULL)
        return;
    *certificate = (struct call_certificate){0};
    if (call->visit->caller == NULL || snapshot == NULL || snapshot->admin_tls == NULL)
        return;
    engine = caller_engine(call->visit->caller);
    belief = tls_engine_belief(engine, snapshot->admin_tls, &certificate->why);
    certificate->is_shown = belief != TLS_SHOWN_NONE;
    if (belief != TLS_BELIEVED)
        return;
    certificate->names = arena_array(call->arena, TLS_NAMES_MAX, sizeof(*certificate->names));
    tls_engine_each_name(engine, take_name, call);
}
