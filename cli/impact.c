/*
 * impact - `twokey impact`: what a candidate would do to traffic, without a server.
 *
 * Owner    main()      Threads  the first
 */
#include "detect/impact.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "admin/impact_text.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/forecast.h"
#include "change/policy.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/sample.h"
#include "observe/sample_json.h"
#include "proxy/balance/balance.h"

enum { ARENA_BLOCK = 64 * 1024, READ_BYTES = 64 * 1024, SAMPLE_BYTES_MAX = 64 * 1024 * 1024 };

static const char help[] =
    "usage: twokey impact --config DIR --candidate DIR [--sample FILE] [--format text|json]\n"
    "\n"
    "What the configuration in one directory would do to the traffic of the other: share and load\n"
    "of each server before and after, requests that move, routes and hosts that lose theirs\n"
    "(docs/impact.md). No server is needed. All servers are taken as healthy, and no order is in\n"
    "force.\n"
    "\n"
    "  --config DIR     what runs\n"
    "  --candidate DIR  what it would be replaced by\n"
    "  --sample FILE    recent traffic, as GET /v1/sample gives it; - is standard input. Without\n"
    "                   it shares are those by weight, and what needs traffic is not known\n"
    "  --format FORM    text (default) or json\n"
    "\n"
    "exit code: 0 told, 1 told, and it is of class 3 or leaves nobody to serve requests,\n"
    "           2 something cannot be read or does not build\n";

struct asked {
    const char *config;
    const char *candidate;
    const char *sample;
    bool as_json;
};

/* ---- reading ---- */

static bool read_all(const char *path, struct buffer *out)
{
    bool is_input = strcmp(path, "-") == 0;
    FILE *file = is_input ? stdin : fopen(path, "re");
    size_t count = 1;
    bool is_good;

    if (file == NULL) {
        (void)fprintf(stderr, "twokey impact: %s: %s\n", path, strerror(errno));
        return false;
    }
    while (count > 0 && buffer_length(out) <= SAMPLE_BYTES_MAX) {
        count = fread(buffer_reserve(out, READ_BYTES), 1, READ_BYTES, file);
        out->end += (uint32_t)count;
    }
    is_good = ferror(file) == 0 && buffer_length(out) <= SAMPLE_BYTES_MAX;
    if (!is_good)
        (void)fprintf(stderr, "twokey impact: %s: cannot be read, or is above 64 MiB\n", path);
    if (!is_input)
        (void)fclose(file);
    return is_good;
}

/* False: told. */
static bool read_sample(const char *path, struct sample **sample_out)
{
    const struct sample_words words = {balance_reason_words, REASON_COUNT};
    struct error why = {0};
    struct buffer bytes;
    bool is_read;

    if (path == NULL)
        return true;
    buffer_init(&bytes);
    is_read = read_all(path, &bytes);
    if (is_read) {
        *sample_out = sample_json_read(buffer_slice(&bytes), &words, &why);
        if (*sample_out == NULL)
            (void)fprintf(stderr, "twokey impact: %s: %s\n", path, why.text);
    }
    buffer_fini(&bytes);
    return *sample_out != NULL;
}

/* ---- telling ---- */

static json_t *canonical(const struct configuration *conf)
{
    return json_loadb(conf->canonical, conf->canonical_bytes, 0, NULL);
}

/* As the policy of what runs judges it, with nothing in force besides. */
static void add_class(json_t *told, const struct configuration *base,
                      const struct configuration *target, const struct impact *impact)
{
    json_t *base_json = canonical(base);
    json_t *target_json = canonical(target);
    struct policy_subject subject = {.base = base,
                                     .target = target,
                                     .base_json = base_json,
                                     .target_json = target_json,
                                     .impact = impact};
    struct policy_verdict verdict = {0};

    policy_judge(&subject, &verdict);
    json_object_set_new(told, "change", json_null());
    json_object_set_new(told, "class", json_integer((json_int_t)verdict.class));
    json_object_set(told, "reasons", verdict.reasons);
    policy_verdict_clear(&verdict);
    json_decref(base_json);
    json_decref(target_json);
}

static void print(const json_t *told, bool as_json, struct arena *arena)
{
    struct buffer out;
    char *text;

    if (as_json) {
        text = json_dumps(told, JSON_INDENT(2) | JSON_SORT_KEYS);
        if (text != NULL)
            puts(text);
        xfree(text);
        return;
    }
    buffer_init(&out);
    impact_text(told, arena, &out);
    (void)fwrite(buffer_slice(&out).at, 1, buffer_length(&out), stdout);
    buffer_fini(&out);
}

static bool leaves_nobody(const struct impact *impact)
{
    for (size_t i = 0; i < impact->pool_count; i++) {
        const struct impact_pool *pool = &impact->pools[i];

        if (pool->has_eligible_before && !pool->has_eligible_after && pool->is_reached)
            return true;
    }
    return false;
}

static int tell(const struct asked *asked, const struct configuration *base,
                const struct configuration *target, const struct sample *sample,
                struct arena *arena)
{
    struct impact_subject subject = {.base = base, .target = target, .sample = sample};
    struct error why = {0};
    struct impact *impact = impact_of(&subject, &why);
    json_t *told;
    bool is_grave;

    if (impact == NULL) {
        (void)fprintf(stderr, "twokey impact: %s\n", why.text);
        return EXIT_TROUBLE;
    }
    told = forecast_json(impact);
    add_class(told, base, target, impact);
    print(told, asked->as_json, arena);
    is_grave = json_integer_value(json_object_get(told, "class")) >= 3 || leaves_nobody(impact);
    json_decref(told);
    impact_free(&impact);
    return is_grave ? EXIT_FINDINGS : EXIT_DONE;
}

static int forecast(const struct asked *asked)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct configuration *base = documents_load("twokey impact", asked->config, arena);
    struct configuration *target = documents_load("twokey impact", asked->candidate, arena);
    struct sample *sample = NULL;
    int code = EXIT_TROUBLE;

    if (base != NULL && target != NULL && read_sample(asked->sample, &sample))
        code = tell(asked, base, target, sample, arena);
    sample_release(&sample);
    config_free(&base);
    config_free(&target);
    arena_free(&arena);
    return code;
}

int cli_impact(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"candidate", required_argument, NULL, 'n'},
        {"sample", required_argument, NULL, 's'}, {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct asked asked = {0};
    bool is_good = true;
    int option;

    while ((option = getopt_long(argc, argv, "c:n:s:f:h", options, NULL)) != -1) {
        switch (option) {
        case 'c': asked.config = optarg; break;
        case 'n': asked.candidate = optarg; break;
        case 's': asked.sample = optarg; break;
        case 'f':
            asked.as_json = strcmp(optarg, "json") == 0;
            is_good = is_good && (asked.as_json || strcmp(optarg, "text") == 0);
            break;
        case 'h': (void)fputs(help, stdout); return EXIT_DONE;
        default: is_good = false;
        }
    }
    if (!is_good || optind < argc || asked.config == NULL || asked.candidate == NULL) {
        (void)fputs(help, stderr);
        return EXIT_TROUBLE;
    }
    return forecast(&asked);
}
