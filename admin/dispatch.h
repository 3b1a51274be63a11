/*
 * dispatch - from a call to its handler: who may ask, which path, which method, which parameters.
 *
 * Owner    the call.      Threads  control only
 */
#ifndef ADMIN_DISPATCH_H
#define ADMIN_DISPATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/slice.h"

struct call;

/* As soon as the head is there: who calls, and may he.  The call may be answered afterwards. */
void dispatch_head(struct call *call);

/* Runs the handler; afterwards the call is answered, or will be (reload). */
void dispatch(struct call *call);
/* A Host without port and brackets. */
struct slice dispatch_host_name(struct slice host);

/* The body as an object that has no other members than `allowed` (ends with NULL); an empty
 * body is an empty object.  NULL: the call was answered with what is wrong. */
json_t *dispatch_body(struct call *call, const char *const *allowed);

/* `segment` matches the template "{name}" or is the same text, for each of the path's segments. */
bool dispatch_match(const char *path_template, struct slice path, struct slice *arguments_out);

#endif
