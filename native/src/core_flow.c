/* core_flow.c: how a slot moves: pushed, taken, run, delayed, expired, kept, aged, drained.
 *
 * DESIGN
 * Each hand-over names the handshake it relies on:
 *   push -> sleeping worker:  event count of the group (park.h). With `relay` a push wakes one worker and leaves the
 *                             rest to it (call_next); without, each push wakes one. Lane 0 never waits for a relay.
 *   begin -> keeper:          seq_cst store of the deadline, then seq_cst load of keeper_wake; the keeper
 *                             stores keeper_wake = BL_NEVER, then reads all deadlines. One of them sees the other.
 *   done -> drainer:          seq_cst on both sides, see bl_core_idle
 *   room -> submitter:        event count of the lane (queue.c)
 *   worker end -> peeker:     one exchange on the token; a peeker that was first makes the worker wait for
 *                             the few instructions of its visit
 * It never calls back; tables are in core.c.
 */
#include <limits.h>
#include <sched.h>

#include "core_priv.h"
#include "mem.h"

int bl_core_reserve(bl_core *core, unsigned queue, unsigned lane, uint64_t count, uint64_t limit) {
    bl_queue *target = bl_core_queue(core, queue);
    if (target == NULL || lane >= bl_queue_lanes(target))
        return BL_INVALID;
    return bl_queue_reserve(target, lane, count, limit);
}

void bl_core_unreserve(bl_core *core, unsigned queue, unsigned lane, uint64_t count) {
    bl_queue_release(bl_core_queue(core, queue), lane, count);
}

/* Wake one thread for a slot in this lane. True when it is a worker of an ordinary group. */
static bool wake_groups(bl_core *core, bl_queue_entry *entry, unsigned lane) {
    bl_list *groups = bl_load_acquire(&entry->groups); /* release in set_member */
    if (groups == NULL)
        return false;
    bool relay = core->config.relay != 0 && lane != 0;
    bool reserve = false;
    for (size_t i = 0; i < groups->count; i++) {
        bl_group *group = bl_core_group(core, groups->items[i]);
        if (bl_load_seq(&group->paused) != 0) /* store in bl_core_pause; after the push: one of them sees the other */
            continue;
        if (group->reserve)
            reserve = true;
        else if (relay ? bl_ec_nudge(&group->ec) : bl_ec_notify(&group->ec))
            return true;
    }
    for (size_t i = 0; reserve && lane == 0 && i < groups->count; i++) {
        bl_group *group = bl_core_group(core, groups->items[i]);
        if (group->reserve && bl_ec_notify(&group->ec))
            break;
    }
    return false;
}

int bl_core_push_quiet(bl_core *core, bl_slot *slot, bool front) {
    return bl_queue_push(bl_core_queue(core, slot->queue), slot, front);
}

int bl_core_push(bl_core *core, bl_slot *slot, bool front, bool *woken) {
    /* from the push on the slot may be gone: take what is needed before */
    bl_queue_entry *entry = bl_core_entry(core, slot->queue);
    unsigned lane = slot->lane;
    int result = bl_queue_push(bl_load_acquire(&entry->queue), slot, front); /* release in add_queue */
    *woken = result == BL_OK && wake_groups(core, entry, lane);
    return result;
}

void bl_core_wake(bl_core *core, unsigned queue, unsigned lane, uint64_t count) {
    bl_queue_entry *entry = bl_core_entry(core, queue);
    while (count > 0 && wake_groups(core, entry, lane))
        count = core->config.relay != 0 && lane != 0 ? 0 : count - 1;
}

int bl_core_cancel(bl_core *core, bl_slot *slot, uint32_t *seen) {
    int result = bl_slot_cancel(slot, seen);
    if (result == BL_OK && bl_word_state(*seen) == BL_QUEUED)
        bl_queue_release(bl_core_queue(core, slot->queue), slot->lane, 1);
    return result;
}

/* The keeper remembers what it was woken for, even if that is over by then: were it to sleep for something
 * later instead, each short task with a limit would wake it again. This way a limit of 30 s costs one wake-up
 * in 30 s. */
static void kick_before(bl_core *core, int64_t when) {
    if (when >= bl_load_seq(&core->keeper_wake)) /* handshake with bl_core_keeper_wait */
        return;
    int64_t asked = bl_load_seq(&core->asked);
    while (when < asked && !bl_cas_seq(&core->asked, &asked, when)) {
    }
    bl_ec_notify_all(&core->keeper);
}

int bl_core_schedule(bl_core *core, bl_slot *slot, int64_t when) {
    bool first = false;
    int result = bl_timers_add(core->timers, slot, when, &first);
    if (result == BL_OK && first)
        kick_before(core, when);
    return result;
}

