/*
 * thread - which role the current thread plays.
 *
 * Threads  each thread sets its own role once
 */
#include "base/thread.h"

#include <pthread.h>

_Thread_local enum thread_role thread_role_now = THREAD_NONE;
_Thread_local unsigned thread_worker_index = 0;

void thread_take_role(enum thread_role role, unsigned worker_index)
{
    thread_role_now = role;
    thread_worker_index = worker_index;
    if (role != THREAD_CONTROL)
        (void)pthread_setname_np(pthread_self(), thread_role_name());
}

const char *thread_role_name(void)
{
    static const char *const names[] = {"none",   "control",  "worker",
                                        "prober", "observer", "alerts"};

    return names[thread_role_now];
}
