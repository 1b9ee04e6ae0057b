"""What is read out of a log of strace."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchcast_tools.errors import EnvironmentProblem
from tests.proofs import tracing
from tests.proofs.tracing import attempts_in, bare_environment, leads_outside

LOG = """
812   connect(7, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
812   connect(7, {sa_family=AF_INET, sin_port=htons(4566), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS
812   sendto(7, ""..., 274, 0, NULL, 0)  = 274
813   connect(7, {sa_family=AF_INET, sin_port=htons(4566), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
813   connect(9, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), \
inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 ENETUNREACH (Network is unreachable)
814   sendto(3, ""..., 1, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, 16) = 1
815   connect(4, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0
"""


def test_every_address_is_counted_that_a_call_names() -> None:
    assert attempts_in(LOG) == {
        ("127.0.0.1", 4566): 2,
        ("2001:db8::1", 443): 1,
        ("192.0.2.1", 9): 1,
        ("systemd-resolved", 53): 1,
    }


@pytest.mark.parametrize(
    ("host", "port", "outside"),
    [
        ("127.0.0.1", 4566, False),
        ("::1", 4566, False),
        ("::ffff:127.0.0.1", 4566, False),
        ("127.0.0.53", 53, True),
        ("systemd-resolved", 53, True),
        ("10.0.0.1", 80, True),
        ("::ffff:192.0.2.1", 80, True),
        ("169.254.169.254", 80, True),
        ("0.0.0.0", 80, True),
    ],
)
def test_an_address_is_outside_unless_it_is_a_loopback_and_no_name_server(host: str, port: int, outside: bool) -> None:
    assert leads_outside(host, port) is outside


def test_a_traced_program_does_not_know_that_it_is_tested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    assert set(bare_environment(tmp_path, COLUMNS="80")) <= {"COLUMNS", "HOME", "LANG", "PATH", "PYTHONPATH"}


def test_a_machine_without_strace_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="apt install strace"):
        tracing.trace(["true"], {}, tmp_path, 1)
