/* host.c - what machine this is: uname(2), os-release(5), DMI, and whether it is a machine at all
 * or a container, in which case everything that hinomi shows is about the container. */
#include "feature/collect/collectors.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#define OS_FIELDS 13
#define OS_VALUE_BYTES_MAX 256

/* Inode numbers of the first namespaces, fixed in the kernel (include/linux/proc_ns.h). */
#define INIT_PID_NS "pid:[4026531836]"
#define INIT_CGROUP_NS "cgroup:[4026531835]"

struct host {
    struct emit_table *uname, *os_info, *os_version;
    struct buf scratch;
    enum known in_container;
    char kind[32];
};

static const char *const uname_labels[] = {"sysname", "release",  "version",
                                           "machine", "nodename", "domainname"};
static const struct emit_metric uname_metrics[] = {
    {"node_uname_info", METRIC_GAUGE,
     "Labeled system information as provided by the uname system call."}};
static const struct emit_group uname_group = {uname_labels, 6, uname_metrics, 1, 2};
static const char *const os_labels[OS_FIELDS] = {
    "build_id",    "id",          "id_like", "image_id",   "image_version", "name",
    "pretty_name", "support_end", "variant", "variant_id", "version",       "version_codename",
    "version_id"};
enum {
    OS_ID = 1,
    OS_ID_LIKE = 2,
    OS_NAME = 5,
    OS_PRETTY = 6,
    OS_SUPPORT_END = 7,
    OS_VERSION_ID = 12
};
static const struct emit_metric os_metrics[] = {
    {"node_os_info", METRIC_GAUGE,
     "The fields of os-release(5) as labels; the value is always 1."}};
static const struct emit_group os_group = {os_labels, OS_FIELDS, os_metrics, 1, 2};
static const char *const version_labels[] = {"id", "id_like", "name"};
static const struct emit_metric version_metrics[] = {
    {"node_os_version", METRIC_GAUGE, "Metric containing the major.minor part of the OS version."}};
static const struct emit_group version_group = {version_labels, 3, version_metrics, 1, 2};

