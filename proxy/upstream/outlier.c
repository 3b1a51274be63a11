/*
 * outlier - passive health: what workers saw of a server's answers.
 *
 * Owner    the registry's words.      Threads  the worker that saw it
 */
#include "proxy/upstream/outlier.h"

#include "base/check.h"
#include "config/model.h"
#include "proxy/upstream/prober.h"

static void note_success(struct server *server)
{
    if (atomic_load_explicit(&server->live.failures, memory_order_relaxed) != 0)
        atomic_store_explicit(&server->live.failures, 0, memory_order_relaxed);
}

void outlier_note(struct server *server, const struct conf_ejection *ejection,
                  struct prober *prober, bool failed)
{
    uint32_t failures;

    CHECK_OBJ(server, SERVER_TAG);
    if (!failed) {
        note_success(server);
        return;
    }
    if (ejection->consecutive_failures == 0)
        return;
    failures = atomic_fetch_add_explicit(&server->live.failures, 1, memory_order_relaxed) + 1;
    if (failures < ejection->consecutive_failures)
        return;
    /* The prober clears it when it refuses, or when the server returns. */
    if (atomic_exchange_explicit(&server->is_suspected, 1, memory_order_acq_rel) == 0)
        prober_suspect(prober, server);
}
