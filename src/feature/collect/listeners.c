/* listeners.c - what listens on this machine, which program it is, what it speaks, and which
 * certificate it shows. A listener that can be reached over loopback is asked once when it appears
 * (GET /metrics, a TLS handshake where that is likely), its certificate again every CERT_EVERY_MS.
 * Never asked: hinomi itself, ports of protocols that would take a stranger's words amiss, and what
 * is bound to other addresses.
 */
#include "feature/collect/collectors.h"
#include "feature/collect/protoprobe.h"
#include "feature/collect/seen.h"
#include "feature/collect/sockdiag.h"
#include "feature/collect/sockets.h"
#include "feature/collect/tlsprobe.h"
#include "net/http_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTENERS_MAX 512
#define PROCESS_BYTES_MAX 64
#define PROBE_TIMEOUT_MS 2000
#define PROBE_BODY_BYTES_MAX ((size_t)8 << 20)
#define PROBE_BUDGET_MS 5000 /* of one round: others wait for the next one */
#define CERT_EVERY_MS ((int64_t)5 * 60 * 1000)
#define RESOLVE_AGAIN_ROUNDS                                                                       \
    20 /* a socket whose process is not visible is looked for again that seldom */
#define DAY_MS 86400000.0

struct listener {
    struct seen_entry entry;      /* key: "tcp 127.0.0.1:80" */
    struct socket_entry s, other; /* other: one more socket at the same address */
    bool alive, has_other;        /* s was listed in this round; other is set */
    char process[PROCESS_BYTES_MAX];
    unsigned unresolved_rounds;
    bool own, probed, metrics;
    const char *kind; /* static */
    enum known tls;
    int64_t cert_checked_ms;
    struct arena cert_arena;
    struct tlsprobe_result cert;
    bool has_cert;
};
/* What the others see, made by gather, swapped in under env->lock. */
struct shown {
    struct arena arena;
    struct overview_listener *listeners;
    size_t n;
    struct overview_certificate *certificates;
    int64_t *earliest_ms;
    size_t n_certificates;
};
struct listeners {
    struct emit_table *table, *certs;
    struct procfile file[4];
    struct buf buf;
    struct seen all;
    struct shown *shown;
    uint16_t skip[64];
    size_t n_skip;
};

static const char *const labels[] = {"proto", "address", "port", "process", "kind"};
static const struct emit_metric metrics[] = {
    {"hinomi_listener_info", METRIC_GAUGE,
     "A socket that listens, by program and kind; the value is always 1."}};
static const struct emit_group group = {labels, 5, metrics, 1, LISTENERS_MAX};
static const char *const cert_labels[] = {"address", "subject"};
static const struct emit_metric cert_metrics[] = {
    {"probe_ssl_earliest_cert_expiry", METRIC_GAUGE,
     "When the first certificate of the chain that a local listener sends ends, in seconds since "
     "1970."}};
static const struct emit_group cert_group = {cert_labels, 2, cert_metrics, 1, LISTENERS_MAX};

