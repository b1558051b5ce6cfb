#include "feature/agent/agent_server.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "feature/agent/agentwire.h"
#include "os/random.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define SAVE_SEEN_MS 60000
#define NAME_BYTES_MAX 255
#define AGENTS_MAX 10000
#define ID_BYTES 24

struct known {            /* one agent, in memory */
    struct mutex writing; /* one message at a time */
    char id[ID_BYTES];
    char host[NAME_BYTES_MAX + 1], version[64], peer[64];
    unsigned char secret_hash[SHA256_BYTES];
    int64_t enrolled_ms, last_seen_ms, saved_ms, buffered_bytes;
    unsigned users; /* calls that hold it */
    bool deleted;
};
struct agent_server {
    struct agent_server_options opt;
    struct clock clock;
    struct mutex lock;
    struct map by_id, by_hash; /* struct known *; by_hash borrows its key from it */
    int64_t opened_ms;
};

/* ---- secrets ---- */

static void make_secret(const char *prefix, char out[AGENT_SECRET_BYTES]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char raw[33] = {0};
    random_bytes(raw, 32);
    size_t n = 0;
    for (; prefix[n]; n++)
        out[n] = prefix[n];
    for (size_t i = 0; i < 43; i++) { /* 256 bits as base64url */
        size_t bit = i * 6, byte = bit / 8;
        unsigned v = (unsigned)raw[byte] << 8 | raw[byte + 1];
        out[n++] = digits[(v >> (10 - bit % 8)) & 63];
    }
    out[n] = '\0';
}

static struct str hash_of(struct str secret, unsigned char out[SHA256_BYTES]) {
    sha256(secret, out);
    return str_make((const char *)out, SHA256_BYTES);
}

/* ---- registry ---- */

