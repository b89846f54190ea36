/* test_queue.c: priority lanes, the front stack, counting and bounds. */
#include "queue.h"

#include "check.h"
#include "mem.h"

static bl_slot *make_slots(size_t count) {
    bl_slot *slots = calloc(count, sizeof *slots);
    CHECK(slots != NULL);
    return slots;
}

static void put(bl_queue *queue, bl_slot *slot, uint8_t lane, bool front) {
    slot->lane = lane;
    CHECK(bl_queue_reserve(queue, lane, 1, 0) == BL_OK);
    CHECK(bl_queue_push(queue, slot, front) == BL_OK);
}

static void test_lane_numbers(void) {
    CHECK(bl_queue_new(0, 4) == NULL && bl_queue_new(BL_MAX_LANES + 1, 4) == NULL);
    bl_queue *queue = bl_queue_new(BL_MAX_LANES, 4);
    CHECK(bl_queue_lanes(queue) == BL_MAX_LANES);
    bl_slot slots[BL_MAX_LANES] = {{.id = 0}};
    for (unsigned i = 0; i < BL_MAX_LANES; i++) {
        put(queue, &slots[i], (uint8_t)(BL_MAX_LANES - 1 - i), false);
    }
    for (unsigned i = 0; i < BL_MAX_LANES; i++) {
        CHECK(bl_queue_pop(queue, false) == &slots[BL_MAX_LANES - 1 - i]);
    }
    CHECK(bl_queue_bytes(queue) > BL_MAX_LANES * 64);
    bl_queue_free(queue);
}

static void test_priority_fifo_lowest_and_front(void) {
    bl_slot *s = make_slots(8);
    bl_queue *queue = bl_queue_new(4, 4);
    CHECK(bl_queue_maybe_empty(queue) && bl_queue_pop(queue, false) == NULL);
    put(queue, &s[0], 2, false);
    put(queue, &s[1], 1, false);
    put(queue, &s[2], 2, false);
    put(queue, &s[3], 3, false);
    put(queue, &s[4], 3, true);
    put(queue, &s[5], 1, true);
    CHECK(!bl_queue_maybe_empty(queue));
    CHECK(s[5].seq < s[4].seq && s[4].seq < s[0].seq && s[0].seq < s[1].seq && s[1].seq < s[2].seq);
    CHECK(bl_queue_pop(queue, false) == &s[5]); /* the front: last in, first out, whatever the lane */
    CHECK(bl_queue_pop(queue, true) == &s[4]);
    CHECK(bl_queue_pop(queue, true) == &s[3]);
    CHECK(bl_queue_pop(queue, true) == &s[0]);
    CHECK(bl_queue_pop(queue, false) == &s[1]);
    CHECK(bl_queue_pop(queue, false) == &s[2]);
    CHECK(bl_queue_pop(queue, false) == NULL && bl_queue_maybe_empty(queue));
    put(queue, &s[6], 1, false);
    put(queue, &s[7], 2, true);
    CHECK(bl_queue_pop_lane(queue, 1) == &s[6] && bl_queue_pop_lane(queue, 1) == NULL);
    CHECK(bl_queue_pop_lane(queue, 0) == &s[7] && bl_queue_pop_lane(queue, 0) == NULL);
    bl_queue_free(queue);
    free(s);
}

static void test_reserve_and_release(void) {
    bl_queue *queue = bl_queue_new(2, 4);
    CHECK(bl_queue_reserve(queue, 0, 3, 5) == BL_OK);
    CHECK(bl_queue_reserve(queue, 0, 3, 5) == BL_FULL);
    CHECK(bl_queue_reserve(queue, 0, 6, 5) == BL_FULL);
    CHECK(bl_queue_reserve(queue, 0, UINT64_MAX, 5) == BL_FULL);
    CHECK(bl_queue_reserve(queue, 0, 2, 5) == BL_OK);
    CHECK(bl_queue_live(queue, 0) == 5 && bl_queue_live(queue, 1) == 0);
    CHECK(bl_queue_reserve(queue, 1, 5, 5) == BL_OK); /* per lane */
    CHECK(bl_queue_reserve(queue, 0, 10, 0) == BL_OK); /* 0: unbounded */
    CHECK(bl_queue_live_all(queue) == 20);
    CHECK(bl_queue_reserve(queue, 0, 1, 5) == BL_FULL); /* over its bound: still just full */
    bl_queue_release(queue, 0, 14);
    CHECK(bl_queue_live(queue, 0) == 1);
    CHECK(bl_queue_reserve(queue, 0, 4, 5) == BL_OK);
    bl_queue_free(queue);
}

static void test_no_memory(void) {
    size_t before = bl_mem_in_use();
    for (long n = 0; n < 5; n++) {
        bl_mem_fail_after(n);
        CHECK(bl_queue_new(4, 4) == NULL);
        bl_mem_fail_after(-1);
        CHECK(bl_mem_in_use() == before);
    }
    bl_queue *queue = bl_queue_new(4, 4);
    bl_slot slot = {.lane = 3};
    bl_mem_fail_after(0);
    CHECK(bl_queue_push(queue, &slot, false) == BL_NOMEM);
    CHECK(bl_queue_maybe_empty(queue) && bl_queue_pop(queue, false) == NULL);
    CHECK(bl_queue_push(queue, &slot, true) == BL_OK); /* the front allocates nothing */
    CHECK(bl_queue_pop(queue, false) == &slot);
    bl_mem_fail_after(-1);
    bl_queue_free(queue);
}