/* By program, then by port. quiet: never spoken to over HTTP. tls: TLS from the first byte. */
static const struct {
    const char *process; /* prefix; NULL: by port alone */
    uint16_t port;       /* 0: any */
    const char *kind;
    bool quiet, tls;
} table[] = {
    {"nginx", 0, "nginx", false, false},
    {"postgres", 0, "postgresql", true, false},
    {"redis-server", 0, "redis", true, false},
    {"valkey-server", 0, "redis", true, false},
    {"mysqld", 0, "mysql", true, false},
    {"mariadbd", 0, "mysql", true, false},
    {"sshd", 0, "ssh", true, false},
    {"node_exporter", 0, "node_exporter", false, false},
    {"prometheus-node", 0, "node_exporter", false, false},
    {"hinomi", 0, "hinomi", true, false},
    {"memcached", 0, "memcached", true, false},
    {"mongod", 0, "mongodb", true, false},
    {"master", 25, "smtp", true, false},
    {"exim4", 0, "smtp", true, false},
    {"dovecot", 0, "imap", true, false},
    {"named", 0, "dns", true, false},
    {"dnsmasq", 0, "dns", true, false},
    {"systemd-resolve", 0, "dns", true, false},
    {"chronyd", 0, "ntp", true, false},
    {"rpcbind", 0, "rpc", true, false},
    {"smbd", 0, "smb", true, false},
    {"slapd", 0, "ldap", true, false},
    {"cupsd", 0, "ipp", true, false},
    {NULL, 22, "ssh", true, false},
    {NULL, 25, "smtp", true, false},
    {NULL, 53, "dns", true, false},
    {NULL, 110, "pop3", true, false},
    {NULL, 111, "rpc", true, false},
    {NULL, 139, "smb", true, false},
    {NULL, 143, "imap", true, false},
    {NULL, 389, "ldap", true, false},
    {NULL, 443, "http", false, true},
    {NULL, 445, "smb", true, false},
    {NULL, 465, "smtp", true, true},
    {NULL, 587, "smtp", true, false},
    {NULL, 631, "ipp", true, false},
    {NULL, 636, "ldap", true, true},
    {NULL, 993, "imap", true, true},
    {NULL, 995, "pop3", true, true},
    {NULL, 2049, "nfs", true, false},
    {NULL, 3306, "mysql", true, false},
    {NULL, 5432, "postgresql", true, false},
    {NULL, 5672, "amqp", true, false},
    {NULL, 6379, "redis", true, false},
    {NULL, 6443, "http", false, true},
    {NULL, 8443, "http", false, true},
    {NULL, 9092, "kafka", true, false},
    {NULL, 9100, "node_exporter", false, false},
    {NULL, 11211, "memcached", true, false},
    {NULL, 27017, "mongodb", true, false},
};
#define TABLE_N (sizeof(table) / sizeof(table[0]))

static bool init(void *self, struct collect_env *env, struct err *err) {
    static const char *const files[] = {"net/tcp", "net/tcp6", "net/udp", "net/udp6"};
    struct listeners *l = self;
    l->table = emit_table(env->emit, &group);
    l->certs = emit_table(env->emit, &cert_group);
    l->all.max = LISTENERS_MAX;
    for (size_t i = 0; i < env->config->tls_skip_ports.n && l->n_skip < 64; i++) {
        uint64_t port;
        if (!str_to_u64(env->config->tls_skip_ports.v[i], &port) || port > UINT16_MAX)
            return err_set(err, ERR_BAD_INPUT,
                           "tls_skip_ports: expected port numbers, found \"%.*s\"",
                           STR_FMT(env->config->tls_skip_ports.v[i]));
        l->skip[l->n_skip++] = (uint16_t)port;
    }
    for (size_t i = 0; i < 4; i++)
        if (!procfile_init(&l->file[i], env->proc, files[i], err))
            return false;
    return true;
}

static bool has_port(const uint16_t *ports, size_t n, uint16_t port) {
    for (size_t i = 0; i < n; i++)
        if (ports[i] == port)
            return true;
    return false;
}

static void drop_listener(void *entry) {
    arena_deinit(&((struct listener *)entry)->cert_arena);
}

/* The socket behind an address is new: another program, or the same one started again. */
static void adopt(struct listener *x, const struct collect_env *env, const struct socket_entry *s) {
    x->s = *s;
    x->kind = "unknown";
    x->tls = s->udp ? KNOWN_NO : KNOWN_UNKNOWN;
    x->own = has_port(env->own_ports, env->n_own_ports, s->port);
    x->unresolved_rounds = 0;
    x->process[0] = '\0';
    x->metrics = x->probed = x->has_cert = false;
}

/* Several sockets may share an address (SO_REUSEPORT: one a worker). The one that was there stands
 * for all as long as it lives, or the listener would change at each reading. */
static void see(struct listeners *l, const struct collect_env *env, const struct socket_entry *s) {
    char key[128];
    int n = snprintf(key, sizeof(key), "%s%s %s:%u", s->udp ? "udp" : "tcp", s->v6 ? "6" : "",
                     s->address, s->port);
    struct listener *x = seen_touch(&l->all, str_make(key, n > 0 ? (size_t)n : 0), sizeof(*x));
    if (!x)
        return;
    if (!x->kind)
        adopt(x, env, s);
    if (x->s.inode == s->inode) {
        x->alive = true;
    } else {
        x->other = *s;
        x->has_other = true;
    }
}

