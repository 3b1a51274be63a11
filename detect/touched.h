/*
 * touched - what a change touches, worked out once for all rules that ask.
 *
 * Owner    detect_run(), until touched_free()      Threads  any
 */
#ifndef DETECT_TOUCHED_H
#define DETECT_TOUCHED_H

#include <stdbool.h>
#include <stddef.h>

struct configuration;
struct touched;

struct touched *touched_of(const struct configuration *before, const struct configuration *after);
void touched_free(struct touched **touched);

/* How many values differ in what they mean. */
size_t touched_count(const struct touched *touched);
/* Something at "/section/name" or below it. */
bool touched_has(const struct touched *touched, const char *section, const char *name);
/* Something in a section. */
bool touched_has_any(const struct touched *touched, const char *section);

#endif
