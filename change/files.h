/*
 * files - what a configuration refers to on disk: read once, at submission; what was approved is
 * the stored copy, not the path (E-7).
 *
 * Each key of type FILE whose name ends with "_file" is one.  Contents become blobs; private keys
 * (`key_file`) are copied to keys/<sha256>.pem in the state directory, and only their sha256 is in
 * the store.
 *
 * Owner    whoever called files_collect()      Threads  control; reads the disk
 */
#ifndef CHANGE_FILES_H
#define CHANGE_FILES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/digest.h"

struct conf_strings;
struct configuration;
struct findings;
struct ledger;
struct refusal;
struct step;

struct file_copy {
    char *path;
    char digest[DIGEST_TEXT];
    struct buffer content; /* empty: a stored copy is kept */
    bool is_key;
    bool is_read;
};

struct files {
    struct file_copy *items;
    size_t count;
};

struct files_wanted {
    const json_t *base;               /* what runs */
    const json_t *target;             /* refers to them */
    const json_t *kept;               /* {"path": "sha256:…"} of the base, or NULL */
    const struct conf_strings *roots; /* process.file_roots of the target */
    const char *config_directory;     /* a root besides, where none are configured; or NULL */
    const struct configuration *read; /* the target as it was judged: what it holds is not read
                                       * again; or NULL */
};

/* Problems become findings: block for a reference that the change makes, warning for one that was
 * there before (its stored copy stays, where there is one). */
void files_collect(const struct files_wanted *wanted, struct files *out, struct findings *findings);
/* {"path": "sha256:…"} */
json_t *files_map(const struct files *files);
/* Copies into the step, and keys into the state directory.  False: a key cannot be written. */
bool files_put(struct step *step, const struct files *files, struct refusal *refusal);
/* False, and digest-mismatch: a stored copy is not what its digest says. */
bool files_verify(struct ledger *ledger, const json_t *map, struct refusal *refusal);
void files_fini(struct files *files);
/* The state directory has the private key of this digest, unchanged. */
bool files_key_is_kept(const char *directory, const char *digest);

/* The stored copies into the configuration, each held against its digest, and where certificates
 * were renewed since `read_ms` the newest (renewals.h).  False, and findings: one is not there any
 * more. */
bool files_fill(struct ledger *ledger, const json_t *map, int64_t read_ms,
                struct configuration *conf, struct findings *findings);
/* Of a configuration that has been filled. */
void files_of(const struct configuration *conf, struct files *out);

#endif
