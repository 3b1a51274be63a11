/*
 * thread - which role the current thread plays.
 *
 * Threads  each thread sets its own role once
 */
#include "base/thread.h"

#include <pthread.h>

_Thread_local enum thread_role thread_role_now = THREAD_NONE;
_Thread_local unsigned thread_worker_index = 0;

/* No thread of ours is ever cancelled.  Where cancelling were off but of the deferred type, libc
 * would still switch the type there and back around each system call: two locked instructions. */
static void refuse_cancelling(void)
{
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL) == 0);
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
}

void thread_take_role(enum thread_role role, unsigned worker_index)
{
    refuse_cancelling();
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
