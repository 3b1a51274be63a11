/*
 * export - `twokey export DIR`: what runs, as documents of a configuration directory.
 *
 * What is written has the digest of what runs; so it must come whole, which takes a role that may
 * see hashes of tokens where people are configured.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/memory.h"
#include "cli/documents.h"
#include "cli/remote.h"

/* Which sections go where; what is not listed goes into the last one. */
static const struct {
    const char *name;
    const char *sections; /* "a|b" */
} documents[] = {
    {"00-process.json", "|process|admin|"}, {"05-people.json", "|people|policy|"},
    {"10-listeners.json", "|listeners|"},   {"20-certificates.json", "|certificates|"},
    {"30-pools.json", "|pools|"},           {"40-routes.json", "|routes|"},
    {"50-observe.json", "|observe|"},
};
enum { DOCUMENTS = sizeof(documents) / sizeof(documents[0]) };

static bool write_document(const char *directory, const char *name, const json_t *content)
{
    char path[4096];
    char *text = json_dumps(content, JSON_INDENT(2));
    size_t len = text != NULL ? strlen(text) : 0;
    bool is_written;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    is_written =
        text != NULL && fd >= 0 && write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1;
    if (fd >= 0 && close(fd) != 0)
        is_written = false;
    if (is_written)
        printf("%s\n", path);
    else
        (void)fprintf(stderr, "twokey export: %s: %s\n", path, strerror(errno));
    xfree(text);
    return is_written;
}

static bool belongs(const char *section, size_t document)
{
    char wanted[80];

    (void)snprintf(wanted, sizeof(wanted), "|%s|", section);
    if (document < DOCUMENTS - 1)
        return strstr(documents[document].sections, wanted) != NULL;
    for (size_t i = 0; i < DOCUMENTS - 1; i++)
        if (strstr(documents[i].sections, wanted) != NULL)
            return false;
    return true;
}

static bool write_all(const char *directory, const json_t *configuration)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        json_t *content = json_object();
        bool is_written = true;
        const char *section;
        json_t *value;

        json_object_foreach((json_t *)(uintptr_t)configuration, section,
                            value) if (belongs(section, i))
            json_object_set(content, section, value);
        if (json_object_size(content) > 0)
            is_written = write_document(directory, documents[i].name, content);
        json_decref(content);
        if (!is_written)
            return false;
    }
    return true;
}

/* Its ETag is the digest of the real bytes. */
static bool is_whole(const struct api_answer *answer)
{
    struct digest digest = digest_of(buffer_slice(&answer->body));
    char text[DIGEST_TEXT];

    return strcmp(digest_text(&digest, text), answer->etag) == 0;
}

static int write_answer(const char *directory, const struct api_answer *answer)
{
    json_t *configuration = api_answer_json(answer);
    int code = EXIT_TROUBLE;

    if (!is_whole(answer)) {
        (void)fputs("twokey export: what runs is not shown whole to you: hashes of tokens need the "
                    "role admin or auditor\n",
                    stderr);
        code = EXIT_FINDINGS;
    } else if (configuration == NULL) {
        (void)fputs("twokey export: the answer is no configuration\n", stderr);
    } else if (write_all(directory, configuration)) {
        printf("%s\n", answer->etag);
        code = EXIT_DONE;
    }
    json_decref(configuration);
    return code;
}

static int export_to(struct remote *remote)
{
    const char *directory = remote->arguments[0];
    struct api_call call = {.method = "GET", .path = "/v1/config"};
    struct api_answer answer;
    int code = EXIT_TROUBLE;

    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "twokey export: %s: %s\n", directory, strerror(errno));
        return EXIT_TROUBLE;
    }
    if (documents_are_in(directory)) {
        (void)fprintf(stderr, "twokey export: %s has *.json files already; they stay as they are\n",
                      directory);
        return EXIT_TROUBLE;
    }
    if (!remote_call(remote, &call, &answer, &code))
        return code;
    code = write_answer(directory, &answer);
    api_answer_fini(&answer);
    return code;
}

int cli_export(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey export DIR\n"
                "\n"
                "Writes what runs into DIR, as documents of a configuration; their digest is that\n"
                "of what runs, and is printed. A directory that has *.json files already is left\n"
                "as it is. Where people are configured it takes the role admin or auditor.\n"
                "\n" REMOTE_HELP EXIT_HELP,
        .options = "",
        .least = 1,
        .most = 1,
        .run = export_to,
    };

    return remote_main(&command, argc, argv);
}
