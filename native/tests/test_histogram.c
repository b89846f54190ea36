/* test_histogram.c: buckets, their error, quantiles, and reading while somebody writes. */
#include "histogram.h"

#include "check.h"

#define TOP (INT64_C(1) << 40)

static void test_buckets(void) {
    CHECK(bl_hist_bucket(INT64_MIN) == 0 && bl_hist_bucket(-1) == 0 && bl_hist_bucket(0) == 0);
    for (int64_t v = 0; v < 32; v++) {
        CHECK(bl_hist_bucket(v) == (unsigned)v && bl_hist_value((unsigned)v) == v);
    }
    CHECK(bl_hist_bucket(TOP - 1) == BL_HIST_BUCKETS - 1);
    CHECK(bl_hist_bucket(TOP) == BL_HIST_BUCKETS - 1 && bl_hist_bucket(INT64_MAX) == BL_HIST_BUCKETS - 1);
    for (unsigned b = 0; b < BL_HIST_BUCKETS; b++) {
        CHECK(bl_hist_bucket(bl_hist_value(b)) == b);
        CHECK(b == 0 || bl_hist_value(b) > bl_hist_value(b - 1));
    }
}

static void test_relative_error(void) {
    uint64_t random = 1;
    unsigned last = 0;
    for (int i = 0; i < 200000; i++) {
        int64_t v = (int64_t)(next_random(&random) >> 24 >> (next_random(&random) % 40));
        int64_t off = bl_hist_value(bl_hist_bucket(v)) - v;
        CHECK((off < 0 ? -off : off) * BL_HIST_STEPS <= v);
    }
    for (int64_t v = 0; v < 100000; v++) {
        unsigned bucket = bl_hist_bucket(v);
        CHECK(bucket >= last && bucket <= last + 1);
        last = bucket;
    }
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_quantiles(void) {
    enum { COUNT = 10001 };
    static int64_t values[COUNT];
    static bl_hist hist[2];
    uint64_t totals[BL_HIST_BUCKETS] = {0};
    uint64_t random = 7;
    CHECK(bl_hist_quantile(totals, 0.5) == -1);
    memset(hist, 0, sizeof hist);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)(next_random(&random) % 1000 * (next_random(&random) % 100000));
        bl_hist_add(&hist[i % 2], values[i]);
    }
    bl_hist_sum(&hist[0], totals);
    bl_hist_sum(&hist[1], totals);
    qsort(values, COUNT, sizeof *values, compare);
    static const double qs[] = {0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof qs / sizeof *qs; i++) {
        size_t rank = (size_t)(qs[i] * COUNT);
        int64_t low = values[rank > 0 ? rank - 1 : 0];
        int64_t high = values[rank < COUNT ? rank : COUNT - 1];
        int64_t got = bl_hist_quantile(totals, qs[i]);
        CHECK(got >= low - low / BL_HIST_STEPS && got <= high + high / BL_HIST_STEPS);
    }
    memset(totals, 0, sizeof totals);
    totals[3] = 1;
    CHECK(bl_hist_quantile(totals, 0.0) == 3 && bl_hist_quantile(totals, 0.5) == 3 && bl_hist_quantile(totals, 1.0) == 3);
}

static void test_counts_stop_at_the_top(void) {
    static bl_hist hist;
    uint64_t totals[BL_HIST_BUCKETS] = {0};
    atomic_store(&hist.counts[5], UINT32_MAX - 1);
    bl_hist_add(&hist, 5);
    bl_hist_add(&hist, 5);
    bl_hist_sum(&hist, totals);
    CHECK(totals[5] == UINT32_MAX);
}

static bl_hist live;

static void write_or_read(unsigned index, void *arg) {
    const uint64_t count = 200000 / SCALE;
    (void)arg;
    if (index == 0) {
        for (uint64_t i = 0; i < count; i++) {
            bl_hist_add(&live, (int64_t)(i % 1000));
        }
        return;
    }
    uint64_t before = 0;
    while (before < count) {
        uint64_t totals[BL_HIST_BUCKETS] = {0};
        uint64_t now = 0;
        bl_hist_sum(&live, totals);
        for (unsigned b = 0; b < BL_HIST_BUCKETS; b++) {
            now += totals[b];
        }
        CHECK(now >= before && now <= count);
        before = now;
        sched_yield();
    }
}

static void test_one_writer_many_readers(void) {
    memset(&live, 0, sizeof live);
    run_crew(3, write_or_read, NULL);
}

int main(void) {
    RUN(test_buckets);
    RUN(test_relative_error);
    RUN(test_quantiles);
    RUN(test_counts_stop_at_the_top);
    RUN(test_one_writer_many_readers);
    return 0;
}
