/* account.h - who may do what: users with passwords, browser sessions, scoped tokens, the audit
 * log.
 *
 * Secrets never rest here in the clear: passwords as argon2id (libsodium, "interactive" cost),
 * session ids and tokens as BLAKE2b-256 of 256 random bits (such a hash cannot be guessed back, so
 * a slow one would buy nothing). Comparison is by looking the hash up, so its time tells nothing
 * about the secret.
 *
 * Lookups of sessions and tokens are on the path of every request: they are answered from memory (a
 * cache in front of the state store, at most ACCOUNT_CACHE_MAX entries, dropped whole on any
 * change). An entry is read again after ACCOUNT_CACHE_MS, so that what another process does
 * (`hinomi user`, `hinomi token`) counts soon.
 *
 * Threads: every function may be called from any thread. Times: Unix ms. Strings in outputs live in
 * the arena that was given. Errors: ERR_UNAUTHENTICATED (wrong or expired), ERR_LIMITED (too many
 * tries; the message says how long to wait), ERR_CONFLICT (name taken, last admin), ERR_NOT_FOUND,
 * ERR_BAD_INPUT.
 */
#ifndef FEATURE_ACCOUNT_ACCOUNT_H
#define FEATURE_ACCOUNT_ACCOUNT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/timev.h"
#include "store/state/state.h"

/* Ordered: a higher role may do all that a lower one may. */
enum account_role {
    ACCOUNT_ROLE_NONE,
    ACCOUNT_ROLE_VIEWER,
    ACCOUNT_ROLE_EDITOR,
    ACCOUNT_ROLE_ADMIN
};
const char *account_role_name(enum account_role role); /* "viewer"; "none" */
bool account_role_from_name(struct str name, enum account_role *out);

/* What a token is good for. read, write and admin stand for the roles viewer, editor and admin; the
 * other two open one door each and give no role. */
enum account_scope {
    ACCOUNT_SCOPE_READ = 1 << 0,
    ACCOUNT_SCOPE_WRITE = 1 << 1,
    ACCOUNT_SCOPE_ADMIN = 1 << 2,
    ACCOUNT_SCOPE_WRITE_SERIES = 1 << 3, /* "write:series": remote_write */
    ACCOUNT_SCOPE_AGENT =
        1 << 4 /* "agent": what hinomi-agent does (its own token is feature/agent's) */
};
#define ACCOUNT_SCOPE_COUNT 5
const char *account_scope_name(enum account_scope scope); /* one bit */
bool account_scope_from_name(struct str name, unsigned *out_bit);
enum account_role account_scopes_role(unsigned scopes); /* the highest role that they give */

/* Who is asking, decided once per request. */
enum account_kind { ACCOUNT_ANONYMOUS, ACCOUNT_SESSION, ACCOUNT_TOKEN };
struct account_principal {
    enum account_kind kind;
    enum account_role role;
    unsigned scopes;    /* of a token; 0 for a session */
    int64_t id;         /* of the user or of the token */
    struct str name;    /* of the user or of the token */
    struct str csrf;    /* of a session: what X-Hinomi-CSRF must equal; 43 characters */
    int64_t expires_ms; /* 0: never */
};

struct account_user {
    int64_t id;
    struct str name;
    enum account_role role;
    int64_t created_ms, last_login_ms; /* last_login_ms 0: never */
};
struct account_token {
    int64_t id;
    struct str name, prefix,
        created_by; /* prefix: "hnm_Ab3dE6" to tell it by; created_by: the actor's name */
    unsigned scopes;
    int64_t created_ms, last_used_ms,
        expires_ms; /* last used to the minute, 0: never; expires_ms 0: never */
};

#define ACCOUNT_NAME_BYTES_MAX 64
#define ACCOUNT_PASSWORD_BYTES_MIN 10
#define ACCOUNT_PASSWORD_BYTES_MAX 1024
#define ACCOUNT_SECRET_BYTES 44 /* of a session id: 43 characters base64url and NUL */
#define ACCOUNT_SESSION_MS                                                                         \
    (INT64_C(7) * 24 * 3600 * 1000) /* absolute: a stolen cookie dies within a week */
#define ACCOUNT_SESSION_IDLE_MS (INT64_C(24) * 3600 * 1000) /* unused for a day */
#define ACCOUNT_CACHE_MAX 1024
#define ACCOUNT_CACHE_MS 10000

