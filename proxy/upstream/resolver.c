/*
 * resolver - the addresses behind the names of servers, kept fresh.
 *
 *   resting --due--> waiting (for one of LOOKUPS_AT_ONCE) --> looking --answer--> resting
 *
 * A few look-ups at once leave threads of libuv's pool to others: a dead DNS server blocks each
 * of them for seconds.
 *
 * Owner    the registry.      Threads  control; look-ups run on libuv's pool
 */
#include "proxy/upstream/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "proxy/upstream/keyed.h"

enum {
    RESOLVER_TAG = 0x5245534f,
    LOOKUPS_AT_ONCE = 3,
    FRESH_MS = 10000,
    FAILING_MS = 2000,
    TICK_MS = 250,
    COALESCE_MS = 100,
};

struct name {
    struct keyed keyed;
    struct list in_all;
    struct list in_waiting; /* a ring of its own unless it waits */
    char *host;
    uint64_t list_number; /* of the last list that had it */
    uint32_t min_endpoints;
    uint32_t max_shrink_percent;
    uint64_t due_ms;
    bool is_looking;
    bool is_answered; /* at least once, be it by a failure */
    bool is_failing;  /* logged */
    struct resolved addresses[RESOLVER_MAX_ADDRESSES];
    size_t count;
};

struct lookup {
    uv_getaddrinfo_t request;
    struct resolver *resolver; /* NULL: nobody wants the answer any more */
    struct name *name;
    struct list in_lookups;
};

struct resolver {
    uint32_t tag;
    uv_loop_t *loop;
    resolver_fn *on_change;
    void *change_context;
    resolver_fn *on_first;
    void *first_context;
    struct keyed_table by_host;
    struct list names;
    struct list waiting;
    struct list lookups;
    unsigned looking;
    size_t unanswered; /* wanted names that no look-up has answered yet */
    uint64_t list_number;
    uint64_t random;
    bool is_closed;
    bool is_changed; /* since on_first is awaited */
    uv_timer_t tick;
    uv_timer_t first;
    uv_timer_t change;
};

static uint64_t jittered(struct resolver *resolver, uint64_t ms)
{
    return ms - ms / 10 + random_next(&resolver->random) % (ms / 5 + 1);
}

static bool is_wanted(const struct resolver *resolver, const struct name *name)
{
    return name->list_number == resolver->list_number;
}

static uint64_t hash_of(const char *host)
{
    return hash_slice(hash_process_key(), slice_from(host));
}

static struct name *find_name(const struct resolver *resolver, const char *host)
{
    struct keyed *item = keyed_first(&resolver->by_host, hash_of(host));

    for (; item != NULL; item = keyed_next(item)) {
        struct name *name = container_of(item, struct name, keyed);

        if (strcmp(name->host, host) == 0)
            return name;
    }
    return NULL;
}

static struct name *add_name(struct resolver *resolver, const char *host)
{
    struct name *name = xcalloc(1, sizeof(*name));

    name->host = xstrdup(host);
    list_init(&name->in_waiting);
    list_append(&resolver->names, &name->in_all);
    keyed_add(&resolver->by_host, &name->keyed, hash_of(host));
    return name;
}

static void drop_name(struct resolver *resolver, struct name *name)
{
    list_remove(&name->in_all);
    list_remove(&name->in_waiting);
    keyed_remove(&resolver->by_host, &name->keyed);
    xfree(name->host);
    xfree(name);
}

/* ---- telling ---- */

static void on_first_timer(uv_timer_t *timer)
{
    struct resolver *resolver = container_of(timer, struct resolver, first);
    resolver_fn *on_first = resolver->on_first;

    resolver->on_first = NULL;
    if (on_first == NULL)
        return;
    on_first(resolver->first_context);
    if (resolver->on_first == NULL)
        resolver->is_changed = false;
}

static void on_change_timer(uv_timer_t *timer)
{
    struct resolver *resolver = container_of(timer, struct resolver, change);

    if (resolver->on_first != NULL)
        resolver->is_changed = true;
    else if (resolver->on_change != NULL)
        resolver->on_change(resolver->change_context);
}