struct found {
    struct listeners *l;
    const struct collect_env *env;
};

static void see_found(void *self, const struct socket_entry *s) {
    const struct found *f = self;
    see(f->l, f->env, s);
}

static bool read_sockets(struct listeners *l, const struct collect_env *env, struct err *err) {
    struct found f = {l, env};
    seen_begin(&l->all);
    for (struct listener *x = seen_next(&l->all, NULL); x; x = seen_next(&l->all, x))
        x->alive = x->has_other = false;
    for (size_t i = 0; i < 4; i++) {
        struct str text, line;
        bool absent;
        /* the kernel's own list of listeners; /proc/net/tcp walks all connections for it */
        if (i < 2 && env->real_host && sockdiag_listeners(i == 1, see_found, &f))
            continue;
        if (!procfile_read(&l->file[i], &l->buf, &text, &absent, err))
            return false;
        while (scan_line(&text, &line)) {
            struct socket_entry s;
            if (sockets_parse_line(line, i >= 2, i % 2 == 1, &s))
                see(l, env, &s);
        }
    }
    seen_sweep(&l->all);
    for (struct listener *x = seen_next(&l->all, NULL); x; x = seen_next(&l->all, x))
        if (!x->alive && x->has_other)
            adopt(x, env, &x->other);
    return true;
}

static struct listener *by_inode(struct listeners *l, uint64_t inode) {
    for (struct listener *x = seen_next(&l->all, NULL); x; x = seen_next(&l->all, x))
        if (x->s.inode == inode)
            return x;
    return NULL;
}

/* The sockets among one process's descriptors. */
static void scan_process(struct listeners *l, int proc_fd, const char *pid) {
    char path[64], target[64], comm[PROCESS_BYTES_MAX];
    size_t comm_n = 0;
    snprintf(path, sizeof(path), "%s/fd", pid);
    int fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    struct dirent *d;
    while ((d = readdir(dir))) {
        ssize_t n =
            d->d_name[0] == '.' ? -1 : readlinkat(dirfd(dir), d->d_name, target, sizeof(target));
        uint64_t inode;
        struct str t = str_make(target, n > 0 ? (size_t)n : 0);
        if (!str_starts(t, STR("socket:[")) || !str_to_u64(str_sub(t, 8, t.n - 9), &inode))
            continue;
        struct listener *x = by_inode(l, inode);
        if (!x || x->process[0])
            continue;
        if (comm_n == 0) {
            struct str text;
            snprintf(path, sizeof(path), "%s/comm", pid);
            if (!procfile_slurp_at(proc_fd, path, PROCESS_BYTES_MAX, &l->buf, &text))
                break;
            struct buf clean = BUF_INIT;
            emit_clean(&clean, str_trim(text), PROCESS_BYTES_MAX - 1);
            comm_n = clean.n;
            memcpy(comm, clean.p ? clean.p : "", clean.n + 1);
            buf_deinit(&clean);
        }
        memcpy(x->process, comm, comm_n + 1);
        uint64_t own = 0;
        if (str_to_u64(str_from(pid), &own) && own == (uint64_t)getpid())
            x->own = true;
    }
    closedir(dir);
}

static void resolve(struct listeners *l, const struct collect_env *env) {
    bool wanted = false;
    for (struct listener *x = seen_next(&l->all, NULL); x; x = seen_next(&l->all, x))
        if (!x->process[0])
            wanted = wanted || x->unresolved_rounds++ % RESOLVE_AGAIN_ROUNDS == 0;
    DIR *dir = wanted ? opendir(env->proc) : NULL;
    if (!dir)
        return;
    struct dirent *d;
    while ((d = readdir(dir)) && !*env->stopping)
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && strlen(d->d_name) < 16)
            scan_process(l, dirfd(dir), d->d_name);
    closedir(dir);
}

