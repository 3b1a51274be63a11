/*
 * documents - see documents.h.
 *
 * Owner    nobody      Threads  the first
 */
#include "cli/documents.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "config/finding.h"
#include "config/load.h"

bool documents_are_in(const char *directory)
{
    DIR *open_directory = opendir(directory);
    struct dirent *entry;
    bool found = false;

    if (open_directory == NULL)
        return false;
    while ((entry = readdir(open_directory)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');

        found = found || (dot != NULL && strcmp(dot, ".json") == 0);
    }
    (void)closedir(open_directory);
    return found;
}

struct configuration *documents_load(const char *command, const char *directory,
                                     struct arena *arena)
{
    struct findings findings;
    struct configuration *conf;
    char line[2048];

    findings_init(&findings, arena);
    conf = config_load(directory, &findings);
    for (size_t i = 0; conf == NULL && i < findings.count; i++) {
        if (findings.items[i].severity != FINDING_BLOCK)
            continue;
        finding_text(&findings.items[i], line, sizeof(line));
        (void)fprintf(stderr, "%s: %s\n", command, line);
    }
    findings_fini(&findings);
    return conf;
}
