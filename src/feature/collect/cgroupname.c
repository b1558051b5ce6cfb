#include "feature/collect/cgroupname.h"

#include "feature/collect/scan.h"

#define ID_DIGITS 64

static bool is_id(struct str s) {
    if (s.n != ID_DIGITS)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return true;
}

size_t cgroupname_unescape(struct str s, char *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < cap; i++) {
        uint64_t v;
        if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] == 'x' &&
            scan_hex(str_make(s.p + i + 2, 2), &v)) {
            out[n++] = (char)(unsigned char)v;
            i += 3;
        } else {
            out[n++] = s.p[i];
        }
    }
    return n;
}

static void set_name(struct cgroupname *out, struct str s) {
    out->name_n = s.n < sizeof(out->name) ? s.n : sizeof(out->name);
    if (out->name_n)
        memcpy(out->name, s.p, out->name_n);
}

static void container(struct cgroupname *out, const char *runtime, struct str name) {
    out->kind = CGROUP_CONTAINER;
    out->runtime = runtime;
    out->hex_id = is_id(name);
    set_name(out, name);
}

static bool cut(struct str *s, const char *prefix, const char *suffix) {
    struct str p = str_from(prefix), q = str_from(suffix);
    if (s->n <= p.n + q.n || !str_starts(*s, p) || !str_ends(*s, q))
        return false;
    *s = str_sub(*s, p.n, s->n - p.n - q.n);
    return true;
}

/* "<prefix>-<id>.scope" of the systemd driver, "<prefix>-<id>" of the cgroupfs driver. */
static bool prefixed_id(struct str last, struct cgroupname *out) {
    static const struct {
        const char *prefix, *runtime;
    } known[] = {{"docker-", "docker"},      {"cri-containerd-", "containerd"},
                 {"crio-", "cri-o"},         {"libpod-", "podman"},
                 {"nerdctl-", "containerd"}, {"containerd-", "containerd"},
                 {"buildkit-", "docker"},    {"crun-", "podman"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct str id = last;
        if (!cut(&id, known[i].prefix, ".scope")) {
            id = last;
            if (!cut(&id, known[i].prefix, ""))
                continue;
        }
        if (is_id(id)) {
            container(out, known[i].runtime, id);
            return true;
        }
    }
    return false;
}

/* "<slice>:<program>:<id>": a containerd whose own driver differs from the kubelet's. */
static bool colon_id(struct str last, struct cgroupname *out) {
    size_t colon = SIZE_MAX;
    for (size_t i = 0; i < last.n; i++)
        if (last.p[i] == ':')
            colon = i;
    if (colon == SIZE_MAX || !is_id(str_from_offset(last, colon + 1)))
        return false;
    bool containerd = str_find(last, STR(":cri-containerd:")) != SIZE_MAX;
    container(out, containerd ? "containerd" : "container", str_from_offset(last, colon + 1));
    return true;
}

static bool machine(struct str last, struct cgroupname *out) {
    struct str name = last;
    char plain[CGROUPNAME_BYTES_MAX];
    if (cut(&name, "systemd-nspawn@", ".service")) {
        name = str_make(plain, cgroupname_unescape(name, plain, sizeof(plain)));
        container(out, "systemd-nspawn", name);
        return true;
    }
    name = last;
    if (!cut(&name, "machine-", ".scope"))
        return false;
    name = str_make(plain, cgroupname_unescape(name, plain, sizeof(plain)));
    struct str rest = name;
    uint64_t number;
    bool qemu = cut(&rest, "qemu-", "");
    bool lxc = !qemu && cut(&rest, "lxc-", "");
    if ((qemu || lxc) && scan_u64(&rest, &number) && rest.n > 1 && rest.p[0] == '-')
        container(out, qemu ? "qemu" : "lxc",
                  str_from_offset(rest, 1)); /* libvirt: machine-qemu-<number>-<name> */
    else
        container(out, "systemd-nspawn", name);
    return true;
}

static bool lxc(struct str parent, struct str last, struct cgroupname *out) {
    struct str name = last;
    if (cut(&name, "lxc.payload.", "") ||
        ((str_eq(parent, STR("lxc")) || str_eq(parent, STR("lxc.payload"))) && last.n)) {
        container(out, "lxc", name);
        return true;
    }
    return false;
}

/* What runs as a whole: mounts and sockets have a group only while a helper runs. A scope that ends
 * in an id belongs to a container's monitor (crio-conmon-<id>.scope). */
static bool is_unit(struct str last) {
    struct str s = last;
    if (cut(&s, "", ".service"))
        return true;
    return cut(&s, "", ".scope") &&
           !(s.n > ID_DIGITS && is_id(str_from_offset(s, s.n - ID_DIGITS)));
}

void cgroupname_classify(struct str path, struct cgroupname *out) {
    *out = (struct cgroupname){0};
    struct str rest = path, parent = STR(""), last = STR(""), part;
    while (str_next(&rest, '/', &part)) {
        if (part.n == 0)
            continue;
        parent = last;
        last = part;
    }
    out->kubernetes = str_find(path, STR("kubepods")) != SIZE_MAX;
    if (last.n == 0 || last.n > CGROUPNAME_BYTES_MAX)
        return;
    if (prefixed_id(last, out) || colon_id(last, out) || machine(last, out) ||
        lxc(parent, last, out))
        return;
    if (is_id(last)) {
        const char *runtime = out->kubernetes                        ? "kubernetes"
                              : str_eq(parent, STR("docker"))        ? "docker"
                              : str_eq(parent, STR("libpod_parent")) ? "podman"
                                                                     : "container";
        container(out, runtime, last);
        return;
    }
    if (is_unit(last)) {
        out->kind = CGROUP_UNIT;
        set_name(out, last); /* with its escapes, as systemctl and D-Bus write it */
    }
}
