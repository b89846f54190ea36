/* core.c: an engine's tables: queues, groups with their subscriptions, worker records.
 *
 * DESIGN
 * Tables grow under one lock and are read without it. What a reader may hold (subscription arrays, queue
 * objects, group objects) lives until the core is freed, so a reader never needs to announce itself. Worker
 * records are reused: their memory stays, their figures move to `retired` when a worker leaves.
 *
 * The flow of slots is in core_flow.c, the figures in core_stats.c.
 */
#include "core_priv.h"

#include <limits.h>
#include <string.h>

#include "mem.h"

#define BL_AGING_OFF UINT32_MAX

static bool core_parts(bl_core *core) {
    core->pool = bl_pool_new();
    core->registry = bl_registry_new();
    core->timers = bl_timers_new();
    core->kept = bl_lane_new(core->config.ring_size, core->pool);
    return core->pool != NULL && core->registry != NULL && core->timers != NULL && core->kept != NULL;
}

bl_core *bl_core_new(const bl_config *config) {
    bl_core *core = bl_mem_alloc(sizeof *core);
    if (core == NULL)
        return NULL;
    core->config = *config;
    bl_store_relaxed(&core->keeper_wake, BL_NEVER);
    bl_store_relaxed(&core->asked, BL_NEVER);
    bl_ec_init(&core->keeper);
    bl_ec_init(&core->drainers);
    if (!core_parts(core)) {
        bl_core_free(core);
        return NULL;
    }
    return core;
}

static void free_queues(bl_core *core) {
    for (size_t page = 0; page < BL_MAX_QUEUES / BL_PAGE; page++) {
        bl_queue_entry *entries = bl_load_relaxed(&core->queues[page]);
        if (entries == NULL)
            break;
        for (size_t i = 0; i < BL_PAGE; i++) {
            bl_queue *queue = bl_load_relaxed(&entries[i].queue);
            bl_list *groups = bl_load_relaxed(&entries[i].groups);
            if (queue != NULL)
                bl_queue_free(queue);
            if (groups != NULL)
                bl_mem_free(groups, sizeof *groups + groups->count * sizeof(uint16_t));
        }
        bl_mem_free(entries, BL_PAGE * sizeof *entries);
    }
}

static void free_groups(bl_core *core) {
    for (unsigned i = 0; i < core->group_count; i++) {
        bl_group *group = bl_load_relaxed(&core->groups[i]);
        bl_list *queues = bl_load_relaxed(&group->queues);
        if (queues != NULL)
            bl_mem_free(queues, sizeof *queues + queues->count * sizeof(uint16_t));
        bl_mem_free(group, sizeof *group);
    }
}

void bl_core_free(bl_core *core) {
    free_queues(core);
    free_groups(core);
    for (unsigned i = 0; i < bl_load_relaxed(&core->worker_limit); i++)
        bl_mem_free(bl_load_relaxed(&core->workers[i]), sizeof(bl_worker));
    while (core->graveyard != NULL) {
        bl_list *list = core->graveyard;
        core->graveyard = list->buried;
        bl_mem_free(list, sizeof *list + list->count * sizeof(uint16_t));
    }
    if (core->kept != NULL)
        bl_lane_free(core->kept);
    if (core->timers != NULL)
        bl_timers_free(core->timers);
    if (core->registry != NULL)
        bl_registry_free(core->registry);
    if (core->pool != NULL)
        bl_pool_free(core->pool);
    bl_mem_free(core, sizeof *core);
}

static bool copy_queues(bl_core *core, const bl_core *old) {
    for (unsigned i = 0; i < old->queue_count; i++) {
        bl_queue_entry *entries = bl_load_relaxed(&((bl_core *)old)->queues[i / BL_PAGE]);
        if (bl_core_add_queue(core, entries[i % BL_PAGE].lanes) < 0)
            return false;
    }
    return true;
}

static bool copy_groups(bl_core *core, const bl_core *old) {
    for (unsigned i = 0; i < old->group_count; i++) {
        bl_group *from = bl_core_group(old, i);
        int index = bl_core_add_group(core, from->reserve);
        if (index < 0)
            return false;
        bl_group *to = bl_core_group(core, (unsigned)index);
        bl_store_relaxed(&to->paused, bl_load_relaxed(&from->paused));
        bl_store_relaxed(&to->rotate, bl_load_relaxed(&from->rotate));
        bl_list *queues = bl_load_relaxed(&from->queues);
        if (queues != NULL && bl_core_subscribe(core, (unsigned)index, queues->items, queues->count) != BL_OK)
            return false;
    }
    return true;
}

