/*
 * openapi - the API described for machines.
 *
 * Threads  control only
 */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H

#include <jansson.h>

#include "base/slice.h"

/* The whole description; the caller owns it. */
json_t *openapi_json(void);

/* The JSON Schema of a type as shapes.def writes it. */
json_t *openapi_type(struct slice type);

#endif
