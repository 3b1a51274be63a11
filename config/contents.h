/*
 * contents - what the files that a configuration names hold, read when it is about to run.
 *
 * Owner    the configuration's arena      Threads  one at a time; contents_from_disk reads the disk
 */
#ifndef CONFIG_CONTENTS_H
#define CONFIG_CONTENTS_H

#include <stdbool.h>

struct buffer;
struct conf_strings;
struct configuration;
struct findings;

/* Appends what `path` holds; NULL, or why it cannot be read, as the end of a sentence. */
typedef const char *contents_read_fn(void *context, const char *path, bool is_key,
                                     struct buffer *out);

/* Every file that is named has been read. */
bool contents_are_filled(const struct configuration *conf);
/* Reads them.  False, and findings of rule "files" and severity block, where one cannot be. */
bool contents_fill(struct configuration *conf, contents_read_fn *read, void *context,
                   struct findings *findings);

enum { CONTENTS_MAX_BYTES = 4 << 20 };

/* What may be read: a regular file in one of the roots, with whatever links lead there. */
struct contents_roots {
    const struct conf_strings *roots; /* process.file_roots; empty: /etc/twokey and the next */
    const char *config_directory;     /* or NULL */
};
/* A contents_read_fn over a struct contents_roots. */
const char *contents_from_disk(void *roots, const char *path, bool is_key, struct buffer *out);

/* Appends the rest of an open file; NULL, or why not. */
const char *contents_read(int fd, struct buffer *out);

/* For who needs each of them: path, whether it is a private key, what was read. */
struct conf_content;
typedef void contents_each_fn(void *context, const char *path, bool is_key,
                              const struct conf_content *content);
void contents_each(const struct configuration *conf, contents_each_fn *tell, void *context);

#endif
