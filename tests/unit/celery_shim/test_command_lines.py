"""``brokerless celery …`` and ``brokerless rq …``: handed to the shims, or a clear word that there is nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from brokerless import cli


@pytest.fixture
def shim_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command line module that stands where a shim's would, and no aliases left behind."""
    from brokerless.compat import installed, uninstall

    before = set(installed())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(cli._COMMAND_LINES, "celery", "some_command_line")
    monkeypatch.setattr(sys, "argv", ["pytest"])
    yield tmp_path / "some_command_line.py"
    sys.modules.pop("some_command_line", None)
    for name in set(installed()) - before:
        uninstall(name)


@pytest.mark.parametrize(("body", "code"), [("return 69", 69), ("return None", 0), ("raise SystemExit(3)", 3)])
def test_it_gets_its_arguments_and_gives_the_exit_code(
    shim_module: Path, capsys: pytest.CaptureFixture[str], body: str, code: int
) -> None:
    shim_module.write_text(f"import sys\ndef main():\n    print(sys.argv)\n    {body}\n")
    try:
        outcome = cli.main(["celery", "-A", "proj", "worker", "--help"])
    except SystemExit as left:
        outcome = left.code  # type: ignore[assignment]
    assert outcome == code
    assert capsys.readouterr().out == "['celery', '-A', 'proj', 'worker', '--help']\n"


def test_public_names_resolve_to_the_shim_for_it(shim_module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("kombu")
    shim_module.write_text("def main():\n    import celery\n    print(celery.Celery.__module__.split('.')[0])\n")
    assert cli.main(["celery"]) == 0
    assert capsys.readouterr().out == "brokerless\n"


def test_a_command_line_that_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(cli._COMMAND_LINES, "rq", "brokerless.compat.no_such_shim.cli")
    assert cli.main(["rq", "info"]) == 2
    assert "no command line for rq (brokerless.compat.no_such_shim.cli is missing)" in capsys.readouterr().err