bl_core *bl_core_new_like(const bl_core *old) {
    bl_core *core = bl_core_new(&old->config);
    if (core == NULL)
        return NULL;
    if (!copy_queues(core, old) || !copy_groups(core, old)) {
        bl_core_free(core);
        return NULL;
    }
    return core;
}

int64_t bl_core_now(bl_core *core) {
    /* acquire: pairs with the release in bl_core_set_now, so that the hand-set time is there */
    if (bl_load_acquire(&core->manual) != 0)
        return bl_load_acquire(&core->manual_now);
    return bl_now();
}

void bl_core_set_now(bl_core *core, int64_t now) {
    bl_store_release(&core->manual_now, now); /* pairs with the acquire in bl_core_now */
    bl_store_release(&core->manual, 1);       /* pairs with the acquire in bl_core_now */
    bl_core_kick(core);
}

bool bl_core_manual(const bl_core *core) {
    return bl_load_acquire(&((bl_core *)core)->manual) != 0; /* pairs with the release in bl_core_set_now */
}

bl_pool *bl_core_pool(bl_core *core) { return core->pool; }
bl_registry *bl_core_registry(bl_core *core) { return core->registry; }

uint64_t bl_core_next_ids(bl_core *core, uint64_t count, int64_t now) {
    bl_rate_add(&core->submit_rate, now, count, true);
    return bl_add_relaxed(&core->next_id, count) + 1; /* plain tickets: nothing is published by them */
}

bl_queue_entry *bl_core_entry(bl_core *core, unsigned index) {
    if (index >= BL_MAX_QUEUES)
        return NULL;
    bl_queue_entry *entries = bl_load_acquire(&core->queues[index / BL_PAGE]); /* release in bl_core_add_queue */
    if (entries == NULL)
        return NULL;
    bl_queue_entry *entry = &entries[index % BL_PAGE];
    return bl_load_acquire(&entry->queue) != NULL ? entry : NULL; /* release in bl_core_add_queue */
}

bl_queue *bl_core_queue(bl_core *core, unsigned index) {
    bl_queue_entry *entry = bl_core_entry(core, index);
    return entry != NULL ? bl_load_acquire(&entry->queue) : NULL; /* release in bl_core_add_queue */
}

static int add_queue(bl_core *core, unsigned lanes) {
    unsigned index = core->queue_count;
    if (index >= BL_MAX_QUEUES)
        return BL_FULL;
    bl_queue_entry *entries = bl_load_relaxed(&core->queues[index / BL_PAGE]);
    if (entries == NULL) {
        entries = bl_mem_alloc(BL_PAGE * sizeof *entries);
        if (entries == NULL)
            return BL_NOMEM;
        bl_store_release(&core->queues[index / BL_PAGE], entries); /* acquire in bl_core_entry */
    }
    bl_queue *queue = bl_queue_new(lanes, core->config.ring_size);
    if (queue == NULL)
        return BL_NOMEM;
    entries[index % BL_PAGE].lanes = lanes;
    bl_store_release(&entries[index % BL_PAGE].queue, queue); /* acquire in bl_core_entry */
    core->queue_count = index + 1;
    return (int)index;
}

int bl_core_add_queue(bl_core *core, unsigned lanes) {
    if (lanes < 1 || lanes > BL_MAX_LANES)
        return BL_INVALID;
    bl_mutex_lock(&core->lock);
    int result = add_queue(core, lanes);
    bl_mutex_unlock(&core->lock);
    return result;
}

bl_group *bl_core_group(const bl_core *core, unsigned index) {
    if (index >= BL_MAX_GROUPS)
        return NULL;
    return bl_load_acquire(&((bl_core *)core)->groups[index]); /* release in bl_core_add_group */
}

bool bl_core_has_group(const bl_core *core, unsigned group) { return bl_core_group(core, group) != NULL; }