static void note_change(struct resolver *resolver)
{
    if (resolver->on_first != NULL)
        resolver->is_changed = true; /* on_first() will see it, or refuse what it sees */
    else if (!uv_is_active((uv_handle_t *)&resolver->change))
        CHECK(uv_timer_start(&resolver->change, on_change_timer, COALESCE_MS, 0) == 0);
}

/* ---- what an answer means ---- */

static int compare_resolved(const void *a, const void *b)
{
    return memcmp(((const struct resolved *)a)->ip, ((const struct resolved *)b)->ip, 16);
}

static bool to_resolved(const struct addrinfo *info, struct resolved *out)
{
    if (info->ai_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)info->ai_addr;

        *out = (struct resolved){.ip = {[10] = 0xff, [11] = 0xff}};
        memcpy(out->ip + 12, &v4->sin_addr, 4);
        return true;
    }
    if (info->ai_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)info->ai_addr;

        *out = (struct resolved){.is_ipv6 = true};
        memcpy(out->ip, &v6->sin6_addr, 16);
        return true;
    }
    return false;
}

/* Sorted before it is cut to the most we take, so that the order of an answer changes nothing. */
static size_t collect(const struct addrinfo *answer, struct resolved out[RESOLVER_MAX_ADDRESSES])
{
    struct resolved *all;
    size_t count = 0;
    size_t kept = 0;

    for (const struct addrinfo *info = answer; info != NULL; info = info->ai_next)
        count++;
    all = xcalloc(count, sizeof(*all));
    count = 0;
    for (const struct addrinfo *info = answer; info != NULL; info = info->ai_next)
        if (to_resolved(info, &all[count]))
            count++;
    qsort(all, count, sizeof(*all), compare_resolved);
    for (size_t i = 0; i < count && kept < RESOLVER_MAX_ADDRESSES; i++)
        if (kept == 0 || compare_resolved(&out[kept - 1], &all[i]) != 0)
            out[kept++] = all[i];
    xfree(all);
    return kept;
}

static bool shrinks_too_much(const struct name *name, size_t count)
{
    if (count >= name->count)
        return false;
    return count < name->min_endpoints ||
           (name->count - count) * 100 > name->count * (size_t)name->max_shrink_percent;
}

static void log_addresses(const struct name *name)
{
    struct buffer text;

    buffer_init(&text);
    for (size_t i = 0; i < name->count; i++) {
        char ip[INET6_ADDRSTRLEN];
        const uint8_t *bytes = name->addresses[i].ip;

        if (name->addresses[i].is_ipv6)
            uv_inet_ntop(AF_INET6, bytes, ip, sizeof(ip));
        else
            uv_inet_ntop(AF_INET, bytes + 12, ip, sizeof(ip));
        buffer_printf(&text, "%s%s", i > 0 ? " " : "", ip);
    }
    log_event(EV_RESOLVED, LOG_TEXT("name", name->host),
              LOG_SLICE("addresses", buffer_slice(&text)));
    buffer_fini(&text);
}

/* Told once, until the name is well again. */
static void note_failing(struct name *name, const char *why, size_t count)
{
    if (!name->is_failing)
        log_event(EV_RESOLVE_FAILED, LOG_TEXT("name", name->host), LOG_TEXT("why", why),
                  LOG_NUMBER("answered", count), LOG_NUMBER("kept", name->count));
    name->is_failing = true;
}

static void take_answer(struct resolver *resolver, struct name *name, const struct addrinfo *answer)
{
    struct resolved addresses[RESOLVER_MAX_ADDRESSES];
    size_t count = collect(answer, addresses);
    bool was_failing = name->is_failing;
    bool is_same;

    if (count == 0) {
        note_failing(name, "no address in the answer", 0);
        return;
    }
    if (shrinks_too_much(name, count)) {
        note_failing(name, "fewer addresses than discovery allows", count);
        return;
    }
    name->is_failing = false;
    is_same =
        count == name->count && memcmp(addresses, name->addresses, count * sizeof(*addresses)) == 0;
    if (is_same && !was_failing)
        return;
    memcpy(name->addresses, addresses, count * sizeof(*addresses));
    name->count = count;
    log_addresses(name);
    if (!is_same)
        note_change(resolver);
}

