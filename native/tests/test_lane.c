/* test_lane.c: ring plus overflow list: never full, order kept across both. */
#include "lane.h"

#include "check.h"
#include "mem.h"

static bl_slot *make_slots(size_t count) {
    bl_slot *slots = calloc(count, sizeof *slots);
    CHECK(slots != NULL);
    for (size_t i = 0; i < count; i++) {
        slots[i].id = i + 1;
    }
    return slots;
}

static void test_order_across_ring_and_list(void) {
    enum { COUNT = 2000 };
    bl_slot *slots = make_slots(COUNT);
    bl_lane *lane = bl_lane_new(4, NULL);
    uint64_t random = 1;
    uint64_t in = 0;
    uint64_t out = 0;
    CHECK(bl_lane_pop(lane) == NULL && bl_lane_maybe_empty(lane));
    while (out < COUNT) {
        bool push = in < COUNT && next_random(&random) % 5 < (in < COUNT / 2 ? 3 : 2);
        if (push) {
            CHECK(bl_lane_push(lane, &slots[in++]) == BL_OK);
        } else if (out < in) {
            CHECK(!bl_lane_maybe_empty(lane));
            bl_slot *slot = bl_lane_pop(lane);
            CHECK(slot == &slots[out]);
            out++;
        } else {
            CHECK(bl_lane_pop(lane) == NULL && bl_lane_maybe_empty(lane));
        }
    }
    CHECK(bl_lane_overflows(lane) > 0);
    CHECK(bl_lane_bytes(lane) >= 4 * 16);
    bl_lane_free(lane);
    free(slots);
}

/* A tombstone still in its queue's list goes into the list of kept results too. */
static void test_one_slot_in_two_lists(void) {
    enum { COUNT = 12 };
    bl_slot *slots[COUNT];
    bl_pool *pool = bl_pool_new();
    bl_lane *queued = bl_lane_new(2, NULL);
    bl_lane *kept = bl_lane_new(2, pool);
    for (int i = 0; i < COUNT; i++) {
        slots[i] = bl_pool_take(pool);
        CHECK(bl_lane_push(queued, slots[i]) == BL_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK(bl_lane_push(kept, slots[COUNT - 1 - i]) == BL_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK(bl_lane_pop(queued) == slots[i] && bl_lane_pop(kept) == slots[COUNT - 1 - i]);
    }
    CHECK(bl_lane_pop(queued) == NULL && bl_lane_pop(kept) == NULL);
    bl_lane_free(queued);
    bl_lane_free(kept);
    bl_pool_free(pool);
}

static void test_overflow_starts_when_the_ring_is_full(void) {
    bl_slot *slots = make_slots(10);
    bl_lane *lane = bl_lane_new(4, NULL);
    for (int i = 0; i < 10; i++) {
        CHECK(bl_lane_push(lane, &slots[i]) == BL_OK);
        CHECK(bl_lane_overflows(lane) == (i < 4 ? 0u : (unsigned)i - 3));
    }
    for (int i = 0; i < 10; i++) {
        CHECK(bl_lane_pop(lane) == &slots[i]);
    }
    CHECK(bl_lane_push(lane, &slots[0]) == BL_OK);
    CHECK(bl_lane_overflows(lane) == 6); /* the list is empty again: straight into the ring */
    CHECK(bl_lane_pop(lane) == &slots[0] && bl_lane_pop(lane) == NULL);
    bl_lane_free(lane);
    free(slots);
}

static void test_no_memory_for_the_ring(void) {
    bl_slot slot = {.id = 1};
    bl_mem_fail_after(0);
    CHECK(bl_lane_new(4, NULL) == NULL);
    bl_mem_fail_after(-1);
    bl_lane *lane = bl_lane_new(4, NULL);
    for (long n = 0; n < 2; n++) {
        bl_mem_fail_after(n);
        CHECK(bl_lane_push(lane, &slot) == BL_NOMEM);
        CHECK(bl_lane_pop(lane) == NULL);
    }
    bl_mem_fail_after(-1);
    CHECK(bl_lane_push(lane, &slot) == BL_OK);
    CHECK(bl_lane_pop(lane) == &slot);
    bl_lane_free(lane);
}

typedef struct shared {
    bl_lane *lane;
    bl_slot *slots;
    tags t;
} shared;

static void produce_or_consume(unsigned index, void *arg) {
    shared *s = arg;
    if (index < s->t.producers) {
        for (uint64_t i = 0; i < s->t.each; i++) {
            bl_slot *slot = &s->slots[index * s->t.each + i];
            slot->id = tag(index, i);
            CHECK(bl_lane_push(s->lane, slot) == BL_OK);
            if (i % 64 == 63) {
                sched_yield(); /* lets the list run empty now and then */
            }
        }
        return;
    }
    tag_order order = {{0}};
    while (!tags_all_taken(&s->t)) {
        bl_slot *slot = bl_lane_pop(s->lane);
        if (slot != NULL) {
            tags_take(&s->t, &order, slot->id);
        } else {
            sched_yield();
        }
    }
}

static void test_many_producers_many_consumers(void) {
    static const unsigned crews[][2] = {{1, 1}, {2, 2}, {1, 3}, {3, 1}, {8, 8}};
    static const size_t sizes[] = {2, 8, 256};
    for (size_t c = 0; c < sizeof crews / sizeof *crews; c++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            uint64_t each = 60000 / SCALE / crews[c][0];
            shared s = {.lane = bl_lane_new(sizes[k], NULL), .slots = make_slots(crews[c][0] * each)};
            tags_init(&s.t, crews[c][0], each);
            run_crew(crews[c][0] + crews[c][1], produce_or_consume, &s);
            CHECK(bl_lane_pop(s.lane) == NULL && bl_lane_maybe_empty(s.lane));
            tags_finish(&s.t);
            bl_lane_free(s.lane);
            free(s.slots);
        }
    }
}

int main(void) {
    RUN(test_order_across_ring_and_list);
    RUN(test_one_slot_in_two_lists);
    RUN(test_overflow_starts_when_the_ring_is_full);
    RUN(test_no_memory_for_the_ring);
    RUN(test_many_producers_many_consumers);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