bool bl_core_unschedule(bl_core *core, bl_slot *slot) { return bl_timers_remove(core->timers, slot) == BL_OK; }

bl_slot *bl_core_pop_due(bl_core *core, int64_t now) { return bl_timers_pop_due(core->timers, now); }

/* Decide what becomes of a slot that left its lane. */
static void resolve(bl_core *core, bl_queue *queue, bl_slot *slot, bl_take *take) {
    take->slot = slot;
    unsigned lane = slot->lane;
    if (slot->expires != BL_NEVER && slot->expires <= bl_core_now(core)) {
        bool won = bl_slot_cancel(slot, &take->seen) == BL_OK;
        take->kind = won ? BL_TAKEN_EXPIRED : BL_TAKEN_TOMBSTONE;
        if (won)
            bl_queue_release(queue, lane, 1);
        return;
    }
    if (bl_slot_claim(slot, &take->attempt, &take->seen) == BL_OK) {
        take->kind = BL_TAKEN_RUN;
        bl_queue_release(queue, lane, 1);
    } else {
        take->kind = BL_TAKEN_TOMBSTONE;
    }
}

static bool take_queue(bl_core *core, unsigned index, bool lowest, bool reserve, bl_take *take) {
    bl_queue *queue = bl_core_queue(core, index);
    bl_slot *slot = reserve ? bl_queue_pop_lane(queue, 0) : bl_queue_pop(queue, lowest);
    if (slot == NULL)
        return false;
    resolve(core, queue, slot, take);
    return true;
}

static bool anybody_sleeps(bl_core *core, const bl_list *groups) {
    for (size_t i = 0; groups != NULL && i < groups->count; i++) {
        bl_group *group = bl_core_group(core, groups->items[i]);
        if (!group->reserve && bl_ec_waiters(&group->ec) != 0)
            return true;
    }
    return false;
}

/* A worker that has taken a slot, or does not sleep after all, wakes the next one if there is more. The sleepers are
 * looked at first: while there are none, the pushers' cache line is left alone. */
static void call_next(bl_core *core, unsigned queue) {
    bl_queue_entry *entry = bl_core_entry(core, queue);
    if (anybody_sleeps(core, bl_load_acquire(&entry->groups)) && /* release in set_member */
        !bl_queue_maybe_empty(bl_load_acquire(&entry->queue)))   /* release in add_queue */
        (void)wake_groups(core, entry, 1);
}

void bl_core_stayed(bl_core *core, unsigned group) {
    bl_list *queues = bl_load_acquire(&bl_core_group(core, group)->queues); /* release in subscribe */
    for (size_t i = 0; core->config.relay != 0 && queues != NULL && i < queues->count; i++)
        call_next(core, queues->items[i]);
}

void bl_core_take(bl_core *core, bl_worker *worker, bl_take *take) {
    take->kind = BL_TAKEN_NONE;
    bl_group *group = bl_core_group(core, worker->group);
    if (bl_load_seq(&group->paused) != 0) /* store in bl_core_pause */
        return;
    bl_list *queues = bl_load_acquire(&group->queues); /* release in subscribe */
    if (queues == NULL || queues->count == 0)
        return;
    uint32_t countdown = bl_load_relaxed(&worker->lowest_in); /* this worker's own, read by nobody else */
    bool lowest = countdown == 1;
    size_t start = 0;
    if (bl_load_relaxed(&group->rotate) != 0)
        start = bl_add_relaxed(&group->turn, 1) % queues->count;
    for (size_t i = 0; i < queues->count; i++) {
        size_t at = (start + i) % queues->count;
        if (!take_queue(core, queues->items[at], lowest, group->reserve, take))
            continue;
        if (core->config.aging != 0)
            bl_store_relaxed(&worker->lowest_in, lowest ? core->config.aging : countdown - 1);
        /* A push that was slower than a later one hid both from somebody who then fell asleep, and its notify
         * woke this thread only (queue.h): pass it on. */
        if (core->config.relay != 0)
            call_next(core, queues->items[at]);
        else if (bl_ec_waiters(&group->ec) != 0 && !bl_queue_maybe_empty(bl_core_queue(core, queues->items[at])))
            (void)bl_ec_notify(&group->ec);
        return;
    }
}

void bl_core_take_from(bl_core *core, const uint16_t *queues, size_t count, bl_take *take) {
    take->kind = BL_TAKEN_NONE;
    for (size_t i = 0; i < count; i++) {
        if (!take_queue(core, queues[i], false, false, take))
            continue;
        if (core->config.relay != 0)
            call_next(core, queues[i]);
        return;
    }
}

