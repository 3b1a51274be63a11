/*
 * model - the configuration as plain structs, checked and with every default filled in.
 *
 * Named things are arrays sorted by name; references between them are indexes, resolved by
 * validation.  Durations are milliseconds, sizes bytes.  0 means what the comment says.
 *
 * Owner    whoever called config_load(); everything lives in `arena` and dies with it
 * Threads  read-only after validation: any
 */
#ifndef CONFIG_MODEL_H
#define CONFIG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum { CONFIG_NONE = -1 }; /* an index that points nowhere */

/* IPv4 networks are kept as IPv4-mapped IPv6, so that one comparison serves both. */
struct conf_network {
    uint8_t address[16];
    uint8_t prefix_bits; /* of 128 */
};

struct conf_networks {
    struct conf_network *items;
    size_t count;
};

struct conf_strings {
    const char **items;
    size_t count;
};

struct conf_header_edit {
    const char *name; /* lower case */
    const char *value;
};

struct conf_header_edits {
    struct conf_header_edit *set;
    size_t set_count;
    const char **remove; /* lower case */
    size_t remove_count;
};

enum conf_address_kind { ADDRESS_IP, ADDRESS_NAME, ADDRESS_UNIX };

struct conf_address {
    enum conf_address_kind kind;
    const char *text; /* as written */
    const char *host; /* literal without brackets, name, or path of the Unix socket */
    uint16_t port;
    uint8_t ip[16]; /* ADDRESS_IP: mapped as in conf_network */
    bool is_ipv6;
};

struct conf_process {
    unsigned workers; /* 0: auto, one per core */
    uint32_t max_connections;
    uint64_t shutdown_timeout_ms;
    struct conf_strings file_roots;
};

enum conf_proxy_protocol { PROXY_PROTOCOL_OFF, PROXY_PROTOCOL_ACCEPT };
enum conf_underscores { UNDERSCORES_DROP, UNDERSCORES_REJECT, UNDERSCORES_ALLOW };

struct conf_limits {
    uint64_t header_bytes;
    uint32_t header_count;
    uint64_t request_line;
    uint64_t body;                   /* 0: unlimited */
    uint32_t connections_per_client; /* 0: unlimited */
    enum conf_underscores underscores;
};

struct conf_listener_timeouts {
    uint64_t headers_ms;
    uint64_t body_idle_ms;
    uint64_t write_idle_ms;
    uint64_t keepalive_ms;
    uint64_t tunnel_idle_ms;
};

/* What a file held when the configuration was made to run: contents.h fills it. */
struct conf_content {
    const char *bytes; /* NULL: not read */
    size_t count;
};

struct conf_certificate {
    const char *name;
    const char *cert_file;
    const char *key_file;
    const char *ocsp_file;     /* NULL: none; read while it runs (watch/staples.h) */
    struct conf_strings names; /* empty: those that it carries */
    struct conf_content chain;
    struct conf_content key;
};

enum conf_tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };
enum conf_alpn { CONF_ALPN_H2 = 1, CONF_ALPN_HTTP1 = 2 };
enum conf_tls_profile { TLS_PROFILE_MODERN, TLS_PROFILE_INTERMEDIATE, TLS_PROFILE_OLD };
enum conf_unknown_sni { UNKNOWN_SNI_DEFAULT, UNKNOWN_SNI_REJECT };
enum conf_client_auth_mode { CLIENT_AUTH_OFF, CLIENT_AUTH_REQUEST, CLIENT_AUTH_REQUIRE };

/* Names of fields; NULL: not told. */
struct conf_identity_headers {
    const char *subject;
    const char *fingerprint;
    const char *serial;
};

struct conf_client_auth {
    enum conf_client_auth_mode mode;
    const char *ca_file; /* NULL: none */
    struct conf_content ca;
    struct conf_identity_headers headers;
};

struct conf_listener_tls {
    struct conf_strings certificates; /* names; at least one */
    enum conf_tls_version min_version;
    uint32_t alpn; /* CONF_ALPN_... */
    enum conf_tls_profile profile;
    enum conf_unknown_sni unknown_sni;
    struct conf_client_auth client_auth;
    uint32_t handshakes_per_second; /* full ones; 0: unlimited */
    uint32_t handshakes_per_client; /* of one address, a second; 0: unlimited */
};

struct conf_listener {
    const char *name;
    struct conf_address address; /* IP (host "0.0.0.0", "::" …) or Unix */
    bool has_tls;
    struct conf_listener_tls tls;
    enum conf_proxy_protocol proxy_protocol;
    struct conf_networks proxy_protocol_from;
    struct conf_networks trusted_proxies;
    struct conf_limits limits;
    struct conf_listener_timeouts timeouts;
    uint32_t keepalive_requests; /* 0: unlimited */
    uint64_t connection_age_ms;  /* 0: unlimited */
};

enum conf_balance {
    BALANCE_ROUND_ROBIN,
    BALANCE_LEAST_REQUESTS,
    BALANCE_RANDOM,
    BALANCE_PEAK_EWMA,
    BALANCE_MAGLEV,
};

