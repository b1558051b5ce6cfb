#include "api/api_int.h"

#include "os/file.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t count_fds(void) {
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return OVERVIEW_UNKNOWN;
    int64_t n = 0;
    while (readdir(d)) /* one reader a DIR: safe */
        n++;
    (void)closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and this folder's own */
}

/* Field i (from 3 on) of /proc/self/stat, behind the command's closing parenthesis. */
static int64_t stat_field(struct str stat, int i) {
    size_t at = stat.n;
    while (at && stat.p[at - 1] != ')')
        at--;
    struct str rest = str_trim(str_from_offset(stat, at)), field;
    for (int k = 3; str_next(&rest, ' ', &field); k++) {
        int64_t v;
        if (k == i)
            return str_to_i64(field, &v) ? v : OVERVIEW_UNKNOWN;
    }
    return OVERVIEW_UNKNOWN;
}

static int64_t boot_s(void) {
    struct buf b = BUF_INIT;
    int64_t s = OVERVIEW_UNKNOWN;
    if (file_read("/proc/stat", 1 << 20, &b, NULL)) {
        struct str rest = buf_view(&b), line;
        while (str_next(&rest, '\n', &line))
            if (str_starts(line, STR("btime ")))
                (void)str_to_i64(str_from_offset(line, 6), &s);
    }
    buf_deinit(&b);
    return s;
}

void process_facts_read(struct process_facts *out) {
    *out = (struct process_facts){0,
                                  OVERVIEW_UNKNOWN,
                                  OVERVIEW_UNKNOWN,
                                  OVERVIEW_UNKNOWN,
                                  OVERVIEW_UNKNOWN,
                                  OVERVIEW_UNKNOWN,
                                  OVERVIEW_UNKNOWN};
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) == 0)
        out->cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                     (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0)
        out->max_fds = l.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)l.rlim_cur;
    out->open_fds = count_fds();
    struct buf b = BUF_INIT;
    if (file_read("/proc/self/stat", 65536, &b, NULL)) {
        struct str s = buf_view(&b);
        int64_t pages = stat_field(s, 24), ticks = stat_field(s, 22), boot = boot_s(),
                hz = sysconf(_SC_CLK_TCK);
        out->threads = stat_field(s, 20);
        out->virtual_bytes = stat_field(s, 23);
        if (pages != OVERVIEW_UNKNOWN)
            out->rss_bytes = pages * sysconf(_SC_PAGESIZE);
        if (ticks != OVERVIEW_UNKNOWN && boot != OVERVIEW_UNKNOWN && hz > 0)
            out->start_ms = boot * 1000 + ticks * 1000 / hz;
    }
    buf_deinit(&b);
}