struct account;
struct account *account_open(struct state *state, const struct clock *clock,
                             struct err *err) MUST_USE;
void account_close(struct account *ac);

/* Checks name and password and makes a session. peer: the address, for throttling and the audit
 * log. Within 15 minutes 5 failures of a name from one address, 20 of an address or 100 of a name
 * are the most: ERR_LIMITED. (A name alone locks late, or anybody could lock anybody out.)
 * out_secret: the cookie's value. */
bool account_login(struct account *ac, struct str name, struct str password, struct str peer,
                   struct arena *a, struct account_principal *out,
                   char out_secret[ACCOUNT_SECRET_BYTES], struct err *err) MUST_USE;
/* Whole seconds until this name from this address may try again; 0: now. For Retry-After. */
int64_t account_login_wait_s(struct account *ac, struct str name, struct str peer);
/* ERR_UNAUTHENTICATED: unknown or expired. Each use within the idle time keeps it alive. */
bool account_session_lookup(struct account *ac, struct str secret, struct arena *a,
                            struct account_principal *out, struct err *err) MUST_USE;
bool account_session_end(struct account *ac, struct str secret,
                         struct err *err) MUST_USE; /* unknown: fine */
/* Constant time. */
bool account_csrf_ok(const struct account_principal *p, struct str header);

/* Who does it, for the audit log. NULL: the command line of this machine. */
struct account_actor {
    struct str name;        /* a user, "token:<name>", "loopback" */
    enum account_role role; /* ACCOUNT_ROLE_NONE: shown as null */
    struct str peer;        /* address; may be empty */
};

bool account_user_create(struct account *ac, struct str name, struct str password,
                         enum account_role role, const struct account_actor *by, int64_t *out_id,
                         struct err *err) MUST_USE;
/* The first account, only while there is none (checked in the same transaction): becomes admin. */
bool account_user_create_first(struct account *ac, struct str name, struct str password,
                               const struct account_actor *by, int64_t *out_id,
                               struct err *err) MUST_USE;
bool account_user_delete(struct account *ac, int64_t id, const struct account_actor *by,
                         struct err *err) MUST_USE; /* last admin: ERR_CONFLICT */
bool account_user_set_password(struct account *ac, struct str name, struct str password,
                               const struct account_actor *by,
                               struct err *err) MUST_USE; /* ends the user's sessions */
bool account_user_set_role(struct account *ac, int64_t id, enum account_role role,
                           const struct account_actor *by, struct err *err) MUST_USE;
bool account_user_list(struct account *ac, struct arena *a, struct account_user **out,
                       size_t *out_n, struct err *err) MUST_USE; /* by name */
bool account_user_count(struct account *ac, int64_t *out, struct err *err) MUST_USE;

/* out_secret: "hnm_" and 43 characters, in the arena; shown once. expires_ms 0: never. */
bool account_token_create(struct account *ac, struct str name, unsigned scopes, int64_t expires_ms,
                          const struct account_actor *by, struct arena *a,
                          struct account_token *out, struct str *out_secret,
                          struct err *err) MUST_USE;
bool account_token_lookup(struct account *ac, struct str secret, struct arena *a,
                          struct account_principal *out, struct err *err) MUST_USE;
bool account_token_revoke(struct account *ac, int64_t id, const struct account_actor *by,
                          struct err *err) MUST_USE;
bool account_token_list(struct account *ac, struct arena *a, struct account_token **out,
                        size_t *out_n, struct err *err) MUST_USE; /* newest first */

/* The audit log: append only, kept 400 days. action: "user.create", "config.reload", "login",
 * "login_failed"; object: what it was done to, may be empty; detail: free text, may be empty, cut
 * at 2 KiB. */
struct account_audit {
    int64_t id, ts_ms;
    struct str actor, action, object, detail, peer; /* actor "command line" for NULL */
    enum account_role role;
};
bool account_audit(struct account *ac, const struct account_actor *by, struct str action,
                   struct str object, struct str detail, struct err *err) MUST_USE;
/* Newest first, older than before_ms (0: from the newest), at most limit (1..1000). */
bool account_audit_list(struct account *ac, int64_t before_ms, size_t limit, struct arena *a,
                        struct account_audit **out, size_t *out_n, struct err *err) MUST_USE;

#endif
