/* finish.c: every way in which an attempt or a task ends, and what follows from it.
 *
 * DESIGN
 * The outcome is stored and the state word changed under the task's lock, so that of two parties that end
 * the same attempt (the worker, the keeper at a deadline, finish() from elsewhere) one stores and wins.
 * After that, in this order: waiters wake; callbacks run (engine._callbacks); the queue's on_finish;
 * arguments of a completed task are released; the task is kept or leaves the registry; it counts as done,
 * which is what drain() waits for.
 * It does not decide on retries: engine._failed does.
 */
#include <limits.h>

#include "binding.h"

PyObject *bl_fetch_exception(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* The callbacks in the order they were added; NULL without an exception when there are none. */
static PyObject *take_callbacks(TaskObject *task) {
    bl_mutex_lock(&task->lock);
    Callback *newest = task->callbacks;
    task->callbacks = NULL;
    bl_mutex_unlock(&task->lock);
    PyObject *list = newest != NULL ? PyList_New(0) : NULL;
    while (newest != NULL) {
        Callback *next = newest->next;
        if (list == NULL || PyList_Append(list, newest->function) < 0)
            PyErr_WriteUnraisable(newest->function);
        Py_DECREF(newest->function);
        PyMem_Free(newest);
        newest = next;
    }
    if (list != NULL)
        (void)PyList_Reverse(list);
    return list;
}

static void run_callbacks(TaskObject *task) {
    PyObject *callbacks = take_callbacks(task);
    if (callbacks == NULL)
        return;
    PyObject *result =
        PyObject_CallMethodObjArgs((PyObject *)task->engine, bl_str_callbacks, (PyObject *)task, callbacks, NULL);
    if (result == NULL)
        PyErr_WriteUnraisable((PyObject *)task);
    Py_XDECREF(result);
    Py_DECREF(callbacks);
}

/* Drop an expiry entry that is of no use any more, with its reference. */
static void forget_timer(TaskObject *task) {
    if (task->slot->expires != BL_NEVER && bl_core_unschedule(task->engine->core, task->slot))
        Py_DECREF(task);
}

void bl_leave_registry(bl_core *core, bl_slot *slot) {
    if (!bl_registry_remove(bl_core_registry(core), slot))
        return;
    bl_task_leaves_engine(slot->owner);
    Py_DECREF((PyObject *)slot->owner);
}

void bl_flush_wake(bl_worker *worker) {
    if (worker->owner != NULL) {
        bl_addr_wake(worker->owner, INT_MAX);
        worker->owner = NULL;
    }
}

/* A waiter that wakes while its waker still holds the GIL only goes to sleep again. A worker that has nothing
 * else to run first therefore remembers the word, and wakes its waiters when it has let go of the GIL or found
 * the next task (a word whose slot serves another task by then costs that task's waiters one look). */
static void wake_waiters(TaskObject *task, bl_worker *worker, bool callbacks) {
    if (worker == NULL || callbacks || bl_has_hook(task->engine, task->slot->queue, BL_ON_FINISH)) {
        bl_addr_wake(&task->slot->word, INT_MAX);
        return;
    }
    bl_flush_wake(worker);
    worker->owner = &task->slot->word;
}

/* What follows the transition into a terminal state. The caller holds a reference of its own. */
static void ended(TaskObject *task, bl_worker *worker, uint32_t seen, unsigned state) {
    EngineObject *engine = task->engine;
    bl_core *core = engine->core;
    bl_slot *slot = task->slot;
    bl_worker_count(core, worker, state, slot->finished);
    if ((seen & BL_F_WAITERS) != 0)
        wake_waiters(task, worker, (seen & BL_F_CALLBACKS) != 0);
    if (slot->expires != BL_NEVER)
        forget_timer(task);
    uint32_t generation = bl_generation;
    if ((seen & BL_F_CALLBACKS) != 0)
        run_callbacks(task);
    bl_observe(task, BL_ON_FINISH);
    if (generation != bl_generation)
        return; /* one of them forked, and this is the child: the rest is the parent's to do */
    if (state == BL_COMPLETED)
        bl_task_release(task);
    if (bl_load_relaxed(&engine->stopping) != 0 && !PyObject_GC_IsTracked((PyObject *)task))
        PyObject_GC_Track(task); /* see engine_stop */
    if (slot->mark == 0) {
        bl_leave_registry(core, slot);
    } else {
        bl_slot *evicted = bl_core_retain(core, slot);
        if (evicted != NULL)
            bl_leave_registry(core, evicted);
    }
    bl_core_done(core, worker);
}

bool bl_finish(TaskObject *task, bl_worker *worker, uint32_t attempt, unsigned state, PyObject *outcome, int64_t now) {
    bl_slot *slot = task->slot;
    uint32_t seen;
    Py_XINCREF(outcome);
    bl_mutex_lock(&task->lock);
    uint32_t word = bl_load_acquire(&slot->word); /* transitions in slots.c release */
    bool mine = bl_word_state(word) == BL_RUNNING && bl_word_attempt(word) == attempt;
    if (mine) { /* stored before the transition publishes it; nobody else finishes while the lock is held */
        task->outcome = outcome;
        slot->finished = now;
        mine = bl_slot_finish(slot, attempt, state, &seen) == BL_OK;
        if (!mine)
            task->outcome = NULL;
    }
    bl_mutex_unlock(&task->lock);
    if (!mine) {
        Py_XDECREF(outcome);
        return false;
    }
    ended(task, worker, seen, state);
    return true;
}

void bl_cancelled(TaskObject *task, bl_worker *worker, uint32_t seen, bool expired) {
    task->slot->finished = bl_core_now(task->engine->core);
    if (expired)
        bl_core_count_expired(task->engine->core, worker);
    Py_INCREF(task);
    bool delayed = bl_word_state(seen) == BL_DELAYED;
    if (delayed && bl_core_unschedule(task->engine->core, task->slot))
        Py_DECREF(task);
    ended(task, worker, seen, BL_CANCELLED);
    Py_DECREF(task);
}

/* Ask engine._failed what to do: seconds until the next attempt (>= 0), or -1 FAILED, -2 CANCELLED. */
static double judge(TaskObject *task, PyObject *error) {
    PyObject *verdict =
        PyObject_CallMethodObjArgs((PyObject *)task->engine, bl_str_failed, (PyObject *)task, error, NULL);
    if (verdict == NULL) {
        PyErr_WriteUnraisable((PyObject *)task);
        return -1.0;
    }
    double delay = -1.0;
    if (verdict == Py_False) {
        delay = -2.0;
    } else if (verdict != Py_None) {
        delay = PyFloat_AsDouble(verdict);
        if (delay < 0.0 || delay != delay) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "_failed() must return a delay of at least 0 seconds, None or False");
            PyErr_WriteUnraisable((PyObject *)task);
            delay = -1.0;
        }
    }
    Py_DECREF(verdict);
    return delay;
}

