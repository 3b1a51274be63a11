/*
 * bound - see bound.h.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "change/bound.h"

#include <jansson.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/change.h"
#include "change/merge.h"
#include "config/text.h"

static json_t *time_or_null(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms != 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

static json_t *duration(uint64_t ms)
{
    char text[32];

    return json_string(text_of_duration(ms, text));
}

static json_t *copy_or(const json_t *value, json_t *otherwise)
{
    if (value == NULL)
        return otherwise;
    json_decref(otherwise);
    return json_deep_copy(value);
}

/* Of anybody ("*" is no group), and those of each group among them. */
static json_t *required(const struct change *change)
{
    json_t *list = json_pack("[{s:s, s:i}]", "group", "*", "n", (int)change->required);

    if (change->required_factors != NULL)
        json_array_extend(list, change->required_factors);
    return list;
}

/* The steps by which it reaches the connections: their sha256, or null. */
static json_t *rollout_digest(const struct change *change)
{
    char text[DIGEST_TEXT];
    struct digest digest;
    size_t bytes;
    char *list;

    if (change->rollout == NULL)
        return json_null();
    list = merge_canonical(change->rollout, &bytes);
    digest = digest_of(slice_of(list, bytes));
    xfree(list);
    return json_string(digest_text(&digest, text));
}

static json_t *apply_facts(const struct change *change)
{
    return json_pack("{s:o, s:o, s:b, s:{s:s, s:o, s:o}, s:o}", "not_before",
                     time_or_null(change->not_before_ms), "not_after",
                     time_or_null(change->not_after_ms), "auto", (int)change->is_auto_apply,
                     "confirm", "mode", change->confirm_is_auto ? "auto" : "manual", "deadline",
                     duration(change->confirm_deadline_ms), "min_bake",
                     duration(change->confirm_min_bake_ms), "rollout", rollout_digest(change));
}

char *bound_write(const struct change *change, const struct bound_facts *facts, size_t *bytes_out)
{
    json_t *bound = json_pack(
        "{s:i, s:s, s:s, s:I, s:s, s:{s:I, s:s}, s:s, s:o, s:s, s:o, s:{s:I, s:s}, s:o, s:s, s:o, "
        "s:o, s:o}",
        "v", 1, "cluster", facts->cluster, "change", change->id, "iteration",
        (json_int_t)change->iteration, "nonce", facts->nonce, "base", "rev",
        (json_int_t)change->base_rev, "digest", change->base_digest, "target",
        change->target_digest, "files", copy_or(change->files, json_object()), "diff",
        facts->diff_digest, "deletes", copy_or(change->deletes, json_array()), "impact", "class",
        (json_int_t)change->class, "summary", facts->impact_digest, "findings_overridden",
        copy_or(change->override, json_array()), "policy", change->policy_digest, "required",
        required(change), "apply", apply_facts(change), "contributors",
        copy_or(change->contributors, json_array()));
    char *bytes;

    if (json_array_size(change->overrides) > 0) /* they come into force with it */
        json_object_set_new(bound, "overrides", json_deep_copy(change->overrides));
    bytes = merge_canonical(bound, bytes_out);
    json_decref(bound);
    return bytes;
}

char *bound_digest(struct slice bytes, char text_out[DIGEST_TEXT])
{
    struct buffer all;
    struct digest digest;

    buffer_init(&all);
    buffer_append_literal(&all, "twokey-change-v1\n");
    buffer_append_slice(&all, bytes);
    digest = digest_of(buffer_slice(&all));
    buffer_fini(&all);
    return digest_text(&digest, text_out);
}
