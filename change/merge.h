/*
 * merge - from a running configuration and what somebody wants to a target; pure.
 *
 * Owner    results are the caller's      Threads  any
 */
#ifndef CHANGE_MERGE_H
#define CHANGE_MERGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/slice.h"

struct refusal;

/* RFC 7396: a new value; neither argument is changed.  Members that are null in the patch go. */
json_t *merge_patch(const json_t *base, const json_t *patch);

/* The patch that makes `target` of `base`. */
json_t *merge_patch_between(const json_t *base, const json_t *target);

/* Pointers (RFC 6901) of named things and keys that `target` lacks and `base` has, the topmost
 * only: an array of strings, sorted. */
json_t *merge_deletions(const json_t *base, const json_t *target);

/* True when every deletion is listed in `deletes` (itself, or something above it; but "" and a
 * section such as "/pools" list nothing that is inside of them).  False: refused as
 * unlisted-delete, with `errors` naming each.  An entry that deletes nothing is refused too
 * (invalid-field). */
bool merge_check_deletes(const json_t *base, const json_t *target, const json_t *deletes,
                         struct refusal *refusal);

/* What `mine` and `theirs` made of `base`, together.  Conflicts: pointers where both changed the
 * same thing differently; there the result is as in `theirs`. */
json_t *merge_three_way(const json_t *base, const json_t *mine, const json_t *theirs,
                        json_t **conflicts_out);

/* Sorted keys, compact, UTF-8 as is: the one form in which JSON is hashed.  xfree() it. */
char *merge_canonical(const json_t *value, size_t *bytes_out);

/* [{"op":"add|remove|change","pointer","before","after"}]; what is secret (token hashes) shows as
 * "changed (secret)". */
json_t *merge_diff(const json_t *before, const json_t *after);
/* The same as lines of text: "+ /pools/shop/servers/s4  {...}".  xfree() it. */
char *merge_diff_text(const json_t *diff);

#endif
