"""What a checker knows of results. `# R:` is the revealed type, `# E:` the code of the error of the line."""

from brokerless.compat.celery_shim import Celery
from brokerless.compat.celery_shim.result import AsyncResult, EagerResult, GroupResult, ResultSet, allow_join_result

app = Celery("shop")


@app.task
def add(x: int, y: int) -> int:
    return x + y


sent = add.delay(1, 2)
reveal_type(sent)  # R: AsyncResult[int]
reveal_type(sent.get(timeout=1, propagate=False))  # R: int
reveal_type(sent.wait())  # R: int
reveal_type(sent.ready())  # R: bool
reveal_type(sent.successful())  # R: bool
reveal_type(add.apply((1, 2)))  # R: EagerResult[int]
sent.get(timeout="soon")  # E: arg-type


def known(result: AsyncResult[str]) -> str:
    return result.get()


def plain(result: AsyncResult) -> object:
    return result.get()


known(sent)  # E: arg-type
plain(sent)
found: AsyncResult[int] = AsyncResult("id", app=app)
reveal_type(found.get())  # R: int
eager: EagerResult[int] = add.apply((1, 2))
several = ResultSet([sent])
reveal_type(several.ready())  # R: bool
reveal_type(GroupResult("id", [sent]).completed_count())  # R: int
with allow_join_result():
    sent.get()
