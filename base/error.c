/*
 * error - why something did not work, for people.
 *
 * Threads  any
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void error_set(struct error *error, enum error_code code, const char *format, ...)
{
    va_list args;

    if (error == NULL)
        return;
    error->code = code;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
}
