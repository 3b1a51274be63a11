/*
 * remote - see remote.h.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/remote.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* ---- options ---- */

static const struct option all_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"admin", required_argument, NULL, 'A'},
    {"ca-file", required_argument, NULL, 'T'},
    {"cert-file", required_argument, NULL, 'S'},
    {"key-file", required_argument, NULL, 'K'},
    {"json", no_argument, NULL, 'j'},
    {"yes", no_argument, NULL, 'y'},
    {"draft", no_argument, NULL, 'F'},
    {"reason", required_argument, NULL, 'r'},
    {"comment", required_argument, NULL, 'c'},
    {"title", required_argument, NULL, 't'},
    {"ticket", required_argument, NULL, 'k'},
    {"digest", required_argument, NULL, 'd'},
    {"wait", required_argument, NULL, 'w'},
    {"expires", required_argument, NULL, 'e'},
    {"state", required_argument, NULL, 's'},
    {"author", required_argument, NULL, 'a'},
    {"config", required_argument, NULL, 'C'},
    {"delete", required_argument, NULL, 'D'},
    {"override", required_argument, NULL, 'o'},
    {"rollout", required_argument, NULL, 'R'},
    {NULL, 0, NULL, 0},
};
enum { OPTIONS = sizeof(all_options) / sizeof(all_options[0]) };

/* Those that the command takes; help, and how to reach and to be known, are everybody's. */
static void choose_options(const struct remote_command *command, struct option out[OPTIONS])
{
    size_t count = 0;

    for (size_t i = 0; all_options[i].name != NULL; i++)
        if (strchr("hATSK", all_options[i].val) != NULL ||
            strchr(command->options, all_options[i].val) != NULL)
            out[count++] = all_options[i];
    out[count] = (struct option){NULL, 0, NULL, 0};
}

static bool add(struct remote_list *list, const char *text)
{
    if (list->count == REMOTE_LIST_MAX)
        return false;
    list->items[list->count++] = text;
    return true;
}

static bool take_option(struct remote_options *options, int letter, const char *value)
{
    switch (letter) {
    case 'A': options->client.address = value; break;
    case 'T': options->client.ca_file = value; break;
    case 'S': options->client.cert_file = value; break;
    case 'K': options->client.key_file = value; break;
    case 'j': options->as_json = true; break;
    case 'y': options->is_yes = true; break;
    case 'F': options->is_draft = true; break;
    case 'r': options->reason = value; break;
    case 'c': options->comment = value; break;
    case 't': options->title = value; break;
    case 'k': options->ticket = value; break;
    case 'd': options->digest = value; break;
    case 'w': options->wait = value; break;
    case 'e': options->expires = value; break;
    case 's': options->state = value; break;
    case 'a': options->author = value; break;
    case 'C': options->config = value; break;
    case 'R': options->rollout = value; break;
    case 'D': return add(&options->deletes, value);
    case 'o': return add(&options->override, value);
    default: return false;
    }
    return true;
}

int remote_main(const struct remote_command *command, int argc, char **argv)
{
    struct option options[OPTIONS];
    struct remote remote = {.command = argv[0]};
    struct error why = {0};
    int letter;
    int code;

    choose_options(command, options);
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (letter == 'h') {
            (void)fputs(command->help, stdout);
            return EXIT_DONE;
        }
        if (!take_option(&remote.options, letter, optarg)) {
            (void)fputs(command->help, stderr);
            return EXIT_TROUBLE;
        }
    }
    remote.arguments = (const char *const *)argv + optind;
    remote.argument_count = argc - optind;
    if (remote.argument_count < command->least || remote.argument_count > command->most) {
        (void)fputs(command->help, stderr);
        return EXIT_TROUBLE;
    }
    remote.client = api_client_open(&remote.options.client, &why);
    if (remote.client == NULL) {
        (void)fprintf(stderr, "twokey %s: %s\n", remote.command, why.text);
        return EXIT_TROUBLE;
    }
    code = command->run(&remote);
    api_client_close(&remote.client);
    if (fflush(stdout) != 0)
        return EXIT_TROUBLE;
    return code;
}

/* ---- what is refused ---- */

const char *remote_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "-";
}

void remote_set(json_t *object, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, name, json_string(text));
}

static void print_errors(const json_t *errors)
{
    size_t i;
    const json_t *error;

    json_array_foreach(errors, i, error)
    {
        const char *fix = json_string_value(json_object_get(error, "fix"));

        (void)fprintf(stderr, "  %s: %s [%s %s]\n", remote_text(error, "pointer"),
                      remote_text(error, "message"), remote_text(error, "severity"),
                      remote_text(error, "rule"));
        if (fix != NULL)
            (void)fprintf(stderr, "      %s\n", fix);
    }
}

static void print_names(const json_t *problem, const char *name, const char *said)
{
    const json_t *list = json_object_get(problem, name);
    size_t i;
    const json_t *item;

    if (json_array_size(list) == 0)
        return;
    (void)fprintf(stderr, "  %s:", said);
    json_array_foreach(list, i, item)(void) fprintf(
        stderr, "%s %s", i > 0 ? "," : "", json_is_string(item) ? json_string_value(item) : "?");
    (void)fputs("\n", stderr);
}