/* RUNNING -> DELAYED, into the timers with a fresh reference. */
static bool retry_later(TaskObject *task, uint32_t attempt, double delay) {
    bl_core *core = task->engine->core;
    bl_slot *slot = task->slot;
    uint32_t seen;
    int64_t now = bl_core_now(core);
    int64_t when = delay * 1e9 >= (double)(BL_NEVER - now) ? BL_NEVER : now + (int64_t)(delay * 1e9);
    bl_mutex_lock(&task->lock);
    uint32_t word = bl_load_acquire(&slot->word); /* transitions in slots.c release */
    bool mine = bl_word_state(word) == BL_RUNNING && bl_word_attempt(word) == attempt;
    bool armed = false;
    if (mine) {
        /* it has started in time: expiry is over. Its submitter may have armed it after forget_timer() looked. */
        armed = slot->expires != BL_NEVER && bl_core_unschedule(core, slot);
        slot->due = when;
        slot->expires = BL_NEVER;
        mine = bl_slot_retry(slot, attempt, BL_DELAYED, &seen) == BL_OK;
    }
    bl_mutex_unlock(&task->lock);
    if (armed)
        Py_DECREF(task);
    if (!mine)
        return false;
    Py_INCREF(task);
    if (bl_core_schedule(core, slot, when) != BL_OK) { /* no memory for the timer: run it at once instead */
        (void)bl_requeue(task->engine, task);
    } else if (bl_word_terminal(bl_load_acquire(&slot->word)) && bl_core_unschedule(core, slot)) {
        Py_DECREF(task); /* cancelled between the transition and the timer */
    }
    return true;
}

bool bl_attempt_failed(TaskObject *task, bl_worker *worker, uint32_t attempt, PyObject *error, int64_t now) {
    uint32_t word = bl_load_acquire(&task->slot->word); /* transitions in slots.c release */
    if (bl_word_state(word) != BL_RUNNING || bl_word_attempt(word) != attempt)
        return false; /* a stale attempt: its error is nobody's */
    forget_timer(task);
    double delay = judge(task, error);
    if (delay == -2.0)
        return bl_finish(task, worker, attempt, BL_CANCELLED, error, now);
    if (delay < 0.0)
        return bl_finish(task, worker, attempt, BL_FAILED, error, now);
    if (!retry_later(task, attempt, delay))
        return false;
    bl_core_count_retry(task->engine->core, worker);
    bl_observe(task, BL_ON_FINISH);
    return true;
}
