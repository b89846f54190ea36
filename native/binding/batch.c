/* batch.c: enqueue_many(): many tasks by one call, all or nothing, with one wake-up per sleeping worker.
 *
 * An item is a tuple (func, args, kwargs, lane, delay, expires, timeout, options, extra, queue), or a dict
 * with func, args, kwargs and priority, which takes the engine's defaults; of anything else `read`, if it is
 * given, makes a tuple.
 */
#include "binding.h"

#define PLACES 64 /* different (queue, lane) pairs in one batch */

typedef struct Place {
    unsigned queue;
    unsigned lane;
    uint64_t count;
} Place;

typedef struct Batch {
    EngineObject *engine;
    TaskObject **tasks;
    Py_ssize_t count;
    Place places[PLACES];
    unsigned place_count;
    uint64_t limit;
    int64_t now;
    PyObject *read; /* borrowed, or NULL */
} Batch;

static PyObject *key_func, *key_args, *key_kwargs;

int bl_batch_init(void) {
    key_func = PyUnicode_InternFromString("func");
    key_args = PyUnicode_InternFromString("args");
    key_kwargs = PyUnicode_InternFromString("kwargs");
    return key_func != NULL && key_args != NULL && key_kwargs != NULL ? 0 : -1;
}

static bool known_function(PyObject *func) {
    if (PyFunction_Check(func))
        return (((PyCodeObject *)PyFunction_GET_CODE(func))->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)) == 0;
    return PyCFunction_Check(func);
}

static bool known_priority(PyObject *priority, unsigned *lane) {
    long value = PyLong_Check(priority) && !PyBool_Check(priority) ? PyLong_AsLong(priority) : -1;
    if (value < 0 || value > 3) {
        PyErr_Clear();
        return false;
    }
    *lane = (unsigned)value;
    return true;
}

/* Fill `what` from a plain dict; false: it needs a look from Python. Borrowed references. */
static bool plain_dict(const Batch *batch, PyObject *item, Submission *what, PyObject **args, PyObject **kwargs) {
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(item, &at, &key, &value);) {
        bool fits = false;
        if (key == key_func) {
            fits = known_function(value) && bl_engine_knows(batch->engine, value);
            what->func = value;
        } else if (key == key_args) {
            fits = PyTuple_CheckExact(value);
            *args = value;
        } else if (key == key_kwargs) {
            fits = PyDict_CheckExact(value);
            *kwargs = value;
        } else if (key == bl_str_priority) {
            fits = known_priority(value, &what->lane);
        }
        if (!fits)
            return false;
    }
    what->timeout = batch->engine->defaults.timeout;
    what->options = batch->engine->defaults.options;
    return what->func != NULL;
}

static int from_tuple(PyObject *item, Submission *what, PyObject **args, PyObject **kwargs) {
    PyObject *delay, *expires, *timeout;
    if (!PyArg_ParseTuple(item, "OO!OIOOOOOI;a batch item must be (func, args, kwargs, lane, delay, expires, timeout, options, extra, queue)",
                          &what->func, &PyTuple_Type, args, kwargs, &what->lane, &delay, &expires, &timeout,
                          &what->options, &what->extra, &what->queue))
        return -1;
    what->options = what->options != Py_None ? what->options : NULL;
    what->extra = what->extra != Py_None ? what->extra : NULL;
    what->delay = bl_nanoseconds(delay, 0);
    what->expires = bl_nanoseconds(expires, BL_NEVER);
    what->timeout = bl_nanoseconds(timeout, 0);
    return what->delay == -1 || what->expires == -1 || what->timeout == -1 ? -1 : 0;
}

static TaskObject *build_with(EngineObject *engine, Submission *what, PyObject *args, PyObject *kwargs) {
    PyObject *small[32];
    PyObject *names = NULL;
    Py_ssize_t positional = args != NULL ? PyTuple_GET_SIZE(args) : 0;
    Py_ssize_t named = kwargs != NULL ? PyDict_Size(kwargs) : 0;
    if (named < 0)
        return NULL;
    what->nargs = positional + named;
    PyObject **values = what->nargs <= 32 ? small : PyMem_New(PyObject *, what->nargs);
    if (values == NULL || (named > 0 && (names = PyTuple_New(named)) == NULL)) {
        PyErr_NoMemory();
        goto failed;
    }
    for (Py_ssize_t i = 0; i < positional; i++)
        values[i] = PyTuple_GET_ITEM(args, i);
    PyObject *key, *value;
    for (Py_ssize_t at = 0, i = 0; named > 0 && PyDict_Next(kwargs, &at, &key, &value); i++) {
        PyTuple_SET_ITEM(names, i, Py_NewRef(key));
        values[positional + i] = value;
    }
    what->args = values;
    what->kwnames = names;
    TaskObject *task = bl_task_new(engine, what);
    Py_XDECREF(names);
    if (values != small)
        PyMem_Free(values);
    return task;
failed:
    if (values != small)
        PyMem_Free(values);
    return NULL;
}

