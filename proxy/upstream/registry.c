/*
 * registry - live servers and pools across snapshots, and the addresses behind their names.
 *
 *   member   one configured server by pool and name: its states and its counter slot; kept while
 *            the process lives, so that a server that comes back is still drained
 *   entry    one address of a member: the live server; dies with its last reference
 *
 * Owner    control.      Threads  control only
 */
#include "proxy/upstream/registry.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/model.h"
#include "observe/counters.h"
#include "proxy/upstream/keyed.h"
#include "proxy/upstream/resolver.h"

enum { REGISTRY_TAG = 0x52454749, REGISTRY_SLOTS = 65536 };

struct member {
    struct keyed keyed;
    char *pool;
    char *name;
    uint32_t counter_slot;
    enum balance_admin configured;
    bool has_override;
    bool has_admin;           /* of the override */
    enum balance_admin admin; /* while has_admin */
    uint32_t weight;          /* while has_override */
    uint64_t list_number;     /* of the last configuration that named it */
    struct list entries;
};

struct entry {
    struct server server;
    struct member *member;
    struct list in_member;
    struct list in_all;
};

struct pool_entry {
    struct keyed keyed;
    struct pool_live live;
};

struct registry {
    uint32_t tag;
    unsigned worker_count;
    struct counters *counters;
    struct resolver *resolver;
    struct keyed_table pools;
    struct keyed_table members;
    struct list entries;
    uint64_t list_number;
    /* In-flight words, a row a worker; a slot is a server's while it lives. */
    _Atomic uint32_t *rows[BALANCE_MAX_WORKERS];
    uint32_t *spare_slots;
    uint32_t spare_count;
    uint32_t slots_used;
};

static const enum balance_admin admin_of_state[] = {
    [SERVER_READY] = ADMIN_READY,
    [SERVER_DRAIN] = ADMIN_DRAIN,
    [SERVER_MAINT] = ADMIN_MAINT,
};

/* ---- pools ---- */

static uint64_t hash_of(const char *text)
{
    return hash_slice(hash_process_key(), slice_from(text));
}

static struct pool_entry *find_pool(const struct registry *registry, const char *name)
{
    struct keyed *item = keyed_first(&registry->pools, hash_of(name));

    for (; item != NULL; item = keyed_next(item)) {
        struct pool_entry *pool = container_of(item, struct pool_entry, keyed);

        if (strcmp(pool->live.name, name) == 0)
            return pool;
    }
    return NULL;
}

struct pool_live *registry_take_pool(struct registry *registry, const char *name)
{
    struct pool_entry *pool;

    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    pool = find_pool(registry, name);
    if (pool == NULL) {
        pool = xcalloc(1, sizeof(*pool));
        pool->live.name = xstrdup(name);
        pool->live.counter_slot = counters_slot(registry->counters, SCOPE_POOL, NULL, name);
        keyed_add(&registry->pools, &pool->keyed, hash_of(name));
    }
    pool->live.references++;
    return &pool->live;
}

static void drop_pool(struct pool_entry *pool)
{
    xfree((char *)pool->live.name);
    xfree(pool);
}

static void let_go_of_pool(struct registry *registry, struct pool_live *live)
{
    struct pool_entry *pool;

    CHECK(live->references > 0);
    if (--live->references > 0)
        return;
    pool = container_of(live, struct pool_entry, live);
    keyed_remove(&registry->pools, &pool->keyed);
    drop_pool(pool);
}

void registry_give_pool(struct registry *registry, struct pool_live **holder)
{
    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    let_go_of_pool(registry, TAKE_POINTER(holder));
}

/* ---- members, and the states people gave them ---- */

static uint64_t member_hash(const char *pool, const char *name)
{
    return hash_mix(hash_of(pool)) ^ hash_of(name);
}

static struct member *find_member(const struct registry *registry, const char *pool,
                                  const char *name)
{
    struct keyed *item = keyed_first(&registry->members, member_hash(pool, name));

    for (; item != NULL; item = keyed_next(item)) {
        struct member *member = container_of(item, struct member, keyed);

        if (strcmp(member->name, name) == 0 && strcmp(member->pool, pool) == 0)
            return member;
    }
    return NULL;
}

static struct member *member_for(struct registry *registry, const char *pool, const char *name)
{
    struct member *member = find_member(registry, pool, name);

    if (member != NULL)
        return member;
    member = xcalloc(1, sizeof(*member));
    member->pool = xstrdup(pool);
    member->name = xstrdup(name);
    member->counter_slot = counters_slot(registry->counters, SCOPE_SERVER, pool, name);
    member->list_number = UINT64_MAX; /* of none yet */
    list_init(&member->entries);
    keyed_add(&registry->members, &member->keyed, member_hash(pool, name));
    return member;
}