static void put_text(char *out, size_t cap, struct str s) {
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    while (n && !str_is_utf8(str_make(s.p, n)))
        n--;
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

static void known_free(struct known *k) {
    mutex_deinit(&k->writing);
    free(k);
}

static struct known *known_add(struct agent_server *s, struct str id, struct str hash,
                               struct err *err) {
    struct known *k = hash.n == SHA256_BYTES && id.n < ID_BYTES ? calloc(1, sizeof(*k)) : NULL;
    if (!k) {
        err_set(err, ERR_INTERNAL, "an agent's row cannot be used");
        return NULL;
    }
    mutex_init(&k->writing);
    put_text(k->id, sizeof(k->id), id);
    memcpy(k->secret_hash, hash.p, SHA256_BYTES);
    k->buffered_bytes = -1;
    struct str key = str_make((const char *)k->secret_hash, SHA256_BYTES);
    if (map_put(&s->by_id, id, k, NULL) && map_put(&s->by_hash, key, k, NULL))
        return k;
    (void)map_del(&s->by_id, id);
    known_free(k);
    err_set(err, ERR_INTERNAL, "out of memory");
    return NULL;
}

static bool load(struct agent_server *s, struct err *err) {
    struct state_tx *tx = state_begin_read(s->opt.state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(
        tx, err,
        "SELECT id,host,token_hash,version,enrolled_ms,last_seen_ms,remote_address,buffered_bytes "
        "FROM agents",
        "");
    bool ok = r != NULL;
    struct err row = {0};
    while (ok && state_next(r, &row)) {
        struct known *k = known_add(s, state_str(r, 0), state_str(r, 2), err);
        ok = k != NULL;
        if (!ok)
            break;
        put_text(k->host, sizeof(k->host), state_str(r, 1));
        put_text(k->version, sizeof(k->version), state_str(r, 3));
        k->enrolled_ms = state_int(r, 4);
        k->last_seen_ms = k->saved_ms = state_int(r, 5);
        put_text(k->peer, sizeof(k->peer), state_str(r, 6));
        k->buffered_bytes = state_is_null(r, 7) ? -1 : state_int(r, 7);
    }
    if (ok && row.code != ERR_OK) {
        *err = row;
        ok = false;
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    return ok;
}

struct agent_server *agent_server_open(const struct agent_server_options *opt, struct err *err) {
    struct agent_server *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    s->opt = *opt;
    s->clock = *opt->clock;
    s->opened_ms = clock_wall_ms(&s->clock);
    s->by_hash.borrow_keys = true;
    mutex_init(&s->lock);
    if (!load(s, err)) {
        agent_server_close(s);
        return NULL;
    }
    return s;
}

/* One row of what changes often; the caller holds no lock that a reader needs. */
static bool save_seen(struct agent_server *s, const struct known *k, struct err *err) {
    struct state_tx *tx = state_begin(s->opt.state, err);
    if (!tx)
        return false;
    const char *types = k->buffered_bytes < 0 ? "sisns" : "sisis";
    static const char sql[] =
        "UPDATE agents SET version=?,last_seen_ms=?,remote_address=?,buffered_bytes=? WHERE id=?";
    bool ok;
    if (k->buffered_bytes < 0)
        ok = state_exec(tx, err, sql, types, str_from(k->version), k->last_seen_ms,
                        str_from(k->peer), str_from(k->id));
    else
        ok = state_exec(tx, err, sql, types, str_from(k->version), k->last_seen_ms,
                        str_from(k->peer), k->buffered_bytes, str_from(k->id));
    if (ok)
        return state_commit(tx, err);
    state_rollback(tx);
    return false;
}

void agent_server_close(struct agent_server *s) {
    if (!s)
        return;
    for (struct map_entry *e = map_next(&s->by_id, NULL); e; e = map_next(&s->by_id, e)) {
        struct known *k = e->value;
        struct err err = {0};
        if (k->last_seen_ms > k->saved_ms && !save_seen(s, k, &err))
            log_warn("agent", "%s", err.message);
        known_free(k);
    }
    map_deinit(&s->by_hash);
    map_deinit(&s->by_id);
    mutex_deinit(&s->lock);
    free(s);
}

static struct known *borrow(struct agent_server *s, struct str id) {
    mutex_lock(&s->lock);
    struct known *k = map_get(&s->by_id, id);
    if (k)
        k->users++;
    mutex_unlock(&s->lock);
    return k;
}

static void give_back(struct agent_server *s, struct known *k) {
    mutex_lock(&s->lock);
    bool last = --k->users == 0 && k->deleted;
    mutex_unlock(&s->lock);
    if (last)
        known_free(k);
}

/* ---- enrolment ---- */

bool agent_server_enroll_token(struct agent_server *s, struct str note, struct str created_by,
                               int64_t ttl_ms, char out_token[AGENT_SECRET_BYTES],
                               int64_t *out_expires_ms, struct err *err) {
    char token[AGENT_SECRET_BYTES];
    unsigned char hash[SHA256_BYTES];
    make_secret("hne_", token);
    int64_t now = clock_wall_ms(&s->clock),
            expires = now + (ttl_ms > 0 ? ttl_ms : AGENT_ENROLL_TOKEN_MS);
    struct state_tx *tx = state_begin(s->opt.state, err);
    if (!tx)
        return false;
    bool ok = state_exec(tx, err, "DELETE FROM enroll_tokens WHERE expires_ms<?", "i",
                         now - AGENT_ENROLL_TOKEN_MS * 24);
    ok = ok && state_exec(
                   tx, err,
                   "INSERT INTO enroll_tokens(hash,created_ms,expires_ms,uses_left,created_by,note)"
                   " VALUES(?,?,?,1,?,?)",
                   "biiss", hash_of(str_from(token), hash), now, expires, created_by, note);
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    if (!state_commit(tx, err))
        return false;
    memcpy(out_token, token, sizeof(token));
    *out_expires_ms = expires;
    return true;
}

static bool use_token(struct agent_server *s, struct state_tx *tx, struct str token, int64_t now,
                      struct err *err) {
    (void)s;
    unsigned char hash[SHA256_BYTES];
    if (!state_exec(tx, err,
                    "UPDATE enroll_tokens SET uses_left=uses_left-1,used_ms=? WHERE hash=? AND "
                    "uses_left>0 AND"
                    " expires_ms>?",
                    "ibi", now, hash_of(token, hash), now))
        return false;
    if (state_changes(tx) == 1)
        return true;
    return err_set(err, ERR_UNAUTHENTICATED,
                   "the enrol token is wrong, used or expired: make a new one");
}

bool agent_server_enroll(struct agent_server *s, struct str token, struct str host,
                         struct str version, struct str peer, struct arena *a, struct str *out_id,
                         struct str *out_secret, struct err *err) {
    if (host.n == 0 || host.n > NAME_BYTES_MAX || !str_is_utf8(host))
        return err_set(err, ERR_BAD_INPUT, "host: expected a name of 1 to %d bytes",
                       NAME_BYTES_MAX);
    char secret[AGENT_SECRET_BYTES], id[ID_BYTES], short_version[64];
    unsigned char hash[SHA256_BYTES];
    make_secret("hna_", secret);
    snprintf(id, sizeof(id), "a%016llx", (unsigned long long)random_u64());
    put_text(short_version, sizeof(short_version), version);
    struct str hashed = hash_of(str_from(secret), hash);
    int64_t now = clock_wall_ms(&s->clock);
    mutex_lock(&s->lock);
    bool full = s->by_id.n_live >= AGENTS_MAX;
    mutex_unlock(&s->lock);
    if (full)
        return err_set(err, ERR_LIMITED,
                       "%d agents are enrolled, which is the limit: delete those that are gone",
                       AGENTS_MAX);
    struct state_tx *tx = state_begin(s->opt.state, err);
    if (!tx)
        return false;
    bool ok =
        use_token(s, tx, token, now, err) &&
        state_exec(tx, err,
                   "INSERT INTO agents(id,host,token_hash,version,enrolled_ms,remote_address) "
                   "VALUES(?,?,?,?,?,?)",
                   "ssbsis", str_from(id), host, hashed, str_from(short_version), now, peer);
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    if (!state_commit(tx, err))
        return false;
    mutex_lock(&s->lock);
    struct known *k = known_add(s, str_from(id), hashed, err);
    if (k) {
        put_text(k->host, sizeof(k->host), host);
        put_text(k->version, sizeof(k->version), version);
        put_text(k->peer, sizeof(k->peer), peer);
        k->enrolled_ms = now;
    }
    mutex_unlock(&s->lock);
    if (!k)
        return false;
    *out_id = arena_str(a, str_from(id));
    *out_secret = arena_str(a, str_from(secret));
    log_info("agent", "%.*s enrolled as %s", STR_FMT(host), id);
    return (out_id->p && out_secret->p) || arena_err(a, err);
}

bool agent_server_authenticate(struct agent_server *s, struct str secret, struct arena *a,
                               struct str *out_id, struct err *err) {
    unsigned char hash[SHA256_BYTES];
    mutex_lock(&s->lock);
    struct known *k = map_get(&s->by_hash, hash_of(secret, hash));
    struct str id = k ? arena_str(a, str_from(k->id)) : STR("");
    mutex_unlock(&s->lock);
    if (!k)
        return err_set(err, ERR_UNAUTHENTICATED,
                       "this agent's credential is unknown or revoked: enrol it again");
    *out_id = id;
    return id.p || arena_err(a, err);
}

void agent_server_seen(struct agent_server *s, struct str id, struct str version, struct str peer,
                       int64_t buffered_bytes) {
    struct known *k = borrow(s, id);
    if (!k)
        return;
    mutex_lock(&s->lock);
    k->last_seen_ms = clock_wall_ms(&s->clock);
    if (version.n)
        put_text(k->version, sizeof(k->version), version);
    if (peer.n)
        put_text(k->peer, sizeof(k->peer), peer);
    k->buffered_bytes = buffered_bytes;
    bool save = k->last_seen_ms - k->saved_ms >= SAVE_SEEN_MS;
    if (save)
        k->saved_ms = k->last_seen_ms;
    struct known now = *k;
    mutex_unlock(&s->lock);
    struct err err = {0};
    if (save && !save_seen(s, &now, &err))
        log_warn("agent", "%s", err.message);
    give_back(s, k);
}

/* ---- taking what they send ---- */

static struct spool_position committed(struct agent_server *s, struct str id) {
    struct spool_position p = {0, 0};
    s->opt.position(s->opt.position_self, id, &p.segment, &p.offset);
    return p;
}

static void refuse(struct agent_answer *out, const char *why) {
    if (!out->first_rejected[0])
        snprintf(out->first_rejected, sizeof(out->first_rejected), "%s", why);
}

static bool write_record(struct agent_server *s, struct str id, const struct agentwire_part *part,
                         struct agent_answer *out, struct err *err) {
    struct arena a = ARENA_INIT_MAX(AGENTWIRE_ARENA_BYTES_MAX);
    struct agentwire_record r;
    struct err bad = {0};
    if (!agentwire_decode(part->record, &a, &r, &bad)) {
        arena_deinit(&a);
        if (bad.code == ERR_INTERNAL || bad.code == ERR_UNSUPPORTED) {
            *err = bad; /* ours, or to be sent again once this server is newer */
            return false;
        }
        /* it will never become readable: step over it, and say so */
        out->refused_records++;
        refuse(out, bad.message);
        log_error("agent", "%.*s: %s", STR_FMT(id), bad.message);
        return true;
    }
    char source[ID_BYTES + LIMIT_LABEL_NAME_BYTES + 16];
    int n = snprintf(source, sizeof(source), "agent/%.*s/%.*s", STR_FMT(id), STR_FMT(r.source));
    struct batch b = {.kind = SOURCE_AGENT,
                      .source = str_make(source, n > 0 ? (size_t)n : 0),
                      .rows = r.rows,
                      .n = r.n_rows,
                      .agent = id,
                      .agent_segment = part->segment,
                      .agent_offset = part->offset};
    struct write_result w = {0};
    if (r.n_meta && s->opt.meta) /* before the rows: a crash in between only makes it come twice */
        s->opt.meta(s->opt.meta_self, r.meta, r.n_meta);
    struct err failed = {0};
    bool ok = sink_write(&s->opt.sink, &b, &w, &failed);
    if (!ok && (failed.code == ERR_BAD_INPUT || failed.code == ERR_TOO_LARGE)) {
        out->refused_records++; /* sending it again would not help */
        refuse(out, failed.message);
        ok = true;
    } else if (!ok && err) {
        *err = failed;
    }
    if (ok) {
        out->accepted_samples += w.accepted;
        for (int i = 0; i < REJECT_COUNT; i++)
            out->rejected_samples += w.rejected[i];
        if (w.first_rejected[0])
            refuse(out, w.first_rejected);
    }
    arena_deinit(&a);
    return ok;
}

static bool take_message(struct agent_server *s, struct str id, struct str message,
                         struct agent_answer *out, struct err *err) {
    struct cur c;
    struct agentwire_part part;
    struct err end = {0};
    if (!agentwire_message_open(message, &c, err))
        return false;
    while (agentwire_message_next(&c, &part, &end)) {
        struct spool_position at = {part.segment, part.offset};
        out->records++;
        if (!spool_before(out->position, at)) {
            out->duplicate_records++; /* the answer to the first time was lost */
            continue;
        }
        if (!write_record(s, id, &part, out, err))
            return false;
        out->position = at;
    }
    if (end.code != ERR_OK) {
        if (err)
            *err = end;
        return false;
    }
    return true;
}

bool agent_server_write(struct agent_server *s, struct str id, struct str message,
                        struct agent_answer *out, struct err *err) {
    *out = (struct agent_answer){0};
    struct known *k = borrow(s, id);
    if (!k)
        return err_set(err, ERR_UNAUTHENTICATED, "agent %.*s is not enrolled", STR_FMT(id));
    mutex_lock(&k->writing);
    out->position = committed(s, id);
    bool ok = take_message(s, id, message, out, err);
    mutex_unlock(&k->writing);
    give_back(s, k);
    return ok;
}

bool agent_server_poll(struct agent_server *s, struct str id, struct buf *json, struct err *err) {
    struct known *k = borrow(s, id);
    if (!k)
        return err_set(err, ERR_UNAUTHENTICATED, "agent %.*s is not enrolled", STR_FMT(id));
    struct buf scrape = BUF_INIT;
    int64_t interval_ms = 0;
    if (s->opt.config)
        s->opt.config(s->opt.config_self, id, str_from(k->host), &scrape, &interval_ms);
    struct spool_position p = committed(s, id);
    struct str yaml = scrape.p ? buf_view(&scrape) : STR("");
    uint64_t version = hash_mix(hash_str(yaml), (uint64_t)interval_ms);
    struct jsonw w = JSONW_INIT(json);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", id);
    jsonw_ku64(&w, "segment", p.segment);
    jsonw_ku64(&w, "offset", p.offset);
    jsonw_ki64(&w, "interval_ms", interval_ms);
    jsonw_kstr(&w, "scrape_configs", yaml);
    jsonw_key(&w, "config_version");
    jsonw_printf(&w, "%016llx", (unsigned long long)version);
    jsonw_end(&w);
    bool ok = buf_ok(&scrape) && buf_ok(json);
    buf_deinit(&scrape);
    give_back(s, k);
    return ok || err_set(err, ERR_INTERNAL, "out of memory");
}

/* ---- for the screen ---- */

static int by_host(const void *x, const void *y) {
    const struct agent_info *a = x, *b = y;
    int c = str_cmp(a->host, b->host);
    return c ? c : str_cmp(a->id, b->id);
}

static struct str text_or_null(struct arena *a, const char *z) {
    return z[0] ? arena_str(a, str_from(z)) : (struct str){0};
}

bool agent_server_list(struct agent_server *s, struct arena *a, struct agent_info **out,
                       size_t *out_n, struct err *err) {
    mutex_lock(&s->lock);
    struct agent_info *v = ARENA_ARRAY(a, struct agent_info, (size_t)s->by_id.n_live + 1);
    size_t n = 0;
    for (struct map_entry *e = v ? map_next(&s->by_id, NULL) : NULL; e;
         e = map_next(&s->by_id, e)) {
        const struct known *k = e->value;
        v[n++] = (struct agent_info){.id = arena_str(a, str_from(k->id)),
                                     .host = arena_str(a, str_from(k->host)),
                                     .version = text_or_null(a, k->version),
                                     .remote_address = text_or_null(a, k->peer),
                                     .enrolled_ms = k->enrolled_ms,
                                     .last_seen_ms = k->last_seen_ms,
                                     .buffered_bytes = k->buffered_bytes};
    }
    mutex_unlock(&s->lock);
    if (a->failed)
        return arena_err(a, err);
    for (size_t i = 0; i < n; i++)
        v[i].position = committed(s, v[i].id);
    qsort(v, n, sizeof(*v), by_host);
    *out = v;
    *out_n = n;
    return true;
}

/* ---- whether they are there ---- */

static bool write_up(struct agent_server *s, const struct batch_row *rows, size_t n,
                     struct err *err) {
    struct batch b = {.kind = SOURCE_SELF, .source = STR("agents"), .rows = rows, .n = n};
    struct write_result w = {0};
    return n == 0 || sink_write(&s->opt.sink, &b, &w, err);
}

static bool up_row(struct arena *a, struct str host, int64_t ts_ms, double value,
                   struct batch_row *out) {
    struct label *l = ARENA_ARRAY(a, struct label, 3);
    struct str copy = arena_str(a, host);
    if (!l || !copy.p)
        return false;
    l[0] = (struct label){STR(LABEL_NAME), STR("up")};
    l[1] = (struct label){STR("instance"), copy};
    l[2] = (struct label){STR("job"), STR("hinomi-agent")};
    *out = (struct batch_row){{l, 3}, ts_ms, value};
    return true;
}

/* Of several agents of one name (enrolled again) the one heard last speaks for the host. */
static size_t same_host(const struct batch_row *rows, size_t n, struct str host) {
    size_t i = 0;
    while (i < n && !str_eq(rows[i].labels.l[1].value, host))
        i++;
    return i;
}

bool agent_server_report(struct agent_server *s, struct err *err) {
    struct arena a = ARENA_INIT_MAX((size_t)16 << 20);
    int64_t now = clock_wall_ms(&s->clock);
    size_t n = 0;
    mutex_lock(&s->lock);
    struct batch_row *rows = ARENA_ARRAY(&a, struct batch_row, (size_t)s->by_id.n_live + 1);
    for (struct map_entry *e = rows ? map_next(&s->by_id, NULL) : NULL; e;
         e = map_next(&s->by_id, e)) {
        const struct known *k = e->value;
        bool heard = now - k->last_seen_ms <= AGENT_STALE_MS;
        if (!k->last_seen_ms || (!heard && now - s->opened_ms <= AGENT_STALE_MS))
            continue;
        size_t i = same_host(rows, n, str_from(k->host));
        if (i < n)
            rows[i].value = rows[i].value > 0 || heard ? 1 : 0;
        else if (up_row(&a, str_from(k->host), now, heard ? 1 : 0, &rows[n]))
            n++;
    }
    mutex_unlock(&s->lock);
    bool ok = a.failed ? arena_err(&a, err) : write_up(s, rows, n, err);
    arena_deinit(&a);
    return ok;
}

/* Its last word, so that a deleted agent does not ring for minutes. */
static void bury(struct agent_server *s, const char *host) {
    struct arena a = ARENA_INIT_MAX(65536);
    struct batch_row row;
    struct err err = {0};
    if (up_row(&a, str_from(host), clock_wall_ms(&s->clock), sample_stale(), &row) &&
        !write_up(s, &row, 1, &err))
        log_warn("agent", "%s", err.message);
    arena_deinit(&a);
}

bool agent_server_delete(struct agent_server *s, struct str id, struct err *err) {
    struct state_tx *tx = state_begin(s->opt.state, err);
    if (!tx)
        return false;
    bool ok = state_exec(tx, err, "DELETE FROM agents WHERE id=?", "s", id);
    int64_t changes = ok ? state_changes(tx) : 0;
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    if (!state_commit(tx, err))
        return false;
    mutex_lock(&s->lock);
    char host[NAME_BYTES_MAX + 1] = "";
    struct known *k = map_del(&s->by_id, id);
    if (k) {
        memcpy(host, k->host, sizeof(host));
        (void)map_del(&s->by_hash, str_make((const char *)k->secret_hash, SHA256_BYTES));
        k->deleted = true;
    }
    bool free_now = k && k->users == 0;
    mutex_unlock(&s->lock);
    if (free_now)
        known_free(k);
    if (host[0])
        bury(s, host);
    return changes == 1 || err_set(err, ERR_NOT_FOUND, "there is no agent %.*s", STR_FMT(id));
}
