/*
 * thread - which role the current thread plays, and assertions about it.
 *
 * Data belongs to a role; a function that touches it says so in its first line:
 * ON_CONTROL(), ON_WORKER(index), ON_PROBER(), ON_OBSERVER(), ON_ALERTS().  Before any role
 * is taken (unit tests, start-up) every assertion holds.
 *
 * Threads  each thread sets its own role once
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/check.h"

enum thread_role {
    THREAD_NONE,
    THREAD_CONTROL,
    THREAD_WORKER,
    THREAD_PROBER,
    THREAD_OBSERVER,
    THREAD_ALERTS,
};

extern _Thread_local enum thread_role thread_role_now;
extern _Thread_local unsigned thread_worker_index;

/* The system's tools show the role as the thread's name; control's stays the program's. */
void thread_take_role(enum thread_role role, unsigned worker_index);
const char *thread_role_name(void);

#define ON_ROLE(role) CHECK(thread_role_now == (role) || thread_role_now == THREAD_NONE)
#define ON_CONTROL()  ON_ROLE(THREAD_CONTROL)
#define ON_PROBER()   ON_ROLE(THREAD_PROBER)
#define ON_OBSERVER() ON_ROLE(THREAD_OBSERVER)
#define ON_ALERTS()   ON_ROLE(THREAD_ALERTS)
#define ON_WORKER(index)                                                                           \
    CHECK((thread_role_now == THREAD_WORKER && thread_worker_index == (index)) ||                  \
          thread_role_now == THREAD_NONE)

#endif
