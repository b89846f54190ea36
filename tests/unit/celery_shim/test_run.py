"""``python -m brokerless run -- CMD``: the command, its environment and exit code, and the sitecustomize behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import brokerless
from brokerless.cli import LAUNCH_FOLDER, environment

from .programs import lines, python, run, surroundings, zero_edit

pytest.importorskip("kombu")

WHOSE = "import celery; print(celery.Celery.__module__.split('.')[0])"


def test_an_unmodified_program(tmp_path: Path) -> None:
    (tmp_path / "proj.py").write_text(
        "from celery import Celery\n"
        "app = Celery('proj', broker='amqp://guest@localhost//', backend='redis://localhost')\n"
        "@app.task(bind=True)\n"
        "def add(self, x, y): return [self.request.task, x + y]\n"
        "if __name__ == '__main__': print(*add.delay(2, 3).get(timeout=30))\n"
    )
    assert lines(zero_edit(tmp_path, sys.executable, "proj.py")) == ["proj.add 5"]


def test_arguments_and_exit_code_are_the_commands(tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    done = zero_edit(tmp_path, sys.executable, "-c", code, "--", "--only", "a b")
    assert (done.returncode, done.stdout) == (7, "['--', '--only', 'a b']\n")


def test_standard_input_reaches_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "brokerless", "run", "--", sys.executable, "-c", "print(input())"],
        input="through\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=surroundings(),
        timeout=60,
    )
    assert lines(done) == ["through"]


def test_child_processes_of_the_command(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WHOSE!r}], check=True)"
    assert lines(zero_edit(tmp_path, sys.executable, "-c", code)) == ["brokerless"]


def test_only_one_of_the_packages(tmp_path: Path) -> None:
    (tmp_path / "celery.py").write_text("class Celery: pass\n")
    (tmp_path / "main.py").write_text(WHOSE)
    assert lines(zero_edit(tmp_path, sys.executable, "main.py", options=("--only", "rq"))) == ["celery"]
    assert lines(zero_edit(tmp_path, sys.executable, "main.py", options=("--only", "celery"))) == ["brokerless"]


def test_an_existing_sitecustomize_still_runs_and_sees_the_shim(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text(
        "import sys, celery\nsys.their_celery = celery.Celery.__module__\nNAME = __name__\n"
    )
    code = (
        "import sys, sitecustomize; print(sys.their_celery.split('.')[0], sitecustomize.NAME, sitecustomize.__file__)"
    )
    home = python(tmp_path, "import os; print(os.environ['PYTHONPATH'])").stdout.strip()
    done = zero_edit(tmp_path, sys.executable, "-c", code, PYTHONPATH=os.pathsep.join([str(theirs), home]))
    assert lines(done) == [f"brokerless sitecustomize {theirs / 'sitecustomize.py'}"]


def test_an_error_in_an_existing_sitecustomize_is_shown(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('theirs is broken')\n")
    home = python(tmp_path, "import os; print(os.environ['PYTHONPATH'])").stdout.strip()
    done = zero_edit(tmp_path, sys.executable, "-c", WHOSE, PYTHONPATH=os.pathsep.join([str(tmp_path), home]))
    assert lines(done) == ["brokerless"]
    assert "theirs is broken" in done.stderr


def test_the_real_package_loaded_first_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "celery.py").write_text("")
    code = (
        "import sys, runpy; sys.path.insert(0, '.'); import celery\n"
        f"runpy.run_path({str(LAUNCH_FOLDER / 'sitecustomize.py')!r}); print('went on')"
    )
    done = python(tmp_path, code, BROKERLESS_ALIASES="celery")
    assert (done.returncode, done.stdout) == (1, "")
    assert "celery has already been imported from" in done.stderr


def test_a_python_without_brokerless_is_left_alone_and_told(tmp_path: Path) -> None:
    code = (
        "import sys, runpy\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'brokerless': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        f"runpy.run_path({str(LAUNCH_FOLDER / 'sitecustomize.py')!r}); print('went on')"
    )
    done = python(tmp_path, code)
    assert lines(done) == ["went on"]
    assert "not installed for" in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ([], 2, "give a command"),
        (["no-such-command-here"], 127, "not found"),
        (["./plain.txt"], 126, "not executable"),
    ],
)
def test_commands_that_cannot_be_run(tmp_path: Path, command: list[str], code: int, said: str) -> None:
    (tmp_path / "plain.txt").write_text("")
    done = zero_edit(tmp_path, *command)
    assert done.returncode == code
    assert said in done.stderr


def test_environment_keeps_the_path_and_is_not_stacked() -> None:
    once = environment(["celery"], {"PYTHONPATH": os.pathsep.join(["/a", "/b"]), "OTHER": "x"})
    assert once == {
        "PYTHONPATH": os.pathsep.join([str(LAUNCH_FOLDER), "/a", "/b"]),
        "OTHER": "x",
        "BROKERLESS_ALIASES": "celery",
    }
    assert environment(["celery"], once) == once


def test_version_and_help(tmp_path: Path) -> None:
    assert lines(run(tmp_path, sys.executable, "-m", "brokerless", "--version")) == [brokerless.__version__]
    bare = run(tmp_path, sys.executable, "-m", "brokerless")
    assert bare.returncode == 2
    assert "run" in bare.stdout
