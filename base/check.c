/*
 * check - the panic report: one line on stderr, then abort.
 *
 * Threads  any
 */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"

static _Noreturn void die(const char *what)
{
    char line[1024];
    int bytes =
        snprintf(line, sizeof(line), "{\"level\":\"panic\",\"thread\":\"%s\",\"text\":\"%s\"}\n",
                 thread_role_name(), what);

    if (bytes > (int)sizeof(line))
        bytes = (int)sizeof(line);
    /* Nothing is left to do about a failed write: the process ends either way. */
    if (write(STDERR_FILENO, line, (size_t)bytes) < 0)
        abort();
    abort();
}

void check_failed(const char *condition, const char *file, int line)
{
    panic("check failed: %s at %s:%d", condition, file, line);
}

void panic(const char *format, ...)
{
    char text[768];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    die(text);
}