void bl_worker_begin(bl_core *core, bl_worker *worker, bl_slot *slot, uint32_t attempt, int64_t now) {
    slot->started = now;
    int64_t ready = slot->due != BL_NEVER ? slot->due : slot->created;
    bl_hist_add(&worker->wait[slot->lane < 3 ? slot->lane : 3], now - ready);
    bl_store_relaxed(&worker->slot, slot);
    bl_store_relaxed(&worker->attempt, attempt);
    bl_store_relaxed(&worker->started, now);
    worker->serial++;
    if (slot->timeout == 0) {
        bl_store_relaxed(&worker->deadline, BL_NEVER);
        /* release: pairs with the acquire of the token in bl_worker_peek and its callers */
        bl_store_release(&worker->token, worker->serial << 1);
        return;
    }
    int64_t deadline = now > BL_NEVER - slot->timeout ? BL_NEVER : now + slot->timeout;
    bl_store_relaxed(&worker->deadline, deadline);
    bl_store_seq(&worker->token, worker->serial << 1); /* handshake with bl_core_keeper_wait */
    kick_before(core, deadline);
}

bool bl_worker_end(bl_core *core, bl_worker *worker, int64_t now) {
    (void)core;
    uint64_t token = bl_xchg_acq_rel(&worker->token, 0); /* pairs with bl_worker_peek */
    if ((token & BL_T_PEEK) != 0) {
        while (bl_load_acquire(&worker->peeked) == 0) /* release in bl_worker_unpeek */
            sched_yield();
        bl_store_relaxed(&worker->peeked, 0);
    }
    bl_store_relaxed(&worker->slot, NULL);
    int64_t spent = now - bl_load_relaxed(&worker->started);
    bl_hist_add(&worker->run, spent);
    bl_store_relaxed(&worker->busy, bl_load_relaxed(&worker->busy) + (uint64_t)(spent > 0 ? spent : 0));
    return bl_load_acquire(&worker->interrupted) == worker->serial; /* release in bl_worker_set_interrupted */
}

bool bl_worker_peek(bl_worker *worker, uint64_t token) {
    return token != 0 && bl_cas_acq_rel(&worker->token, &token, token | BL_T_PEEK); /* pairs with bl_worker_end */
}

void bl_worker_set_interrupted(bl_worker *worker) {
    bl_store_release(&worker->interrupted, worker->serial); /* acquire in bl_worker_end */
}

void bl_worker_unpeek(bl_worker *worker) {
    uint64_t token = worker->serial << 1 | BL_T_PEEK;
    if (!bl_cas_acq_rel(&worker->token, &token, worker->serial << 1)) /* the worker has ended meanwhile */
        bl_store_release(&worker->peeked, 1);                         /* acquire in bl_worker_end */
}

bl_slot *bl_core_retain(bl_core *core, bl_slot *slot) {
    if (core->config.result_max == 0)
        return slot;
    int64_t finished = slot->finished;
    if (bl_lane_push(core->kept, slot) != BL_OK)
        return slot; /* no memory to remember it by: it leaves at once */
    uint64_t count = bl_add_relaxed(&core->kept_count, 1) + 1;
    if (core->config.result_ttl != BL_NEVER)
        kick_before(core, finished > BL_NEVER - core->config.result_ttl ? BL_NEVER : finished + core->config.result_ttl);
    return count > core->config.result_max ? bl_core_pop_retained(core) : NULL;
}

bl_slot *bl_core_pop_retained(bl_core *core) {
    bl_mutex_lock(&core->aging);
    bl_slot *slot = core->held; /* older than what is in the list */
    core->held = NULL;
    if (slot == NULL)
        slot = bl_lane_pop(core->kept);
    bl_mutex_unlock(&core->aging);
    if (slot != NULL)
        bl_sub_relaxed(&core->kept_count, 1);
    return slot;
}

/* What the keeper was woken for and is still to come. */
static int64_t next_asked(bl_core *core) {
    int64_t asked = bl_load_seq(&core->asked); /* pairs with kick_before */
    if (asked > bl_core_now(core))
        return asked;
    (void)bl_cas_seq(&core->asked, &asked, BL_NEVER); /* lost: somebody asked anew, and kicks */
    return BL_NEVER;
}

/* When the oldest kept result is over, and that result in `held`. `aging` is held. */
static int64_t oldest_ends(bl_core *core) {
    if (core->held == NULL)
        core->held = bl_lane_pop(core->kept);
    if (core->held == NULL || core->held->finished > BL_NEVER - core->config.result_ttl)
        return BL_NEVER;
    return core->held->finished + core->config.result_ttl;
}

