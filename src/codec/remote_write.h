/* remote_write.h - Prometheus remote_write 1.0: the protobuf WriteRequest (prompb/remote.proto,
 * types.proto).
 *
 *   WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *   TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; exemplars = 3;
 * histograms = 4; } Label        { string name = 1; string value = 2; }     Sample { double value =
 * 1; int64 timestamp = 2; }
 *
 * A walker without allocation: messages come out as borrowed runs of bytes. The labels of a series
 * stand in front in practice, so their bytes ("label run") can be compared with memcmp against
 * those of a known series. The canonical label run is what remote_write_put_labels writes for
 * sorted labels: one field 1 per label with name and value in order and minimal varints. Pure; any
 * bytes are safe.
 */
#ifndef CODEC_REMOTE_WRITE_H
#define CODEC_REMOTE_WRITE_H

#include "base/buf.h"
#include "base/cur.h"
#include "model/labels.h"
#include "model/sample.h"
#include "model/sink.h"

enum rw_item { RW_END, RW_SERIES, RW_META, RW_BAD };

/* The next TimeSeries or MetricMetadata message of a WriteRequest; unknown fields are skipped. */
enum rw_item remote_write_next(struct cur *request, struct str *out_message);

enum rw_part {
    RW_PART_END,
    RW_PART_LABEL,
    RW_PART_SAMPLE,
    RW_PART_HISTOGRAM,
    RW_PART_OTHER,
    RW_PART_BAD
};
/* The next field of a TimeSeries. out_label or out_sample is set by what comes back. */
enum rw_part remote_write_part(struct cur *series, struct label *out_label,
                               struct sample *out_sample);

/* How many leading bytes of a TimeSeries message are label fields. */
size_t remote_write_label_run(struct str series);
/* The labels of a label run; *out views the run. Returns the number, or UINT32_MAX: broken or over
 * max. */
uint32_t remote_write_labels(struct str run, struct label *out, uint32_t max);

bool remote_write_meta(struct str message,
                       struct metric_meta *out); /* strings borrowed; false: broken */

/* Writers: for the forwarder, tests and benchmarks. */
void remote_write_put_labels(struct buf *b, struct labels ls); /* the canonical label run */
void remote_write_put_series(struct buf *request, struct labels ls, const struct sample *samples,
                             size_t n);
void remote_write_put_meta(struct buf *request, const struct metric_meta *m);

#endif
