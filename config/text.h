/*
 * text - the small notations of a configuration: durations, sizes, addresses, hosts, paths.
 *
 * The readers return NULL and fill their out-parameter, or say what is wrong as the end of a
 * sentence that begins with the text itself: `has no unit (write "5s" or "250ms")`.  Failure
 * leaves the out-parameter untouched.
 *
 * Owner    results live in the arena given      Threads  any
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/model.h"

struct arena;

enum { TEXT_NAME_MAX = 63, TEXT_UNIX_PATH_MAX = 107, TEXT_URL_MAX = 2000 };

const char *text_read_duration(const char *text, uint64_t *ms_out);
const char *text_read_size(const char *text, uint64_t *bytes_out);
/* "90s", "1h"; returns out. */
const char *text_of_duration(uint64_t ms, char out[32]);
/* "64KiB"; returns out. */
const char *text_of_size(uint64_t bytes, char out[32]);

/* [a-z0-9][a-z0-9-]{0,62} */
bool text_is_name(const char *text);
/* RFC 9110 §5.6.2 */
bool text_is_token(const char *text);
/* RFC 9110 §5.5: no control characters, no blanks at either end. */
bool text_is_field_value(const char *text);
/* No control characters. */
bool text_is_printable(const char *text);

/* An IP address with a port, a Unix socket, and with `names` a host name with a port. */
const char *text_read_address(struct arena *arena, const char *text, bool names,
                              struct conf_address *address_out);
/* "10.0.0.0/8", "2001:db8::/32", or one address. */
const char *text_read_network(const char *text, struct conf_network *network_out);
bool text_is_loopback(const struct conf_address *address);
/* 0.0.0.0 or [::] */
bool text_is_any_address(const struct conf_address *address);
/* Of its family: "127.0.0.1", "[::1]". */
const char *text_loopback_of(const struct conf_address *address);

/* "shop.example.com", "*.example.com": lower case, without a final dot. */
const char *text_read_host_pattern(struct arena *arena, const char *text, const char **host_out);
/* A host that may have a port. */
const char *text_read_host(struct arena *arena, const char *text, const char **host_out);
/* NULL when `text` is an absolute path in normal form; `with_query` allows "?…". */
const char *text_check_path(const char *text, bool with_query);
/* NULL when `text` may stand in a Location field once its {placeholders} are filled. */
const char *text_check_location(const char *text);
/* NULL when `text` is a URL that something may be posted to: http or https, a host, no userinfo, no
 * fragment. */
const char *text_check_url(struct arena *arena, const char *text);
/* NULL when a configuration may set or remove this field (lower case). */
const char *text_check_editable_field(const char *name);
/* "200-399", "200,204,301-302"; ranges_out gets an array in the arena. */
const char *text_read_status_ranges(struct arena *arena, const char *text,
                                    struct conf_status_range **ranges_out, size_t *count_out);
/* A moment as of RFC 3339, years since 1970; a fraction is cut to milliseconds. */
const char *text_read_time(const char *text, int64_t *wall_ms_out);
/* "09:00" to "24:00", as minutes of the day. */
const char *text_read_clock(const char *text, uint16_t *minutes_out);
/* "sha256:" and 64 hex digits. */
bool text_is_sha256(const char *text);

#endif
