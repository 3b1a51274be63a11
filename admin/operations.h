/*
 * operations - the table of calls, and their handlers; the rows are in operations.def.
 *
 * Threads  any: constant
 */
#ifndef ADMIN_OPERATIONS_H
#define ADMIN_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>

struct call;

/* Answers the call, at once or later; see call.h. */
typedef void operation_fn(struct call *call);

struct operation {
    const char *id;
    const char *method;
    const char *path;
    const char *permission;
    const char *query;
    const char *body;
    const char *answer;
    bool has_text;
    const char *summary;
    operation_fn *run;
};

extern const struct operation operations[];
extern const size_t operation_count;

#define OPERATION(id, ...) operation_fn on_##id;
#include "admin/operations.def"
#undef OPERATION

#endif