/* Index in the table, or SIZE_MAX. */
static size_t classify(const struct listener *x) {
    for (size_t i = 0; i < TABLE_N; i++) {
        if (table[i].port && table[i].port != x->s.port)
            continue;
        if (table[i].process && !str_starts(str_from(x->process), str_from(table[i].process)))
            continue;
        if (!table[i].process && x->s.udp && table[i].port != 53 && table[i].port != 111)
            continue;
        return i;
    }
    return SIZE_MAX;
}

static const char *loopback_of(const struct listener *x) {
    if (x->s.any)
        return x->s.v6 ? "::1" : "127.0.0.1";
    return x->s.loopback ? x->s.address : NULL;
}

static bool is_metrics(const struct http_reply *r) {
    struct str type = http_reply_header(r, "content-type"), body = buf_view(&r->body);
    if (r->status != 200)
        return false;
    if (str_find(type, STR("openmetrics")) != SIZE_MAX ||
        str_find(type, STR("version=0.0.4")) != SIZE_MAX)
        return true;
    return str_starts(type, STR("text/plain")) &&
           (str_starts(body, STR("# HELP ")) || str_starts(body, STR("# TYPE ")));
}

/* true: it answered HTTP. */
static bool probe_http(struct listener *x, const struct collect_env *env, const char *address,
                       bool *out_wants_tls) {
    char url[128];
    bool six = strchr(address, ':') != NULL;
    snprintf(url, sizeof(url), "http://%s%s%s:%u/metrics", six ? "[" : "", address, six ? "]" : "",
             x->s.port);
    struct http_header headers[] = {{STR("Accept"), STR("text/plain;version=0.0.4")}};
    struct http_call call = {.method = "GET",
                             .url = url,
                             .headers = headers,
                             .n_headers = 1,
                             .timeout_ms = PROBE_TIMEOUT_MS,
                             .body_max = PROBE_BODY_BYTES_MAX};
    struct http_reply reply = {0};
    struct err err = {0};
    bool answered = http_client_do(env->http, &call, &reply, &err) && reply.status > 0;
    if (answered) {
        struct str body = buf_view(&reply.body);
        *out_wants_tls = reply.status == 400;
        x->metrics = is_metrics(&reply);
        if (x->metrics && str_find(body, STR("\nnode_exporter_build_info")) != SIZE_MAX)
            x->kind = "node_exporter";
        else if (strcmp(x->kind, "unknown") == 0)
            x->kind = x->metrics ? "metrics" : "http";
    } else {
        *out_wants_tls = err.code != ERR_TIMEOUT && err.code != ERR_TOO_LARGE;
    }
    http_reply_deinit(&reply);
    return answered;
}

static void probe_tls(struct listener *x, const char *address, int64_t now_ms) {
    struct err err = {0};
    struct tlsprobe_result r;
    x->cert_checked_ms = now_ms;
    arena_reset(&x->cert_arena);
    x->has_cert = tlsprobe(address, x->s.port, &x->cert_arena, &r, &err);
    if (x->has_cert) {
        x->cert = r;
        x->tls = KNOWN_YES;
        if (strcmp(x->kind, "unknown") == 0)
            x->kind = "tls";
    } else if (err.code == ERR_BAD_INPUT) {
        x->tls = KNOWN_NO;
    }
}

static void probe(struct listeners *l, const struct collect_env *env, struct listener *x,
                  int64_t now_ms) {
    size_t row = classify(x);
    if (row != SIZE_MAX)
        x->kind = table[row].kind;
    x->probed = true;
    const char *address = loopback_of(x);
    if (x->own)
        x->kind = "hinomi";
    if (x->s.udp || x->own || !address || !env->real_host || env->config->probe_disabled ||
        !env->http)
        return;
    bool quiet = row != SIZE_MAX && table[row].quiet, tls = row != SIZE_MAX && table[row].tls;
    bool skip_tls = has_port(l->skip, l->n_skip, x->s.port);
    if (row == SIZE_MAX) {
        const char *greets = protoprobe_listen(address, x->s.port);
        if (greets) { /* it spoke first: HTTP would not have */
            x->kind = greets;
            return;
        }
    }
    bool answered = false;
    if (!quiet && !tls)
        answered = probe_http(x, env, address, &tls);
    if (!quiet && !answered && row != SIZE_MAX && !table[row].tls)
        tls = false; /* a known program that does not answer: leave it alone */
    if (!tls)
        x->tls = quiet ? KNOWN_UNKNOWN : KNOWN_NO;
    if (tls && !skip_tls)
        probe_tls(x, address, now_ms);
    if (row == SIZE_MAX && !answered && !x->has_cert) {
        const char *kind = protoprobe_ask(address, x->s.port);
        x->kind = kind ? kind : x->kind;
        x->tls = kind ? KNOWN_UNKNOWN : x->tls;
    }
}

