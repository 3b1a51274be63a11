/*
 * openapi - the API described for machines (OpenAPI 3.1), made of operations.def and shapes.def:
 * what dispatches is what is described.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/openapi.h"

#include <string.h>

#include "admin/call.h"
#include "admin/operations.h"
#include "base/check.h"

struct field {
    const char *name; /* NULL ends the list */
    const char *type;
    const char *help;
    bool is_required;
};

#define SHAPE(name, is_strict, help) static const struct field fields_##name[] = {
#define FIELD(name, type, help)      {#name, type, help, true},
#define MAYBE(name, type, help)      {#name, type, help, false},
#define END_SHAPE                                                                                  \
    {                                                                                              \
        NULL, NULL, NULL, false                                                                    \
    }                                                                                              \
    }                                                                                              \
    ;
#include "admin/shapes.def"

static const struct shape {
    const char *name;
    const struct field *fields;
    bool is_strict;
    const char *help;
} shapes[] = {
#define SHAPE(name, is_strict, help) {#name, fields_##name, is_strict, help},
#define FIELD(name, type, help)
#define MAYBE(name, type, help)
#define END_SHAPE
#include "admin/shapes.def"
};

/* --- types ------------------------------------------------------------------------------- */

static json_t *reference(struct slice name)
{
    char text[96] = "#/components/schemas/";
    size_t len = strlen(text);

    slice_copy(name, text + len, sizeof(text) - len);
    return json_pack("{s:s}", "$ref", text);
}

static json_t *words_schema(struct slice words, bool is_nullable)
{
    json_t *list = json_array();

    while (words.len > 0) {
        const char *bar = memchr(words.at, '|', words.len);
        size_t len = bar != NULL ? (size_t)(bar - words.at) : words.len;
        json_array_append_new(list, json_stringn(words.at, len));
        words = slice_after(words, bar != NULL ? len + 1 : len);
    }
    if (is_nullable)
        json_array_append_new(list, json_null());
    return json_pack("{s:o}", "enum", list);
}

static bool is_basic(struct slice type)
{
    static const char *const basic[] = {"string", "integer", "number", "boolean", "object"};

    for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++)
        if (slice_equal(type, slice_from(basic[i])))
            return true;
    return false;
}

static json_t *plain_schema(struct slice type)
{
    if (slice_starts_with(type, SLICE("[]")))
        return json_pack("{s:s, s:o}", "type", "array", "items",
                         openapi_type(slice_after(type, 2)));
    if (slice_starts_with(type, SLICE("{}")))
        return json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                         openapi_type(slice_after(type, 2)));
    if (slice_equal(type, SLICE("time")))
        return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
    if (is_basic(type))
        return json_pack("{s:o}", "type", json_stringn(type.at, type.len));
    return reference(type);
}

json_t *openapi_type(struct slice type)
{
    bool is_nullable = type.len > 0 && type.at[type.len - 1] == '?';

    if (is_nullable)
        type.len--;
    if (slice_equal(type, SLICE("any")))
        return json_object();
    if (slice_starts_with(type, SLICE("word:")))
        return words_schema(slice_after(type, 5), is_nullable);
    json_t *schema = plain_schema(type);
    if (!is_nullable)
        return schema;
    return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
}

static json_t *shape_schema(const struct shape *shape)
{
    json_t *properties = json_object(), *required = json_array();
    json_t *schema = json_pack("{s:s, s:s}", "type", "object", "description", shape->help);

    for (const struct field *field = shape->fields; field->name != NULL; field++) {
        json_t *property = openapi_type(slice_from(field->type));
        json_object_set_new(property, "description", json_string(field->help));
        json_object_set_new(properties, field->name, property);
        if (field->is_required)
            json_array_append_new(required, json_string(field->name));
    }
    json_object_set_new(schema, "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set_new(schema, "required", required);
    else
        json_decref(required);
    if (shape->is_strict)
        json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

/* --- operations -------------------------------------------------------------------------- */

static json_t *parameter(struct slice name, const char *place)
{
    return json_pack("{s:o, s:s, s:b, s:{s:s}}", "name", json_stringn(name.at, name.len), "in",
                     place, "required", strcmp(place, "path") == 0, "schema", "type", "string");
}

/* Headers that mean something to single operations. */
static const struct {
    const char *operation;
    const char *header;
    bool is_required;
} headers[] = {
    {"change_create", "If-Match", false}, {"change_replace", "If-Match", true},
    {"change_edit", "If-Match", true},    {"change_apply", "If-Match", false},
    {"events", "Last-Event-ID", false},
};

static void add_header(json_t *list, const char *name, bool is_required)
{
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in", "header",
                                    "required", (int)is_required, "schema", "type", "string"));
}

static void add_headers(json_t *list, const struct operation *operation)
{
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (strcmp(headers[i].operation, operation->id) == 0)
            add_header(list, headers[i].header, headers[i].is_required);
    if (strcmp(operation->method, "GET") != 0)
        add_header(list, "Idempotency-Key", false);
}

