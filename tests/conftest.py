"""The servers that tests share, each started once for a whole run and only if a test asks for it.

Where a server cannot run the tests that need it are skipped with the reason; with CI=true any skip is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from falaj_site.apiserver import ApiServer
from falaj_site.errors import CannotRun
from falaj_site.progress import Console
from falaj_site.site import Site


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a test that is skipped has failed: what was not run was not shown."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure with CI=true: {call.excinfo.value if call.excinfo else ''}"
    return report


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A bare API server (etcd and kube-apiserver); `api_server.kubeconfig` is an administrator's."""
    server = ApiServer(Console())
    try:
        server.__enter__()
    except CannotRun as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole site in a folder with a space in its name, for all tests marked `site`; removed at the end.

    A test that stops it must bring it up again.
    """
    site = Site(tmp_path_factory.mktemp("falaj home"))
    try:
        try:
            site.up(Console())
        except CannotRun as error:
            pytest.skip(str(error))
        yield site
    finally:
        site.down(purge=True)
