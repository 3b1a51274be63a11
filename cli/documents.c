/*
 * documents - see documents.h.
 *
 * Owner    nobody      Threads  the first
 */
#include "cli/documents.h"

#include <dirent.h>
#include <string.h>

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
