/*
 * reference - `twokey reference DIR`: writes the documents made from the table of keys.
 *
 * For developers: DIR is the root of the repository.
 *
 * Owner    main()      Threads  the first
 */
#include "config/reference.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/cli.h"

static bool write_one(const char *directory, const struct reference *reference)
{
    struct buffer content;
    char path[4096];
    FILE *file;
    bool is_written;

    buffer_init(&content);
    reference->write(&content);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, reference->path);
    file = fopen(path, "w");
    is_written = file != NULL && fwrite(buffer_slice(&content).at, 1, buffer_length(&content),
                                        file) == buffer_length(&content);
    if (file != NULL && fclose(file) != 0)
        is_written = false;
    if (!is_written)
        (void)fprintf(stderr, "twokey reference: %s: %s\n", path, strerror(errno));
    else
        printf("%s\n", path);
    buffer_fini(&content);
    return is_written;
}

int cli_reference(int argc, char **argv)
{
    bool all = true;

    if (argc != 2 || argv[1][0] == '-') {
        (void)fputs("usage: twokey reference DIR\n\n"
                    "Writes the documents made from the table of keys; DIR is the root of the "
                    "repository.\n",
                    argc == 2 ? stdout : stderr);
        return argc == 2 ? EXIT_DONE : EXIT_TROUBLE;
    }
    for (size_t i = 0; i < reference_count; i++)
        all = write_one(argv[1], &references[i]) && all;
    return all ? EXIT_DONE : EXIT_TROUBLE;
}