static bool store_word(_Atomic uint32_t *word, uint32_t value)
{
    if (atomic_load_explicit(word, memory_order_relaxed) == value)
        return false;
    atomic_store_explicit(word, value, memory_order_relaxed);
    return true;
}

/* A runtime override wins over the configured state for as long as it is set. */
static enum balance_admin admin_in_force(const struct member *member)
{
    return member->has_override && member->has_admin ? member->admin : member->configured;
}

static uint32_t weight_in_force(const struct member *member)
{
    return member->has_override ? member->weight : BALANCE_NO_OVERRIDE;
}

static bool set_words(const struct member *member, struct balance_live *live)
{
    bool is_changed = store_word(&live->admin, admin_in_force(member));

    return store_word(&live->weight_override, weight_in_force(member)) || is_changed;
}

static void spread_words(const struct member *member)
{
    LIST_EACH (item, &member->entries) {
        struct entry *entry = container_of(item, struct entry, in_member);

        if (set_words(member, &entry->server.live))
            atomic_fetch_add_explicit(&entry->server.pool->epoch, 1, memory_order_release);
    }
}

/* One that runs, or that the configuration names (its name may not resolve yet). */
static struct member *find_known(const struct registry *registry, const char *pool,
                                 const char *name)
{
    struct member *member = find_member(registry, pool, name);

    if (member == NULL)
        return NULL;
    if (list_is_empty(&member->entries) && member->list_number != registry->list_number)
        return NULL;
    return member;
}

void registry_configure_server(struct registry *registry, const char *pool, const char *server,
                               enum balance_admin admin)
{
    struct member *member;

    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    member = member_for(registry, pool, server);
    member->configured = admin;
    member->list_number = registry->list_number;
    spread_words(member);
}

static void override_member(struct member *member, const enum balance_admin *admin, uint32_t weight)
{
    member->has_override = true;
    member->has_admin = admin != NULL;
    member->admin = admin != NULL ? *admin : ADMIN_READY;
    member->weight = weight;
    spread_words(member);
}

bool registry_set_admin(struct registry *registry, const char *pool, const char *server,
                        const enum balance_admin *admin, uint32_t weight)
{
    struct member *member;

    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    member = find_known(registry, pool, server);
    if (member == NULL)
        return false;
    override_member(member, admin, weight);
    return true;
}

void registry_preset_admin(struct registry *registry, const char *pool, const char *server,
                           const enum balance_admin *admin, uint32_t weight)
{
    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    override_member(member_for(registry, pool, server), admin, weight);
}

bool registry_clear_admin(struct registry *registry, const char *pool, const char *server)
{
    struct member *member;

    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    member = find_member(registry, pool, server);
    if (member == NULL)
        return false;
    member->has_override = false;
    spread_words(member);
    return find_known(registry, pool, server) != NULL;
}

bool registry_get_admin(const struct registry *registry, const char *pool, const char *server,
                        struct registry_admin *admin_out)
{
    const struct member *member;

    CHECK_OBJ(registry, REGISTRY_TAG);
    member = find_known(registry, pool, server);
    if (member == NULL)
        return false;
    *admin_out = (struct registry_admin){
        .configured = member->configured,
        .has_override = member->has_override,
        .admin = admin_in_force(member),
        .weight = weight_in_force(member),
    };
    return true;
}

/* ---- slots ---- */

/* Slot 0 is nobody's, so that a forgotten one is noticed.  0: all are taken. */
static uint32_t take_slot(struct registry *registry)
{
    if (registry->spare_count > 0)
        return registry->spare_slots[--registry->spare_count];
    if (registry->slots_used + 1 >= REGISTRY_SLOTS)
        return 0;
    return ++registry->slots_used;
}

static void give_slot(struct registry *registry, uint32_t slot)
{
    for (unsigned worker = 0; worker < registry->worker_count; worker++)
        atomic_store_explicit(&registry->rows[worker][slot], 0, memory_order_relaxed);
    registry->spare_slots[registry->spare_count++] = slot;
}

/* ---- servers ---- */

static void fill_ip(struct server *server, const uint8_t ip[16], bool is_ipv6, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];

    if (is_ipv6) {
        server->address.v6 =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&server->address.v6.sin6_addr, ip, 16);
        server->address_bytes = sizeof(server->address.v6);
        uv_inet_ntop(AF_INET6, ip, text, sizeof(text));
        snprintf(server->address_text, sizeof(server->address_text), "[%s]:%u", text, port);
        return;
    }
    server->address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&server->address.v4.sin_addr, ip + 12, 4);
    server->address_bytes = sizeof(server->address.v4);
    uv_inet_ntop(AF_INET, ip + 12, text, sizeof(text));
    snprintf(server->address_text, sizeof(server->address_text), "%s:%u", text, port);
}

