/* corpus_testlib.h - for unit tests: a fuzz target's corpus, replayed. The test includes the
 * target's source. */
#ifndef CODEC_CORPUS_TESTLIB_H
#define CODEC_CORPUS_TESTLIB_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* How many files of dir were given to one(). */
static inline size_t corpus_replay(const char *dir, int (*one)(const uint8_t *, size_t)) {
    enum { FILE_BYTES_MAX = 1 << 20 };
    char path[1024];
    size_t count = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        FILE *f = fopen(path, "rb");
        uint8_t *bytes = malloc(FILE_BYTES_MAX);
        if (!f || !bytes)
            abort();
        (void)one(bytes, fread(bytes, 1, FILE_BYTES_MAX, f));
        (void)fclose(f);
        free(bytes);
        count++;
    }
    if (d)
        (void)closedir(d);
    return count;
}

#endif