int bl_core_add_group(bl_core *core, bool reserve) {
    bl_group *group = bl_mem_alloc(sizeof *group);
    if (group == NULL)
        return BL_NOMEM;
    bl_ec_init(&group->ec);
    group->reserve = reserve;
    bl_mutex_lock(&core->lock);
    unsigned index = core->group_count;
    if (index < BL_MAX_GROUPS) {
        bl_store_release(&core->groups[index], group); /* acquire in bl_core_group */
        core->group_count = index + 1;
    }
    bl_mutex_unlock(&core->lock);
    if (index >= BL_MAX_GROUPS) {
        bl_mem_free(group, sizeof *group);
        return BL_FULL;
    }
    return (int)index;
}

static bl_list *list_new(size_t count) {
    bl_list *list = bl_mem_alloc(sizeof *list + count * sizeof(uint16_t));
    if (list != NULL)
        list->count = count;
    return list;
}

static void bury(bl_core *core, bl_list *list) {
    if (list != NULL) {
        list->buried = core->graveyard;
        core->graveyard = list;
    }
}

static bool list_has(const bl_list *list, uint16_t item) {
    for (size_t i = 0; list != NULL && i < list->count; i++)
        if (list->items[i] == item)
            return true;
    return false;
}

/* Add a group to a queue's list, or take it out. The lock is held. */
static int set_member(bl_core *core, bl_queue_entry *entry, uint16_t group, bool member) {
    bl_list *old = bl_load_relaxed(&entry->groups);
    if (list_has(old, group) == member)
        return BL_OK;
    size_t count = old != NULL ? old->count : 0;
    bl_list *list = list_new(member ? count + 1 : count - 1);
    if (list == NULL)
        return BL_NOMEM;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (old->items[i] != group)
            list->items[used++] = old->items[i];
    if (member)
        list->items[used] = group;
    bl_store_release(&entry->groups, list); /* acquire in wake_groups */
    bury(core, old);
    return BL_OK;
}

static int subscribe(bl_core *core, unsigned index, const uint16_t *queues, size_t count) {
    bl_group *group = bl_core_group(core, index);
    bl_list *list = list_new(count);
    if (list == NULL)
        return BL_NOMEM;
    if (count > 0)
        memcpy(list->items, queues, count * sizeof *queues);
    int result = BL_OK;
    for (size_t i = 0; i < count && result == BL_OK; i++)
        result = set_member(core, bl_core_entry(core, queues[i]), (uint16_t)index, true);
    if (result != BL_OK) {
        bl_mem_free(list, sizeof *list + count * sizeof(uint16_t));
        return result; /* members that were added too many only cost wake-ups for nothing */
    }
    bl_list *old = bl_load_relaxed(&group->queues);
    bl_store_release(&group->queues, list); /* acquire in bl_core_take */
    for (size_t i = 0; old != NULL && i < old->count; i++)
        if (!list_has(list, old->items[i]))
            (void)set_member(core, bl_core_entry(core, old->items[i]), (uint16_t)index, false);
    bury(core, old);
    return BL_OK;
}

static void pass_on(bl_core *core, const bl_list *queues) {
    for (size_t i = 0; queues != NULL && i < queues->count; i++) {
        bl_list *groups = bl_load_acquire(&bl_core_entry(core, queues->items[i])->groups); /* release in set_member */
        for (size_t j = 0; groups != NULL && j < groups->count; j++)
            bl_ec_notify_all(bl_core_group_ec(core, groups->items[j]));
    }
}

int bl_core_subscribe(bl_core *core, unsigned group, const uint16_t *queues, size_t count) {
    if (bl_core_group(core, group) == NULL)
        return BL_INVALID;
    for (size_t i = 0; i < count; i++)
        if (bl_core_entry(core, queues[i]) == NULL)
            return BL_INVALID;
    bl_mutex_lock(&core->lock);
    bl_list *before = bl_load_relaxed(&bl_core_group(core, group)->queues);
    int result = subscribe(core, group, queues, count);
    bl_mutex_unlock(&core->lock);
    pass_on(core, before); /* a worker of this group may have been woken for a queue that it has left */
    /* sleepers look at the new set; what was pushed before they were members is found by this look */
    bl_ec_notify_all(bl_core_group_ec(core, group));
    return result;
}

void bl_core_rotate(bl_core *core, unsigned group, bool on) {
    bl_store_relaxed(&bl_core_group(core, group)->rotate, on ? 1u : 0u);
}