static bool fill_local(struct server *server, const char *path)
{
    struct sockaddr_un *local = &server->address.local;

    if (strlen(path) >= sizeof(local->sun_path))
        return false;
    *local = (struct sockaddr_un){.sun_family = AF_UNIX};
    slice_copy(slice_from(path), local->sun_path, sizeof(local->sun_path));
    server->address_bytes = sizeof(*local);
    snprintf(server->address_text, sizeof(server->address_text), "unix:%s", path);
    return true;
}

static struct entry *find_entry(const struct member *member, const char *address_text)
{
    LIST_EACH (item, &member->entries) {
        struct entry *entry = container_of(item, struct entry, in_member);

        if (strcmp(entry->server.address_text, address_text) == 0)
            return entry;
    }
    return NULL;
}

static struct entry *add_entry(struct registry *registry, struct pool_live *pool,
                               struct member *member, const struct server *model)
{
    uint32_t slot = take_slot(registry);
    struct entry *entry;

    if (slot == 0)
        return NULL;
    entry = xcalloc(1, sizeof(*entry));
    entry->member = member;
    entry->server.tag = SERVER_TAG;
    entry->server.pool = pool;
    entry->server.name = member->name;
    entry->server.address = model->address;
    entry->server.address_bytes = model->address_bytes;
    memcpy(entry->server.address_text, model->address_text, sizeof(model->address_text));
    entry->server.slot = slot;
    entry->server.counter_slot = member->counter_slot;
    entry->server.live.worker_count = registry->worker_count;
    for (unsigned worker = 0; worker < registry->worker_count; worker++)
        entry->server.live.in_flight[worker] = &registry->rows[worker][slot];
    (void)set_words(member, &entry->server.live); /* nobody looks at it yet */
    pool->references++;
    list_append(&member->entries, &entry->in_member);
    list_append(&registry->entries, &entry->in_all);
    return entry;
}

static void drop_entry(struct registry *registry, struct entry *entry)
{
    list_remove(&entry->in_member);
    list_remove(&entry->in_all);
    give_slot(registry, entry->server.slot);
    let_go_of_pool(registry, entry->server.pool);
    entry->server.tag = 0;
    xfree(entry);
}

/* The server at the address that `model` holds; NULL when no slot is left. */
static struct server *take_server(struct registry *registry, struct pool_live *pool,
                                  struct member *member, const struct server *model)
{
    struct entry *entry = find_entry(member, model->address_text);

    if (entry == NULL)
        entry = add_entry(registry, pool, member, model);
    if (entry == NULL) {
        log_event(EV_RESOLVE_FAILED, LOG_TEXT("pool", pool->name), LOG_TEXT("server", member->name),
                  LOG_TEXT("why", "more than 65,535 servers live at once"));
        return NULL;
    }
    entry->server.references++;
    return &entry->server;
}

static size_t take_one(struct registry *registry, struct pool_live *pool, struct member *member,
                       const struct conf_address *address, struct server **servers_out)
{
    struct server model = {.tag = 0};

    if (address->kind == ADDRESS_IP)
        fill_ip(&model, address->ip, address->is_ipv6, address->port);
    else if (!fill_local(&model, address->host))
        return 0;
    servers_out[0] = take_server(registry, pool, member, &model);
    return servers_out[0] != NULL;
}

static size_t take_resolved(struct registry *registry, struct pool_live *pool,
                            struct member *member, const struct conf_address *address,
                            struct server **servers_out, size_t room)
{
    const struct resolved *resolved = NULL;
    size_t found = resolver_addresses(registry->resolver, address->host, &resolved);
    size_t count = 0;

    for (size_t i = 0; i < found && count < room; i++) {
        struct server model = {.tag = 0};

        fill_ip(&model, resolved[i].ip, resolved[i].is_ipv6, address->port);
        servers_out[count] = take_server(registry, pool, member, &model);
        if (servers_out[count] != NULL)
            count++;
    }
    return count;
}

size_t registry_take_servers(struct registry *registry, struct pool_live *pool, const char *name,
                             const struct conf_address *address, struct server **servers_out,
                             size_t room)
{
    struct member *member;

    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    if (room == 0)
        return 0;
    member = member_for(registry, pool->name, name);
    if (address->kind == ADDRESS_NAME)
        return take_resolved(registry, pool, member, address, servers_out, room);
    return take_one(registry, pool, member, address, servers_out);
}

