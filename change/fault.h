/*
 * fault - places where a test build kills itself, to show what a crash there leaves behind.
 *
 * TWOKEY_FAULT=apply.armed in the environment: the process ends there as if by kill -9.  Builds
 * without the CMake option TWOKEY_FAULTS have none of it.
 *
 * Owner    nobody      Threads  any
 */
#ifndef CHANGE_FAULT_H
#define CHANGE_FAULT_H

#ifdef TWOKEY_FAULTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void fault_point(const char *name)
{
    const char *wanted = getenv("TWOKEY_FAULT");

    if (wanted != NULL && strcmp(wanted, name) == 0)
        (void)kill(getpid(), SIGKILL);
}

#else

static inline void fault_point(const char *name)
{
    (void)name;
}

#endif

#endif