static TaskObject *build(EngineObject *engine, Submission *what, PyObject *args, PyObject *kwargs) {
    if (kwargs == NULL || kwargs == Py_None)
        return build_with(engine, what, args, NULL);
    PyObject *own = PyDict_Copy(kwargs); /* see bl_own_items */
    TaskObject *task = own != NULL ? build_with(engine, what, args, own) : NULL;
    Py_XDECREF(own);
    return task;
}

static PyObject *as_tuple(Batch *batch, PyObject *item) {
    if (PyTuple_Check(item))
        return Py_NewRef(item);
    if (batch->read == NULL)
        return PyErr_Format(PyExc_TypeError, "a batch item is a tuple, or a dict of func, args, kwargs and priority, not %R",
                            item);
    PyObject *made = PyObject_CallOneArg(batch->read, item);
    if (made == NULL || PyTuple_Check(made))
        return made;
    PyErr_Format(PyExc_TypeError, "read() must return a tuple, not %R", made);
    Py_DECREF(made);
    return NULL;
}

static TaskObject *from_own_item(Batch *batch, PyObject *item) {
    EngineObject *engine = batch->engine;
    Submission what = {
        .queue = engine->defaults.queue,
        .lane = engine->defaults.lane,
        .expires = BL_NEVER,
        .now = batch->now,
        .keep = true,
        .context = true,
    };
    PyObject *args = NULL;
    PyObject *kwargs = NULL;
    PyObject *made = NULL, *func = NULL;
    TaskObject *task = NULL;
    if (PyDict_CheckExact(item) && plain_dict(batch, item, &what, &args, &kwargs)) {
        func = Py_NewRef(what.func); /* the item may be changed while the task is made */
        Py_XINCREF(args);
        Py_XINCREF(kwargs);
    } else {
        args = kwargs = NULL;
        what.lane = engine->defaults.lane;
        made = as_tuple(batch, item);
        if (made == NULL)
            return NULL;
        if (from_tuple(made, &what, &args, &kwargs) < 0)
            goto done;
    }
    bl_queue *queue = bl_core_queue(engine->core, what.queue);
    if (queue == NULL || what.lane >= bl_queue_lanes(queue))
        PyErr_Format(PyExc_ValueError, "queue %u has no lane %u", what.queue, what.lane);
    else
        task = build(engine, &what, args, kwargs);
done:
    if (made == NULL) { /* else it holds them */
        Py_XDECREF(func);
        Py_XDECREF(args);
        Py_XDECREF(kwargs);
    }
    Py_XDECREF(made);
    return task;
}

static TaskObject *from_item(Batch *batch, PyObject *item) {
#ifdef Py_GIL_DISABLED
    PyObject *own = PyDict_CheckExact(item) ? PyDict_Copy(item) : Py_NewRef(item);
    TaskObject *task = own != NULL ? from_own_item(batch, own) : NULL;
    Py_XDECREF(own);
    return task;
#else
    return from_own_item(batch, item); /* plain_dict() lets nobody else run */
#endif
}

static int count_place(Batch *batch, const bl_slot *slot) {
    if (slot->due != BL_NEVER)
        return 0; /* delayed: no room is taken now */
    for (unsigned i = 0; i < batch->place_count; i++) {
        Place *place = &batch->places[i];
        if (place->queue == slot->queue && place->lane == slot->lane) {
            place->count++;
            return 0;
        }
    }
    if (batch->place_count == PLACES) {
        PyErr_Format(PyExc_ValueError, "one batch can go to at most %d different queues and priorities: split it", PLACES);
        return -1;
    }
    batch->places[batch->place_count++] = (Place){slot->queue, slot->lane, 1};
    return 0;
}

static void unreserve(Batch *batch, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        bl_core_unreserve(batch->engine->core, batch->places[i].queue, batch->places[i].lane, batch->places[i].count);
}

static int reserve_all(Batch *batch) {
    unsigned i = 0;
    while (i < batch->place_count) {
        Place *place = &batch->places[i];
        uint64_t limit = place->lane == 0 ? 0 : batch->limit;
        if (bl_core_reserve(batch->engine->core, place->queue, place->lane, place->count, limit) == BL_OK) {
            i++;
            continue;
        }
        unreserve(batch, i); /* nothing is held while waiting: two batches cannot block each other */
        i = 0;
        if (bl_ask_for_room(batch->engine, place->queue, place->lane, place->count, batch->limit) < 0)
            return -1;
    }
    return 0;
}

