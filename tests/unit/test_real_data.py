"""The tests' own look-up of real data: a missing file is told, and under CI no test passes without it."""

import pytest
import real_data


@pytest.mark.parametrize("ci", [None, "", "0", "false"])
def test_without_the_data_a_test_is_skipped(monkeypatch, tmp_path, ci):
    monkeypatch.delenv("CI", raising=False) if ci is None else monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(real_data, "HERE", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"no real data: .*nowhere\.fits is not there"):
        real_data.real_data("nowhere.fits")


@pytest.mark.parametrize("ci", ["true", "1"])
def test_under_ci_it_fails(monkeypatch, tmp_path, ci):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(real_data, "HERE", tmp_path)
    with pytest.raises(pytest.fail.Exception, match=r"no real data: .*nowhere\.fits is not there"):
        real_data.real_data("nowhere.fits")


@pytest.mark.parametrize("ci", ["", "true"])
def test_what_is_there_is_found(monkeypatch, tmp_path, ci):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(real_data, "HERE", tmp_path)
    (tmp_path / "folder").mkdir()
    assert real_data.real_data("folder") == tmp_path / "folder"


def test_it_is_beside_the_checkout(request):
    assert real_data.HERE == request.config.rootpath.parent / "shared" / "data"
