/* histogram.h: latency histogram in the manner of HDR: log-linear buckets with 16 steps per power of two
 * (relative error at most 1/16), 1 ns to about 18 minutes, 32-bit counts. One writer; readers may look at any time (relaxed
 * loads) and add several histograms up. Kept on its own cache lines by its owner.
 */
#ifndef BL_HISTOGRAM_H
#define BL_HISTOGRAM_H

#include <stddef.h>

#include "atom.h"

#define BL_HIST_STEPS 16
#define BL_HIST_BUCKETS (37 * BL_HIST_STEPS)

typedef struct bl_hist {
    bl_a32 counts[BL_HIST_BUCKETS];
} bl_hist;

unsigned bl_hist_bucket(int64_t nanoseconds);       /* below 0 counts as 0; above the range as the last */
int64_t bl_hist_value(unsigned bucket);             /* the middle of the bucket */
void bl_hist_add(bl_hist *hist, int64_t nanoseconds); /* by the one writer only */
void bl_hist_sum(const bl_hist *hist, uint64_t *totals /* [BL_HIST_BUCKETS], added to */);
/* q in 0..1 over totals; -1 when there are no samples */
int64_t bl_hist_quantile(const uint64_t *totals, double q);

#endif
