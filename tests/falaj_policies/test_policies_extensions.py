"""Rule packages: the template as a company would install it, and packages that must not be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from falaj_policies import CONTROLS, RulePackageError, Stage, evaluate, extensions, registry
from falaj_policies.testing import broken, good, stack

TEMPLATE = Path(__file__).resolve().parents[2] / "policies" / "template"
HEADER = """
from falaj_policies import Admission, Fact, FileFact, ModelFact, Objection, ProjectFact, ResourceFact
from falaj_policies import Rule, Severity, StackFact, Stage
def no(fact):
    yield Objection("no")
def rule(id="ACME-01", **other):
    fields = dict(id=id, title="t", rationale="r", severity=Severity.LOW, remedy="m", check=no,
                  stages=frozenset({Stage.PULL_REQUEST}), applies_to=ResourceFact)
    return Rule(**{**fields, **other})
"""


def install(site: Path, source: Path) -> None:
    """What an installer does with a package of pure Python: its modules and its metadata in one folder."""
    declared = tomllib.loads((source / "pyproject.toml").read_text())
    for package in declared["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(source / package, site / package)
    project = declared["project"]
    describe(site, project["name"], project["version"], project["entry-points"]["falaj.rules"])


def describe(site: Path, name: str, version: str, points: dict[str, str]) -> None:
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = "".join(f"{point} = {value}\n" for point, value in points.items())
    (info / "entry_points.txt").write_text(f"[falaj.rules]\n{lines}")


def run(site: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=cwd or site, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(site folder, copy of the template), both below a path with a space."""
    root = tmp_path_factory.mktemp("a company")
    copy = root / "our rules"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    install(root / "site packages", copy)
    return root / "site packages", copy