static bool link_is(const char *proc, const char *name, const char *expected, bool *out_known) {
    char path[PATH_MAX], target[64];
    int n = snprintf(path, sizeof(path), "%s/%s", proc, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    ssize_t len = readlink(path, target, sizeof(target));
    *out_known = len > 0;
    return len > 0 && str_eq(str_make(target, (size_t)len), str_from(expected));
}

static bool exists(const char *root, const char *name) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", root, name);
    return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

/* The kind that a cgroup path betrays. */
static const char *kind_of_cgroup(struct str path) {
    static const struct {
        const char *part, *kind;
    } marks[] = {{"kubepods", "kubernetes"},
                 {"/docker/", "docker"},
                 {"docker-", "docker"},
                 {"libpod-", "podman"},
                 {"cri-containerd", "containerd"},
                 {"/lxc/", "lxc"},
                 {"lxc.payload", "lxc"},
                 {"machine.slice/machine-", "systemd-nspawn"}};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (str_find(path, str_from(marks[i].part)) != SIZE_MAX)
            return marks[i].kind;
    return NULL;
}

static void set_kind(struct host *h, struct str kind) {
    size_t n = kind.n < sizeof(h->kind) - 1 ? kind.n : sizeof(h->kind) - 1;
    for (size_t i = 0; i < n; i++)
        h->kind[i] = isgraph((unsigned char)kind.p[i]) ? kind.p[i] : '?';
    h->kind[n] = '\0';
}

/* A file such as /.dockerenv alone proves nothing: images of virtual machines are made from
 * container images and keep it. It names the kind once a namespace or a cgroup shows that there is
 * a container. */
static void detect_container(struct host *h, const struct collect_env *env) {
    struct str text;
    const char *kind = NULL;
    bool pid_known = false, cgroup_known = false;
    bool pid_init = link_is(env->proc, "self/ns/pid", INIT_PID_NS, &pid_known);
    bool cgroup_init = link_is(env->proc, "self/ns/cgroup", INIT_CGROUP_NS, &cgroup_known);
    bool inside = (pid_known && !pid_init) || (cgroup_known && !cgroup_init);
    if (procfile_slurp(env->proc, "self/cgroup", 16384, &h->scratch, &text) &&
        (kind = kind_of_cgroup(text)))
        inside = true;
    if (env->real_host && getenv("KUBERNETES_SERVICE_HOST")) {
        inside = true;
        kind = "kubernetes";
    }
    struct buf named = BUF_INIT;
    if (procfile_slurp(env->root, "run/systemd/container", 64, &h->scratch, &text) &&
        str_trim(text).n) {
        inside = true;
        buf_puts(&named, str_trim(text));
    }
    if (!kind && exists(env->root, "run/.containerenv"))
        kind = "podman";
    if (!kind && exists(env->root, ".dockerenv"))
        kind = "docker";
    if (inside)
        set_kind(h, kind ? str_from(kind) : named.n ? buf_view(&named) : STR(""));
    buf_deinit(&named);
    h->in_container = inside ? KNOWN_YES : pid_known ? KNOWN_NO : KNOWN_UNKNOWN;
}

static bool init(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct host *h = self;
    h->uname = emit_table(env->emit, &uname_group);
    h->os_info = emit_table(env->emit, &os_group);
    h->os_version = emit_table(env->emit, &version_group);
    detect_container(h, env);
    return true;
}

static void copy(char *out, size_t cap, struct str s) {
    struct buf clean = BUF_INIT;
    emit_clean(&clean, s, cap - 1);
    if (buf_ok(&clean) && clean.p)
        memcpy(out, clean.p, clean.n + 1);
    buf_deinit(&clean);
}

static void put_uname(struct host *h, struct collect_env *env) {
    struct utsname u;
    struct str values[6] = {{NULL, 0}};
    struct buf release = BUF_INIT;
    if (env->real_host && uname(&u) == 0) {
        values[0] = str_from(u.sysname);
        values[1] = str_from(u.release);
        values[2] = str_from(u.version);
        values[3] = str_from(u.machine);
        values[4] = str_from(u.nodename);
        values[5] = str_from(u.domainname);
    } else { /* somebody else's tree: what it says of itself */
        struct str text;
        if (!procfile_slurp(env->proc, "sys/kernel/osrelease", 256, &release, &text))
            return;
        values[0] = STR("Linux");
        values[1] = str_trim(text);
        values[4] = env->instance;
    }
    copy(env->host->kernel, sizeof(env->host->kernel), values[1]);
    copy(env->host->architecture, sizeof(env->host->architecture), values[3]);
    emit_put(emit_item(h->uname, values), 0, 1);
    buf_deinit(&release);
}

/* os-release(5): NAME=value, NAME="value with \" escapes", NAME='value'. */
static size_t unquote(struct str v, char *out, size_t cap) {
    char quote = v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') ? v.p[0] : '\0';
    size_t n = 0;
    for (size_t i = quote ? 1 : 0; i < v.n && n < cap; i++) {
        if (quote && v.p[i] == quote)
            break;
        if (v.p[i] == '\\' && quote != '\'' && i + 1 < v.n)
            i++;
        out[n++] = v.p[i];
    }
    return n;
}

static void put_os(struct host *h, struct collect_env *env) {
    struct str text, line, key;
    if (!procfile_slurp(env->root, "etc/os-release", 65536, env->buf, &text) &&
        !procfile_slurp(env->root, "usr/lib/os-release", 65536, env->buf, &text))
        return;
    char store[OS_FIELDS][OS_VALUE_BYTES_MAX];
    struct str values[OS_FIELDS] = {{NULL, 0}};
    while (scan_line(&text, &line)) {
        line = str_trim(line);
        if (!str_next(&line, '=', &key) || key.n == 0)
            continue;
        for (size_t i = 0; i < OS_FIELDS; i++)
            if (str_eq_nocase(key, str_from(os_labels[i])))
                values[i] = str_make(store[i], unquote(line, store[i], OS_VALUE_BYTES_MAX));
    }
    values[OS_SUPPORT_END].n = 0; /* node_exporter has it as a time, not as a label */
    emit_put(emit_item(h->os_info, values), 0, 1);
    struct str pretty = values[OS_PRETTY].n ? values[OS_PRETTY] : values[OS_NAME];
    copy(env->host->os, sizeof(env->host->os), pretty);
    struct str version = values[OS_VERSION_ID];
    size_t n = 0, dots = 0;
    while (n < version.n &&
           (isdigit((unsigned char)version.p[n]) || (version.p[n] == '.' && dots++ == 0)))
        n++;
    double v;
    if (n && str_to_f64(str_sub(version, 0, n), &v)) {
        struct str id[] = {values[OS_ID], values[OS_ID_LIKE], values[OS_NAME]};
        emit_put(emit_item(h->os_version, id), 0, v);
    }
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct host *h = self;
    put_uname(h, env);
    put_os(h, env);
    return true;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct host *h = self;
    out->host.in_container = h->in_container;
    if (h->kind[0])
        out->host.container_kind = arena_str(a, str_from(h->kind));
}

static void deinit(void *self) {
    buf_deinit(&((struct host *)self)->scratch);
}

const struct collector host_collector = {
    .name = "host",
    .help = "Kernel, distribution, and whether this is a container",
    .every = EVERY_15_S,
    .size = sizeof(struct host),
    .init = init,
    .collect = collect,
    .overview = overview,
    .deinit = deinit};