/* ---- asking ---- */

static void look_up_waiting(struct resolver *resolver);

static void finish_lookup(struct resolver *resolver, struct name *name, int status,
                          const struct addrinfo *answer)
{
    bool is_first = !name->is_answered;

    name->is_looking = false;
    name->is_answered = true;
    if (status == 0)
        take_answer(resolver, name, answer);
    else
        note_failing(name, uv_strerror(status), 0);
    name->due_ms = clock_ms() + jittered(resolver, name->is_failing ? FAILING_MS : FRESH_MS);
    if (is_first && is_wanted(resolver, name) && --resolver->unanswered == 0 &&
        resolver->on_first != NULL)
        CHECK(uv_timer_start(&resolver->first, on_first_timer, 0, 0) == 0);
}

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *answer)
{
    struct lookup *lookup = container_of(request, struct lookup, request);
    struct resolver *resolver = lookup->resolver;
    struct name *name = lookup->name;

    if (resolver != NULL) {
        list_remove(&lookup->in_lookups);
        resolver->looking--;
        finish_lookup(resolver, name, status, answer);
        look_up_waiting(resolver);
    }
    uv_freeaddrinfo(answer);
    xfree(lookup);
}

static void look_up(struct resolver *resolver, struct name *name)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct lookup *lookup = xcalloc(1, sizeof(*lookup));
    int status;

    lookup->resolver = resolver;
    lookup->name = name;
    name->is_looking = true;
    status = uv_getaddrinfo(resolver->loop, &lookup->request, on_answer, name->host, NULL, &hints);
    if (status != 0) {
        xfree(lookup);
        finish_lookup(resolver, name, status, NULL);
        return;
    }
    list_append(&resolver->lookups, &lookup->in_lookups);
    resolver->looking++;
}

static void look_up_waiting(struct resolver *resolver)
{
    struct list *item;

    while (resolver->looking < LOOKUPS_AT_ONCE && (item = list_pop(&resolver->waiting)) != NULL)
        look_up(resolver, container_of(item, struct name, in_waiting));
}

static void wait_if_due(struct resolver *resolver, struct name *name, uint64_t now_ms)
{
    if (is_wanted(resolver, name) && !name->is_looking && list_is_empty(&name->in_waiting) &&
        name->due_ms <= now_ms)
        list_append(&resolver->waiting, &name->in_waiting);
}

static void on_tick(uv_timer_t *timer)
{
    struct resolver *resolver = container_of(timer, struct resolver, tick);
    uint64_t now_ms = clock_ms();

    LIST_EACH (item, &resolver->names) {
        wait_if_due(resolver, container_of(item, struct name, in_all), now_ms);
    }
    look_up_waiting(resolver);
}

/* ---- the list of names ---- */

void resolver_begin(struct resolver *resolver)
{
    CHECK_OBJ(resolver, RESOLVER_TAG);
    ON_CONTROL();
    resolver->list_number++;
}

void resolver_want(struct resolver *resolver, const char *host, uint32_t min_endpoints,
                   uint32_t max_shrink_percent)
{
    struct name *name = find_name(resolver, host);

    if (name == NULL)
        name = add_name(resolver, host);
    if (!is_wanted(resolver, name)) {
        name->list_number = resolver->list_number;
        name->min_endpoints = min_endpoints;
        name->max_shrink_percent = max_shrink_percent;
    }
    if (min_endpoints > name->min_endpoints)
        name->min_endpoints = min_endpoints;
    if (max_shrink_percent < name->max_shrink_percent)
        name->max_shrink_percent = max_shrink_percent;
}

/* Those that neither this list nor the one before had; a change that is taken back soon thus
 * finds its addresses again. */
