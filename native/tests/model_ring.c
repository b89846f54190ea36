/* model_ring.c: ring and lane in every interleaving: wrap, full, refill. Sizes are the tiny ones. */
#include <stdlib.h>

#include "lane.h"
#include "ring.h"

#define ITEMS 8 /* producer A has 0 to 3, B has 4 to 7 */

typedef struct state {
    bl_ring *ring;
    bl_lane *lane;
    bl_slot slots[ITEMS];
    bl_a32 got[ITEMS];
    bl_a32 pushed[ITEMS];
    bl_a32 flag;
} state;

static void *ring_of_two(void) {
    state *s = calloc(1, sizeof *s);
    s->ring = bl_ring_new(2);
    return s;
}

static void ring_clear(void *arg) {
    state *s = arg;
    bl_ring_free(s->ring);
    free(s);
}

static void ring_push(state *s, unsigned item) {
    if (bl_ring_push(s->ring, (void *)(uintptr_t)(item + 1)) == BL_OK) {
        atomic_store(&s->pushed[item], 1);
    }
}

static int ring_pop(state *s) {
    uintptr_t item = (uintptr_t)bl_ring_pop(s->ring);
    if (item == 0) {
        return -1;
    }
    MODEL_CHECK(item <= ITEMS);
    MODEL_CHECK(atomic_fetch_add(&s->got[item - 1], 1) == 0);
    return (int)item - 1;
}

static void push_a(void *arg) {
    ring_push(arg, 0);
    ring_push(arg, 1);
}

static void push_b(void *arg) {
    ring_push(arg, 4);
    ring_push(arg, 5);
}

static void push_three(void *arg) {
    ring_push(arg, 0);
    ring_push(arg, 1);
    ring_push(arg, 2);
}

static void pop_some(state *s, int count) {
    int last[2] = {-1, -1};
    for (int i = 0; i < count; i++) {
        int item = ring_pop(s);
        if (item >= 0) {
            MODEL_CHECK(item > last[item >= 4]);
            last[item >= 4] = item;
        }
    }
}

static void pop_two(void *arg) { pop_some(arg, 2); }

static void pop_three(void *arg) { pop_some(arg, 3); }

static void all_came_through(void *arg) {
    state *s = arg;
    while (ring_pop(s) >= 0) {
    }
    MODEL_CHECK(bl_ring_idle(s->ring));
    for (unsigned i = 0; i < ITEMS; i++) {
        MODEL_CHECK(s->got[i] == s->pushed[i]);
    }
    MODEL_CHECK(s->pushed[0] == 1 || s->pushed[4] == 1);
}

static void push_and_tell(void *arg) {
    state *s = arg;
    ring_push(s, 0);
    bl_store_seq(&s->flag, 1);
}

static void pop_if_told(void *arg) {
    state *s = arg;
    if (bl_load_seq(&s->flag) == 1) {
        MODEL_CHECK(!bl_ring_idle(s->ring));
        MODEL_CHECK(ring_pop(s) == 0);
    }
}

/* The lane: ring of two, items beyond go to the list. */
static void *lane_of_two(void) {
    state *s = calloc(1, sizeof *s);
    s->lane = bl_lane_new(2, NULL);
    for (unsigned i = 0; i < ITEMS; i++) {
        s->slots[i].id = i;
    }
    return s;
}

static void *full_lane(void) {
    state *s = lane_of_two();
    for (unsigned i = 0; i < 4; i++) {
        (void)bl_lane_push(s->lane, &s->slots[i]);
    }
    return s;
}

static void lane_clear(void *arg) {
    state *s = arg;
    bl_lane_free(s->lane);
    free(s);
}

static int lane_pop(state *s) {
    bl_slot *slot = bl_lane_pop(s->lane);
    if (slot == NULL) {
        return -1;
    }
    MODEL_CHECK(atomic_fetch_add(&s->got[slot->id], 1) == 0);
    return (int)slot->id;
}