static json_t *parameters_of(const struct operation *operation)
{
    json_t *list = json_array();
    struct slice query = slice_from(operation->query);

    for (const char *open = strchr(operation->path, '{'); open != NULL; open = strchr(open, '{')) {
        const char *end = strchr(open, '}');
        CHECK(end != NULL);
        json_array_append_new(list,
                              parameter(slice_of(open + 1, (size_t)(end - open) - 1), "path"));
        open = end;
    }
    while (query.len > 0) {
        const char *space = memchr(query.at, ' ', query.len);
        size_t len = space != NULL ? (size_t)(space - query.at) : query.len;
        json_array_append_new(list, parameter(slice_of(query.at, len), "query"));
        query = slice_after(query, space != NULL ? len + 1 : len);
    }
    add_headers(list, operation);
    return list;
}

static json_t *content_of(const struct operation *operation, struct slice shape)
{
    json_t *text = json_pack("{s:{s:s}}", "schema", "type", "string");
    json_t *content = json_object();

    if (memchr(shape.at, '/', shape.len) != NULL) {
        json_object_setn_new(content, shape.at, shape.len, text);
        return content;
    }
    json_object_set_new(content, "application/json",
                        json_pack("{s:o}", "schema", reference(shape)));
    if (operation->has_text)
        json_object_set_new(content, "text/plain", text);
    else
        json_decref(text);
    return content;
}

static struct slice next_word(struct slice *rest)
{
    const char *space = memchr(rest->at, ' ', rest->len);
    struct slice word = slice_of(rest->at, space != NULL ? (size_t)(space - rest->at) : rest->len);

    *rest = slice_after(*rest, space != NULL ? word.len + 1 : word.len);
    return word;
}

/* "200 RolledBack 202 Change": each status is followed by the shape of its answer; a shape alone is
 * that of 200. */
static json_t *responses_of(const struct operation *operation, json_t *problem)
{
    struct slice rest = slice_from(operation->answer), status, shape;
    json_t *responses = json_object();

    while (rest.len > 0) {
        status = SLICE("200");
        shape = next_word(&rest);
        if (shape.at[0] >= '0' && shape.at[0] <= '9') {
            status = shape;
            shape = next_word(&rest);
        }
        json_object_setn_new(responses, status.at, status.len,
                             json_pack("{s:s, s:o}", "description", operation->summary, "content",
                                       content_of(operation, shape)));
    }
    json_object_set_new(responses, "default", problem);
    return responses;
}

static json_t *operation_json(const struct operation *operation)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "operationId", operation->id, "summary",
                             operation->summary, "x-permission", operation->permission);
    json_t *problem =
        json_pack("{s:s, s:{s:{s:o}}}", "description", "what is wrong and what to do next",
                  "content", "application/problem+json", "schema", reference(SLICE("Problem")));

    if (strcmp(operation->permission, "any") == 0)
        json_object_set_new(json, "security", json_array());
    json_object_set_new(json, "parameters", parameters_of(operation));
    if (operation->body[0] != '\0')
        json_object_set_new(json, "requestBody",
                            json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema",
                                      reference(slice_from(operation->body))));
    json_object_set_new(json, "responses", responses_of(operation, problem));
    return json;
}

static json_t *paths_json(void)
{
    json_t *paths = json_object();

    for (size_t i = 0; i < operation_count; i++) {
        const struct operation *operation = &operations[i];
        json_t *path = json_object_get(paths, operation->path);
        char method[16];

        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, operation->path, path);
        }
        slice_copy(slice_from(operation->method), method, sizeof(method));
        for (char *c = method; *c != '\0'; c++)
            *c = ascii_lower(*c);
        json_object_set_new(path, method, operation_json(operation));
    }
    return paths;
}

json_t *openapi_json(void)
{
    json_t *schemas = json_object();

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        json_object_set_new(schemas, shapes[i].name, shape_schema(&shapes[i]));
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o, s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}}, "
                     "s:[{s:[]}, {s:[]}]}",
                     "openapi", "3.1.0", "info", "title", "twokey admin API", "version",
                     TWOKEY_VERSION, "description",
                     "Status, pools, metrics, explain, and staged changes of a running twokey.",
                     "paths", paths_json(), "components", "schemas", schemas, "securitySchemes",
                     "token", "type", "http", "scheme", "bearer", "description",
                     "tk_<person>_<43 characters>; not needed over the Unix socket for users that "
                     "the configuration names, nor where no people are configured",
                     "certificate", "type", "mutualTLS", "description",
                     "over TLS, a certificate of which a subject alternative name stands in "
                     "people.X.certificate_names",
                     "security", "token", "certificate");
}

void on_openapi(struct call *call)
{
    reply_json(call, 200, openapi_json());
}
