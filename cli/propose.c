/*
 * propose - `twokey submit`, `twokey withdraw`: a change from a file, and giving it up.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/slice.h"
#include "cli/remote.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

enum { ARENA_BLOCK = 16 * 1024 };

/* ---- what is proposed ---- */

static json_t *read_patch(const char *name)
{
    json_error_t error;
    bool is_stdin = strcmp(name, "-") == 0;
    json_t *patch = is_stdin ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                             : json_load_file(name, JSON_REJECT_DUPLICATES, &error);

    if (patch == NULL)
        (void)fprintf(stderr, "twokey submit: %s: line %d, column %d: %s\n",
                      is_stdin ? "standard input" : name, error.line, error.column, error.text);
    return patch;
}

/* The documents of a directory, merged as `serve` would. */
static json_t *read_directory(const char *directory, int *code_out)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct findings findings;
    struct configuration *conf;
    json_t *merged = NULL;
    char line[2048];

    findings_init(&findings, arena);
    conf = config_load(directory, &findings);
    for (size_t i = 0; conf == NULL && i < findings.count; i++) {
        finding_text(&findings.items[i], line, sizeof(line));
        (void)fprintf(stderr, "twokey submit: %s\n", line);
    }
    if (conf != NULL)
        merged = json_loadb(conf->canonical, conf->canonical_bytes, 0, NULL);
    else
        *code_out = EXIT_FINDINGS;
    config_free(&conf);
    findings_fini(&findings);
    arena_free(&arena);
    return merged;
}

static void set_list(json_t *body, const char *name, const struct remote_list *list)
{
    json_t *texts = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(texts, json_string(list->items[i]));
    json_object_set_new(body, name, texts);
}

/* 1:30s,10:2m as the API has it; what is wrong with it the API says. */
static json_t *read_rollout(const char *text)
{
    json_t *steps = json_array();

    while (*text != '\0') {
        size_t bytes = strcspn(text, ",");
        const char *colon = memchr(text, ':', bytes);
        size_t digits = colon != NULL ? (size_t)(colon - text) : bytes;
        uint64_t percent = 0;

        if (colon == NULL || !slice_to_u64(slice_of(text, digits), &percent) || percent > 100) {
            (void)fprintf(stderr,
                          "twokey submit: --rollout: \"%.*s\" is not PERCENT:TIME (1:30s)\n",
                          (int)bytes, text);
            json_decref(steps);
            return NULL;
        }
        json_array_append_new(steps, json_pack("{s:I, s:s%}", "percent", (json_int_t)percent, "for",
                                               colon + 1, bytes - digits - 1));
        text += bytes + (text[bytes] == ',');
    }
    return steps;
}

/* Takes `rollout`. */
static json_t *request_of(const struct remote_options *options, json_t *rollout)
{
    json_t *body = json_object();

    remote_set(body, "title", options->title);
    remote_set(body, "reason", options->reason);
    remote_set(body, "ticket", options->ticket);
    if (options->deletes.count > 0)
        set_list(body, "deletes", &options->deletes);
    if (options->override.count > 0)
        set_list(body, "override", &options->override);
    if (rollout != NULL)
        json_object_set_new(body, "rollout", rollout);
    return body;
}

/* ---- submit ---- */

static void print_findings(const json_t *findings)
{
    size_t i;
    const json_t *finding;

    json_array_foreach(findings, i, finding) printf(
        "  %s: %s [%s %s]\n", remote_text(finding, "pointer"), remote_text(finding, "message"),
        remote_text(finding, "severity"), remote_text(finding, "rule"));
}

static void tell_change(struct remote *remote, const json_t *change)
{
    const json_t *approvals = json_object_get(change, "approvals");
    const json_t *class = json_object_get(change, "class");

    (void)remote;
    printf("%s is %s", remote_text(change, "id"), remote_text(change, "state"));
    if (json_is_integer(class))
        printf(": class %d, %zu of %d approvals", (int)json_integer_value(class),
               json_array_size(json_object_get(approvals, "given")),
               (int)json_integer_value(json_object_get(approvals, "required")));
    (void)putchar('\n');
    if (json_is_string(json_object_get(change, "digest")))
        printf("digest %s\n", remote_text(change, "digest"));
    print_findings(json_object_get(change, "findings"));
    remote_print_next(change);
}

static int submit(struct remote *remote)
{
    const struct remote_options *options = &remote->options;
    bool is_whole = options->config != NULL;
    int code = EXIT_TROUBLE;
    json_t *rollout = NULL;
    json_t *content;
    json_t *body;

    if (is_whole == (remote->argument_count == 1) || options->title == NULL ||
        options->reason == NULL) {
        (void)fputs("twokey submit: it takes a patch FILE or --config DIR, and --title and "
                    "--reason (twokey submit --help)\n",
                    stderr);
        return EXIT_TROUBLE;
    }
    if (options->rollout != NULL && (rollout = read_rollout(options->rollout)) == NULL)
        return EXIT_TROUBLE;
    content = is_whole ? read_directory(options->config, &code) : read_patch(remote->arguments[0]);
    if (content == NULL) {
        json_decref(rollout);
        return code;
    }
    body = request_of(options, rollout);
    json_object_set_new(body, is_whole ? "config" : "patch", content);
    return remote_do(remote, "POST", options->is_draft ? "/v1/changes" : "/v1/changes?submit=true",
                     body, tell_change);
}

int cli_submit(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey submit (FILE | --config DIR) --title TEXT --reason TEXT [...]\n"
                "\n"
                "Proposes a change and asks for approvals. FILE holds a JSON merge patch of what\n"
                "runs (- is standard input): {\"pools\":{\"shop\":{\"servers\":{\"s4\":{...}}}}}.\n"
                "\n"
                "  --config DIR     the whole configuration instead, as documents\n"
                "  --title TEXT     in short\n"
                "  --reason TEXT    why\n"
                "  --ticket TEXT    a reference of yours\n"
                "  --delete PLACE   something that goes, such as /pools/shop/servers/s4; each one\n"
                "  --override RULE  a finding of severity error that is accepted; each one\n"
                "  --rollout STEPS  shares of the connections that have it first: 1:30s,10:2m\n"
                "  --draft          propose only; submit it later\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jtrkDoFCR",
        .most = 1,
        .run = submit,
    };

    return remote_main(&command, argc, argv);
}

/* ---- withdraw ---- */

static int withdraw(struct remote *remote)
{
    json_t *body = json_object();

    remote_set(body, "reason", remote->options.reason);
    return remote_do_change(remote, "/withdraw", body, tell_change);
}

int cli_withdraw(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey withdraw CHANGE [--reason TEXT] [--json]\n"
                "\n"
                "Gives up a change that was not applied.\n"
                "\n"
                "  --reason TEXT    why\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jr",
        .least = 1,
        .most = 1,
        .run = withdraw,
    };

    return remote_main(&command, argc, argv);
}