static int64_t next_aged(bl_core *core) {
    if (core->config.result_ttl == BL_NEVER)
        return BL_NEVER;
    bl_mutex_lock(&core->aging);
    int64_t when = oldest_ends(core);
    bl_mutex_unlock(&core->aging);
    return when;
}

bl_slot *bl_core_pop_aged(bl_core *core, int64_t now) {
    if (core->config.result_ttl == BL_NEVER)
        return NULL;
    bl_slot *slot = NULL;
    bl_mutex_lock(&core->aging);
    if (oldest_ends(core) <= now) {
        slot = core->held;
        core->held = NULL;
    }
    bl_mutex_unlock(&core->aging);
    if (slot != NULL)
        bl_sub_relaxed(&core->kept_count, 1);
    return slot;
}

uint64_t bl_core_retained(const bl_core *core) { return bl_load_relaxed(&((bl_core *)core)->kept_count); }

static int64_t next_deadline(bl_core *core) {
    int64_t earliest = BL_NEVER;
    unsigned limit = bl_core_worker_limit(core);
    for (unsigned i = 0; i < limit; i++) {
        bl_worker *worker = bl_core_worker(core, i);
        if (worker == NULL || bl_load_seq(&worker->token) == 0) /* handshake with bl_worker_begin */
            continue;
        int64_t deadline = bl_load_relaxed(&worker->deadline);
        earliest = deadline < earliest ? deadline : earliest;
    }
    return earliest;
}

int bl_core_keeper_wait(bl_core *core, int64_t until) {
    uint32_t key = bl_ec_prepare(&core->keeper);
    bl_store_seq(&core->keeper_wake, BL_NEVER); /* from here on whoever is earlier than that kicks: see DESIGN */
    bool manual = bl_core_manual(core);
    int64_t wake = manual ? BL_NEVER : until;
    int64_t times[] = {bl_timers_next(core->timers), next_deadline(core), next_aged(core), next_asked(core)};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        wake = times[i] < wake ? times[i] : wake;
    /* A kick from before the prepare would be lost otherwise, and with it the stop that it announces. */
    if (bl_xchg_seq(&core->kicked, 0) != 0 || wake <= bl_core_now(core)) {
        bl_ec_cancel(&core->keeper);
        return BL_TIMEOUT;
    }
    bl_store_seq(&core->keeper_wake, wake); /* read by kick_before */
    int result = bl_ec_wait(&core->keeper, key, manual ? until : wake);
    (void)bl_xchg_seq(&core->kicked, 0); /* whatever was announced until now is seen by the caller */
    return result;
}

void bl_core_kick(bl_core *core) {
    bl_store_seq(&core->kicked, 1); /* pairs with the exchange in bl_core_keeper_wait */
    bl_ec_notify_all(&core->keeper);
}

void bl_core_wake_everybody(bl_core *core) {
    for (unsigned group = 0; bl_core_has_group(core, group); group++)
        bl_ec_notify_all(bl_core_group_ec(core, group));
    bl_queue *queue;
    for (unsigned i = 0; (queue = bl_core_queue(core, i)) != NULL; i++)
        bl_queue_wake_blocked(queue);
    bl_core_kick(core);
}

void bl_core_done(bl_core *core, bl_worker *worker) {
    if (worker != NULL) {
        bl_store_release(&worker->done, bl_load_relaxed(&worker->done) + 1); /* seq_cst load in bl_core_outstanding */
        return;
    }
    bl_add_seq(&core->elsewhere.done, 1); /* seq_cst load in bl_core_outstanding */
    bl_core_idle(core, NULL);
}

void bl_core_idle(bl_core *core, bl_worker *worker) {
    /* The read-modify-write puts this worker's last `done` into the single order of seq_cst operations: either
     * the drainer's sum sees it, or this thread sees the drainer among the waiters. */
    if (worker != NULL)
        bl_add_seq(&worker->done, 0);
    if (bl_ec_waiters(&core->drainers) != 0 && bl_core_outstanding(core) == 0)
        bl_ec_notify_all(&core->drainers);
}

int bl_core_drain_wait(bl_core *core, int64_t deadline) {
    uint32_t key = bl_ec_prepare(&core->drainers);
    if (bl_core_outstanding(core) == 0) {
        bl_ec_cancel(&core->drainers);
        return BL_OK;
    }
    int result = bl_ec_wait(&core->drainers, key, deadline);
    return result == BL_OK && bl_core_outstanding(core) != 0 ? BL_AGAIN : result;
}
