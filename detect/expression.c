/*
 * expression - see expression.h.
 *
 * An expression is read once, from left to right.  Each alternative is kept as a list of parts:
 * which bytes a part matches, and whether it must be there, and whether it can go on.  A group that
 * must be there once, and has one alternative, is kept as its own parts.  What repeats many times
 * is looked at when it ends.
 *
 * Owner    the caller's stack      Threads  any
 */
#include "detect/expression.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How often a part or a group must be repeatable for its turns to matter. */
enum { MANY = 10, PARTS_MAX = 64, DEPTH_MAX = 32 };

struct bytes {
    uint64_t bits[4];
};

struct part {
    struct bytes bytes;
    bool is_needed; /* must be there at least once */
    bool goes_on;   /* may be repeated many times, and gives back what it took */
};

/* One alternative. */
struct sequence {
    struct part parts[PARTS_MAX];
    size_t count;
};

struct reader {
    const char *at;
    size_t depth;
    bool is_ambiguous;
};

/* What stands behind a part. */
struct quantifier {
    bool is_there;
    bool is_needed;
    bool is_many;
    bool is_possessive;
};

/* ---- sets of bytes ---- */

static void add_byte(struct bytes *set, unsigned char byte)
{
    set->bits[byte / 64] |= (uint64_t)1 << (byte % 64);
}

static void add_range(struct bytes *set, unsigned from, unsigned to)
{
    for (unsigned byte = from; byte <= to; byte++)
        add_byte(set, (unsigned char)byte);
}

static void add_set(struct bytes *set, const struct bytes *other)
{
    for (size_t i = 0; i < 4; i++)
        set->bits[i] |= other->bits[i];
}

static void invert(struct bytes *set)
{
    for (size_t i = 0; i < 4; i++)
        set->bits[i] = ~set->bits[i];
}

static bool overlaps(const struct bytes *a, const struct bytes *b)
{
    for (size_t i = 0; i < 4; i++)
        if ((a->bits[i] & b->bits[i]) != 0)
            return true;
    return false;
}

/* ---- one part ---- */

/* A class such as \w; false: `letter` names none. */
static bool add_class(struct bytes *set, char letter)
{
    struct bytes class = {{0}};

    switch (letter | 0x20) {
    case 'd': add_range(&class, '0', '9'); break;
    case 'w':
        add_range(&class, '0', '9');
        add_range(&class, 'a', 'z');
        add_range(&class, 'A', 'Z');
        add_byte(&class, '_');
        break;
    case 's':
        add_range(&class, '\t', '\r');
        add_byte(&class, ' ');
        break;
    default: return false;
    }
    if (letter < 'a')
        invert(&class);
    add_set(set, &class);
    return true;
}

/* Behind a backslash; what is no class and no known letter is itself. */
static void read_escape(struct reader *reader, struct bytes *set)
{
    char letter = *reader->at;

    if (letter == '\0')
        return;
    reader->at++;
    if (add_class(set, letter) || strchr("bBAzZG", letter) != NULL)
        return; /* the latter match no byte */
    add_byte(set, letter == 'n'   ? '\n'
                  : letter == 't' ? '\t'
                  : letter == 'r' ? '\r'
                                  : (unsigned char)letter);
}

/* One item of a bracket: a byte, a range, an escape, or a class such as [:alpha:]. */
static void read_item(struct reader *reader, struct bytes *set)
{
    unsigned char first = (unsigned char)*reader->at;
    const char *close = first == '[' && reader->at[1] == ':' ? strstr(reader->at, ":]") : NULL;

    if (close != NULL) {
        add_range(set, 0, 255); /* rather too many */
        reader->at = close + 2;
        return;
    }
    reader->at++;
    if (first == '\\') {
        read_escape(reader, set);
    } else if (reader->at[0] == '-' && reader->at[1] != ']' && reader->at[1] != '\0' &&
               reader->at[1] != '\\') {
        add_range(set, first, (unsigned char)reader->at[1]);
        reader->at += 2;
    } else {
        add_byte(set, first);
    }
}