def test_the_templates_own_tests_pass(company: tuple[Path, Path]) -> None:
    site, copy = company
    done = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "tests", cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_templates_tests_notice_a_broken_rule(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(TEMPLATE, copy)
    module = copy / "acme_rules" / "__init__.py"
    module.write_text(module.read_text().replace("value.isdecimal()", "True"))
    install(tmp_path / "site", copy)
    done = run(tmp_path / "site", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", cwd=copy)
    assert done.returncode == 1
    assert "not a number" in done.stdout


def test_evaluate_refuses_by_the_companys_rules(company: tuple[Path, Path]) -> None:
    program = """
        from falaj_policies import Stage, evaluate, rule_set_version
        from falaj_policies.testing import good, stack
        bucket = good("aws:s3:Bucket", tags={"cost-centre": "x"})
        found = evaluate(bucket, Stage.PROVISION) + evaluate(stack(bucket), Stage.PULL_REQUEST)
        for f in found:
            if f.rule.startswith("ACME"):
                print(f.rule, f.denies, f.subject == bucket.urn)
        print(rule_set_version())
    """
    done = run(company[0], "-c", textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
    *found, version = done.stdout.splitlines()
    assert found == ["ACME-01 True True", "ACME-02 True True"]
    assert version != registry.rule_set_version()


def test_controls_lists_the_companys_rules(company: tuple[Path, Path]) -> None:
    done = run(company[0], "-m", "falaj.cli", "controls")
    assert done.returncode == 0, done.stderr
    assert "ACME-01" in done.stdout
    assert "Every bucket names its cost centre" in done.stdout
    listed = run(company[0], "-m", "falaj.cli", "controls", "--json")
    assert "ACME-02" in json.dumps(json.loads(listed.stdout))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("1 +", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class Odd(BaseException):\n    def __str__(self): raise ValueError\nraise Odd", "Odd"),
        ("raise ValueError('one\\ntwo')", "ValueError: one"),
        ("RULES = 3", "TypeError"),
        ("", "no attribute 'RULES'"),
    ],
)
def test_a_package_that_does_not_load_gives_one_line(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "acme_rules.py").write_text(body)
    describe(tmp_path, "acme-rules", "1", {"acme": "acme_rules:RULES"})
    done = run(tmp_path, "-m", "falaj.cli", "controls")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert "the rule package acme-rules" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_that_does_not_load_denies(tmp_path: Path) -> None:
    """Nothing is judged, so nothing passes: `evaluate` never returns an empty list."""
    (tmp_path / "acme_rules.py").write_text("raise SystemExit(0)")
    describe(tmp_path, "acme-rules", "1", {"acme": "acme_rules:RULES"})
    program = """
        from falaj_policies import RulePackageError, Stage, evaluate
        from falaj_policies.testing import good
        try:
            print(evaluate(good("aws:s3:Bucket"), Stage.PROVISION))
        except RulePackageError as error:
            print("refused", error.exit_code)
    """
    assert run(tmp_path, "-c", textwrap.dedent(program)).stdout == "refused 2\n"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Installs packages into this process: `packages(name, source)`; what it left is taken away."""
    monkeypatch.syspath_prepend(tmp_path)
    modules: list[str] = []

    def clear() -> None:
        for cached in (extensions.extensions, registry.all_rules, registry._rules_for, registry.rule_set_version):
            cached.cache_clear()

    def add(name: str, source: str, version: str = "1") -> None:
        module = name.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(HEADER + source)
        describe(tmp_path, name, version, {name: f"{module}:RULES"})
        clear()

    yield add
    clear()
    for module in modules:
        sys.modules.pop(module, None)


def test_what_is_applied_is_accepted(packages: Any) -> None:
    packages(
        "acme-rules",
        "loaded = frozenset({Stage.DEPLOY, Stage.RUNTIME})\n"
        "declared = frozenset({Stage.PULL_REQUEST, Stage.PROVISION})\n"
        "RULES = (rule(stages=declared), rule('ACME-02', applies_to=StackFact, stages=declared),"
        " rule('ACME-03', applies_to=ProjectFact), rule('ACME-04', applies_to=ModelFact, stages=loaded))",
    )
    assert [rule.id for rule in registry.all_rules()[-4:]] == ["ACME-01", "ACME-02", "ACME-03", "ACME-04"]


def test_the_cel_of_a_package_is_applied_in_the_cluster(packages: Any) -> None:
    from falaj_infra.admission import policies

    before = policies("example/platform@sha256:0")
    packages(
        "acme-rules", "RULES = (rule(admission=(Admission(('pods', 'pods/ephemeralcontainers'), 'false', 'no'),)),)"
    )
    found = policies("example/platform@sha256:0")
    assert found.keys() == before.keys()
    validations = [one for spec in found.values() for one in spec["validations"]]
    assert {"expression": "false", "message": "ACME-01: no"} in validations


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("RULES = (rule('RES-01'),)", "not a control's"),
        ("RULES = (rule('acme-1'),)", "an id of its own"),
        ("RULES = (rule(7),)", "an id of its own"),
        ("RULES = ()", "holds no rule"),
        ("RULES = (rule(), 'x')", "not a Rule"),
        ("RULES = (rule(), rule())", "two rules ACME-01 over ResourceFact"),
        ("RULES = (rule(applies_to=dict),)", "applies_to"),
        (
            "RULES = (rule(applies_to=Fact),)",
            "one of ResourceFact, StackFact, ProjectFact, ModelFact",
        ),
        ("RULES = (rule(applies_to=FileFact),)", "applies_to"),
        ("RULES = (rule(applies_to=ModelFact),)", "a rule over ModelFact there"),
        ("RULES = (rule(applies_to=ProjectFact, stages=frozenset(Stage)),)", "a rule over ProjectFact there"),
        ("RULES = (rule(applies_to=StackFact, stages=frozenset({Stage.RUNTIME})),)", "must not name runtime"),
        ("RULES = (rule(stages=frozenset({Stage.PROVISION, Stage.DEPLOY})),)", "must not name deploy"),
        ("RULES = (rule(admission=['x']),)", "admission must be a tuple"),
        ("RULES = (rule(check=None),)", "check must be a function"),
        ("RULES = (rule(severity='low'),)", "severity"),
        ("RULES = (rule(stages=frozenset()),)", "stages"),
        ("RULES = (rule(stages=frozenset({'up'})),)", "stages"),
        ("RULES = (rule(kinds=frozenset()),)", "kinds must be"),
        ("RULES = (rule(kinds=['aws:s3:Bucket']),)", "kinds must be"),
        ("RULES = (rule(kinds=frozenset({'aws:s3:Bucket'}), applies_to=StackFact),)", "kinds must be"),
        ("RULES = (rule(kinds=frozenset({'aws:s3/bucket:Bucket'})),)", "'aws:s3:Bucket' is"),
    ],
)
def test_a_rule_that_would_not_count_is_refused(packages: Any, source: str, said: str) -> None:
    packages("acme-rules", source)
    with pytest.raises(RulePackageError, match="the rule package acme-rules") as raised:
        evaluate(good("aws:s3:Bucket"), Stage.PULL_REQUEST)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_two_packages_with_one_id_are_refused(packages: Any) -> None:
    packages("acme-one", "RULES = (rule(),)")
    packages("acme-two", "RULES = (rule('ACME-02'), rule('ACME-01', applies_to=StackFact))")
    with pytest.raises(RulePackageError, match="acme-one and acme-two both have a rule ACME-01"):
        registry.all_rules()


def test_one_package_may_judge_several_facts_under_one_id(packages: Any) -> None:
    packages("acme-one", "RULES = (rule(), rule(applies_to=StackFact), rule(applies_to=ProjectFact))")
    bucket = good("aws:s3:Bucket")
    assert [finding.rule for finding in evaluate(bucket, Stage.PULL_REQUEST)] == ["ACME-01"]
    assert "ACME-01" in {finding.rule for finding in evaluate(stack(bucket), Stage.PULL_REQUEST)}


@pytest.mark.parametrize(
    "body", ["raise SystemExit(0)", "raise GeneratorExit", "yield 'no'", "yield None", "return 3", "return None"]
)
def test_a_rule_that_crashes_or_says_nonsense_denies(packages: Any, body: str) -> None:
    packages("acme-one", f"def bad(fact):\n    {body}\nRULES = (rule(check=bad),)")
    found = evaluate(good("aws:s3:Bucket"), Stage.PULL_REQUEST)
    assert [(finding.rule, finding.denies) for finding in found] == [("ACME-01", True)]


def test_an_interrupt_is_no_verdict(packages: Any) -> None:
    packages("acme-one", "def bad(fact):\n    raise KeyboardInterrupt\nRULES = (rule(check=bad),)")
    with pytest.raises(KeyboardInterrupt):
        evaluate(good("aws:s3:Bucket"), Stage.PULL_REQUEST)


def test_falajs_own_rules_still_count_beside_a_package(packages: Any) -> None:
    packages("acme-one", "RULES = (rule(applies_to=ProjectFact),)")
    abroad = broken("aws:s3:Bucket", "region", "eu-west-1")
    assert {finding.rule for finding in evaluate(abroad, Stage.PULL_REQUEST)} == {"RES-01"}


def test_the_rule_sets_version_follows_a_packages_version_and_files(packages: Any, tmp_path: Path) -> None:
    bare = registry.rule_set_version()
    packages("acme-one", "RULES = (rule(),)")
    first = registry.rule_set_version()
    (tmp_path / "acme_one.py").write_text(HEADER + "RULES = (rule(),)  # edited")
    registry.rule_set_version.cache_clear()
    second = registry.rule_set_version()
    (tmp_path / "acme_one-1.dist-info").rename(tmp_path / "acme_one-2.dist-info")
    (tmp_path / "acme_one-2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-one\nVersion: 2\n")
    extensions.extensions.cache_clear()
    registry.rule_set_version.cache_clear()
    third = registry.rule_set_version()
    assert len({bare, first, second, third}) == 4


def test_the_version_covers_every_file_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a namespace package, which belongs to nobody, only the package's own folder counts; bytecode never does."""
    own = tmp_path / "acme_ns" / "rules"
    (own / "data").mkdir(parents=True)
    (own / "__init__.py").write_text("RULES = ()")
    (own / "more.py").write_text("X = 1")
    (own / "data" / "limits.yaml").write_text("a: 1")
    monkeypatch.syspath_prepend(tmp_path)
    package = extensions.RulePackage("acme", "1", "acme_ns.rules.more", ())
    before = package.digest()
    (own / "__pycache__").mkdir(exist_ok=True)
    (own / "__pycache__" / "x.pyc").write_bytes(b"1")
    (tmp_path / "acme_ns" / "others.txt").write_text("another distribution's")
    assert package.digest() == before
    (own / "data" / "limits.yaml").write_text("a: 2")
    assert package.digest() != before
    for module in ("acme_ns.rules", "acme_ns"):
        sys.modules.pop(module, None)


def test_without_packages_nothing_is_imported() -> None:
    if list(metadata.entry_points(group=extensions.GROUP)):
        pytest.skip("a rule package is installed here")
    extensions.extensions.cache_clear()
    assert extensions.extensions() == ()
    assert registry.all_rules() == registry.RULES


def test_the_templates_ids_are_no_controls() -> None:
    source = (TEMPLATE / "acme_rules" / "__init__.py").read_text()
    assert not [name for name in CONTROLS if f'"{name}"' in source]