static int enlist_all(Batch *batch) {
    bl_core *core = batch->engine->core;
    uint64_t id = bl_core_next_ids(core, (uint64_t)batch->count, bl_core_now(core));
    Py_ssize_t done = 0;
    for (; done < batch->count; done++) {
        TaskObject *task = batch->tasks[done];
        task->slot->id = id + (uint64_t)done;
        Py_INCREF(task);
        if (bl_registry_put(bl_core_registry(core), task->slot) != BL_OK) {
            Py_DECREF(task);
            break;
        }
    }
    if (done == batch->count)
        return 0;
    for (Py_ssize_t i = 0; i < batch->count; i++) {
        if (i < done && bl_registry_remove(bl_core_registry(core), batch->tasks[i]->slot))
            Py_DECREF(batch->tasks[i]);
        bl_core_done(core, NULL);
    }
    PyErr_NoMemory();
    return -1;
}

/* Queue or schedule one. Without memory for its lane or timer it ends as CANCELLED, visibly, and the call raises. */
static int launch(EngineObject *engine, TaskObject *task) {
    bl_core *core = engine->core;
    bl_slot *slot = task->slot;
    uint32_t seen;
    bool expires = slot->expires != BL_NEVER;
    bl_observe(task, BL_ON_SUBMIT);
    Py_INCREF(task);
    if (slot->due != BL_NEVER) {
        if (bl_core_schedule(core, slot, slot->due) == BL_OK)
            return 0;
    } else {
        bl_store_release(&slot->word, BL_QUEUED); /* private until the push; acquire in the transitions */
        if (bl_core_push_quiet(core, slot, false) == BL_OK) {
            if (expires)
                bl_arm_expiry(engine, task);
            return 0;
        }
    }
    if (bl_core_cancel(core, slot, &seen) == BL_OK)
        bl_cancelled(task, NULL, seen, false);
    Py_DECREF(task);
    PyErr_NoMemory();
    return -1;
}

static int launch_all(Batch *batch) {
    int failed = 0;
    for (Py_ssize_t i = 0; i < batch->count; i++)
        if (launch(batch->engine, batch->tasks[i]) < 0)
            failed = -1;
    for (unsigned i = 0; i < batch->place_count; i++) {
        Place *place = &batch->places[i];
        bl_core_wake(batch->engine->core, place->queue, place->lane, place->count);
        bl_pushed(batch->engine, place->queue, place->lane, false);
    }
    bool late = false;
    for (Py_ssize_t i = 0; i < batch->count; i++)
        late |= bl_too_late(batch->engine, batch->tasks[i]);
    if (late && failed == 0) {
        (void)bl_raise(BL_CLOSED, "the engine was shut down while the tasks were submitted");
        failed = -1;
    }
    return failed;
}

static int build_all(Batch *batch, PyObject *items) {
    Py_ssize_t total = PySequence_Fast_GET_SIZE(items);
    for (; batch->count < total; batch->count++) {
        TaskObject *task = from_item(batch, PySequence_Fast_GET_ITEM(items, batch->count));
        if (task == NULL)
            return -1;
        batch->tasks[batch->count] = task;
        if (count_place(batch, task->slot) < 0) {
            batch->count++;
            return -1;
        }
    }
    return 0;
}

PyObject *bl_engine_enqueue_many(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"items", "limit", "read", NULL};
    PyObject *given;
    PyObject *read = Py_None;
    unsigned long long limit = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$KO:enqueue_many", names, &given, &limit, &read))
        return NULL;
    EngineObject *engine = (EngineObject *)self;
    if (bl_engine_enter(engine) < 0)
        return NULL;
    PyObject *items = bl_own_items(given, "enqueue_many() needs a sequence of tasks");
    if (items == NULL)
        return NULL;
    Batch batch = {
        .engine = engine, .limit = limit, .now = bl_core_now(engine->core), .read = read != Py_None ? read : NULL};
    PyObject *handles = NULL;
    batch.tasks = PyMem_New(TaskObject *, PySequence_Fast_GET_SIZE(items) + 1);
    if (batch.tasks == NULL) {
        Py_DECREF(items);
        return PyErr_NoMemory();
    }
    /* No collection while the tasks are made: none of them is garbage, and a large batch would trigger many. */
    int collecting = PyGC_Disable();
    int built = build_all(&batch, items);
    if (collecting)
        PyGC_Enable();
    if (built == 0 && (handles = PyList_New(batch.count)) != NULL && reserve_all(&batch) == 0) {
        if (enlist_all(&batch) == 0) {
            for (Py_ssize_t i = 0; i < batch.count; i++)
                PyList_SET_ITEM(handles, i, Py_NewRef(batch.tasks[i]));
            if (launch_all(&batch) == 0)
                goto done;
        } else {
            unreserve(&batch, batch.place_count);
        }
    }
    Py_CLEAR(handles);
done:
    for (Py_ssize_t i = 0; i < batch.count; i++)
        Py_DECREF(batch.tasks[i]);
    PyMem_Free(batch.tasks);
    Py_DECREF(items);
    return handles;
}
