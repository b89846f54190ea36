/* test_ring.c: the bounded ring alone. Interleavings one by one are explored in model_ring.c. */
#include "ring.h"

#include "check.h"
#include "mem.h"

static void *item(uint64_t value) { return (void *)(uintptr_t)value; }

static void test_capacity_is_rounded_up(void) {
    static const struct { size_t asked, got; } cases[] = {{0, 2}, {1, 2}, {2, 2}, {3, 4}, {5, 8}, {1000, 1024}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bl_ring *ring = bl_ring_new(cases[i].asked);
        CHECK(ring != NULL && bl_ring_capacity(ring) == cases[i].got);
        CHECK(bl_ring_bytes(ring) >= cases[i].got * 16);
        bl_ring_free(ring);
    }
    CHECK(bl_ring_new(SIZE_MAX) == NULL);
}

static void test_full_empty_and_wrap(void) {
    bl_ring *ring = bl_ring_new(4);
    uint64_t in = 0;
    uint64_t out = 0;
    for (int lap = 0; lap < 50; lap++) {
        CHECK(bl_ring_idle(ring) && bl_ring_pop(ring) == NULL);
        unsigned count = 1 + (unsigned)lap % 4;
        for (unsigned i = 0; i < count; i++) {
            CHECK(bl_ring_push(ring, item(++in)) == BL_OK);
            CHECK(!bl_ring_idle(ring));
        }
        if (count == 4) {
            CHECK(bl_ring_push(ring, item(999)) == BL_FULL);
        }
        for (unsigned i = 0; i < count; i++) {
            CHECK(bl_ring_pop(ring) == item(++out));
        }
    }
    CHECK(bl_ring_conflicts(ring) == 0);
    bl_ring_free(ring);
}

static void test_no_memory(void) {
    size_t before = bl_mem_in_use();
    for (long n = 0; n < 2; n++) {
        bl_mem_fail_after(n);
        CHECK(bl_ring_new(8) == NULL);
    }
    bl_mem_fail_after(-1);
    CHECK(bl_mem_in_use() == before);
}

typedef struct shared {
    bl_ring *ring;
    tags t;
} shared;

static void produce_or_consume(unsigned index, void *arg) {
    shared *s = arg;
    if (index < s->t.producers) {
        for (uint64_t i = 0; i < s->t.each; i++) {
            while (bl_ring_push(s->ring, item(tag(index, i))) != BL_OK) {
                sched_yield();
            }
        }
        return;
    }
    tag_order order = {{0}};
    while (!tags_all_taken(&s->t)) {
        void *got = bl_ring_pop(s->ring);
        if (got != NULL) {
            tags_take(&s->t, &order, (uint64_t)(uintptr_t)got);
        } else {
            sched_yield();
        }
    }
}

static void test_many_producers_many_consumers(void) {
    static const unsigned crews[][2] = {{1, 1}, {2, 2}, {1, 3}, {3, 1}, {8, 8}};
    static const size_t sizes[] = {2, 16, 1024};
    for (size_t c = 0; c < sizeof crews / sizeof *crews; c++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            shared s = {.ring = bl_ring_new(sizes[k])};
            uint64_t total = (sizes[k] == 2 ? 20000 : 60000) / SCALE;
            tags_init(&s.t, crews[c][0], total / crews[c][0]);
            run_crew(crews[c][0] + crews[c][1], produce_or_consume, &s);
            CHECK(bl_ring_pop(s.ring) == NULL && bl_ring_idle(s.ring));
            tags_finish(&s.t);
            bl_ring_free(s.ring);
        }
    }
}

int main(void) {
    RUN(test_capacity_is_rounded_up);
    RUN(test_full_empty_and_wrap);
    RUN(test_no_memory);
    RUN(test_many_producers_many_consumers);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
