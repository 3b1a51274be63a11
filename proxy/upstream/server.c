/*
 * server - one address we forward to, and its live state: places under max_connections.
 *
 * Owner    the registry.      Threads  any worker
 */
#include "proxy/upstream/server.h"

#include "base/check.h"

bool server_take_place(struct server *server, uint32_t max_connections)
{
    uint32_t active;

    CHECK_OBJ(server, SERVER_TAG);
    if (max_connections == 0)
        return true;
    /* Never too many, not even for a moment: who was refused meanwhile would wait beside a free
     * place. */
    active = atomic_load_explicit(&server->live.active, memory_order_seq_cst);
    do {
        if (active >= max_connections)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&server->live.active, &active, active + 1,
                                                    memory_order_seq_cst, memory_order_seq_cst));
    return true;
}

void server_give_place(struct server *server, uint32_t max_connections)
{
    uint32_t before;

    CHECK_OBJ(server, SERVER_TAG);
    if (max_connections == 0)
        return;
    /* In one order with what queue.c reads and writes about those that wait. */
    before = atomic_fetch_sub_explicit(&server->live.active, 1, memory_order_seq_cst);
    CHECK(before > 0);
}

/* Stored when it is another, which is seldom: all workers share the word. */
void server_note_handshake(struct server *server, const char *why)
{
    char *now = (char *)(uintptr_t)why;

    if (atomic_load_explicit(&server->last_handshake, memory_order_relaxed) != now)
        atomic_store_explicit(&server->last_handshake, now, memory_order_relaxed);
}
