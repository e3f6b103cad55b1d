"""From data to a governed prediction: what a data scientist, an approver and an operator type.

Each of them is another person with a login of their own; here one script plays all three.
"""

from pathlib import Path

import falaj

HERE = Path(__file__).parent
TENANT = "demo"
NAME = "mortgage-denial"


def main() -> None:
    scientist = falaj.connect(TENANT, member="data-scientist")
    run = scientist.train(HERE / "train.py", data=[HERE / "hmda.csv"], params={"trees": 80}, reuse=True)
    if not scientist.evaluate(run, bars={"auc": 0.75}).passed:
        raise SystemExit(f"the model is not good enough: {dict(run.metrics)}")

    signed = scientist.sign(run)
    version = scientist.register(signed, NAME)
    print(f"{NAME} version {version.version} is {version.digest}")

    approver = falaj.connect(TENANT, member="approver")
    if version.approval is None:
        approver.approve(NAME, version.version, digest=version.digest)

    operator = falaj.connect(TENANT, member="operator")
    operator.deploy(NAME, version.version)

    applicant = {
        "pirat": 0.45,
        "hirat": 0.30,
        "lvrat": 0.95,
        "chist": 5,
        "mhist": 2,
        "phist": 1,
        "unemp": 3.9,
        "selfemp": 0,
        "insurance": 0,
        "condomin": 0,
        "single": 1,
        "hschool": 1,
    }
    (answer,) = scientist.predict(NAME, [applicant])
    print(f"risk of denial {answer['probabilities'][1]:.2f}")


if __name__ == "__main__":
    main()
