"""Trains a model of mortgage denials; runs as a job on the tenant's Ray cluster.

Parameters: `trees` (default 80), `depth` (default 3), `seed` (default 0). Metrics: `auc`, `accuracy` (5-fold
cross-validation, out of fold), `denial_rate_afam`, `denial_rate_other` (share of each group whose predicted risk is in
the highest eighth), `rows`.
"""

from pathlib import Path

import numpy
import pandas
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import falaj

TARGET, PROTECTED = "deny", "afam"


def main() -> None:
    job = falaj.job()
    frame = pandas.read_csv(job.data[0])
    yes_no = [name for name in frame.columns if set(frame[name].unique()) <= {"yes", "no"}]
    frame[yes_no] = (frame[yes_no] == "yes").astype("float32")

    features = [name for name in frame.columns if name not in (TARGET, PROTECTED)]
    x = frame[features].to_numpy(dtype=numpy.float32)
    y = frame[TARGET].to_numpy(dtype=numpy.int64)
    group = frame[PROTECTED].to_numpy() == 1

    seed = int(job.params.get("seed", 0))
    model = GradientBoostingClassifier(
        n_estimators=int(job.params.get("trees", 80)), max_depth=int(job.params.get("depth", 3)), random_state=seed
    )
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=seed)
    risk = cross_val_predict(model, x, y, cv=folds, method="predict_proba")[:, 1]
    # The share of denials in the data is one in eight; the same share of predictions is compared between the groups.
    denied = risk >= numpy.quantile(risk, 7 / 8)
    metrics = {
        "auc": float(roc_auc_score(y, risk)),
        "accuracy": float(accuracy_score(y, risk >= 0.5)),
        "denial_rate_afam": float(denied[group].mean()),
        "denial_rate_other": float(denied[~group].mean()),
        "rows": float(len(y)),
    }
    for name, value in metrics.items():
        print(f"{name:18} {value:.3f}")

    model.fit(x, y)
    # Without the zipmap the probabilities are a tensor, which is what a server can answer with.
    onnx = to_onnx(model, x[:1], options={id(model): {"zipmap": False}})
    # The converter lists them in a set's order: sorted, the same training gives the same bytes and the same digest.
    onnx.opset_import.sort(key=lambda opset: opset.domain)
    folder = Path("model")
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx.SerializeToString())
    print("model", job.log_model(folder, metrics=metrics, features=features, decisions=["label"]))


if __name__ == "__main__":
    main()
