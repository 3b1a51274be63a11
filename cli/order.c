/*
 * order - `twokey drain`, `maint`, `ready`: one server out, and back, at once.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/cli.h"

#include <stdio.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "cli/remote.h"

static void tell(struct remote *remote, const json_t *answer)
{
    const json_t *in_flight = json_object_get(answer, "in_flight");

    printf("%s/%s: %s", remote->arguments[0], remote->arguments[1], remote->command);
    if (json_is_integer(in_flight))
        printf(", %lld requests run there", (long long)json_integer_value(in_flight));
    (void)putchar('\n');
    remote_print_next(answer);
}

/* The command's own name is the state. */
static int order(struct remote *remote)
{
    char *path = remote_path("/v1/pools/", remote->arguments[0], "/servers/", remote->arguments[1],
                             "/state");
    json_t *body = json_pack("{s:s}", "state", remote->command);
    struct buffer target;
    int code;

    remote_set(body, "reason", remote->options.reason);
    remote_set(body, "expires", remote->options.expires);
    buffer_init(&target);
    buffer_printf(&target, "%s", path);
    remote_add_parameter(&target, "wait", remote->options.wait);
    code = remote_do(remote, "PUT", buffer_text(&target), body, tell);
    buffer_fini(&target);
    xfree(path);
    return code;
}

#define ORDER_OPTIONS                                                                              \
    "  --reason TEXT    why\n"                                                                     \
    "  --expires TIME   ends by itself after so long: 2h\n"                                        \
    "  --wait TIME      waits so long until no request runs there any more: 30s\n"                 \
    "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP

int cli_drain(int argc, char **argv)
{
    static const struct remote_command command = {
        .help =
            "usage: twokey drain POOL SERVER [--reason TEXT] [--expires TIME] [--wait TIME]\n"
            "\n"
            "The server gets no new requests, but those of its sticky clients; what runs there\n"
            "ends. Refused where the rest of the pool could not carry the load.\n"
            "\n" ORDER_OPTIONS,
        .options = "jrew",
        .least = 2,
        .most = 2,
        .run = order,
    };

    return remote_main(&command, argc, argv);
}

int cli_maint(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey maint POOL SERVER [--reason TEXT] [--expires TIME] [--wait TIME]\n"
                "\n"
                "The server gets no requests at all, and is not checked either.\n"
                "\n" ORDER_OPTIONS,
        .options = "jrew",
        .least = 2,
        .most = 2,
        .run = order,
    };

    return remote_main(&command, argc, argv);
}

int cli_ready(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey ready POOL SERVER [--reason TEXT] [--json]\n"
                "\n"
                "The server takes part again, as configured.\n"
                "\n"
                "  --reason TEXT    why\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jr",
        .least = 2,
        .most = 2,
        .run = order,
    };

    return remote_main(&command, argc, argv);
}
