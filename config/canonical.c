/*
 * canonical - a configuration as stable bytes and their digest.
 *
 * Owner    the bytes live in the configuration's arena      Threads  one at a time
 */
#include "config/canonical.h"

#include <jansson.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/memory.h"
#include "config/document.h"
#include "config/model.h"

_Static_assert(sizeof(((struct configuration *)NULL)->digest) >= DIGEST_TEXT, "room for a digest");

void canonical_write(struct configuration *configuration, const struct documents *documents)
{
    char *text = json_dumps(documents->merged, JSON_COMPACT | JSON_SORT_KEYS);
    struct slice kept;
    struct digest digest;

    CHECK(text != NULL); /* what jansson has read it can write */
    kept = arena_slice(configuration->arena, slice_from(text));
    xfree(text);
    digest = digest_of(kept);
    configuration->canonical = kept.at;
    configuration->canonical_bytes = kept.len;
    digest_text(&digest, configuration->digest);
}
