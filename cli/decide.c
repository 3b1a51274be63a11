/*
 * decide - `twokey approve`, `twokey veto`: shows what is decided on, and names exactly that.
 *
 * The digest that is sent is the one of the change as shown: what somebody edits meanwhile is not
 * approved.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/remote.h"

static int show_part(struct remote *remote, const char *id, const char *part)
{
    char *path = remote_path("/v1/changes/", id, part);
    int code = remote_show(remote, path);

    xfree(path);
    (void)putchar('\n');
    return code;
}

/* True: exactly this digest may be decided on. */
static bool is_wanted(const struct remote *remote, const char *digest, const char *verb)
{
    char answer[16] = "";

    if (remote->options.digest != NULL) {
        if (strcmp(remote->options.digest, digest) == 0)
            return true;
        (void)fprintf(stderr,
                      "twokey %s: the change is not the one you name: its digest is %s now\n",
                      remote->command, digest);
        return false;
    }
    if (remote->options.is_yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        (void)fprintf(
            stderr, "twokey %s: nothing was decided: say --digest %s (what was shown), or --yes\n",
            remote->command, digest);
        return false;
    }
    printf("%s exactly %s? [y/N] ", verb, digest);
    (void)fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    (void)fprintf(stderr, "twokey %s: nothing was decided\n", remote->command);
    return false;
}

static void tell(struct remote *remote, const json_t *answer)
{
    const json_t *approvals = json_object_get(answer, "approvals");

    printf("%s: %s is %s, %zu of %d approvals\n", remote->command, remote_text(answer, "id"),
           remote_text(answer, "state"), json_array_size(json_object_get(approvals, "given")),
           (int)json_integer_value(json_object_get(approvals, "required")));
    remote_print_next(answer);
}

static int send(struct remote *remote, const char *digest, const char *decision)
{
    json_t *body = json_pack("{s:s, s:s}", "digest", digest, "decision", decision);

    remote_set(body, "comment",
               remote->options.comment != NULL ? remote->options.comment : remote->options.reason);
    return remote_do_change(remote, "/approvals", body, tell);
}

/* The digest of the change as it is now, the caller's; NULL: *code_out. */
static char *digest_of_change(struct remote *remote, const char *id, int *code_out)
{
    char *path = remote_path("/v1/changes/", id);
    json_t *change = remote_ask(remote, "GET", path, NULL, code_out);
    const char *digest = json_string_value(json_object_get(change, "digest"));
    char *copy = digest != NULL ? xstrdup(digest) : NULL;

    xfree(path);
    if (change != NULL && digest == NULL) {
        (void)fprintf(stderr, "twokey %s: %s is %s: there is nothing to decide on yet\n",
                      remote->command, id, remote_text(change, "state"));
        *code_out = EXIT_FINDINGS;
    }
    json_decref(change);
    return copy;
}

static int decide(struct remote *remote, const char *decision, const char *verb)
{
    const char *id = remote->arguments[0];
    bool as_json = remote->options.as_json;
    int code = EXIT_DONE;
    char *digest = digest_of_change(remote, id, &code);

    if (digest == NULL)
        return code;
    if (!as_json) {
        code = show_part(remote, id, "");
        if (code == EXIT_DONE)
            code = show_part(remote, id, "/diff");
        if (code == EXIT_DONE)
            code = show_part(remote, id, "/impact");
    }
    if (code == EXIT_DONE)
        code = is_wanted(remote, digest, verb) ? send(remote, digest, decision) : EXIT_FINDINGS;
    xfree(digest);
    return code;
}

static int approve(struct remote *remote)
{
    return decide(remote, "approve", "Approve");
}

static int veto(struct remote *remote)
{
    if (remote->options.reason == NULL && remote->options.comment == NULL) {
        (void)fputs("twokey veto: a veto needs its --reason\n", stderr);
        return EXIT_TROUBLE;
    }
    return decide(remote, "veto", "Reject");
}

#define DECIDE_HELP                                                                                \
    "  --digest DIGEST  decide on this and nothing else; no question is asked\n"                   \
    "  --yes            decide on what is there now; no question is asked\n"                       \
    "  --json           show nothing but the answer, as it came\n"

int cli_approve(int argc, char **argv)
{
    static const struct remote_command command = {
        .help =
            "usage: twokey approve CHANGE [--comment TEXT] [--digest DIGEST | --yes] [--json]\n"
            "\n"
            "Shows the change, what differs, and what it would do; then asks, and approves\n"
            "exactly what was shown: an edit meanwhile is refused. Nobody approves his own.\n"
            "\n"
            "  --comment TEXT   what you looked at; needed for class 3\n" DECIDE_HELP REMOTE_HELP
                EXIT_HELP,
        .options = "jycdr",
        .least = 1,
        .most = 1,
        .run = approve,
    };

    return remote_main(&command, argc, argv);
}

int cli_veto(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey veto CHANGE --reason TEXT [--digest DIGEST | --yes] [--json]\n"
                "\n"
                "Shows the change as `approve` does, then asks, and rejects it for good.\n"
                "\n"
                "  --reason TEXT    why\n" DECIDE_HELP REMOTE_HELP EXIT_HELP,
        .options = "jycdr",
        .least = 1,
        .most = 1,
        .run = veto,
    };

    return remote_main(&command, argc, argv);
}
