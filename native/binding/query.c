/* query.c: looking at an engine: known tasks, order of a queue, figures.
 *
 * Lists come from the registry, never from the lanes, so that looking does not disturb the lock-free path;
 * a list is a picture of the moment in which the walk passed each task.
 */
#include "binding.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"

typedef struct Picked {
    TaskObject *task; /* with a reference, taken while the registry holds one */
    uint64_t seq;     /* as it was when the walk passed: later the slot may use its place for something else */
    int64_t due;
} Picked;

typedef struct Pick {
    Picked *items;
    size_t count;
    size_t room;
    int queue; /* -1: any */
    int state; /* -1: any */
    bool failed;
} Pick;

static bool pick_one(bl_slot *slot, void *arg) {
    Pick *pick = arg;
    Picked item = {.seq = slot->seq, .due = slot->due};
    uint32_t word = bl_load_acquire(&slot->word); /* transitions in slots.c release */
    if ((pick->queue >= 0 && slot->queue != pick->queue) || (pick->state >= 0 && (int)bl_word_state(word) != pick->state))
        return true;
    if (pick->count == pick->room) {
        size_t room = pick->room > 0 ? pick->room * 2 : 256;
        Picked *more = realloc(pick->items, room * sizeof *more);
        pick->failed = more == NULL;
        if (pick->failed)
            return false;
        pick->items = more;
        pick->room = room;
    }
    item.task = (TaskObject *)Py_NewRef((PyObject *)slot->owner);
    pick->items[pick->count++] = item;
    return true;
}

static int by_place(const void *a, const void *b) {
    const Picked *x = a;
    const Picked *y = b;
    const uint64_t middle = UINT64_C(1) << 63; /* front slots are below it: queue.c */
    if ((x->seq < middle) != (y->seq < middle))
        return x->seq < middle ? -1 : 1;
    if (x->seq >= middle && x->task->slot->lane != y->task->slot->lane)
        return x->task->slot->lane < y->task->slot->lane ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_due(const void *a, const void *b) {
    const Picked *x = a;
    const Picked *y = b;
    if (x->due != y->due)
        return x->due < y->due ? -1 : 1;
    return x->task->slot->id < y->task->slot->id ? -1 : x->task->slot->id > y->task->slot->id;
}

static PyObject *picked(EngineObject *engine, int queue, int state, int (*order)(const void *, const void *)) {
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    Pick pick = {.queue = queue, .state = state};
    bl_registry_walk(bl_core_registry(engine->core), pick_one, &pick);
    if (order != NULL && pick.count > 1)
        qsort(pick.items, pick.count, sizeof *pick.items, order);
    PyObject *list = pick.failed ? PyErr_NoMemory() : PyList_New((Py_ssize_t)pick.count);
    for (size_t i = 0; i < pick.count; i++) {
        if (list != NULL)
            PyList_SET_ITEM(list, (Py_ssize_t)i, (PyObject *)pick.items[i].task);
        else
            Py_DECREF(pick.items[i].task);
    }
    free(pick.items);
    return list;
}

PyObject *bl_engine_tasks(PyObject *self, PyObject *unused) {
    (void)unused;
    return picked((EngineObject *)self, -1, -1, NULL);
}

PyObject *bl_engine_pending(PyObject *self, PyObject *arg) {
    long queue = PyLong_AsLong(arg);
    return PyErr_Occurred() ? NULL : picked((EngineObject *)self, (int)queue, BL_QUEUED, by_place);
}

PyObject *bl_engine_delayed(PyObject *self, PyObject *unused) {
    (void)unused;
    return picked((EngineObject *)self, -1, BL_DELAYED, by_due);
}

PyObject *bl_engine_position(PyObject *self, PyObject *arg) {
    if (!PyObject_TypeCheck(arg, bl_task_type))
        return PyErr_Format(PyExc_TypeError, "position() needs a task, not %R", arg);
    PyObject *list = picked((EngineObject *)self, ((TaskObject *)arg)->slot->queue, BL_QUEUED, by_place);
    if (list == NULL)
        return NULL;
    PyObject *result = NULL;
    for (Py_ssize_t i = 0; result == NULL && i < PyList_GET_SIZE(list); i++)
        if (PyList_GET_ITEM(list, i) == arg)
            result = PyLong_FromSsize_t(i);
    Py_DECREF(list);
    if (result == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return result;
}

static void take_reference(bl_slot *slot, void *arg) { *(PyObject **)arg = Py_NewRef((PyObject *)slot->owner); }

/* The number in a task id of this engine; 0: it is not one. */
static uint64_t parse_identifier(EngineObject *engine, PyObject *text) {
    Py_ssize_t length;
    const char *digits = PyUnicode_AsUTF8AndSize(text, &length);
    if (digits == NULL || length != 32)
        return 0;
    uint64_t half[2] = {0, 0};
    for (Py_ssize_t i = 0; i < 32; i++) {
        char c = digits[i];
        int nibble = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (nibble < 0)
            return 0;
        half[i / 16] = half[i / 16] << 4 | (uint64_t)nibble;
    }
    return half[0] == engine->prefix ? half[1] : 0;
}

PyObject *bl_engine_get(PyObject *self, PyObject *arg) {
    EngineObject *engine = (EngineObject *)self;
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    uint64_t id = 0;
    if (PyUnicode_Check(arg))
        id = parse_identifier(engine, arg);
    else if (PyLong_Check(arg))
        id = PyLong_AsUnsignedLongLong(arg);
    else
        return PyErr_Format(PyExc_TypeError, "a task id is a str or an int, not %R", arg);
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError) && !PyErr_ExceptionMatches(PyExc_UnicodeError))
            return NULL;
        PyErr_Clear(); /* a number or text that no task can have */
        Py_RETURN_NONE;
    }
    PyObject *task = NULL;
    if (id == 0 || !bl_registry_find(bl_core_registry(engine->core), id, take_reference, &task))
        Py_RETURN_NONE;
    return task;
}