void bl_core_pass_on(bl_core *core, unsigned group) {
    pass_on(core, bl_load_acquire(&bl_core_group(core, group)->queues)); /* release in subscribe */
}

void bl_core_pause(bl_core *core, unsigned group, bool paused) {
    bl_store_seq(&bl_core_group(core, group)->paused, paused ? 1u : 0u); /* loads in bl_core_take and wake_groups */
    if (paused)
        bl_core_pass_on(core, group); /* a worker of this group may have been woken for what it must not take now */
    else
        bl_ec_notify_all(bl_core_group_ec(core, group));
}

bool bl_core_paused(const bl_core *core, unsigned group) {
    return bl_load_acquire(&bl_core_group(core, group)->paused) != 0; /* seq_cst store in bl_core_pause */
}

bl_ec *bl_core_group_ec(bl_core *core, unsigned group) { return &bl_core_group(core, group)->ec; }

static bl_worker *reuse_worker(bl_core *core) {
    unsigned limit = bl_load_relaxed(&core->worker_limit);
    for (unsigned i = 0; i < limit; i++) {
        bl_worker *worker = bl_load_relaxed(&core->workers[i]);
        if (bl_load_relaxed(&worker->used) == 0)
            return worker;
    }
    return NULL;
}

static bl_worker *fresh_worker(bl_core *core) {
    unsigned limit = bl_load_relaxed(&core->worker_limit);
    bl_worker *worker = limit < BL_MAX_WORKERS ? bl_mem_alloc(sizeof *worker) : NULL;
    if (worker == NULL)
        return NULL;
    worker->index = (uint16_t)limit;
    bl_store_relaxed(&worker->deadline, BL_NEVER);
    bl_store_release(&core->workers[limit], worker);  /* acquire in bl_core_worker */
    bl_store_release(&core->worker_limit, limit + 1); /* acquire in bl_core_worker_limit */
    return worker;
}

bl_worker *bl_core_add_worker(bl_core *core, unsigned group) {
    bl_mutex_lock(&core->lock);
    bl_worker *worker = reuse_worker(core);
    if (worker == NULL)
        worker = fresh_worker(core);
    if (worker != NULL) {
        worker->group = (uint16_t)group;
        bl_store_relaxed(&worker->abandoned, 0);
        bl_store_relaxed(&worker->lowest_in, core->config.aging != 0 ? core->config.aging : BL_AGING_OFF);
        bl_store_relaxed(&worker->born, bl_core_now(core));
        bl_store_release(&worker->used, 1); /* acquire in bl_core_worker */
    }
    bl_mutex_unlock(&core->lock);
    return worker;
}

/* Everything that is counted; the record's identity and memory stay. */
static void clear_figures(bl_worker *worker) {
    bl_a64 *const counters[] = {&worker->completed, &worker->failed, &worker->cancelled, &worker->retried,
                                &worker->expired, &worker->done, &worker->busy};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        bl_store_relaxed(counters[i], 0);
    for (size_t i = 0; i < BL_RATE_SECONDS; i++)
        bl_store_relaxed(&worker->finish_rate.cells[i], 0);
    for (size_t i = 0; i < BL_HIST_BUCKETS; i++) {
        bl_store_relaxed(&worker->run.counts[i], 0);
        for (size_t lane = 0; lane < 4; lane++)
            bl_store_relaxed(&worker->wait[lane].counts[i], 0);
    }
}

void bl_core_remove_worker(bl_core *core, bl_worker *worker) {
    bl_mutex_lock(&core->lock);
    bl_core_fold(&core->retired, worker);
    clear_figures(worker);
    worker->owner = NULL;
    worker->thread = 0;
    bl_store_release(&worker->used, 0); /* acquire in bl_core_worker */
    bl_mutex_unlock(&core->lock);
}

bl_worker *bl_core_worker(bl_core *core, unsigned index) {
    if (index >= bl_core_worker_limit(core))
        return NULL;
    bl_worker *worker = bl_load_acquire(&core->workers[index]); /* release in fresh_worker */
    return bl_load_acquire(&worker->used) != 0 ? worker : NULL; /* release in bl_core_add_worker */
}

unsigned bl_core_worker_limit(bl_core *core) {
    return bl_load_acquire(&core->worker_limit); /* release in fresh_worker */
}