/* Nobody pushes: as long as something is there, a pop has to find it. */
static void pop_two_that_are_there(void *arg) {
    int first = lane_pop(arg);
    int second = lane_pop(arg);
    MODEL_CHECK(first >= 0 && second > first);
}

static void pop_one_that_is_there(void *arg) { MODEL_CHECK(lane_pop(arg) >= 0); }

static void lane_push_a(void *arg) {
    state *s = arg;
    for (unsigned i = 0; i < 4; i++) {
        MODEL_CHECK(bl_lane_push(s->lane, &s->slots[i]) == BL_OK);
    }
}

static void lane_push_b(void *arg) {
    state *s = arg;
    for (unsigned i = 4; i < 6; i++) {
        MODEL_CHECK(bl_lane_push(s->lane, &s->slots[i]) == BL_OK);
    }
}

static void lane_pop_in_order(void *arg) {
    int last[2] = {-1, -1};
    for (int i = 0; i < 3; i++) {
        int item = lane_pop(arg);
        if (item >= 0) {
            MODEL_CHECK(item > last[item >= 4]);
            last[item >= 4] = item;
        }
    }
}

static void lane_drained(state *s, unsigned pushed) {
    int last[2] = {-1, -1};
    int item;
    while ((item = lane_pop(s)) >= 0) {
        MODEL_CHECK(item > last[item >= 4]);
        last[item >= 4] = item;
    }
    MODEL_CHECK(bl_lane_maybe_empty(s->lane));
    for (unsigned i = 0; i < pushed; i++) {
        MODEL_CHECK(s->got[i] == 1);
    }
}

static void four_out(void *arg) { lane_drained(arg, 4); }

static void six_out(void *arg) { lane_drained(arg, 6); }

static void push_five_to_full(void *arg) {
    state *s = arg;
    MODEL_CHECK(bl_lane_push(s->lane, &s->slots[4]) == BL_OK);
    MODEL_CHECK(bl_lane_push(s->lane, &s->slots[5]) == BL_OK);
}

int main(void) {
    bl_model_must_hold(&(bl_model){"ring: two producers, one consumer", ring_of_two, {push_a, push_b, pop_three},
                                   all_came_through, ring_clear, 3});
    bl_model_must_hold(&(bl_model){"ring: one producer, two consumers", ring_of_two, {push_three, pop_two, pop_two},
                                   all_came_through, ring_clear, 3});
    bl_model_must_hold(&(bl_model){"ring: two and two", ring_of_two, {push_a, push_b, pop_two, pop_two},
                                   all_came_through, ring_clear, 2});
    bl_model_must_hold(&(bl_model){"ring: what was pushed is seen", ring_of_two, {push_and_tell, pop_if_told}, NULL,
                                   ring_clear, 6});
    bl_model_must_hold(&(bl_model){"lane: two consumers empty ring and list", full_lane,
                                   {pop_two_that_are_there, pop_two_that_are_there}, four_out, lane_clear, 4});
    bl_model_must_hold(&(bl_model){"lane: three consumers empty ring and list", full_lane,
                                   {pop_two_that_are_there, pop_one_that_is_there, pop_one_that_is_there}, four_out,
                                   lane_clear, 3});
    bl_model_must_hold(&(bl_model){"lane: producer past the ring, consumer", lane_of_two,
                                   {lane_push_a, lane_pop_in_order}, four_out, lane_clear, 4});
    bl_model_must_hold(&(bl_model){"lane: two producers, consumer", lane_of_two,
                                   {lane_push_a, lane_push_b, lane_pop_in_order}, six_out, lane_clear, 2});
    bl_model_must_hold(&(bl_model){"lane: refill beside pushes", full_lane,
                                   {push_five_to_full, lane_pop_in_order, lane_pop_in_order}, six_out, lane_clear, 2});
    return 0;
}
