/*
 * clock - monotonic and wall time, and the texts made of them.
 *
 * Threads  any
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

enum { CLOCK_RFC3339_TEXT = 32, CLOCK_HTTP_TEXT = 32 };

/* CLOCK_MONOTONIC, nanoseconds; the unit of all durations measured. */
uint64_t clock_ns(void);
static inline uint64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}
/* CLOCK_REALTIME, milliseconds since 1970. */
int64_t clock_wall_ms(void);

/* "2026-11-22T10:41:40.123Z"; returns text_out. */
char *clock_rfc3339(int64_t wall_ms, char text_out[CLOCK_RFC3339_TEXT]);
/* "Sun, 22 Nov 2026 10:41:40 GMT" (RFC 9110 §5.6.7); returns text_out. */
char *clock_http_date(int64_t wall_ms, char text_out[CLOCK_HTTP_TEXT]);

#endif
