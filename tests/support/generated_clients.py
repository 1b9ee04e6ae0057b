"""Clients that others' generators make of the document, and what they print while they do."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from matchcast_tools.stack.deployed import Stack

NPM = shutil.which("npm") if shutil.which("node") else None
NPM_PACKAGES = ("openapi-typescript@7", "openapi-fetch@0.14", "typescript@5")
TYPESCRIPT = Path(__file__).with_name("submit.ts")
# `fetch` sends no Host but the URL's, and not every system knows that names under localhost are its own (RFC 6761).
_LOOPBACK = """\
import dns from "node:dns";
const lookup = dns.lookup;
dns.lookup = (name, options, done) => lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, options, done);
"""
_GOOD = ("Generating ", "✨ ", "🚀 ", "npm ")
"""How the lines begin that generators print when nothing is wrong, and what npm says of itself."""


@dataclass(frozen=True)
class PythonClient:
    """What openapi-python-client made."""

    name: str
    warnings: list[str]

    def module(self, path: str) -> ModuleType:
        """Return a module of the client."""
        return importlib.import_module(f"{self.name}.{path}")

    def connect(self, stack: Stack, token: str) -> Any:
        """Return a client of a stack that sends a token; it is a context manager."""
        headers = {"Host": stack.host_header} if stack.host_header else {}
        return self.module("client").AuthenticatedClient(base_url=stack.api_url, token=token, headers=headers)

    def call(self, tag: str, operation: str, client: Any, **arguments: Any) -> Any:
        """Return the answer to an operation, with its status."""
        return self.module(f"api.{tag}.{operation}").sync_detailed(client=client, **arguments)

    def make(self, model: str, content: dict[str, Any]) -> Any:
        """Return one of the client's models with this content."""
        return getattr(self.module("models"), model).from_dict(content)


@contextmanager
def python_client(document: dict[str, Any], folder: Path, name: str = "generated_client") -> Iterator[PythonClient]:
    """Generate a client in Python of a document, and have it importable for a while."""
    path = folder / "openapi.json"
    path.write_text(json.dumps(document))
    # The generator formats by the ruff that it finds.
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(path)]
    said = _run([*command, "--output-path", str(folder / name), "--meta", "none"], folder, environment)
    sys.path.insert(0, str(folder))
    try:
        yield PythonClient(name, said)
    finally:
        sys.path.remove(str(folder))
        for module in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[module]


def typescript_types(document: dict[str, Any], folder: Path) -> list[str]:
    """Generate types in TypeScript of a document, compile a program that submits with them; return the warnings."""
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    shutil.copy(TYPESCRIPT, folder)
    assert NPM is not None
    _run([NPM, "install", "--silent", "--no-audit", "--no-fund", *NPM_PACKAGES], folder)
    said = _run([NPM, "exec", "--", "openapi-typescript", "openapi.json", "-o", "schema.ts"], folder)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--skipLibCheck"]
    return said + _run([NPM, "exec", "--", "tsc", *options, TYPESCRIPT.name], folder)


def typescript_submits(folder: Path, stack: Stack, token: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Submit each body by the compiled program; return its answers."""
    (folder / "loopback.mjs").write_text(_LOOPBACK)
    program = ["node", "--import", str(folder / "loopback.mjs"), str(folder / TYPESCRIPT.with_suffix(".js").name)]
    done = subprocess.run(
        [*program, address(stack), token, json.dumps(bodies)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"The program failed: {done.stderr}")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def address(stack: Stack) -> str:
    """Return the API's URL by its own host name."""
    if stack.host_header is None:
        return stack.api_url
    return f"http://{stack.host_header}:{urlsplit(stack.api_url).port}"


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    """Return the lines that a generator prints besides those that say that all is well."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode != 0:
        raise RuntimeError("\n".join([f"This failed: {' '.join(command)}", *lines]))
    return [line for line in lines if not line.startswith(_GOOD)]
