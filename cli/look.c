/*
 * look - `twokey status`, `pools`, `changes`, `show`: what runs, and what is proposed.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/cli.h"

#include <stdio.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "cli/remote.h"

/* ---- status ---- */

static int status(struct remote *remote)
{
    return remote_show(remote, "/v1/status");
}

int cli_status(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey status [--json]\n"
                "\n"
                "What runs and how it does.\n"
                "\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "j",
        .run = status,
    };

    return remote_main(&command, argc, argv);
}

/* ---- pools ---- */

static int pools(struct remote *remote)
{
    char *path;
    int code;

    if (remote->argument_count == 0)
        return remote_show(remote, "/v1/pools");
    path = remote->argument_count == 1
               ? remote_path("/v1/pools/", remote->arguments[0])
               : remote_path("/v1/pools/", remote->arguments[0], "/servers/", remote->arguments[1]);
    code = remote_show(remote, path);
    xfree(path);
    return code;
}

int cli_pools(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey pools [POOL [SERVER]] [--json]\n"
                "\n"
                "Every pool with its servers, one pool, or one server: state, health, shares.\n"
                "\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "j",
        .most = 2,
        .run = pools,
    };

    return remote_main(&command, argc, argv);
}

/* ---- changes ---- */

static int changes(struct remote *remote)
{
    struct buffer path;
    int code;

    buffer_init(&path);
    buffer_append_literal(&path, "/v1/changes");
    remote_add_parameter(&path, "state", remote->options.state);
    remote_add_parameter(&path, "author", remote->options.author);
    code = remote_show(remote, buffer_text(&path));
    buffer_fini(&path);
    return code;
}

int cli_changes(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey changes [--state STATE] [--author PERSON] [--json]\n"
                "\n"
                "The newest changes, and where each stands.\n"
                "\n"
                "  --state STATE    only those: draft, pending, approved, confirming, applied ...\n"
                "  --author PERSON  only those of this person\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jsa",
        .run = changes,
    };

    return remote_main(&command, argc, argv);
}

/* ---- show ---- */

static int show(struct remote *remote)
{
    static const char *const parts[] = {"", "/diff", "/impact"};
    int code = EXIT_DONE;

    for (size_t i = 0; i < 3 && code == EXIT_DONE; i++) {
        char *path = remote_path("/v1/changes/", remote->arguments[0], parts[i]);

        if (i == 0 || !remote->options.as_json) {
            if (i > 0)
                (void)putchar('\n');
            code = remote_show(remote, path);
        }
        xfree(path);
    }
    return code;
}

int cli_show(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey show CHANGE [--json]\n"
                "\n"
                "One change: where it stands, what it changes, what it would do to traffic.\n"
                "\n"
                "  --json           the change alone, as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "j",
        .least = 1,
        .most = 1,
        .run = show,
    };

    return remote_main(&command, argc, argv);
}
