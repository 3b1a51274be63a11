/*
 * affinity - see affinity.h.
 *
 * Owner    nobody.      Threads  any; pure
 */
#include "proxy/affinity.h"

#include "base/hash.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "proxy/sticky.h"
#include "proxy/upstream/server.h"

bool affinity_hash(const struct conf_pool *pool, const struct affinity *request, uint64_t *hash_out)
{
    struct slice value = SLICE("");

    switch (pool->hash_on) {
    case HASH_ON_HEADER:
        if (!request->header(request->header_context, slice_from(pool->hash_name), &value))
            return false;
        break;
    case HASH_ON_COOKIE:
        if (!sticky_find_cookie(request->cookies, slice_from(pool->hash_name), &value))
            return false;
        break;
    case HASH_ON_PATH: value = request->path; break;
    case HASH_ON_URI:
        *hash_out = hash_slice(&HASH_STABLE, request->path) ^
                    hash_mix(hash_slice(&HASH_STABLE, request->query));
        return true;
    case HASH_ON_CLIENT_IP:
        *hash_out = hash_bytes(&HASH_STABLE, request->client_address, 16);
        return true;
    }
    *hash_out = hash_slice(&HASH_STABLE, value);
    return true;
}

int affinity_sticky(const struct snapshot_pool *pool, const struct affinity *request,
                    const struct sticky_key *key)
{
    const char *cookie = pool->conf->sticky.cookie;
    struct slice value, name;

    if (cookie == NULL || !sticky_find_cookie(request->cookies, slice_from(cookie), &value) ||
        !sticky_read(key, pool->conf->name, value, &name))
        return BALANCE_NO_SERVER;
    for (size_t i = 0; i < pool->server_count; i++)
        if (slice_equal(slice_from(pool->servers[i]->name), name))
            return (int)i;
    return BALANCE_NO_SERVER;
}
