/*
 * impact_text - what a change would do, for people: first the table of servers, the worst pool
 * first, then what else is to be known.
 *
 * Owner    nobody: functions over the JSON that is told.      Threads  any
 */
#ifndef ADMIN_IMPACT_TEXT_H
#define ADMIN_IMPACT_TEXT_H

#include <jansson.h>

struct arena;
struct buffer;

/* `impact` in the shape Impact; `change` and `class` may be null. */
void impact_text(const json_t *impact, struct arena *arena, struct buffer *out);

#endif
