/*
 * error - why something did not work, for people: a stable code and a text.
 *
 * Owner    the caller, usually on the stack.      Threads  any (a value)
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error_code {
    ERROR_NONE,
    ERROR_INVALID,     /* what was asked is not well-formed */
    ERROR_NOT_FOUND,   /* what was named does not exist */
    ERROR_CONFLICT,    /* it exists, but its state forbids this */
    ERROR_SYSTEM,      /* the operating system refused */
    ERROR_UNAVAILABLE, /* a part that this needs is not there now */
};

struct error {
    enum error_code code;
    char text[512];
};

/* Fills `error` unless it is NULL.  The text names the thing, the place and the remedy. */
void error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