static void test_has_room(void) {
    bl_queue *queue = bl_queue_new(2, 4);
    CHECK(bl_queue_has_room(queue, 0, 5, 5) && !bl_queue_has_room(queue, 0, 6, 5) && bl_queue_has_room(queue, 0, 6, 0));
    CHECK(bl_queue_reserve(queue, 0, 5, 5) == BL_OK);
    CHECK(!bl_queue_has_room(queue, 0, 1, 5) && bl_queue_has_room(queue, 1, 5, 5));
    uint32_t key = bl_ec_prepare(bl_queue_room(queue, 0));
    bl_queue_release(queue, 1, 0); /* another lane: nobody is woken */
    CHECK(bl_ec_wait(bl_queue_room(queue, 0), key, 1) == BL_TIMEOUT);
    key = bl_ec_prepare(bl_queue_room(queue, 0));
    bl_queue_release(queue, 0, 2);
    CHECK(bl_ec_wait(bl_queue_room(queue, 0), key, BL_NEVER) == BL_OK);
    CHECK(bl_queue_has_room(queue, 0, 2, 5) && !bl_queue_has_room(queue, 0, 3, 5));
    key = bl_ec_prepare(bl_queue_room(queue, 1));
    bl_queue_wake_blocked(queue);
    CHECK(bl_ec_wait(bl_queue_room(queue, 1), key, BL_NEVER) == BL_OK);
    bl_queue_free(queue);
}

#define LIMIT 20

typedef struct shared {
    bl_queue *queue;
    bl_slot *slots;
    tags t;
    bool bounded;
    bool waits; /* for room, asleep; else by trying again */
    bl_ai64 inside[4]; /* counted after the reservation and before the release: never above the true number */
} shared;

static void wait_for_room(shared *s, unsigned lane) {
    if (!s->waits) {
        sched_yield();
        return;
    }
    bl_ec *ec = bl_queue_room(s->queue, lane);
    uint32_t key = bl_ec_prepare(ec);
    if (bl_queue_has_room(s->queue, lane, 1, LIMIT)) {
        bl_ec_cancel(ec);
    } else {
        (void)bl_ec_wait(ec, key, BL_NEVER);
    }
}

static void produce(shared *s, unsigned index) {
    for (uint64_t i = 0; i < s->t.each; i++) {
        bl_slot *slot = &s->slots[index * s->t.each + i];
        slot->id = tag(index, i);
        slot->lane = (uint8_t)(index % 4); /* one lane per producer: its order is kept */
        while (bl_queue_reserve(s->queue, slot->lane, 1, s->bounded ? LIMIT : 0) != BL_OK) {
            wait_for_room(s, slot->lane);
        }
        CHECK(atomic_fetch_add(&s->inside[slot->lane], 1) < (s->bounded ? LIMIT : INT64_MAX));
        CHECK(bl_queue_push(s->queue, slot, false) == BL_OK);
    }
}

static void produce_or_consume(unsigned index, void *arg) {
    shared *s = arg;
    if (index < s->t.producers) {
        produce(s, index);
        return;
    }
    tag_order order = {{0}};
    uint64_t turn = index;
    while (!tags_all_taken(&s->t)) {
        bl_slot *slot = bl_queue_pop(s->queue, ++turn % 8 == 0);
        if (slot == NULL) {
            sched_yield();
            continue;
        }
        uint8_t lane = slot->lane;
        tags_take(&s->t, &order, slot->id);
        atomic_fetch_sub(&s->inside[lane], 1);
        bl_queue_release(s->queue, lane, 1);
    }
}

static void test_many_producers_many_consumers(void) {
    static const unsigned crews[][2] = {{1, 1}, {2, 2}, {4, 4}, {8, 8}};
    for (size_t c = 0; c < sizeof crews / sizeof *crews; c++) {
        for (int bounded = 0; bounded < 3; bounded++) {
            uint64_t each = (bounded ? 30000u : 60000u) / SCALE / crews[c][0];
            shared s = {.queue = bl_queue_new(4, 16), .slots = make_slots(crews[c][0] * each), .bounded = bounded > 0,
                        .waits = bounded == 2};
            tags_init(&s.t, crews[c][0], each);
            run_crew(crews[c][0] + crews[c][1], produce_or_consume, &s);
            CHECK(bl_queue_pop(s.queue, false) == NULL && bl_queue_maybe_empty(s.queue));
            CHECK(bl_queue_live_all(s.queue) == 0);
            tags_finish(&s.t);
            bl_queue_free(s.queue);
            free(s.slots);
        }
    }
}

static void push_fronts_or_consume(unsigned index, void *arg) {
    shared *s = arg;
    if (index < s->t.producers) {
        for (uint64_t i = 0; i < s->t.each; i++) {
            bl_slot *slot = &s->slots[index * s->t.each + i];
            slot->id = tag(index, i);
            slot->lane = 0;
            CHECK(bl_queue_push(s->queue, slot, true) == BL_OK);
        }
        return;
    }
    while (!tags_all_taken(&s->t)) {
        bl_slot *slot = bl_queue_pop_lane(s->queue, 0);
        if (slot == NULL) {
            sched_yield();
            continue;
        }
        tag_order any = {{0}}; /* last in, first out: no order to keep between threads */
        tags_take(&s->t, &any, slot->id);
    }
}

static void test_front_under_load(void) {
    uint64_t each = 20000 / SCALE;
    shared s = {.queue = bl_queue_new(1, 16), .slots = make_slots(2 * each)};
    tags_init(&s.t, 2, each);
    run_crew(4, push_fronts_or_consume, &s);
    tags_finish(&s.t);
    bl_queue_free(s.queue);
    free(s.slots);
}

int main(void) {
    RUN(test_lane_numbers);
    RUN(test_priority_fifo_lowest_and_front);
    RUN(test_reserve_and_release);
    RUN(test_has_room);
    RUN(test_no_memory);
    RUN(test_many_producers_many_consumers);
    RUN(test_front_under_load);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