enum conf_hash_on { HASH_ON_CLIENT_IP, HASH_ON_HEADER, HASH_ON_COOKIE, HASH_ON_PATH, HASH_ON_URI };
enum conf_protocol { PROTOCOL_HTTP1, PROTOCOL_H2 };
enum conf_server_state { SERVER_READY, SERVER_DRAIN, SERVER_MAINT };
enum conf_intent { INTENT_BALANCED, INTENT_ACTIVE_STANDBY };

struct conf_server {
    const char *name;
    struct conf_address address;
    uint32_t weight;          /* 0 to 1000 */
    uint32_t capacity_rps;    /* 0: unknown */
    uint32_t max_connections; /* 0: unlimited */
    bool is_backup;
    enum conf_server_state state;
};

enum conf_check_type { CHECK_HTTP, CHECK_TCP, CHECK_GRPC };

struct conf_status_range {
    uint16_t from;
    uint16_t to;
};

struct conf_health_check {
    bool is_on; /* the pool has a health_check section */
    enum conf_check_type type;
    const char *path;
    const char *host;    /* NULL: the server's address */
    const char *service; /* of gRPC; NULL: the server as a whole */
    uint16_t port;       /* 0: the server's own */
    uint64_t interval_ms;
    uint64_t fast_interval_ms;
    uint64_t timeout_ms;
    uint32_t fall;
    uint32_t rise;
    struct conf_status_range *expect_status;
    size_t expect_status_count;
    const char *expect_body; /* NULL: any; else must be contained in the first 16 KiB */
};

struct conf_ejection {
    uint32_t consecutive_failures; /* 0: off */
    uint64_t base_time_ms;
    uint64_t max_time_ms;
    uint32_t max_percent;
    bool count_5xx; /* also 500, 501, 505 … from the application */
};

enum conf_panic_mode { PANIC_ALL, PANIC_FAIL };

struct conf_pool_tls {
    bool verifies;
    const char *sni;     /* "auto", a name, or an address */
    const char *ca_file; /* "system", or a file */
    struct conf_content ca;
    const char *client_certificate; /* name; NULL: none */
};

struct conf_pool {
    const char *name;
    enum conf_balance balance;
    enum conf_protocol protocol;
    enum conf_hash_on hash_on;
    const char *hash_name;       /* of the header (lower case) or cookie */
    struct conf_server *servers; /* sorted by name */
    size_t server_count;
    struct conf_health_check health_check;
    struct conf_ejection ejection;
    uint64_t slow_start_ms; /* 0: off */
    uint32_t panic_percent; /* 0: never */
    enum conf_panic_mode panic_mode;
    uint32_t max_share_percent; /* 0: no ceiling */
    enum conf_intent intent;
    struct {
        const char *cookie; /* NULL: not sticky */
        uint64_t ttl_ms;    /* 0: session cookie */
    } sticky;
    struct {
        uint32_t attempts; /* retries after the first try */
        uint32_t budget_percent;
        uint32_t min_per_second;
    } retry;
    struct {
        uint32_t length;
        uint64_t timeout_ms;
    } queue;
    struct {
        uint32_t idle_per_worker;
        uint64_t idle_timeout_ms;
        uint32_t max_requests; /* 0: unlimited */
    } keepalive;
    struct {
        uint64_t connect_ms;
        uint64_t response_ms; /* between bytes, and to the first one */
    } timeouts;
    bool has_tls;
    struct conf_pool_tls tls;
    struct {
        uint32_t min_endpoints;
        uint32_t max_shrink_percent;
    } discovery;
};

enum conf_scheme { SCHEME_ANY, SCHEME_HTTP, SCHEME_HTTPS };
enum conf_action { ACTION_POOL, ACTION_SPLIT, ACTION_REDIRECT, ACTION_RESPOND };
enum conf_rate_key { RATE_KEY_CLIENT_IP, RATE_KEY_HEADER, RATE_KEY_ROUTE };

struct conf_split {
    const char *pool_name;
    int pool; /* index */
    uint32_t weight;
};

struct conf_route {
    const char *name;
    const char *file;                 /* the document that has it */
    struct conf_strings hosts;        /* lower case; "*.x" is a wildcard; empty: any */
    const char *path;                 /* exact, or NULL */
    const char *path_prefix;          /* by whole segments, or NULL */
    const char *path_regex;           /* PCRE2, or NULL */
    struct conf_strings methods;      /* empty: any */
    struct conf_header_edit *headers; /* all must be there with this value */
    size_t header_count;
    struct conf_strings listeners; /* names; empty: any */
    enum conf_scheme scheme;
    int32_t priority;

    enum conf_action action;
    const char *pool_name;
    int pool; /* index, ACTION_POOL */
    struct conf_split *split;
    size_t split_count;
    struct {
        const char *location; /* may hold {path} {query} {host} {uri} */
        uint16_t status;
    } redirect;
    struct {
        uint16_t status;
        const char *body;
        size_t body_bytes;
        const char *content_type;
    } respond;

