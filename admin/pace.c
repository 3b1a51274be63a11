/*
 * pace - see pace.h; the generic cell rate algorithm.
 *
 * Owner    struct admin.      Threads  control only
 */
#include "admin/pace.h"

#include "base/hash.h"
#include "base/slice.h"

static const uint64_t second_ns = 1000000000;

unsigned pace_take(struct pace *pace, const char *person, uint64_t now_ns)
{
    const uint64_t step_ns = second_ns / PACE_A_SECOND;
    uint64_t *paid_at_ns =
        &pace->paid_at_ns[hash_slice(&HASH_STABLE, slice_from(person)) % PACE_PERSONS];
    uint64_t after_ns = (*paid_at_ns > now_ns ? *paid_at_ns : now_ns) + step_ns;

    if (after_ns - now_ns > step_ns * PACE_BURST)
        return (unsigned)((after_ns - now_ns - step_ns * PACE_BURST) / second_ns) + 1;
    *paid_at_ns = after_ns;
    return 0;
}
