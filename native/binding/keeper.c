/* keeper.c: the primitives of the keeper thread: what is due, whose time is up, interrupting, letting go of
 * old results. The thread itself and its policy are brokerless.keeper.
 *
 * Looking at what another thread runs happens between bl_worker_peek() and bl_worker_unpeek(): there nothing
 * may run Python code or release the GIL, so only references are taken and the exception is set.
 */
#include "binding.h"

PyObject *bl_engine_keeper_wait(PyObject *self, PyObject *args, PyObject *kwargs) {
    EngineObject *engine = (EngineObject *)self;
    int64_t deadline = bl_parse_deadline(args, kwargs, "|O:keeper_wait");
    if (deadline == -1 || bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_core *core = engine->core;
    Py_BEGIN_ALLOW_THREADS
    (void)bl_core_keeper_wait(core, deadline);
    Py_END_ALLOW_THREADS
    if (PyErr_CheckSignals() < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bl_engine_kick(PyObject *self, PyObject *unused) {
    (void)unused;
    if (bl_engine_fork_check((EngineObject *)self) < 0)
        return NULL;
    bl_core_kick(((EngineObject *)self)->core);
    Py_RETURN_NONE;
}

enum due { DUE_READY, DUE_EXPIRED, DUE_NOT };

/* What a slot that left the timers is due for. A retry may have given it new times since it was put in, and may be
 * changing them now: they are read under the task's lock, as retry_later writes them. */
static enum due due_for(TaskObject *task, int64_t now) {
    bl_slot *slot = task->slot;
    bl_mutex_lock(&task->lock);
    uint32_t word = bl_load_acquire(&slot->word); /* transitions in slots.c release */
    int64_t due = slot->due;
    int64_t expires = slot->expires;
    bl_mutex_unlock(&task->lock);
    if (bl_word_terminal(word) || bl_word_state(word) == BL_RUNNING)
        return DUE_NOT;
    if (expires <= now)
        return DUE_EXPIRED;
    return bl_word_state(word) == BL_DELAYED && due <= now ? DUE_READY : DUE_NOT;
}

PyObject *bl_engine_fire_due(PyObject *self, PyObject *unused) {
    (void)unused;
    EngineObject *engine = (EngineObject *)self;
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    long fired = 0;
    bl_slot *slot;
    int64_t now = bl_core_now(engine->core);
    while ((slot = bl_core_pop_due(engine->core, now)) != NULL) {
        TaskObject *task = slot->owner;
        enum due what = due_for(task, now);
        uint32_t seen;
        fired++;
        if (what == DUE_READY) {
            (void)bl_requeue(engine, task);
            continue;
        }
        if (what == DUE_EXPIRED && bl_core_cancel(engine->core, slot, &seen) == BL_OK)
            bl_cancelled(task, NULL, seen, true);
        Py_DECREF(task);
    }
    return PyLong_FromLong(fired);
}

PyObject *bl_engine_age(PyObject *self, PyObject *unused) {
    (void)unused;
    EngineObject *engine = (EngineObject *)self;
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    long gone = 0;
    bl_slot *slot;
    while ((slot = bl_core_pop_aged(engine->core, bl_core_now(engine->core))) != NULL) {
        bl_leave_registry(engine->core, slot);
        gone++;
    }
    return PyLong_FromLong(gone);
}

/* The task that a worker runs, held open: a new reference; the caller unpeeks. NULL: it runs none. */
static TaskObject *peek(bl_worker *worker) {
    uint64_t token = bl_load_acquire(&worker->token); /* release in bl_worker_begin */
    if ((token & BL_T_PEEK) != 0 || !bl_worker_peek(worker, token))
        return NULL;
    bl_slot *slot = bl_load_relaxed(&worker->slot);
    return (TaskObject *)Py_NewRef((PyObject *)slot->owner);
}

PyObject *bl_engine_overdue(PyObject *self, PyObject *unused) {
    (void)unused;
    EngineObject *engine = (EngineObject *)self;
    PyObject *list = PyList_New(0);
    if (list == NULL || bl_engine_fork_check(engine) < 0) {
        Py_XDECREF(list);
        return NULL;
    }
    int64_t now = bl_core_now(engine->core);
    unsigned limit = bl_core_worker_limit(engine->core);
    for (unsigned i = 0; i < limit; i++) {
        bl_worker *worker = bl_core_worker(engine->core, i);
        if (worker == NULL || bl_load_acquire(&worker->token) == 0 || bl_load_relaxed(&worker->deadline) > now)
            continue;
        TaskObject *task = peek(worker);
        if (task == NULL)
            continue;
        bool late = bl_load_relaxed(&worker->deadline) <= now;
        unsigned long attempt = bl_load_relaxed(&worker->attempt);
        bl_worker_unpeek(worker);
        PyObject *item = late ? Py_BuildValue("(IOk)", i, task, attempt) : NULL;
        Py_DECREF(task);
        if (late && (item == NULL || PyList_Append(list, item) < 0)) {
            Py_XDECREF(item);
            Py_DECREF(list);
            return NULL;
        }
        Py_XDECREF(item);
    }
    return list;
}

PyObject *bl_engine_extend(PyObject *self, PyObject *args) {
    EngineObject *engine = (EngineObject *)self;
    unsigned int index;
    unsigned long attempt;
    PyObject *seconds;
    if (!PyArg_ParseTuple(args, "IkO:extend", &index, &attempt, &seconds) || bl_engine_fork_check(engine) < 0)
        return NULL;
    int64_t span = bl_nanoseconds(seconds, BL_NEVER);
    if (span == -1)
        return NULL;
    bl_worker *worker = bl_core_worker(engine->core, index);
    TaskObject *task = worker != NULL ? peek(worker) : NULL;
    if (task == NULL)
        Py_RETURN_FALSE;
    bool same = bl_load_relaxed(&worker->attempt) == attempt;
    int64_t now = bl_core_now(engine->core);
    if (same)
        bl_store_seq(&worker->deadline, span > BL_NEVER - now ? BL_NEVER : now + span); /* read by next_deadline */
    bl_worker_unpeek(worker);
    Py_DECREF(task);
    if (same)
        bl_core_kick(engine->core);
    return PyBool_FromLong(same);
}

PyObject *bl_engine_interrupt(PyObject *self, PyObject *args) {
    EngineObject *engine = (EngineObject *)self;
    unsigned int index;
    PyObject *wanted;
    unsigned long attempt;
    PyObject *type;
    if (!PyArg_ParseTuple(args, "IO!kO:interrupt", &index, bl_task_type, &wanted, &attempt, &type) ||
        bl_engine_fork_check(engine) < 0)
        return NULL;
    if (!PyExceptionClass_Check(type))
        return PyErr_Format(PyExc_TypeError, "interrupt() needs an exception class, not %R", type);
    bl_worker *worker = bl_core_worker(engine->core, index);
    TaskObject *task = worker != NULL ? peek(worker) : NULL;
    if (task == NULL)
        Py_RETURN_FALSE;
    bool same = (PyObject *)task == wanted && bl_load_relaxed(&worker->attempt) == attempt;
    if (same) {
        bl_worker_set_interrupted(worker);
        same = PyThreadState_SetAsyncExc((unsigned long)worker->thread, type) == 1;
    }
    bl_worker_unpeek(worker);
    Py_DECREF(task);
    return PyBool_FromLong(same);
}

static PyObject *leave(PyObject *self, PyObject *arg, uint32_t how) {
    EngineObject *engine = (EngineObject *)self;
    unsigned long index = PyLong_AsUnsignedLong(arg);
    if (PyErr_Occurred() || bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_worker *worker = bl_core_worker(engine->core, (unsigned)index);
    if (worker == NULL)
        Py_RETURN_FALSE;
    bl_store_seq(&worker->abandoned, how); /* read in must_leave */
    bl_ec_notify_all(bl_core_group_ec(engine->core, worker->group));
    Py_RETURN_TRUE;
}

PyObject *bl_engine_stop_worker(PyObject *self, PyObject *arg) { return leave(self, arg, 1); }

PyObject *bl_engine_abandon(PyObject *self, PyObject *arg) { return leave(self, arg, 2); }