static void print_problem(const struct remote *remote, const struct api_answer *answer)
{
    json_t *problem = api_answer_json(answer);
    const char *next = json_string_value(json_object_get(problem, "next"));

    if (problem == NULL) {
        (void)fprintf(stderr,
                      "twokey %s: answered %u, which is no answer of twokey's admin API%s\n",
                      remote->command, answer->status,
                      answer->status == 400 ? " (does it speak TLS? --admin https://...)" : "");
        return;
    }
    (void)fprintf(stderr, "twokey %s: %s (%u)\n  %s\n", remote->command,
                  remote_text(problem, "title"), answer->status, remote_text(problem, "detail"));
    print_errors(json_object_get(problem, "errors"));
    print_names(problem, "needs", "needs");
    print_names(problem, "missing", "missing");
    print_names(problem, "who_can", "who can");
    if (next != NULL)
        (void)fprintf(stderr, "next: %s\n", next);
    json_decref(problem);
}

/* ---- calls ---- */

bool remote_call(struct remote *remote, const struct api_call *call, struct api_answer *answer_out,
                 int *code_out)
{
    struct error why = {0};

    if (!api_client_call(remote->client, call, answer_out, &why)) {
        (void)fprintf(stderr, "twokey %s: %s\n", remote->command, why.text);
        *code_out = EXIT_TROUBLE;
        return false;
    }
    if (answer_out->status >= 200 && answer_out->status < 300)
        return true;
    print_problem(remote, answer_out);
    *code_out =
        answer_out->status >= 400 && answer_out->status < 500 ? EXIT_FINDINGS : EXIT_TROUBLE;
    api_answer_fini(answer_out);
    return false;
}

json_t *remote_ask(struct remote *remote, const char *method, const char *path, json_t *body,
                   int *code_out)
{
    struct api_call call = {.method = method, .path = path, .body = body};
    struct api_answer answer;
    json_t *json = NULL;

    if (remote_call(remote, &call, &answer, code_out)) {
        json = api_answer_json(&answer);
        api_answer_fini(&answer);
        if (json == NULL) {
            (void)fprintf(stderr, "twokey %s: %s is answered with something else than JSON\n",
                          remote->command, path);
            *code_out = EXIT_TROUBLE;
        }
    }
    json_decref(body);
    return json;
}

int remote_show(struct remote *remote, const char *path)
{
    struct api_call call = {.method = "GET", .path = path, .wants_text = !remote->options.as_json};
    struct api_answer answer;
    int code = EXIT_DONE;
    struct slice body;

    if (!remote_call(remote, &call, &answer, &code))
        return code;
    body = buffer_slice(&answer.body);
    (void)fwrite(body.at, 1, body.len, stdout);
    if (body.len > 0 && body.at[body.len - 1] != '\n')
        (void)putchar('\n');
    api_answer_fini(&answer);
    return EXIT_DONE;
}

int remote_do(struct remote *remote, const char *method, const char *path, json_t *body,
              void (*tell)(struct remote *remote, const json_t *answer))
{
    int code = EXIT_DONE;
    json_t *answer = remote_ask(remote, method, path, body, &code);

    if (answer == NULL)
        return code;
    if (remote->options.as_json)
        remote_print_json(answer);
    else
        tell(remote, answer);
    json_decref(answer);
    return EXIT_DONE;
}

int remote_do_change(struct remote *remote, const char *verb, json_t *body,
                     void (*tell)(struct remote *remote, const json_t *answer))
{
    char *path = remote_path("/v1/changes/", remote->arguments[0], verb);
    int code = remote_do(remote, "POST", path, body, tell);

    xfree(path);
    return code;
}

void remote_print_json(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);

    if (text != NULL)
        puts(text);
    xfree(text);
}

void remote_print_next(const json_t *answer)
{
    const json_t *next = json_object_get(answer, "next");
    size_t i;
    const json_t *call;

    if (json_is_string(next))
        printf("next: %s\n", json_string_value(next));
    json_array_foreach(next, i, call)
    {
        if (json_is_string(call))
            printf("next: %s\n", json_string_value(call));
    }
}

char *remote_path_of(const char *const *parts)
{
    struct buffer path;
    char *out;

    buffer_init(&path);
    for (size_t i = 0; parts[i] != NULL; i++) {
        char *escaped = i % 2 == 1 ? api_escaped(parts[i]) : xstrdup(parts[i]);

        buffer_append(&path, escaped, strlen(escaped));
        xfree(escaped);
    }
    out = xstrdup(buffer_text(&path));
    buffer_fini(&path);
    return out;
}

void remote_add_parameter(struct buffer *path, const char *name, const char *value)
{
    char *escaped;

    if (value == NULL)
        return;
    escaped = api_escaped(value);
    buffer_printf(path, "%s%s=%s", strchr(buffer_text(path), '?') == NULL ? "?" : "&", name,
                  escaped);
    xfree(escaped);
}
