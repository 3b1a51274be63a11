/*
 * window - rates and latency quantiles of the last 10 and 60 seconds, from the counter rows.
 *
 * A slot whose counters stand still costs one look a second and a few bytes; only one that
 * had traffic in the last minute has a histogram.
 *
 * Owner    the observer.      Threads  one at a time; the rows are read while workers count
 */
#ifndef OBSERVE_WINDOW_H
#define OBSERVE_WINDOW_H

#include <stdint.h>

struct counters;
struct summary;
struct windows;

/* `now_ms`: clock_ms(); the time that windows begin at. */
struct windows *windows_new(struct counters *counters, uint64_t now_ms);
void windows_free(struct windows **windows);

/* Reads the rows; called about once a second, late ones are made up for. */
void windows_tick(struct windows *windows, uint64_t now_ms);

/* The windows as of the last tick. */
struct summary *windows_summary(const struct windows *windows, int64_t wall_ms);

#endif
