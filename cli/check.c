/*
 * check - `twokey check`: is this configuration good, and if not, all that is wrong with it.
 *
 * Owner    main()      Threads  the first
 */
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/policy.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "config/contents.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/detect.h"

static const char help[] =
    "usage: twokey check [--config DIR] [--base DIR] [--format text|json] [--all]\n"
    "\n"
    "Reads every *.json file of DIR (default: conf.d) and reports all that is wrong with them, "
    "and\n"
    "what the detectors find (docs/detectors.md). No server is needed, and nothing is changed.\n"
    "\n"
    "  --config DIR    the configuration\n"
    "  --base DIR      what it would replace: the way from there is looked at too\n"
    "  --format FORM   text (default) or json\n"
    "  --all           as text: findings of severity info too (json has them always)\n"
    "\n"
    "exit code: 0 good (there may be warnings), 1 findings of severity error or block,\n"
    "           2 the configuration cannot be read\n";

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *finding_json(const struct finding *finding)
{
    json_t *object = json_object();

    json_object_set_new(object, "rule", json_string(finding->rule));
    json_object_set_new(object, "severity", json_string(finding_severity_word(finding->severity)));
    json_object_set_new(object, "file", text_or_null(finding->file));
    json_object_set_new(object, "pointer", json_string(finding->pointer));
    json_object_set_new(object, "message", json_string(finding->message));
    json_object_set_new(object, "fix", text_or_null(finding->fix));
    if (finding->line > 0) {
        json_object_set_new(object, "line", json_integer(finding->line));
        json_object_set_new(object, "column", json_integer(finding->column));
    }
    return object;
}

static void print_json(const struct configuration *conf, const struct findings *findings)
{
    json_t *report = json_object();
    json_t *list = json_array();
    char *text;

    for (size_t i = 0; i < findings->count; i++)
        json_array_append_new(list, finding_json(&findings->items[i]));
    json_object_set_new(report, "digest", text_or_null(conf != NULL ? conf->digest : NULL));
    json_object_set_new(report, "findings", list);
    text = json_dumps(report, JSON_INDENT(2));
    if (text != NULL)
        puts(text);
    xfree(text);
    json_decref(report);
}

static void print_text(const char *directory, const struct configuration *conf,
                       const struct findings *findings, bool all)
{
    char line[2048];
    size_t wrong = findings_count_at_least(findings, FINDING_ERROR);
    size_t warnings = findings_count_at_least(findings, FINDING_WARNING) - wrong;

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if (finding->severity == FINDING_INFO && !all)
            continue;
        finding_text(finding, line, sizeof(line));
        printf("%s [%s %s]\n", line, finding_severity_word(finding->severity), finding->rule);
        if (finding->fix != NULL)
            printf("    %s\n", finding->fix);
    }
    if (conf == NULL || wrong > 0)
        printf("%s: %zu to correct, %zu warnings\n", directory, wrong, warnings);
    else
        printf("%s: good; %zu listeners, %zu pools, %zu routes, %zu warnings; %s\n", directory,
               conf->listener_count, conf->pool_count, conf->route_count, warnings, conf->digest);
}

static int exit_code(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].is_unreadable)
            return EXIT_TROUBLE;
    return findings_count_at_least(findings, FINDING_ERROR) > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

static void read_files(struct configuration *conf, const char *directory, struct findings *findings)
{
    struct contents_roots roots = {&conf->process.file_roots, directory};

    (void)contents_fill(conf, contents_from_disk, &roots, findings);
}

/* What does not build has no meaning that one could look at. */
static void detect(struct configuration *conf, const struct configuration *base,
                   const char *directory, struct findings *findings)
{
    struct detect_subject subject = {.target = conf, .base = base, .now_ms = clock_wall_ms()};

    if (conf == NULL) {
        detect_add_fixes(findings);
        return;
    }
    read_files(conf, directory, findings);
    detect_run(&subject, findings);
    policy_check_survivable(conf, findings);
}

/* What runs need not be good, but it must build.  False: told. */
static bool load_base(const char *directory, struct configuration **base_out)
{
    struct arena *arena = arena_new(16384);

    *base_out = documents_load("twokey check: --base", directory, arena);
    arena_free(&arena);
    return *base_out != NULL;
}

static int check_directory(const char *directory, const char *base_directory, bool as_json,
                           bool all)
{
    struct arena *arena = arena_new(16384);
    struct findings findings;
    struct configuration *base = NULL;
    struct configuration *conf;
    int code;

    if (base_directory != NULL && !load_base(base_directory, &base)) {
        arena_free(&arena);
        return EXIT_TROUBLE;
    }
    findings_init(&findings, arena);
    conf = config_load_to_judge(directory, &findings);
    detect(conf, base, directory, &findings);
    if (as_json)
        print_json(conf, &findings);
    else
        print_text(directory, conf, &findings, all);
    code = exit_code(&findings);
    config_free(&conf);
    config_free(&base);
    findings_fini(&findings);
    arena_free(&arena);
    return code;
}

int cli_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"format", required_argument, NULL, 'f'},
        {"base", required_argument, NULL, 'b'},   {"all", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *directory = "conf.d";
    const char *base = NULL;
    bool as_json = false;
    bool all = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:b:f:ah", options, NULL)) != -1) {
        switch (option) {
        case 'c': directory = optarg; break;
        case 'f':
            if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0) {
                (void)fprintf(stderr, "twokey check: --format is text or json, not %s\n", optarg);
                return EXIT_TROUBLE;
            }
            as_json = strcmp(optarg, "json") == 0;
            break;
        case 'b': base = optarg; break;
        case 'a': all = true; break;
        case 'h': (void)fputs(help, stdout); return EXIT_DONE;
        default: (void)fputs(help, stderr); return EXIT_TROUBLE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "twokey check: %s: the directory goes behind --config\n",
                      argv[optind]);
        return EXIT_TROUBLE;
    }
    return check_directory(directory, base, as_json, all);
}
