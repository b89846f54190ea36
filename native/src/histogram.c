/* histogram.c: see histogram.h.
 *
 * DESIGN
 * Values below 16 have a bucket each. A larger value with its highest bit at e (4 and up) belongs to row
 * e - 3; its four bits after the highest pick the column. 37 rows reach to 2^40 ns.
 *
 * It keeps no minimum, maximum or mean.
 */
#include "histogram.h"

#define STEP_BITS 4

_Static_assert(1 << STEP_BITS == BL_HIST_STEPS, "a row has as many columns as its bits can say");

unsigned bl_hist_bucket(int64_t nanoseconds) {
    if (nanoseconds < BL_HIST_STEPS) {
        return nanoseconds > 0 ? (unsigned)nanoseconds : 0;
    }
    uint64_t value = (uint64_t)nanoseconds;
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    unsigned column = (unsigned)(value >> (top - STEP_BITS)) & (BL_HIST_STEPS - 1);
    unsigned bucket = (top - STEP_BITS + 1) * BL_HIST_STEPS + column;
    return bucket < BL_HIST_BUCKETS ? bucket : BL_HIST_BUCKETS - 1;
}

int64_t bl_hist_value(unsigned bucket) {
    if (bucket < BL_HIST_STEPS) {
        return (int64_t)bucket;
    }
    unsigned shift = bucket / BL_HIST_STEPS - 1;
    uint64_t low = (uint64_t)(BL_HIST_STEPS + bucket % BL_HIST_STEPS) << shift;
    return (int64_t)(low + ((UINT64_C(1) << shift) >> 1));
}

void bl_hist_add(bl_hist *hist, int64_t nanoseconds) {
    bl_a32 *count = &hist->counts[bl_hist_bucket(nanoseconds)];
    uint32_t old = bl_load_relaxed(count);
    if (old < UINT32_MAX) {
        bl_store_relaxed(count, old + 1); /* one writer; partner: bl_hist_sum, which needs no order */
    }
}

void bl_hist_sum(const bl_hist *hist, uint64_t *totals) {
    for (unsigned i = 0; i < BL_HIST_BUCKETS; i++) {
        totals[i] += bl_load_relaxed(&hist->counts[i]);
    }
}

int64_t bl_hist_quantile(const uint64_t *totals, double q) {
    uint64_t samples = 0;
    for (unsigned i = 0; i < BL_HIST_BUCKETS; i++) {
        samples += totals[i];
    }
    if (samples == 0) {
        return -1;
    }
    double want = q * (double)samples; /* the smallest value that this many samples do not exceed */
    uint64_t below = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < BL_HIST_BUCKETS; i++) {
        if (totals[i] > 0) {
            last = i;
            below += totals[i];
            if ((double)below >= want) {
                break;
            }
        }
    }
    return bl_hist_value(last);
}
