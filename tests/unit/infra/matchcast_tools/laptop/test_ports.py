"""The port and the addresses of a laptop stack."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.ports import choose_port, free_port, require_addresses, require_free


@pytest.mark.enable_socket
def test_a_taken_port_is_refused_with_what_to_do() -> None:
    # GIVEN a port that is taken
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        # WHEN it is asked for
        # THEN the message names it and the option, until the port is free
        with pytest.raises(EnvironmentProblem, match=rf"Port {port} cannot be used.*--port"):
            require_free(port)

    assert require_free(port) == port


@pytest.mark.enable_socket
def test_a_stack_keeps_its_port(tmp_path: Path) -> None:
    # GIVEN a port of the last start
    remembered, before = tmp_path / "port", free_port()
    remembered.write_text(str(before))

    # WHEN
    # THEN it is taken again, unless another one is asked for
    assert choose_port(remembered, None, new=False) == before
    assert choose_port(remembered, other := free_port(), new=False) == other
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", before))
        taken.listen()
        # A stack does not move by itself; a new one may.
        with pytest.raises(EnvironmentProblem, match="--port"):
            choose_port(remembered, None, new=False)
        assert choose_port(remembered, None, new=True) != before


@pytest.mark.enable_socket
@pytest.mark.parametrize("text", ["", "x", "-"])
def test_a_port_that_cannot_be_read_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text)

    assert choose_port(tmp_path / "port", None, new=False) > 0


@pytest.mark.enable_socket
@pytest.mark.parametrize("address", ["192.0.2.1", "no-such-host.invalid", "::1", "x" * 300, "a..b", ""])
def test_an_address_that_the_engine_cannot_listen_on_is_refused(address: str) -> None:
    with pytest.raises(EnvironmentProblem, match="--bind"):
        require_addresses([address], free_port())


@pytest.mark.enable_socket
def test_an_address_of_this_machine_is_allowed() -> None:
    assert require_addresses(["127.0.0.1", "localhost"], free_port()) == ["127.0.0.1"]


@pytest.mark.enable_socket
def test_names_become_the_addresses_that_the_engine_listens_on_each_once() -> None:
    # Else the engine takes loopback a second time, by its name or in a shorter form, and fails.
    assert require_addresses(["localhost", "127.1", "127.0.0.2", "0"], free_port()) == [
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
    ]