static void read_bracket(struct reader *reader, struct bytes *set)
{
    bool is_inverted = *reader->at == '^';
    bool is_first = true;

    reader->at += is_inverted;
    for (; *reader->at != '\0' && (is_first || *reader->at != ']'); is_first = false)
        read_item(reader, set);
    reader->at += *reader->at == ']';
    if (is_inverted)
        invert(set);
}

static unsigned read_number(const char **at)
{
    unsigned number = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        number = number < 100000 ? number * 10 + (unsigned)(**at - '0') : number;
    return number;
}

/* "{2,}", "{1,5}", "{3}"; anything else is text. */
static struct quantifier read_counts(struct reader *reader)
{
    const char *at = reader->at + 1;
    unsigned least;
    unsigned most;

    if (*at < '0' || *at > '9')
        return (struct quantifier){.is_needed = true};
    least = read_number(&at);
    most = least;
    if (*at == ',') {
        at++;
        most = *at == '}' ? MANY : read_number(&at);
    }
    if (*at != '}')
        return (struct quantifier){.is_needed = true};
    reader->at = at + 1;
    /* A fixed number of times leaves no choice. */
    return (struct quantifier){
        .is_there = true, .is_needed = least > 0, .is_many = most >= MANY && most > least};
}

static struct quantifier read_quantifier(struct reader *reader)
{
    struct quantifier quantifier = {.is_needed = true};

    if (*reader->at == '{') {
        quantifier = read_counts(reader);
    } else if (*reader->at != '\0' && strchr("*+?", *reader->at) != NULL) {
        quantifier = (struct quantifier){
            .is_there = true, .is_needed = *reader->at == '+', .is_many = *reader->at != '?'};
        reader->at++;
    }
    if (quantifier.is_there && (*reader->at == '?' || *reader->at == '+'))
        quantifier.is_possessive = *reader->at++ == '+';
    return quantifier;
}

/* ---- turns ---- */

static bool separates(const struct part *part, const struct part *from, const struct part *to)
{
    return part->is_needed && !overlaps(&part->bytes, &from->bytes) &&
           !overlaps(&part->bytes, &to->bytes);
}

/* What `from` took may as well be taken by a part behind it, in this turn or the next one. */
static bool runs_on(const struct sequence *turn, size_t from)
{
    const struct part *first = &turn->parts[from];

    for (size_t i = 1; i <= turn->count; i++) {
        const struct part *next = &turn->parts[(from + i) % turn->count];
        bool is_separated = false;

        if (!next->goes_on)
            continue;
        for (size_t j = 1; j < i && !is_separated; j++)
            is_separated = separates(&turn->parts[(from + j) % turn->count], first, next);
        if (is_separated)
            return false;
        if (overlaps(&first->bytes, &next->bytes))
            return true;
        if (next->is_needed)
            return false;
    }
    return false;
}

static bool is_ambiguous_turn(const struct sequence *turn)
{
    for (size_t i = 0; i < turn->count; i++)
        if (turn->parts[i].goes_on && runs_on(turn, i))
            return true;
    return false;
}

/* ---- groups ---- */

/* What is kept of a group: all that it matches, and its first alternative. */
struct group {
    struct bytes all;
    struct bytes singles;   /* of alternatives that are one byte */
    struct sequence single; /* the only alternative, while there is one */
    size_t alternatives;
    bool can_be_empty;
    bool goes_on;
    bool is_ambiguous; /* when it is repeated many times */
};

static void add_part(struct sequence *sequence, struct part part)
{
    if (sequence->count < PARTS_MAX)
        sequence->parts[sequence->count++] = part;
}

static void end_alternative(struct group *group, const struct sequence *own)
{
    bool is_needed = false;

    for (size_t i = 0; i < own->count; i++) {
        add_set(&group->all, &own->parts[i].bytes);
        is_needed = is_needed || own->parts[i].is_needed;
        group->goes_on = group->goes_on || own->parts[i].goes_on;
    }
    group->can_be_empty = group->can_be_empty || !is_needed;
    group->is_ambiguous = group->is_ambiguous || is_ambiguous_turn(own);
    if (own->count == 1 && is_needed) {
        group->is_ambiguous =
            group->is_ambiguous || overlaps(&group->singles, &own->parts[0].bytes);
        add_set(&group->singles, &own->parts[0].bytes);
    }
    if (group->alternatives++ == 0)
        group->single = *own;
}

