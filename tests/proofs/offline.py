"""`make prove-offline`: no process of demo and proofs tries to reach anything but this machine."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.proofs.claims import Claims
from tests.proofs.tracing import Traced, bare_environment, has_wall, trace
from tests.support.laptop import ROOT

LONGEST_SECONDS = 3600
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "infra"), str(ROOT / "layers/core/python")])
PROGRAMS = {
    "demo": ["matchcast_tools.laptop.demo"],
    "prove-tasks": ["tests.proofs.tasks", "--tasks", "100"],
    "prove-releases": ["tests.proofs.releases", "--promotions", "5"],
    "prove-permissions": ["tests.proofs.permissions", "predict_now"],
}
"""Programs that between them start every kind of process."""
TALKERS = {
    "opens a connection": "import socket; socket.socket().connect_ex(('192.0.2.1', 443))",
    "opens one by IPv6": "import socket; socket.socket(socket.AF_INET6).connect_ex(('2001:db8::1', 443))",
    "sends a datagram": (
        "import socket\ntry: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))\nexcept OSError: pass"
    ),
    "looks up a name": "import socket\ntry: socket.getaddrinfo('example.com', 443)\nexcept OSError: pass",
    "starts a program that opens one": (
        "import subprocess, sys\n"
        "code = \"import socket; socket.socket().connect_ex(('192.0.2.1', 443))\"\n"
        "subprocess.run([sys.executable, '-c', code], start_new_session=True)"
    ),
}
"""What has to be caught."""
REPORTING = """
import matchcast, os, time
del os.environ["ORT_DISABLE_TELEMETRY"]
from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from tests.unit.layers.matchcast.adapters.test_onnx_model import linear, published
load_onnx(published(), {ARTIFACT: linear()})
time.sleep(20)
"""


def main(
    programs: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PROGRAMS)}; all of them.")] = None,
) -> None:
    """Show by the calls to the kernel that demo and proofs reach nothing outside of this machine."""
    claims = Claims()
    claims.say("in a network of nothing but loopback" if has_wall() else "in this machine's network")
    talkers(claims)
    for name in programs or PROGRAMS:
        claims.say(f"{name}, with its calls to the kernel")
        silent(name, claims)
    claims.finish()


def talkers(claims: Claims) -> None:
    """Show that programs which reach out are caught."""
    # A library that reports may only do so where nothing arrives.
    programs = TALKERS | ({"reports what ONNX Runtime does": REPORTING} if has_wall() else {})
    caught = 0
    for what, code in programs.items():
        outside = run(["-c", code]).outside
        claims.say(f"  a program that {what}: {', '.join(outside) or 'not seen'}")
        caught += bool(outside)
    claims.hold(
        "a program that reaches out is caught", holds=caught == len(programs), talkers=len(programs), caught=caught
    )


def silent(name: str, claims: Claims) -> None:
    """Show that a program reaches nothing outside, and leaves nothing in the home folder of its user."""
    with tempfile.TemporaryDirectory(prefix="matchcast-home-") as home:
        traced = run(["-m", *PROGRAMS[name]], home)
        left = [path.name for path in Path(home).rglob("*") if path.is_file() and ".onnxruntime" in str(path)]
    if traced.exit_code != 0:
        claims.say(traced.output[-3000:])
    claims.hold(
        f"{name} does what it should, and reaches nothing but this machine",
        holds=traced.exit_code == 0 and bool(traced.attempts) and not traced.outside and not left,
        **{f"{name}: connections": sum(traced.attempts.values()), f"{name}: outside": traced.outside + left},
    )


def run(arguments: list[str], home: str | None = None) -> Traced:
    """Run a program of this checkout under the eye of strace."""
    with tempfile.TemporaryDirectory(prefix="matchcast-offline-") as name:
        folder = Path(name)
        environment = bare_environment(
            Path(home or name), PYTHONPATH=PYTHONPATH, MATCHCAST_LOCAL=str(folder / "local"), COLUMNS="120"
        )
        return trace([sys.executable, *arguments], environment, ROOT, LONGEST_SECONDS)


if __name__ == "__main__":
    typer.run(main)
