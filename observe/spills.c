/*
 * spills - tells when max_share_percent moves requests, and how many; not every one of them.
 *
 * Owner    the observer.      Threads  the observer's
 */
#include "observe/spills.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/counters.h"

enum { QUIET_MS = 10000 };

struct told {
    uint64_t spills;
    uint64_t quiet_until_ms;
};

struct spills {
    struct counters *counters;
    struct told *pools; /* by counter slot */
};

struct spills *spills_new(struct counters *counters)
{
    struct spills *spills = xcalloc(1, sizeof(*spills));

    spills->counters = counters;
    spills->pools = xmap(COUNTERS_SLOTS * sizeof(*spills->pools));
    return spills;
}

void spills_free(struct spills **holder)
{
    struct spills *spills = TAKE_POINTER(holder);

    xunmap(spills->pools, COUNTERS_SLOTS * sizeof(*spills->pools));
    xfree(spills);
}

static uint64_t count(const struct spills *spills, uint32_t slot)
{
    unsigned workers = counters_worker_count(spills->counters);
    uint64_t sum = 0;

    for (unsigned i = 0; i < workers; i++)
        sum += atomic_load_explicit(&counters_pool(spills->counters, i, slot)->spills,
                                    memory_order_relaxed);
    return sum;
}

void spills_tell(struct spills *spills, uint64_t now_ms)
{
    uint32_t slots = counters_slot_count(spills->counters, SCOPE_POOL);

    for (uint32_t slot = 0; slot < slots; slot++) {
        uint64_t now = count(spills, slot);
        struct told *told;

        if (now == 0)
            continue;
        told = &spills->pools[slot];
        if (now == told->spills || now_ms < told->quiet_until_ms)
            continue;
        log_event(EV_SHARE_CEILING,
                  LOG_TEXT("pool", counters_slot_name(spills->counters, SCOPE_POOL, slot)),
                  LOG_NUMBER("spills", now - told->spills), LOG_NUMBER("total", now));
        told->spills = now;
        told->quiet_until_ms = now_ms + QUIET_MS;
    }
}
