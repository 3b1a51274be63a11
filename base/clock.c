/*
 * clock - monotonic and wall time.
 *
 * Threads  any
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return (int64_t)(read_clock(CLOCK_REALTIME) / 1000000);
}

char *clock_rfc3339(int64_t wall_ms, char text_out[CLOCK_RFC3339_TEXT])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    size_t len;

    gmtime_r(&seconds, &parts);
    len = strftime(text_out, CLOCK_RFC3339_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text_out + len, CLOCK_RFC3339_TEXT - len, ".%03uZ",
             (unsigned)(wall_ms % 1000) % 1000u);
    return text_out;
}

char *clock_http_date(int64_t wall_ms, char text_out[CLOCK_HTTP_TEXT])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    /* Not strftime's names: those follow the locale. */
    gmtime_r(&seconds, &parts);
    snprintf(text_out, CLOCK_HTTP_TEXT, "%s, %02u %s %04u %02u:%02u:%02u GMT",
             days[parts.tm_wday % 7], (unsigned)parts.tm_mday % 100u, months[parts.tm_mon % 12],
             (unsigned)(parts.tm_year + 1900) % 10000u, (unsigned)parts.tm_hour % 100u,
             (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u);
    return text_out;
}
