"""What a checker knows of Celery tasks. `# R:` is the revealed type, `# E:` the code of the error of the line."""

from typing import Any

from brokerless.compat.celery_shim import Celery, Task, shared_task

app = Celery("shop")


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


reveal_type(add.delay(1, y=2).get())  # R: int
reveal_type(add(1))  # R: int
reveal_type(add.run(1))  # R: int
reveal_type(add.apply_async((1,), countdown=3).get(timeout=1.0))  # R: int
reveal_type(add.apply((1,)).get())  # R: int
add.delay("1")  # E: arg-type
add.delay()  # E: call-arg
add.delay(1, z=2)  # E: call-arg
add("1")  # E: arg-type
add.apply_async((1,), task_id=7)  # E: arg-type
add.nothing_of_that_name  # E: attr-defined


@app.task(name="shop.total", max_retries=5)
def total(prices: list[float]) -> float:
    return sum(prices)


reveal_type(total.delay([1.0]).get())  # R: float
total.delay({"a": 1})  # E: arg-type


@app.task(bind=True, autoretry_for=(OSError,))
def fetch(self: Task, url: str) -> str:
    reveal_type(self.request.retries)  # R: int
    return url


reveal_type(fetch.delay("http://localhost").get())  # R: str
reveal_type(fetch("http://localhost"))  # R: str
fetch.delay(1)  # E: arg-type
fetch.delay("http://localhost", 2)  # E: call-arg


@shared_task
def shared(text: str) -> bool:
    return bool(text)


@shared_task(bind=True)
def shared_and_bound(self: Task, text: str) -> bytes:
    return text.encode()


@shared_task(ignore_result=True)
def shared_with_options(text: str) -> None:
    return None


reveal_type(shared.delay("a").get())  # R: bool
reveal_type(shared_and_bound.delay("a").get())  # R: bytes
reveal_type(shared_with_options.delay("a").get())  # R: None
shared.delay(1)  # E: arg-type
shared_and_bound.delay()  # E: call-arg
shared_with_options.delay("a", "b")  # E: call-arg


@app.task
async def later(n: int) -> str:
    return "a" * n


reveal_type(later.delay(3).get())  # R: str
later.delay("3")  # E: arg-type


class Counted(Task):
    calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return super().__call__(*args, **kwargs)


@app.task(base=Counted)
def counted(n: int) -> int:
    return n


reveal_type(counted.calls)  # R: int
reveal_type(counted)  # R: Counted


class Typed(Task[[int], str]):
    def run(self, n: int) -> str:
        return str(n)


reveal_type(Typed().delay(1).get())  # R: str


def anything(task: Task) -> Any:
    return task.delay(1, 2, three=3).get()


def certain(task: Task[[int], str]) -> str:
    return task.delay(1).get()


anything(add)
certain(add)  # E: arg-type
reveal_type(add.s(1))  # R: Signature[int]
reveal_type(add.si(1, 2).set(queue="slow").delay().get())  # R: int
reveal_type(add.s(1).clone((2,)).apply().get())  # R: int
reveal_type(add.s(1, 2)())  # R: int
