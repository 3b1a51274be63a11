/*
 * keys - the table of keys: what a configuration may say, in one place.
 *
 * keys.def has a row for each key: type, where its value goes, default, range, help.  The parser,
 * the defaults, the reference page and the JSON Schema all come from it; a new key is one row and
 * one field of model.h.
 *
 * Owner    nobody: constant      Threads  any
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a value is written, and what it becomes. */
enum key_type {
    TYPE_COUNT,          /* whole number min..max, or zero_word for 0 */
    TYPE_NUMBER,         /* whole number lowest..max that may be negative */
    TYPE_FLAG,           /* true, false */
    TYPE_SIZE,           /* "64KiB" */
    TYPE_DURATION,       /* "5s" */
    TYPE_WORD,           /* one of words; its place among them is the enum's value */
    TYPE_WORDS,          /* a list of some of them; kept as bits, the first word is bit 0 */
    TYPE_CHOICE,         /* one of words; one that ends with ":" takes a name, kept at `second` */
    TYPE_TEXT,           /* printable text of at most max bytes */
    TYPE_BODY,           /* any text of at most max bytes; its length is kept at `second` */
    TYPE_FILE,           /* a path of the file system */
    TYPE_NAME,           /* the name of something in this configuration */
    TYPE_PATH,           /* an absolute path in normal form */
    TYPE_TARGET,         /* the same, a query allowed */
    TYPE_LOCATION,       /* where a redirect leads: URL or path, with {placeholders} */
    TYPE_HOST,           /* a host, a port allowed */
    TYPE_TOKEN,          /* RFC 9110 §5.6.2 */
    TYPE_HEADER_VALUE,   /* the value of a field */
    TYPE_LISTEN_ADDRESS, /* IP:port, unix:/path */
    TYPE_SERVER_ADDRESS, /* the same, or name:port */
    TYPE_STATUS_RANGES,  /* "200-399" or "200,204" */
    TYPE_NETWORKS,       /* list of addresses and CIDR blocks */
    TYPE_HOSTS,          /* list of host patterns */
    TYPE_METHODS,        /* list of methods */
    TYPE_NAMES,          /* list of names */
    TYPE_TEXTS,          /* list of texts */
    TYPE_URLS,           /* list of http and https URLs, without userinfo and fragment */
    TYPE_COUNTS,         /* list of whole numbers min..max */
    TYPE_HEADER_MATCH,   /* object: field name to value; framing fields allowed */
    TYPE_HEADER_SET,     /* object: field name to value, of fields that may be edited */
    TYPE_HEADER_NAMES,   /* list of names of fields that may be edited */
    TYPE_SPLIT,          /* object: pool to weight */
    TYPE_TOKENS,         /* list of token hashes, or of objects with id and hash */
    TYPE_TIME,           /* RFC 3339; milliseconds of the wall clock */
    TYPE_CLOCK,          /* "09:00"; minutes of the day */
    TYPE_OBJECTS,        /* list of objects whose inside is not read by this version */
    TYPE_LIST,           /* list of objects of `shape` */
    TYPE_OBJECT,         /* an object of `shape` */
    TYPE_MAP,            /* name to object of `shape` */
};

enum shape_id {
#define SHAPE(id, type, title, help) SHAPE_##id,
#define KEY(...)
#define END_SHAPE
#include "config/keys.def"
#undef SHAPE
#undef KEY
#undef END_SHAPE
    SHAPE_COUNT,
};

struct key {
    const char *name;
    enum key_type type;
    /* Where the value goes: an offset into the shape's struct.  bytes 0: it is checked, not kept.
     */
    size_t offset;
    size_t bytes;
    size_t second;
    size_t present; /* 1 + offset of a bool that says the key was written; 0: none */
    /* As written, quotes left out.  In parentheses: told to readers, not set by the parser.
     * NULL: none. */
    const char *default_text;
    const char *help;

    uint64_t min;
    uint64_t max;
    int64_t lowest;        /* TYPE_NUMBER's min */
    uint64_t unset;        /* a number's value while the key is left out and has no default */
    const char *zero_word; /* stands for 0: "unlimited", "auto" */
    const char *words;     /* "a|b|c" */
    const char *noun;      /* "a weight" */
    const char *example;   /* shown where the type's own would mislead */
    enum shape_id shape;
    bool is_required;
    bool is_secret;        /* never shown as it is */
    bool is_live;          /* a file that is read while it runs: its content is not approved */
    const char *not_yet;   /* refused: what this version lacks */
    const char *no_effect; /* accepted with a warning: why it does nothing yet */
};

struct shape {
    const char *id;    /* "HEALTH_CHECK" */
    const char *title; /* "pools.X.health_check" */
    const char *help;
    size_t bytes; /* of its struct */
    const struct key *keys;
    size_t key_count;
};

/* What TYPE_..._LIST values become; the pairs of pointer and count in model.h look like this. */
struct key_list {
    void *items;
    size_t count;
};

const struct shape *shape_of(enum shape_id id);
/* NULL when the shape has no such key. */
const struct key *key_find(const struct shape *shape, const char *name);
/* "text", "duration" …, as the reference page calls the type. */
const char *key_type_word(const struct key *key);
/* "0 to 1000", "1s to 1h", "one of "a", "b""; empty when there is nothing to say. */
const char *key_range_text(const struct key *key, char *out, size_t out_bytes);
/* The index of `word` among "a|b|c", or -1. */
int words_index(const char *words, const char *word);
/* The next word of "a|b|c", copied; false at the end. */
bool words_next(const char **rest, char *out, size_t out_bytes);

#endif
