/*
 * text_time - moments (RFC 3339) and times of the day.
 *
 * Owner    nobody      Threads  any
 */
#include "config/text.h"

#include <string.h>
#include <time.h>

#define TIME_WANTED "is not a time (write \"2026-11-22T10:00:00Z\")"

/* `count` digits at *at, which moves behind them; -1 when there are others. */
static int take_digits(const char **at, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool take_char(const char **at, char wanted, char other)
{
    if (**at == '\0' || (**at != wanted && **at != other))
        return false;
    (*at)++;
    return true;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

static bool take_date(const char **at, struct tm *out)
{
    int year = take_digits(at, 4);
    int month = year >= 1970 && take_char(at, '-', '-') ? take_digits(at, 2) : -1;
    int day = month >= 1 && month <= 12 && take_char(at, '-', '-') ? take_digits(at, 2) : -1;

    if (day < 1 || day > days_of(year, month))
        return false;
    out->tm_year = year - 1900;
    out->tm_mon = month - 1;
    out->tm_mday = day;
    return true;
}

static bool take_hour_and_minute(const char **at, int *hour_out, int *minute_out)
{
    *hour_out = take_digits(at, 2);
    *minute_out = *hour_out >= 0 && take_char(at, ':', ':') ? take_digits(at, 2) : -1;
    return *hour_out <= 23 && *minute_out >= 0 && *minute_out <= 59;
}

/* Milliseconds; what is finer is cut off. */
static bool take_fraction(const char **at, int *ms_out)
{
    int scale = 100;

    *ms_out = 0;
    if (**at != '.')
        return true;
    (*at)++;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
        *ms_out += (**at - '0') * scale;
    return true;
}

static bool take_zone(const char **at, int *minutes_out)
{
    int sign;
    int hour;
    int minute;

    *minutes_out = 0;
    if (take_char(at, 'Z', 'z'))
        return true;
    sign = **at == '-' ? -1 : 1;
    if (!take_char(at, '+', '-') || !take_hour_and_minute(at, &hour, &minute))
        return false;
    *minutes_out = sign * (hour * 60 + minute);
    return true;
}

const char *text_read_time(const char *text, int64_t *wall_ms_out)
{
    struct tm date = {0};
    int ms;
    int zone;

    if (!take_date(&text, &date) || !take_char(&text, 'T', 't') ||
        !take_hour_and_minute(&text, &date.tm_hour, &date.tm_min) || !take_char(&text, ':', ':'))
        return TIME_WANTED;
    date.tm_sec = take_digits(&text, 2);
    if (date.tm_sec < 0 || date.tm_sec > 60 || !take_fraction(&text, &ms) ||
        !take_zone(&text, &zone) || *text != '\0')
        return TIME_WANTED;
    *wall_ms_out = ((int64_t)timegm(&date) - (int64_t)zone * 60) * 1000 + ms;
    return NULL;
}

const char *text_read_clock(const char *text, uint16_t *minutes_out)
{
    const char *at = text;
    int hour = 24;
    int minute = 0;

    if (strcmp(text, "24:00") != 0 && (!take_hour_and_minute(&at, &hour, &minute) || *at != '\0'))
        return "is not a time of the day (\"09:00\"; \"24:00\" is the end of the day)";
    *minutes_out = (uint16_t)(hour * 60 + minute);
    return NULL;
}
