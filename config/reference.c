/*
 * reference - the pages about configuration, from the table of keys.
 *
 * Owner    nobody      Threads  any
 */
#include "config/reference.h"

#include <string.h>

#include "base/buffer.h"
#include "config/keys.h"

const struct reference references[] = {
    {"docs/configuration.md", reference_page},
    {"conf.d/README.md", reference_folder},
    {"docs/conf.schema.json", reference_schema},
};
const size_t reference_count = sizeof(references) / sizeof(references[0]);

static const char page_head[] =
    "# Configuration\n"
    "\n"
    "<!-- Made from config/keys.def by `build/twokey reference .`: change it there. -->\n"
    "\n"
    "All `*.json` files of the directory given with `--config` (default `conf.d`), read in name\n"
    "order, make one configuration. `twokey check` says all that is wrong with it;\n"
    "`docs/conf.schema.json` is a JSON Schema for editors (`\"$schema\"` may stand in a file).\n"
    "\n"
    "- Each file is an object of sections. A section may be spread over files; the same named\n"
    "  object, or the same key of `process`, `admin`, `policy` or `observe`, may not.\n"
    "- Unknown keys and keys that stand twice are errors.\n"
    "- A key that begins with `//` is a comment: `\"// why\": \"the old ones are slower\"`.\n"
    "- Durations have a unit: `\"250ms\"`, `\"5s\"`, `\"10m\"`, `\"1h\"`, `\"1d\"`. So have sizes: "
    "`\"512B\"`,\n"
    "  `\"64KiB\"`, `\"1MiB\"`, `\"2GiB\"`. A bare number is an error. There are no fractions.\n"
    "- Names are `a-z`, `0-9` and `-`, 1 to 63 of them, not `-` first.\n"
    "- Networks are `10.0.0.0/8`, `2001:db8::/32`, or a single address.\n"
    "- `null` is an error: leave a key out to get its default.\n"
    "\n"
    "Each problem is reported with its file and place (RFC 6901), and what would be right:\n"
    "\n"
    "```\n"
    "conf.d/30-pools.json: /pools/shop/servers/s2/weight: 70000 is not a weight (0 to 1000)\n"
    "```\n"
    "\n"
    "Besides each key by itself, these must hold:\n"
    "\n"
    "| rule | what is refused |\n"
    "|---|---|\n"
    "| D004 | a pool without servers |\n"
    "| D016 | a split whose weights add up to 0 |\n"
    "| R004 | a route that names a pool or listener that does not exist |\n"
    "| R007 | a server whose address is twokey's own listener or admin listener |\n"
    "| R008 | two listeners, or a listener and the admin listener, at one address |\n"
    "| R010 | a `path_regex` that does not compile |\n"
    "| S001 | an admin listener that is not on a loopback address, without TLS or people |\n"
    "| config | all else that this page says |\n"
    "\n"
    "Of what is well-formed, [detectors.md](detectors.md) lists what is looked at besides: "
    "shares,\n"
    "capacity, routes that never match, checks, timeouts, retries.\n"
    "\n"
    "## A small configuration\n"
    "\n"
    "```json\n"
    "{ \"listeners\": { \"web\": { \"address\": \"0.0.0.0:8080\" } },\n"
    "  \"pools\": {\n"
    "    \"shop\": {\n"
    "      \"servers\": { \"s1\": { \"address\": \"10.0.0.1:8080\" },\n"
    "                   \"s2\": { \"address\": \"10.0.0.2:8080\", \"weight\": 50 } },\n"
    "      \"health_check\": { \"path\": \"/healthz\" } } },\n"
    "  \"routes\": {\n"
    "    \"api\":        { \"hosts\": [\"shop.example.com\"], \"path_prefix\": \"/api\", \"pool\": "
    "\"shop\",\n"
    "                    \"timeouts\": { \"response\": \"10s\" } },\n"
    "    \"old\":        { \"hosts\": [\"old.example.com\"],\n"
    "                    \"redirect\": { \"location\": \"https://shop.example.com{uri}\", "
    "\"status\": 301 } },\n"
    "    \"everything\": { \"pool\": \"shop\" } } }\n"
    "```\n";

/* In a table a bar would end the cell. */
static void append_cell(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buffer_append_literal(out, "\\");
        buffer_append(out, text, 1);
    }
}

static bool is_bare(const struct key *key)
{
    const char *text = key->default_text;

    if (key->type == TYPE_FLAG || strcmp(text, "[]") == 0)
        return true;
    return (key->type == TYPE_COUNT || key->type == TYPE_NUMBER) &&
           text[strspn(text, "0123456789")] == '\0';
}

