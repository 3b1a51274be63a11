/*
 * impact_text - see impact_text.h.
 *
 * What is not known shows as "-".
 *
 * Owner    nobody.      Threads  any
 */
#include "admin/impact_text.h"

#include <string.h>

#include "admin/texttable.h"
#include "base/arena.h"
#include "base/buffer.h"

/* ---- the table ---- */

static const char *percent(struct arena *arena, const json_t *share)
{
    return json_is_number(share) ? arena_printf(arena, "%.1f %%", 100 * json_number_value(share))
                                 : "-";
}

static const char *rate(struct arena *arena, const json_t *value)
{
    double number = json_number_value(value);

    return json_is_number(value) ? arena_printf(arena, number < 10 ? "%.1f" : "%.0f", number) : "-";
}

static const char *both(struct arena *arena, const json_t *pair,
                        const char *(*shown)(struct arena *, const json_t *))
{
    return arena_printf(arena, "%s -> %s", shown(arena, json_object_get(pair, "before")),
                        shown(arena, json_object_get(pair, "after")));
}

static void add_server(struct texttable *table, const char *pool, const json_t *server)
{
    const json_t *capacity = json_object_get(server, "capacity_rps");

    texttable_cell(table, "%s/%s", pool, json_string_value(json_object_get(server, "name")));
    texttable_cell(table, "%s", both(table->arena, json_object_get(server, "share"), percent));
    texttable_cell(table, "%s",
                   both(table->arena, json_object_get(server, "requests_per_second"), rate));
    if (json_is_integer(capacity))
        texttable_cell(table, "%lld", (long long)json_integer_value(capacity));
    else
        texttable_cell(table, "-");
    texttable_cell(table, "%s",
                   both(table->arena, json_object_get(server, "utilisation"), percent));
}

static void write_table(const json_t *pools, struct arena *arena, struct buffer *out)
{
    static const char *const headings[] = {"server",   "share", "requests/s",
                                           "capacity", "used",  NULL};
    struct texttable table;
    const json_t *pool;
    size_t at;

    if (json_array_size(pools) == 0) {
        buffer_append_literal(out, "no pool gets other shares or requests\n");
        return;
    }
    texttable_init(&table, arena, headings);
    json_array_foreach(pools, at, pool)
    {
        const json_t *servers = json_object_get(pool, "servers");

        for (size_t i = 0; i < json_array_size(servers); i++)
            add_server(&table, json_string_value(json_object_get(pool, "pool")),
                       json_array_get(servers, i));
    }
    texttable_write(&table, out, 0);
}

/* ---- what else is to be known ---- */

static void write_names(const char *label, const json_t *names, struct buffer *out)
{
    const json_t *name;
    size_t at;

    if (json_array_size(names) == 0)
        return;
    buffer_printf(out, "%s: ", label);
    json_array_foreach(names, at, name)
        buffer_printf(out, "%s%s", at > 0 ? ", " : "", json_string_value(name));
    buffer_append_literal(out, "\n");
}

static void write_short_pools(const json_t *pools, struct buffer *out)
{
    json_t *names = json_array();
    const json_t *pool;
    size_t at;

    json_array_foreach(pools, at, pool)
    {
        const char *word = json_string_value(json_object_get(pool, "n_minus_1"));

        if (word != NULL && strcmp(word, "short") == 0)
            json_array_append(names, json_object_get(pool, "pool"));
    }
    write_names("pools that could not bear the loss of a server", names, out);
    json_decref(names);
}

static const char *place(struct arena *arena, const json_t *move, const char *side)
{
    const json_t *of = json_object_get(move, side);
    const char *route = json_string_value(json_object_get(of, "route"));
    const char *pool = json_string_value(json_object_get(of, "pool"));

    if (route == NULL)
        return "no route (404)";
    return pool != NULL ? arena_printf(arena, "%s of %s", pool, route) : route;
}

static void write_moves(const json_t *moves, struct arena *arena, struct buffer *out)
{
    static const char *const headings[] = {"moves", "requests/s", "to", "such as", NULL};
    struct texttable table;
    const json_t *move;
    size_t at;

    if (json_array_size(moves) == 0)
        return;
    texttable_init(&table, arena, headings);
    json_array_foreach(moves, at, move)
    {
        texttable_cell(&table, "%s", place(arena, move, "from"));
        texttable_cell(&table, "%s", rate(arena, json_object_get(move, "requests_per_second")));
        texttable_cell(&table, "%s", place(arena, move, "to"));
        texttable_cell(&table, "%s", json_string_value(json_object_get(move, "example")));
    }
    buffer_append_literal(out, "\n");
    texttable_write(&table, out, 0);
}

static const char *count(struct arena *arena, const json_t *traffic, const char *name)
{
    const json_t *value = json_object_get(traffic, name);

    return json_is_integer(value)
               ? arena_printf(arena, "%lld", (long long)json_integer_value(value))
               : "-";
}

static void write_traffic(const json_t *impact, struct arena *arena, struct buffer *out)
{
    const json_t *traffic = json_object_get(impact, "traffic");
    const json_t *keys = json_object_get(impact, "keys_moved_percent");
    json_int_t unknown = json_integer_value(json_object_get(traffic, "unknown"));

    buffer_printf(out, "by %s requests in %s s", count(arena, traffic, "requests"),
                  count(arena, traffic, "seconds"));
    if (unknown > 0)
        buffer_printf(out, ", of which %lld ask for headers that were not looked at",
                      (long long)unknown);
    buffer_append_literal(out, "\n");
    if (json_is_number(keys))
        buffer_printf(out, "%.1f %% of hashed and sticky requests get another server\n",
                      json_number_value(keys));
}

void impact_text(const json_t *impact, struct arena *arena, struct buffer *out)
{
    const json_t *pools = json_object_get(impact, "pools");
    const char *change = json_string_value(json_object_get(impact, "change"));
    const json_t *class = json_object_get(impact, "class");

    write_table(pools, arena, out);
    write_moves(json_object_get(impact, "moves"), arena, out);
    buffer_append_literal(out, "\n");
    if (json_is_integer(class))
        buffer_printf(out, "%s%sclass %lld, ", change != NULL ? change : "",
                      change != NULL ? "  " : "", (long long)json_integer_value(class));
    write_traffic(impact, arena, out);
    write_short_pools(pools, out);
    write_names("routes that lose their traffic", json_object_get(impact, "routes_losing_traffic"),
                out);
    write_names("hosts that no route takes any more", json_object_get(impact, "hosts_dropped"),
                out);
}
