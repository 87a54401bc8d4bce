"""The forks in which these tests run Snakemake and its jobs: processes of their own, as far as jobs see."""

import os

import pytest
import warm
from running import SNAKEMAKE, environment

SAYS = """
import os, sys
print(os.getcwd(), os.environ.get("ONLY"), sys.argv[0], sys.path[0], __name__)
print("problem", file=sys.stderr)
"""


def script(folder, text, timeout=60, **more):
    """Run a text as a job's script: its status, and what it said on stdout and stderr."""
    (folder / "job.py").write_text(text)
    request = {"engine": False, "words": [str(folder / "job.py")], "folder": str(folder)}
    request["environment"] = environment() | more
    with open(folder / "out", "w+") as out, open(folder / "err", "w+") as err:
        status = warm.ask(warm.parent().path, request, [out.fileno(), err.fileno()], timeout)
    return status, (folder / "out").read_text(), (folder / "err").read_text()


def test_folder_environment_and_output(tmp_path):
    status, out, err = script(tmp_path, SAYS, ONLY="here")
    assert (status, err) == (0, "problem\n")
    assert out.split() == [str(tmp_path), "here", str(tmp_path / "job.py"), str(tmp_path), "__main__"]
    assert script(tmp_path, SAYS)[1].split()[1] == "None"  # nothing is left of another fork


@pytest.mark.parametrize("number", [1, 2])
def test_drizzleflow_is_that_of_its_own_path(tmp_path, number):
    """It is not among what the parent has imported, so that a changed checkout runs its own."""
    (tmp_path / "drizzleflow.py").write_text(f"NUMBER = {number}")
    text = "import sys; print('drizzleflow' in sys.modules, 'numpy' in sys.modules)\n"
    text += "import drizzleflow; print(drizzleflow.NUMBER)"
    status, out, _ = script(tmp_path, text, PYTHONPATH=str(tmp_path))
    assert status == 0 and out.split() == ["False", "True", str(number)]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('why')", 1, "why\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", warm.KILLED, ""),
    ],
)
def test_how_it_ended(tmp_path, text, status, said):
    ended, _, err = script(tmp_path, text)
    assert ended == status and said in err


def test_one_that_does_not_end(tmp_path):
    with pytest.raises(TimeoutError):
        script(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)", timeout=5)
    number = int((tmp_path / "out").read_text())
    for _ in range(20):  # the parent asks for the end of those before when it forks the next
        script(tmp_path, "")
        if not os.path.exists(f"/proc/{number}"):
            break
    assert not os.path.exists(f"/proc/{number}")


def test_the_command(tmp_path):
    with open(tmp_path / "said", "w+") as said:
        status = warm.run([SNAKEMAKE, "--version"], tmp_path, environment(), [said.fileno()] * 2)
        said.seek(0)
        assert status == 0 and said.read().strip().count(".") == 2
