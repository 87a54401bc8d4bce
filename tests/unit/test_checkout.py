"""checkout.py: the git commit of the code, where there is one, and how the jobs learn of it."""

import shutil
import subprocess

import pytest

from drizzleflow.jobs import checkout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit; git knows nothing of the user's own settings."""
    if shutil.which("git") is None:
        pytest.skip("no git")
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    git(folder, "init", "-q")
    (folder / "a.py").write_text("a = 1\n")
    git(folder, "add", "a.py")
    return folder


def git(folder, *words):
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@e", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_changes(repository, monkeypatch):
    assert checkout.describe(repository) is None  # nothing is committed
    git(repository, "commit", "-q", "-m", "one")
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # of the caller's own work
    assert checkout.describe(repository) == {"commit": commit, "dirty": False}
    (repository / "new.py").write_text("")  # no part of it yet
    assert checkout.describe(repository)["dirty"] is False
    (repository / "a.py").write_text("a = 2\n")
    assert checkout.describe(repository) == {"commit": commit, "dirty": True}


def test_a_copy_inside_another_repository_has_no_commit(repository):
    git(repository, "commit", "-q", "-m", "one")
    inside = repository / "vendor"
    inside.mkdir()
    assert checkout.describe(inside) is None


def test_without_git_or_with_a_broken_repository(repository, monkeypatch, tmp_path):
    (repository / ".git/HEAD").write_text("nonsense")
    assert checkout.describe(repository) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout.describe(repository) is None


def test_jobs_are_told_through_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(checkout.VARIABLE, "{")
    assert checkout.announced() == {"git": None, "config": []}
    checkout.announce({"commit": "c", "dirty": False}, [tmp_path / "my.yaml"])
    assert checkout.announced() == {
        "git": {"commit": "c", "dirty": False},
        "config": [str(tmp_path / "my.yaml")],
    }
    checkout.announce(None)
    assert checkout.announced() == {"git": None, "config": []}