    struct {
        const char *path_prefix; /* replaces the matched prefix; NULL: none */
        const char *path;        /* replaces the whole path; NULL: none */
        const char *host;        /* replaces Host; NULL: none */
    } rewrite;
    struct conf_header_edits request_headers;
    struct conf_header_edits response_headers;
    struct {
        uint32_t requests_per_second; /* 0: none */
        uint32_t burst;
        enum conf_rate_key key;
        const char *header; /* RATE_KEY_HEADER, lower case */
    } rate_limit;
    bool has_allow;
    struct conf_networks allow;
    bool has_deny;
    struct conf_networks deny;
    uint64_t response_timeout_ms; /* 0: the pool's */
    uint64_t body_limit;          /* UINT64_MAX: the listener's */
};

struct conf_admin_tls {
    const char *cert_file;
    const char *key_file;
    const char *client_ca_file; /* NULL: nobody is asked for a certificate */
    struct conf_content chain;
    struct conf_content key;
    struct conf_content client_ca;
};

struct conf_admin {
    struct conf_address listen; /* loopback, or any with TLS */
    const char *socket;         /* path, relative to the state directory; NULL: none */
    bool metrics_public;
    bool has_tls;
    struct conf_admin_tls tls;
};

enum conf_person_kind { PERSON_HUMAN, PERSON_SERVICE };

enum conf_role {
    ROLE_VIEWER = 1 << 0,
    ROLE_AUTHOR = 1 << 1,
    ROLE_OPERATOR = 1 << 2,
    ROLE_APPROVER = 1 << 3,
    ROLE_ADMIN = 1 << 4,
    ROLE_AUDITOR = 1 << 5,
    ROLE_BREAKGLASS = 1 << 6,
};

struct conf_token {
    const char *id;         /* "laptop", or NULL */
    unsigned char hash[32]; /* SHA-256 of the whole token */
};

struct conf_person {
    const char *name;
    enum conf_person_kind kind;
    const char *owner; /* of a service: a human; NULL: none */
    unsigned roles;    /* enum conf_role, or'ed */
    struct conf_strings groups;
    struct conf_token *tokens;
    size_t token_count;
    struct conf_strings certificate_names;
    uint64_t *uids;
    size_t uid_count;
    const char *signing_key; /* or NULL */
    bool is_disabled;
    int64_t revoked_since_ms; /* wall clock; decisions since then do not count; 0: none */
};

struct conf_factor {
    const char *group;
    uint32_t approvals;
};

/* Changes are applied inside windows only, when there are any.  Minutes of the day, UTC. */
struct conf_window {
    unsigned days; /* bit 0: Monday */
    uint16_t from;
    uint16_t to; /* not before `from`; exclusive */
};

struct conf_freeze {
    int64_t from_ms; /* wall clock */
    int64_t to_ms;
    const char *reason;
};

/* A finding that is known and accepted. */
struct conf_suppression {
    const char *rule;
    const char *pointer; /* of the finding, or above it */
    const char *owner;   /* a person, or NULL */
    const char *reason;
    int64_t expires_ms; /* wall clock; 0: not given */
};

enum conf_policy_mode { POLICY_ENFORCED, POLICY_ADVISORY, POLICY_OFF };
enum conf_confirm_mode { CONFIRM_MANUAL, CONFIRM_AUTO };

struct conf_policy {
    enum conf_policy_mode mode;
    uint32_t approvals_normal;
    uint32_t approvals_high;
    uint64_t approval_expiry_ms;
    uint64_t execution_expiry_ms;
    enum conf_confirm_mode confirm_mode;
    uint64_t confirm_deadline_ms;
    uint64_t confirm_min_bake_ms;
    struct conf_factor *factors;
    size_t factor_count;
    struct conf_window *windows;
    size_t window_count;
    struct conf_freeze *freezes;
    size_t freeze_count;
    struct conf_suppression *suppressions;
    size_t suppression_count;
    bool keep_on_clean_rebase;
    bool certificate_watch;
};

struct conf_observe {
    const char *access_log_path; /* "stdout", "off", or a file */
    uint32_t access_log_percent;
    struct conf_strings alertmanagers; /* URLs */
    struct conf_strings webhooks;      /* likewise */
    const char *runbooks;              /* before the name of a page */
};

/* Which document says /section/name; name "" is the section's first. */
struct conf_origin {
    const char *section;
    const char *name;
    const char *file;
};

struct configuration {
    struct arena *arena;
    struct conf_process process;
    struct conf_listener *listeners;
    size_t listener_count;
    struct conf_certificate *certificates; /* sorted by name */
    size_t certificate_count;
    struct conf_pool *pools;
    size_t pool_count;
    struct conf_route *routes;
    size_t route_count;
    struct conf_admin admin;
    struct conf_person *people; /* sorted by name */
    size_t person_count;
    struct conf_policy policy;
    struct conf_observe observe;
    struct conf_origin *origins; /* sorted by section and name */
    size_t origin_count;
    const char *canonical; /* what was written, merged, keys sorted, without comments: JSON */
    size_t canonical_bytes;
    char digest[72]; /* "sha256:…" of the canonical bytes */
};

#endif