static void probe_due(struct listeners *l, const struct collect_env *env) {
    int64_t until = clock_mono_ms(env->clock) + PROBE_BUDGET_MS, now_ms = clock_wall_ms(env->clock);
    for (struct listener *x = seen_next(&l->all, NULL); x; x = seen_next(&l->all, x)) {
        if (*env->stopping || clock_mono_ms(env->clock) > until)
            return;
        if (!x->probed)
            probe(l, env, x, now_ms);
        else if (x->has_cert && now_ms - x->cert_checked_ms >= CERT_EVERY_MS)
            probe_tls(x, loopback_of(x), now_ms);
    }
}

static struct str text_or_null(struct arena *a, const char *z) {
    return z[0] ? arena_str(a, str_from(z)) : (struct str){NULL, 0};
}

static void offer(struct arena *a, const struct listener *x, struct overview_offer *o) {
    const char *address = loopback_of(x);
    if (!x->metrics || !address)
        return;
    bool six = strchr(address, ':') != NULL;
    const char *l = six ? "[" : "", *r = six ? "]" : "";
    char job[PROCESS_BYTES_MAX + 8];
    size_t n = 0;
    const char *name = strcmp(x->kind, "node_exporter") == 0 ? x->kind : x->process;
    for (; name[n] && n < PROCESS_BYTES_MAX; n++) {
        char c = name[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        job[n] = plain ? c : '_';
    }
    job[n] = '\0';
    if (n == 0)
        snprintf(job, sizeof(job), "port%u", x->s.port);
    o->job = arena_str(a, str_from(job));
    o->url = arena_printf(a, "http://%s%s%s:%u/metrics", l, address, r, x->s.port);
    o->yaml =
        arena_printf(a, "- job_name: \"%s\"\n  static_configs:\n    - targets: [\"%s%s%s:%u\"]\n",
                     job, l, address, r, x->s.port);
    o->present = true;
}

static void show_certificate(struct shown *s, const struct listener *x) {
    struct arena *a = &s->arena;
    struct overview_certificate *c = &s->certificates[s->n_certificates];
    const struct tlsprobe_result *r = &x->cert;
    bool six = strchr(x->s.address, ':') != NULL;
    c->address =
        arena_printf(a, "%s%s%s:%u", six ? "[" : "", loopback_of(x), six ? "]" : "", x->s.port);
    c->subject = r->subject.n ? arena_str(a, r->subject) : (struct str){NULL, 0};
    c->issuer = r->issuer.n ? arena_str(a, r->issuer) : (struct str){NULL, 0};
    c->not_before_ms = r->not_before_ms;
    c->not_after_ms = r->not_after_ms;
    c->names = ARENA_ARRAY(a, struct str, r->n_names + 1);
    for (size_t i = 0; c->names && i < r->n_names; i++)
        c->names[c->n_names++] = arena_str(a, r->names[i]);
    s->earliest_ms[s->n_certificates++] = r->earliest_not_after_ms;
}

static void shown_free(struct shown *s) {
    if (!s)
        return;
    arena_deinit(&s->arena);
    free(s);
}

/* Publishes what is known now. */
static void show(struct listeners *l, struct collect_env *env) {
    struct shown *s = calloc(1, sizeof(*s));
    if (!s)
        return;
    size_t n = seen_count(&l->all);
    s->listeners = ARENA_ARRAY(&s->arena, struct overview_listener, n + 1);
    s->certificates = ARENA_ARRAY(&s->arena, struct overview_certificate, n + 1);
    s->earliest_ms = ARENA_ARRAY(&s->arena, int64_t, n + 1);
    for (struct listener *x = seen_next(&l->all, NULL); x && !s->arena.failed;
         x = seen_next(&l->all, x)) {
        struct overview_listener *o = &s->listeners[s->n++];
        o->proto = x->s.udp ? STR("udp") : STR("tcp");
        o->address = arena_str(&s->arena, str_from(x->s.address));
        o->port = x->s.port;
        o->process = text_or_null(&s->arena, x->process);
        o->kind = str_from(x->kind ? x->kind : "unknown");
        o->tls = x->tls;
        offer(&s->arena, x, &o->offer);
        if (x->has_cert)
            show_certificate(s, x);
    }
    if (s->arena.failed) {
        shown_free(s);
        return;
    }
    mutex_lock(env->lock);
    struct shown *old = l->shown;
    l->shown = s;
    mutex_unlock(env->lock);
    shown_free(old);
}

static bool gather(void *self, struct collect_env *env, struct err *err) {
    struct listeners *l = self;
    l->all.drop = drop_listener;
    if (!read_sockets(l, env, err))
        return false;
    resolve(l, env);
    show(l, env); /* who listens is known at once; what it speaks may take seconds */
    probe_due(l, env);
    show(l, env);
    return true;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    (void)env;
    (void)err;
    struct listeners *l = self;
    if (!l->shown)
        return true; /* the first round is under way */
    for (size_t i = 0; i < l->shown->n; i++) {
        const struct overview_listener *o = &l->shown->listeners[i];
        char port[8];
        snprintf(port, sizeof(port), "%d", (int)o->port);
        struct str values[] = {o->proto, o->address, str_from(port), o->process, o->kind};
        emit_put(emit_item(l->table, values), 0, 1);
    }
    for (size_t i = 0; i < l->shown->n_certificates; i++) {
        const struct overview_certificate *c = &l->shown->certificates[i];
        struct str values[] = {c->address, c->subject};
        if (l->shown->earliest_ms[i] != INT64_MIN)
            emit_put(emit_item(l->certs, values), 0, (double)l->shown->earliest_ms[i] / 1000.0);
    }
    return true;
}

static struct str again(struct arena *a, struct str s) {
    return s.p ? arena_str(a, s) : s;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    const struct shown *s = ((struct listeners *)self)->shown;
    if (!s)
        return;
    out->listeners = ARENA_ARRAY(a, struct overview_listener, s->n + 1);
    for (size_t i = 0; out->listeners && i < s->n; i++) {
        struct overview_listener o = s->listeners[i];
        o.address = again(a, o.address);
        o.process = again(a, o.process);
        o.offer.job = again(a, o.offer.job);
        o.offer.url = again(a, o.offer.url);
        o.offer.yaml = again(a, o.offer.yaml);
        out->listeners[out->n_listeners++] = o;
    }
    out->certificates = ARENA_ARRAY(a, struct overview_certificate, s->n_certificates + 1);
    for (size_t i = 0; out->certificates && i < s->n_certificates; i++) {
        struct overview_certificate c = s->certificates[i];
        c.address = again(a, c.address);
        c.subject = again(a, c.subject);
        c.issuer = again(a, c.issuer);
        struct str *names = ARENA_ARRAY(a, struct str, c.n_names + 1);
        for (size_t k = 0; names && k < c.n_names; k++)
            names[k] = again(a, c.names[k]);
        c.names = names;
        c.days_left = c.not_after_ms == INT64_MIN ? collect_nan()
                                                  : (double)(c.not_after_ms - out->now_ms) / DAY_MS;
        out->certificates[out->n_certificates++] = c;
    }
}

static void deinit(void *self) {
    struct listeners *l = self;
    for (size_t i = 0; i < 4; i++)
        procfile_deinit(&l->file[i]);
    l->all.drop = drop_listener;
    seen_deinit(&l->all);
    buf_deinit(&l->buf);
    shown_free(l->shown);
}

const struct collector listeners_collector = {
    .name = "listeners",
    .help = "What listens here, what it is, and its certificate",
    .every = EVERY_15_S,
    .size = sizeof(struct listeners),
    .init = init,
    .gather = gather,
    .collect = collect,
    .overview = overview,
    .deinit = deinit};