static void forget_old_names(struct resolver *resolver)
{
    LIST_EACH_SAFE (item, &resolver->names) {
        struct name *name = container_of(item, struct name, in_all);

        if (!is_wanted(resolver, name))
            list_remove(&name->in_waiting);
        if (name->list_number + 1 < resolver->list_number && !name->is_looking)
            drop_name(resolver, name);
    }
}

static size_t count_unanswered(const struct resolver *resolver)
{
    size_t count = 0;

    LIST_EACH (item, &resolver->names) {
        const struct name *name = container_of(item, struct name, in_all);

        count += is_wanted(resolver, name) && !name->is_answered;
    }
    return count;
}

void resolver_end(struct resolver *resolver, uint64_t patience_ms, resolver_fn *on_first,
                  void *context)
{
    CHECK_OBJ(resolver, RESOLVER_TAG);
    ON_CONTROL();
    CHECK(!resolver->is_closed);
    forget_old_names(resolver);
    resolver->unanswered = count_unanswered(resolver);
    resolver->on_first = on_first;
    resolver->first_context = context;
    uv_update_time(resolver->loop);
    if (on_first == NULL && resolver->is_changed) {
        resolver->is_changed = false;
        note_change(resolver);
    }
    if (on_first != NULL)
        CHECK(uv_timer_start(&resolver->first, on_first_timer,
                             resolver->unanswered == 0 ? 0 : patience_ms, 0) == 0);
    if (list_is_empty(&resolver->names)) {
        uv_timer_stop(&resolver->tick);
        return;
    }
    CHECK(uv_timer_start(&resolver->tick, on_tick, TICK_MS, TICK_MS) == 0);
    on_tick(&resolver->tick);
}

size_t resolver_addresses(const struct resolver *resolver, const char *host,
                          const struct resolved **addresses_out)
{
    const struct name *name;

    CHECK_OBJ(resolver, RESOLVER_TAG);
    name = find_name(resolver, host);
    if (name == NULL || name->count == 0)
        return 0;
    *addresses_out = name->addresses;
    return name->count;
}

/* ---- life ---- */

struct resolver *resolver_new(uv_loop_t *loop, resolver_fn *on_change, void *context)
{
    struct resolver *resolver = xcalloc(1, sizeof(*resolver));

    /* A look-up under way cannot be ended, so a stop waits for it: libc's 5 s for each try of each
     * server of DNS are too long.  Whoever runs the process may say otherwise. */
    (void)setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);
    resolver->tag = RESOLVER_TAG;
    resolver->loop = loop;
    resolver->on_change = on_change;
    resolver->change_context = context;
    resolver->random = random_seed();
    list_init(&resolver->names);
    list_init(&resolver->waiting);
    list_init(&resolver->lookups);
    CHECK(uv_timer_init(loop, &resolver->tick) == 0);
    CHECK(uv_timer_init(loop, &resolver->first) == 0);
    CHECK(uv_timer_init(loop, &resolver->change) == 0);
    return resolver;
}

void resolver_close(struct resolver *resolver)
{
    struct list *item;

    CHECK_OBJ(resolver, RESOLVER_TAG);
    ON_CONTROL();
    if (resolver->is_closed)
        return;
    resolver->is_closed = true;
    resolver->on_first = NULL;
    while ((item = list_pop(&resolver->lookups)) != NULL) {
        struct lookup *lookup = container_of(item, struct lookup, in_lookups);

        lookup->resolver = NULL;
        (void)uv_cancel((uv_req_t *)&lookup->request); /* one that runs already ends by itself */
    }
    uv_close((uv_handle_t *)&resolver->tick, NULL);
    uv_close((uv_handle_t *)&resolver->first, NULL);
    uv_close((uv_handle_t *)&resolver->change, NULL);
}

void resolver_free(struct resolver **holder)
{
    struct resolver *resolver = TAKE_POINTER(holder);

    CHECK_OBJ(resolver, RESOLVER_TAG);
    CHECK(resolver->is_closed);
    LIST_EACH_SAFE (item, &resolver->names) {
        drop_name(resolver, container_of(item, struct name, in_all));
    }
    keyed_fini(&resolver->by_host);
    resolver->tag = 0;
    xfree(resolver);
}
