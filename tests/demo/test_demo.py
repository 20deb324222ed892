"""The demo tells its story to the end, leaves nothing behind, and stops when it is asked to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

DRIVE = Path(__file__).parents[2] / "examples" / "demo" / "drive.py"


def test_each_request_of_the_demo_is_answered_as_the_readme_says(tmp_path):
    done = subprocess.run(
        [sys.executable, DRIVE, "--once", "--directory", tmp_path / "here"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    events = re.findall(r"^ {3}(?:[<$>]) (?:coatcheck )?(\S+)", done.stdout, re.MULTILINE)
    assert events == [
        *("GET", "401"),
        *("POST", "401", "POST", "200", "GET", "200"),
        *("update", "GET", "200"),
        *("revoke", "GET", "401"),
        *("POST", "200", "POST", "204", "GET", "401"),
        "count",
        *("GET", "303", "GET", "200", "POST", "303", "GET", "200"),
        *("POST", "403", "GET", "200"),
        *("revoke-all", "GET", "303"),
        "revoke-all",
    ]
    assert "program: signed out" in done.stdout
    assert '"scopes":["read"]' in done.stdout
    assert '"scopes":["read","write"]' in done.stdout
    assert done.stdout.index('"scopes":["read"]') < done.stdout.index("$ coatcheck update")
    assert "Every step answered as expected." in done.stdout

    pepper = re.search(r"PEPPER=(\S+)", (tmp_path / "here" / ".env").read_text())[1]
    assert pepper not in done.stdout
    assert "analytical engine" not in done.stdout
    assert not re.search(r"cck_[\w-]{20,}", done.stdout)


def test_the_service_keeps_running_until_ctrl_c_and_then_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    driver = subprocess.Popen(
        [sys.executable, DRIVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        shown = ""
        for line in driver.stdout:
            shown += line
            if "programme.py" in line:
                break
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", shown)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        assert list(tmp_path.iterdir()) != []
    finally:
        # As a terminal does: to the service and its driver both.
        os.killpg(driver.pid, signal.SIGINT)
        shown += driver.communicate(timeout=20)[0]
    assert driver.returncode == 0, shown
    assert "Traceback" not in shown
    assert shown.rstrip().endswith("Stopped.")
    assert list(tmp_path.iterdir()) == []
    with socket.socket() as attempt:
        assert attempt.connect_ex(("127.0.0.1", port)) != 0


def test_a_directory_in_use_is_left_alone(tmp_path):
    (tmp_path / ".env").write_text("KEEP=this\n")
    done = subprocess.run(
        [sys.executable, DRIVE, "--once", "--directory", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "there already" in done.stderr
    assert (tmp_path / ".env").read_text() == "KEEP=this\n"