static void read_group(struct reader *reader, struct group *group);

/* Past "?:", "?<name>" and the like: *is_aside_out for what matches no text, *is_atomic_out for
 * what gives nothing back. */
static void read_opening(struct reader *reader, bool *is_aside_out, bool *is_atomic_out)
{
    const char *at = reader->at;

    *is_aside_out = false;
    *is_atomic_out = false;
    if (*at != '?')
        return;
    at++;
    *is_atomic_out = *at == '>';
    *is_aside_out =
        *at == '=' || *at == '!' || (*at == '<' && (at[1] == '=' || at[1] == '!')) || *at == '#';
    if (strchr("<P'", *at) != NULL && *at != '\0' && !*is_aside_out) {
        at += strcspn(at, ">')");
        at += *at == '>';
    } else {
        at += strcspn(at, ":>=!)#");
        at += *at != '\0' && *at != ')';
    }
    reader->at = at;
}

static void keep_group(struct sequence *own, const struct group *group,
                       const struct quantifier *quantifier, bool is_atomic)
{
    if (!quantifier->is_there && group->alternatives == 1 && !is_atomic) {
        for (size_t i = 0; i < group->single.count; i++)
            add_part(own, group->single.parts[i]);
        return;
    }
    add_part(own, (struct part){
                      .bytes = group->all,
                      .is_needed = quantifier->is_needed && !group->can_be_empty,
                      .goes_on = !is_atomic && !quantifier->is_possessive &&
                                 (quantifier->is_many || group->goes_on),
                  });
}

static void read_inner(struct reader *reader, struct sequence *own)
{
    struct group group = {0};
    struct quantifier quantifier;
    bool is_aside;
    bool is_atomic;

    read_opening(reader, &is_aside, &is_atomic);
    read_group(reader, &group);
    reader->at += *reader->at == ')';
    quantifier = read_quantifier(reader);
    if (quantifier.is_many && !quantifier.is_possessive && !is_atomic && group.is_ambiguous)
        reader->is_ambiguous = true;
    if (!is_aside)
        keep_group(own, &group, &quantifier, is_atomic);
}

static void read_part(struct reader *reader, struct sequence *own)
{
    struct part part = {0};
    struct quantifier quantifier;
    char first = *reader->at++;

    switch (first) {
    case '(': read_inner(reader, own); return;
    case '^':
    case '$': return;
    case '.': add_range(&part.bytes, 0, 255); break;
    case '[': read_bracket(reader, &part.bytes); break;
    case '\\': read_escape(reader, &part.bytes); break;
    default: add_byte(&part.bytes, (unsigned char)first);
    }
    quantifier = read_quantifier(reader);
    part.is_needed = quantifier.is_needed;
    part.goes_on = quantifier.is_many && !quantifier.is_possessive;
    add_part(own, part);
}

/* To the parenthesis that closes it, or the end. */
static void read_group(struct reader *reader, struct group *group)
{
    struct sequence own = {.count = 0};

    if (++reader->depth > DEPTH_MAX) {
        reader->at += strlen(reader->at);
        return;
    }
    while (*reader->at != '\0' && *reader->at != ')') {
        if (*reader->at != '|') {
            read_part(reader, &own);
            continue;
        }
        end_alternative(group, &own);
        own.count = 0;
        reader->at++;
    }
    end_alternative(group, &own);
    reader->depth--;
}

bool expression_is_ambiguous(const char *text)
{
    struct reader reader = {.at = text};
    struct group whole = {0};

    while (*reader.at != '\0' && !reader.is_ambiguous) {
        read_group(&reader, &whole);
        reader.at += *reader.at == ')'; /* one too many */
    }
    return reader.is_ambiguous;
}