static void append_default(struct buffer *out, const struct key *key)
{
    const char *text = key->default_text;

    if (key->is_required)
        buffer_append_literal(out, "**must be given**");
    else if (text == NULL)
        buffer_append_literal(out, "–");
    else if (text[0] == '(')
        buffer_append(out, text + 1, strlen(text) - 2);
    else
        buffer_printf(out, is_bare(key) ? "`%s`" : "`\"%s\"`", text);
}

/* A link to the heading of the key's shape: lower case, only letters, digits, "_" and "-". */
static void append_link(struct buffer *out, const struct key *key)
{
    const char *title = shape_of(key->shape)->title;

    buffer_printf(out, "%s [%s](#", key->type == TYPE_MAP ? "by name:" : "object:", title);
    for (const char *c = title; *c != '\0'; c++) {
        char lower = *c == ' ' ? '-' : ascii_lower(*c);

        if (*c != '.' && *c != ',')
            buffer_append(out, &lower, 1);
    }
    buffer_append_literal(out, ")");
}

static void append_type(struct buffer *out, const struct key *key)
{
    char range[512];

    if (key->type == TYPE_OBJECT || key->type == TYPE_MAP) {
        append_link(out, key);
        return;
    }
    key_range_text(key, range, sizeof(range));
    if (key->type == TYPE_WORD || key->type == TYPE_CHOICE) {
        append_cell(out, range);
        return;
    }
    buffer_printf(out, "%s%s", key_type_word(key), range[0] != '\0' ? ", " : "");
    append_cell(out, range);
}

static void append_key(struct buffer *out, const struct key *key)
{
    buffer_printf(out, "| `%s` | ", key->name);
    append_cell(out, key->help);
    if (key->not_yet != NULL)
        buffer_printf(out, " **Not supported by this version**: %s.", key->not_yet);
    if (key->no_effect != NULL)
        buffer_printf(out, " No effect in this version: %s.", key->no_effect);
    buffer_append_literal(out, " | ");
    append_type(out, key);
    buffer_append_literal(out, " | ");
    append_default(out, key);
    buffer_append_literal(out, " |\n");
}

static void append_shape(struct buffer *out, enum shape_id id, bool done[SHAPE_COUNT])
{
    const struct shape *shape = shape_of(id);

    if (done[id])
        return;
    done[id] = true;
    buffer_printf(out, "\n## %s\n\n%s\n\n| key | what | value | default |\n|---|---|---|---|\n",
                  shape->title[0] != '\0' ? shape->title : "Sections", shape->help);
    for (size_t i = 0; i < shape->key_count; i++)
        append_key(out, &shape->keys[i]);
    for (size_t i = 0; i < shape->key_count; i++)
        if (shape->keys[i].type == TYPE_OBJECT || shape->keys[i].type == TYPE_MAP)
            append_shape(out, shape->keys[i].shape, done);
}

void reference_page(struct buffer *out)
{
    bool done[SHAPE_COUNT] = {false};

    buffer_append_literal(out, page_head);
    append_shape(out, SHAPE_CONFIGURATION, done);
}

void reference_folder(struct buffer *out)
{
    const struct shape *sections = shape_of(SHAPE_CONFIGURATION);

    buffer_append_literal(
        out, "# conf.d\n"
             "\n"
             "<!-- Made from config/keys.def by `build/twokey reference .`: change it there. -->\n"
             "\n"
             "The configuration that twokey starts with. All `*.json` files here, read in name\n"
             "order, make one configuration; `twokey check --config conf.d` says what is wrong\n"
             "with it, and SIGHUP makes a running twokey take it up (in `policy.mode` `enforced`:\n"
             "make a change of it, which others approve).\n"
             "[docs/configuration.md](../docs/configuration.md) explains every key and its "
             "default.\n"
             "\n"
             "| section | what | keys |\n|---|---|---|\n");
    for (size_t i = 0; i < sections->key_count; i++) {
        const struct key *section = &sections->keys[i];
        const struct shape *shape = shape_of(section->shape);

        buffer_printf(out, "| `%s` | %s | ", section->name, section->help);
        for (size_t j = 0; j < shape->key_count; j++)
            buffer_printf(out, "%s`%s`", j > 0 ? " " : "", shape->keys[j].name);
        buffer_append_literal(out, " |\n");
    }
    buffer_append_literal(out, "\nA key that begins with `//` is a comment. Durations and sizes "
                               "have units: `\"5s\"`, `\"64KiB\"`.\n");
}
