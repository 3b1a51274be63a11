/*
 * target - one server as the prober sees it: verdict, ejection, slow start; and its pool's panic.
 *
 *   health   UNKNOWN --1 pass--> UP --`fall` failures--> DOWN --`rise` passes--> UP
 *            UNKNOWN --`fall` failures--> DOWN;   any --maintenance--> UNKNOWN
 *   phase    NONE --suspected, cap allows--> EJECTED --time over--> RAMPING --slow start over-->
 *            HEALING (while ejections in a row are remembered) --> NONE
 *            A server that comes up, or joins a pool that serves, is RAMPING too.
 *
 * No sockets, no loop: time is passed in, and what must be called later is left in `phase_due_ms`.
 *
 * Owner    the prober.      Threads  the prober's
 */
#ifndef PROXY_UPSTREAM_TARGET_H
#define PROXY_UPSTREAM_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_pool;
struct probe_answer;
struct server;
struct target;

enum target_phase { PHASE_NONE, PHASE_EJECTED, PHASE_RAMPING, PHASE_HEALING };

struct target_pool {
    struct pool_live *live;
    const struct conf_pool *conf;
    struct target **targets;
    size_t count;
};

struct target {
    struct server *server;
    struct target_pool *pool;
    uint32_t weight; /* configured */
    bool is_backup;
    bool is_tried;   /* only a candidate has it: the pool's panic and cap are not about it */
    bool is_joining; /* new in a pool that serves already: its first verdict begins a slow start */
    uint32_t passes; /* in a row */
    uint32_t fails;  /* in a row */
    enum target_phase phase;
    uint64_t phase_due_ms; /* when target_phase_over() wants to be called; 0: never */
};

/* A target for `server`, whose words may hold what an earlier target left. */
void target_init(struct target *target, struct server *server);
/* The server is nobody's target any more. */
void target_fini(struct target *target);

/* Servers of a pool without checks are up. */
void target_needs_no_check(struct target *target, uint64_t now_ms);
void target_judge(struct target *target, const struct probe_answer *answer, uint64_t now_ms);
/* A server in maintenance is not checked, and what was known of it is known no longer: when it is
 * back, it serves after its first success, and begins slowly. */
bool target_is_paused(const struct target *target);
void target_pause(struct target *target);
/* Until the next check: the fast interval while a verdict is being formed. */
uint64_t target_interval_ms(const struct target *target);

/* A worker saw too many failures in a row: ejects, or refuses because of the cap. */
bool target_suspect(struct target *target, uint64_t now_ms, uint64_t random);
void target_end_ejection(struct target *target, uint64_t now_ms);
void target_phase_over(struct target *target, uint64_t now_ms);

/* Panic as balance.c decides it: told here, once a change. */
void target_pool_judge(struct target_pool *pool);

#endif
