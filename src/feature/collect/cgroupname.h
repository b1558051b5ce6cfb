/* cgroupname.h - what a control group is, told from its path alone: a container (of which program,
 * with which id or name), a systemd unit, or neither. Pure.
 *
 * The shapes are those that Docker, containerd, CRI-O, Podman, the kubelet, LXC, systemd-nspawn and
 * libvirt write, with the cgroupfs and with the systemd driver.
 */
#ifndef COLLECT_CGROUPNAME_H
#define COLLECT_CGROUPNAME_H

#include "base/str.h"

#define CGROUPNAME_BYTES_MAX 256 /* NAME_MAX: one component of a path */

enum cgroupname_kind { CGROUP_OTHER, CGROUP_CONTAINER, CGROUP_UNIT };
struct cgroupname {
    enum cgroupname_kind kind;
    const char *runtime; /* static: docker, containerd, cri-o, podman, lxc, systemd-nspawn, qemu,
                            kubernetes, container */
    bool kubernetes;     /* below a pod */
    bool hex_id;         /* name is an id of 64 digits; the name that people know is elsewhere */
    char name[CGROUPNAME_BYTES_MAX];
    size_t name_n;
};
/* path: "/a/b/c", at least one component. */
void cgroupname_classify(struct str path, struct cgroupname *out);

/* Undoes systemd's escapes (\x2d) in a unit's name; returns the length. */
size_t cgroupname_unescape(struct str s, char *out, size_t cap);

#endif
