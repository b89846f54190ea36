/* core_priv.h: the engine's insides, shared by core.c, core_flow.c and core_stats.c and nobody else. */
#ifndef BL_CORE_PRIV_H
#define BL_CORE_PRIV_H

#include "core.h"

#define BL_PAGE 256 /* queues per page of the queue table */

/* Arrays below are never changed in place: a reader takes the pointer once, a writer publishes a new array
 * and keeps the old one in the graveyard until the core is freed. */
typedef struct bl_list {
    struct bl_list *buried;
    size_t count;
    uint16_t items[];
} bl_list;

typedef struct bl_queue_entry {
    bl_aptr queue;  /* bl_queue; release in bl_core_add_queue, acquire by users */
    bl_aptr groups; /* bl_list of groups that subscribe; release in bl_core_subscribe, acquire in wake */
    unsigned lanes;
} bl_queue_entry;

typedef struct bl_group {
    bl_ec ec;
    bl_aptr queues; /* bl_list; release in bl_core_subscribe, acquire in bl_core_take */
    bl_a32 paused;
    bl_a32 rotate;
    bl_a32 turn;
    bool reserve;
} bl_group;

struct bl_core {
    bl_config config;
    bl_pool *pool;
    bl_registry *registry;
    bl_timers *timers;
    bl_lane *kept;     /* finished slots, oldest first */
    bl_slot *held;     /* the oldest kept slot, taken out to look at its age; guarded by `aging` */
    bl_mutex aging;
    bl_list *graveyard;
    bl_mutex lock;     /* queues, groups, workers: their tables, not their contents */
    unsigned queue_count;
    unsigned group_count;
    bl_a32 worker_limit;

    _Alignas(BL_CACHE_LINE) bl_a64 next_id;
    bl_rate submit_rate;
    _Alignas(BL_CACHE_LINE) bl_a64 kept_count;
    _Alignas(BL_CACHE_LINE) bl_ai64 keeper_wake; /* what the keeper sleeps for */
    bl_ai64 asked; /* the earliest time that somebody woke the keeper for and that has not come yet */
    bl_a32 kicked; /* a kick that no keeper_wait has returned for yet */
    bl_a32 manual;
    bl_ai64 manual_now;
    bl_ec keeper;
    bl_ec drainers;

    bl_worker elsewhere; /* outcomes on threads that are no workers; its counters are added to atomically */
    bl_worker retired;   /* figures of workers that have left, added under `lock` */

    bl_aptr queues[BL_MAX_QUEUES / BL_PAGE]; /* pages of bl_queue_entry */
    bl_aptr groups[BL_MAX_GROUPS];
    bl_aptr workers[BL_MAX_WORKERS];
};

bl_queue_entry *bl_core_entry(bl_core *core, unsigned index); /* NULL: no such queue */
bl_group *bl_core_group(const bl_core *core, unsigned index);
void bl_rate_add(bl_rate *rate, int64_t now, uint64_t count, bool shared);
void bl_core_fold(bl_worker *into, const bl_worker *from);

#endif
