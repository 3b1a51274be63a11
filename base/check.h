/*
 * check - assertions about our own invariants, kept in release builds.
 *
 * Never used on bytes from a peer, a file or an admin: those are answered, not asserted.
 * A failed check writes a panic report (place, condition, thread role) to stderr and aborts.
 *
 * Threads  any
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdint.h>

_Noreturn void check_failed(const char *condition, const char *file, int line);
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(#condition, __FILE__, __LINE__);                                          \
    } while (0)

/* Long-lived structs begin with `uint32_t tag`; freeing one clears it. */
#define CHECK_OBJ(object, expected_tag) CHECK((object) != NULL && (object)->tag == (expected_tag))

/* Takes the pointer away from its holder, so that nobody keeps a dangling one. */
#define TAKE_POINTER(holder)                                                                       \
    ({                                                                                             \
        __typeof__(*(holder)) taken_ = *(holder);                                                  \
        *(holder) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#endif
