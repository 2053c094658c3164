"""Installs two versions of LiteLLM's proxy: `python -m tests.live.install`.

They lie in a folder of their own below the temporary one, named after this recipe, so that
none is ever stale; it takes one to three minutes, once. Python packages come from PyPI, and
Node packages from npm: the proxy reaches its database through Prisma, which would download a
program for that, so `engine/` takes its place. This module needs Python alone.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

NEWEST = "1.110.2"
OLDER = "1.108.7"
"""The newest release whose extras are all on PyPI; the newest of all is laid over it."""

ENGINE = Path(__file__).parent / "engine"
PROGRAMS = ("node", "npm")

# LiteLLM is written for this client: later ones lack what it reaches into.
OLDER_PACKAGES = (f"litellm[proxy]=={OLDER}", "prisma==0.11.0")
NEWEST_PACKAGES = (f"litellm=={NEWEST}", "litellm-enterprise==0.1.83", "semver==3.0.4")
# The last command line that generates what this client takes.
GENERATOR_PACKAGE = "prisma@5.4.2"
NPM = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class CannotInstall(Exception):
    """Why LiteLLM's proxy is not there; the message is for a person."""


def folder() -> Path:
    """Where the proxy is installed, or would be: a folder of this user and this recipe."""
    recipe = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(ENGINE.iterdir()):
        recipe.update(path.read_bytes())
    name = f"trace-live-{os.geteuid()}-{recipe.hexdigest()[:8]}"
    return Path(tempfile.gettempdir()).resolve() / name


def is_installed() -> bool:
    """Whether the whole of it is there."""
    return (folder() / "installed").exists()


def install() -> Path:
    """Install what is not there yet; gives the folder. Waits where another is at it.

    Raises CannotInstall with the words of the command that failed.
    """
    home = folder()
    home.mkdir(mode=0o755, exist_ok=True)
    with _locked(home / "lock"):
        if not is_installed():
            _install(home)
            (home / "installed").touch()
    return home


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(home: Path) -> None:
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        raise CannotInstall(f"There is no {' and no '.join(missing)}: install Node with npm.")
    _run(sys.executable, "-m", "venv", "--clear", home / "older")
    with ThreadPoolExecutor() as at_once:
        steps = [at_once.submit(step, home) for step in (_older, _newest, _engine, _generator)]
    for step in steps:
        step.result()
    _generate_client(home)


def _older(home: Path) -> None:
    _run(*_pip_install(home), *OLDER_PACKAGES)


def _newest(home: Path) -> None:
    """The packages alone: one that its extra asks for is not on PyPI, and nothing imports it."""
    shutil.rmtree(home / "newest", ignore_errors=True)
    _run(*_pip_install(home), "--no-deps", "--target", home / "newest", *NEWEST_PACKAGES)


def _engine(home: Path) -> None:
    shutil.copytree(ENGINE, home / "engine", dirs_exist_ok=True)
    _run(*NPM, cwd=home / "engine")


def _generator(home: Path) -> None:
    (home / "generator").mkdir(exist_ok=True)
    _run(*NPM, GENERATOR_PACKAGE, cwd=home / "generator")


def _generate_client(home: Path) -> None:
    """Prisma's client for the tables of the newest version, which has those of the older one."""
    schema = (home / "newest/litellm/proxy/schema.prisma").read_text()
    lines = [line for line in schema.splitlines() if "binaryTargets" not in line]
    (home / "schema.prisma").write_text("\n".join(lines))
    engine = str(home / "engine/query-engine")
    ours = {
        "PATH": f"{home / 'older/bin'}{os.pathsep}{os.environ['PATH']}",
        # Generating needs no engine, but each of them would be downloaded.
        "PRISMA_QUERY_ENGINE_BINARY": engine,
        "PRISMA_QUERY_ENGINE_LIBRARY": engine,
        "PRISMA_SCHEMA_ENGINE_BINARY": engine,
        "PRISMA_ENGINES_CHECKSUM_IGNORE_MISSING": "1",
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
        "CHECKPOINT_DISABLE": "1",
    }
    program = home / "generator/node_modules/prisma/build/index.js"
    _run("node", program, "generate", "--schema", home / "schema.prisma", env=os.environ | ours)


def _pip_install(home: Path) -> Sequence[str | Path]:
    return (home / "older/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")


def _run(*command: str | Path, **how: object) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-2_000:]
        raise CannotInstall(f"{' '.join(map(str, command))} failed:\n{words}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{install()}\n")
    except CannotInstall as error:
        sys.exit(str(error))