PyObject *bl_engine_queued(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"queue", "lane", NULL};
    EngineObject *engine = (EngineObject *)self;
    unsigned int index;
    PyObject *lane = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "I|O:queued", names, &index, &lane) || bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_queue *queue = bl_core_queue(engine->core, index);
    if (queue == NULL)
        return PyErr_Format(PyExc_ValueError, "%u is no queue of this engine", index);
    if (lane == Py_None)
        return PyLong_FromUnsignedLongLong(bl_queue_live_all(queue));
    unsigned long number = PyLong_AsUnsignedLong(lane);
    if (PyErr_Occurred())
        return NULL;
    if (number >= bl_queue_lanes(queue))
        return PyErr_Format(PyExc_ValueError, "queue %u has lanes 0 to %u, not %R", index, bl_queue_lanes(queue) - 1, lane);
    return PyLong_FromUnsignedLongLong(bl_queue_live(queue, (unsigned)number));
}

PyObject *bl_engine_outstanding(PyObject *self, PyObject *unused) {
    (void)unused;
    if (bl_engine_fork_check((EngineObject *)self) < 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(bl_core_outstanding(((EngineObject *)self)->core));
}

PyObject *bl_engine_drain(PyObject *self, PyObject *args, PyObject *kwargs) {
    EngineObject *engine = (EngineObject *)self;
    int64_t deadline = bl_parse_deadline(args, kwargs, "|O:drain");
    if (deadline == -1 || bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_core *core = engine->core;
    for (;;) {
        int result;
        Py_BEGIN_ALLOW_THREADS
        result = bl_core_drain_wait(core, deadline);
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0)
            return NULL;
        if (result == BL_OK)
            Py_RETURN_TRUE;
        if (result == BL_TIMEOUT)
            return PyBool_FromLong(bl_core_outstanding(core) == 0);
    }
}

static PyObject *rate_list(const uint64_t *rates) {
    PyObject *list = PyList_New(BL_RATE_SECONDS);
    for (Py_ssize_t i = 0; list != NULL && i < BL_RATE_SECONDS; i++) {
        PyObject *count = PyLong_FromUnsignedLongLong(rates[i]);
        if (count == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, count);
    }
    return list;
}

PyObject *bl_engine_totals(PyObject *self, PyObject *unused) {
    (void)unused;
    EngineObject *engine = (EngineObject *)self;
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_totals t;
    bl_core_totals(engine->core, &t);
    return Py_BuildValue(
        "{sK sK sK sK sK sK sd sK sK sK sK sN sN sn sn sn sn}", "submitted", (unsigned long long)t.submitted, "completed",
        (unsigned long long)t.completed, "failed", (unsigned long long)t.failed, "cancelled",
        (unsigned long long)t.cancelled, "retried", (unsigned long long)t.retried, "expired",
        (unsigned long long)t.expired, "busy_seconds", (double)t.busy / 1e9, "overflows", (unsigned long long)t.overflows,
        "conflicts", (unsigned long long)t.conflicts, "scheduled", (unsigned long long)t.scheduled, "retained",
        (unsigned long long)t.retained, "submit_rate", rate_list(t.submit_rate), "finish_rate", rate_list(t.finish_rate),
        "queue_bytes", (Py_ssize_t)t.queue_bytes, "pool_reserved", (Py_ssize_t)t.pool_reserved, "pool_in_use",
        (Py_ssize_t)t.pool_in_use, "other_bytes", (Py_ssize_t)t.other_bytes);
}

static PyObject *quantiles(const uint64_t *totals, PyObject *asked) {
    PyObject *qs = bl_own_items(asked, "quantiles must be a sequence of numbers from 0 to 1");
    PyObject *list = qs != NULL ? PyList_New(PySequence_Fast_GET_SIZE(qs)) : NULL;
    for (Py_ssize_t i = 0; list != NULL && i < PySequence_Fast_GET_SIZE(qs); i++) {
        double q = PyFloat_AsDouble(PySequence_Fast_GET_ITEM(qs, i));
        int64_t value = PyErr_Occurred() ? -1 : bl_hist_quantile(totals, q);
        PyObject *item = PyErr_Occurred() ? NULL : value < 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble((double)value / 1e9);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    Py_XDECREF(qs);
    return list;
}

PyObject *bl_engine_run_quantiles(PyObject *self, PyObject *arg) {
    if (bl_engine_fork_check((EngineObject *)self) < 0)
        return NULL;
    uint64_t totals[BL_HIST_BUCKETS] = {0};
    bl_core_run_times(((EngineObject *)self)->core, totals);
    return quantiles(totals, arg);
}

PyObject *bl_engine_wait_quantiles(PyObject *self, PyObject *args) {
    unsigned int lane;
    PyObject *qs;
    if (!PyArg_ParseTuple(args, "IO:wait_quantiles", &lane, &qs) || bl_engine_fork_check((EngineObject *)self) < 0)
        return NULL;
    uint64_t totals[BL_HIST_BUCKETS] = {0};
    bl_core_wait_times(((EngineObject *)self)->core, lane, totals);
    return quantiles(totals, qs);
}

PyObject *bl_engine_workers(PyObject *self, PyObject *unused) {
    (void)unused;
    EngineObject *engine = (EngineObject *)self;
    PyObject *list = PyList_New(0);
    if (list == NULL || bl_engine_fork_check(engine) < 0) {
        Py_XDECREF(list);
        return NULL;
    }
    unsigned limit = bl_core_worker_limit(engine->core);
    for (unsigned i = 0; i < limit; i++) {
        PyObject *number = bl_core_worker(engine->core, i) != NULL ? PyLong_FromUnsignedLong(i) : NULL;
        if (number != NULL && PyList_Append(list, number) < 0)
            PyErr_Clear();
        Py_XDECREF(number);
    }
    return list;
}

static unsigned long long count_of(bl_a64 *counter) { return (unsigned long long)bl_load_relaxed(counter); }

PyObject *bl_engine_worker_info(PyObject *self, PyObject *arg) {
    EngineObject *engine = (EngineObject *)self;
    unsigned long index = PyLong_AsUnsignedLong(arg);
    if (PyErr_Occurred() || bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_worker *worker = bl_core_worker(engine->core, (unsigned)index);
    if (worker == NULL)
        Py_RETURN_NONE;
    uint64_t token = bl_load_acquire(&worker->token); /* release in bl_worker_begin */
    PyObject *task = NULL;
    unsigned long attempt = 0;
    int64_t started = 0;
    if ((token & BL_T_PEEK) == 0 && bl_worker_peek(worker, token)) {
        task = Py_NewRef((PyObject *)((bl_slot *)bl_load_relaxed(&worker->slot))->owner);
        attempt = bl_load_relaxed(&worker->attempt);
        started = bl_load_relaxed(&worker->started);
        bl_worker_unpeek(worker);
    }
    double uptime = (double)(bl_core_now(engine->core) - bl_load_relaxed(&worker->born)) / 1e9;
    PyObject *when = task != NULL ? PyFloat_FromDouble(bl_epoch(engine, started)) : Py_NewRef(Py_None);
    bool busy = task != NULL;
    return Py_BuildValue("{sk sI sK sO sN sk sN sK sK sK sK sd sd sO}", "id", index, "group", (unsigned)worker->group,
                         "thread_id", (unsigned long long)worker->thread, "busy", busy ? Py_True : Py_False, "task",
                         busy ? task : Py_NewRef(Py_None), "attempt", attempt, "started_at", when, "completed",
                         count_of(&worker->completed), "failed", count_of(&worker->failed), "cancelled",
                         count_of(&worker->cancelled), "retried", count_of(&worker->retried), "busy_seconds",
                         (double)bl_load_relaxed(&worker->busy) / 1e9, "uptime_seconds", uptime, "stuck",
                         bl_load_acquire(&worker->abandoned) == 2 ? Py_True : Py_False); /* stored by abandon() */
}

PyObject *bl_memory_stats(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    size_t allocated = 0;
    bool seen = bl_mem_jemalloc_seen(&allocated);
    return Py_BuildValue("{ss sn sO sn}", "allocator", bl_mem_allocator(), "in_use", (Py_ssize_t)bl_mem_in_use(), "has_jemalloc",
                         seen ? Py_True : Py_False, "jemalloc_allocated", (Py_ssize_t)allocated);
}