void registry_give_server(struct registry *registry, struct server **holder)
{
    struct server *server = TAKE_POINTER(holder);

    CHECK_OBJ(registry, REGISTRY_TAG);
    CHECK_OBJ(server, SERVER_TAG);
    ON_CONTROL();
    CHECK(server->references > 0);
    if (--server->references == 0)
        drop_entry(registry, container_of(server, struct entry, server));
}

void registry_each_server(struct registry *registry, registry_server_fn *each, void *context)
{
    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    LIST_EACH (item, &registry->entries) {
        each(context, &container_of(item, struct entry, in_all)->server);
    }
}

/* ---- names ---- */

static void watch_server(struct registry *registry, const struct conf_pool *pool,
                         const struct conf_server *server)
{
    struct member *member = member_for(registry, pool->name, server->name);

    member->list_number = registry->list_number;
    if (list_is_empty(&member->entries)) /* of those that serve, registry_configure_server tells */
        member->configured = admin_of_state[server->state];
    if (server->address.kind == ADDRESS_NAME)
        resolver_want(registry->resolver, server->address.host, pool->discovery.min_endpoints,
                      pool->discovery.max_shrink_percent);
}

static void watch_servers(struct registry *registry, const struct configuration *configuration)
{
    for (size_t p = 0; p < configuration->pool_count; p++)
        for (size_t s = 0; s < configuration->pools[p].server_count; s++)
            watch_server(registry, &configuration->pools[p], &configuration->pools[p].servers[s]);
}

void registry_watch_names(struct registry *registry, const struct configuration *configuration,
                          uint64_t patience_ms, registry_change_fn *on_first, void *context)
{
    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    registry->list_number++;
    resolver_begin(registry->resolver);
    watch_servers(registry, configuration);
    resolver_end(registry->resolver, patience_ms, on_first, context);
}

void registry_watch_both(struct registry *registry, const struct configuration *configuration,
                         const struct configuration *tried)
{
    CHECK_OBJ(registry, REGISTRY_TAG);
    ON_CONTROL();
    registry->list_number++;
    resolver_begin(registry->resolver);
    if (tried != NULL)
        watch_servers(registry, tried);
    watch_servers(registry, configuration); /* the last word is its */
    resolver_end(registry->resolver, 0, NULL, NULL);
}

/* ---- life ---- */

struct registry *registry_new(uv_loop_t *loop, unsigned worker_count, struct counters *counters,
                              registry_change_fn *on_change, void *context)
{
    struct registry *registry = xcalloc(1, sizeof(*registry));

    CHECK(worker_count <= BALANCE_MAX_WORKERS);
    registry->tag = REGISTRY_TAG;
    registry->worker_count = worker_count;
    registry->counters = counters;
    registry->resolver = resolver_new(loop, on_change, context);
    registry->spare_slots = xmap(REGISTRY_SLOTS * sizeof(*registry->spare_slots));
    for (unsigned worker = 0; worker < worker_count; worker++)
        registry->rows[worker] = xmap(REGISTRY_SLOTS * sizeof(uint32_t));
    list_init(&registry->entries);
    return registry;
}

void registry_close(struct registry *registry)
{
    CHECK_OBJ(registry, REGISTRY_TAG);
    resolver_close(registry->resolver);
}

static void drop_members(struct registry *registry)
{
    struct keyed *item;
    size_t cursor = 0;

    while ((item = keyed_take_any(&registry->members, &cursor)) != NULL) {
        struct member *member = container_of(item, struct member, keyed);

        xfree(member->pool);
        xfree(member->name);
        xfree(member);
    }
    keyed_fini(&registry->members);
}

void registry_free(struct registry **holder)
{
    struct registry *registry = TAKE_POINTER(holder);
    struct keyed *item;
    size_t cursor = 0;

    CHECK_OBJ(registry, REGISTRY_TAG);
    LIST_EACH_SAFE (entry, &registry->entries) {
        drop_entry(registry, container_of(entry, struct entry, in_all));
    }
    drop_members(registry);
    while ((item = keyed_take_any(&registry->pools, &cursor)) != NULL)
        drop_pool(container_of(item, struct pool_entry, keyed));
    keyed_fini(&registry->pools);
    resolver_free(&registry->resolver);
    for (unsigned worker = 0; worker < registry->worker_count; worker++)
        xunmap(registry->rows[worker], REGISTRY_SLOTS * sizeof(uint32_t));
    xunmap(registry->spare_slots, REGISTRY_SLOTS * sizeof(*registry->spare_slots));
    registry->tag = 0;
    xfree(registry);
}
