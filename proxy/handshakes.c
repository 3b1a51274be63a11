/*
 * handshakes - see handshakes.h.
 *
 * Threads  the worker's
 */
#include "proxy/handshakes.h"

#include <stddef.h>

#include "base/hash.h"
#include "proxy/limits.h"
#include "proxy/snapshot.h"

/* A second's worth may come at once. */
static bool passes(struct rate_table *table, uint64_t key, uint32_t per_second, uint64_t now_ns)
{
    uint64_t wait_ms;

    return per_second == 0 || rate_table_pass(table, key, per_second, per_second, now_ns, &wait_ms);
}

bool handshakes_admit(const struct snapshot_listener *listener, const uint8_t address[16],
                      uint64_t now_ns)
{
    const struct conf_listener_tls *conf = &listener->conf->tls;

    if (listener->handshakes == NULL)
        return true;
    /* The client first: what one is refused must not be taken from all. */
    if (address != NULL &&
        !passes(listener->handshakes, hash_bytes(hash_process_key(), address, 16),
                conf->handshakes_per_client, now_ns))
        return false;
    return passes(listener->handshakes, hash_mix(1), conf->handshakes_per_second, now_ns);
}
