"""What is in the image, as data: package roots, what is left out, users, environment, fixed times.

Everything here is an input of the build: changing a line changes the image's digest.
"""

from __future__ import annotations

from typing import Final

NAME: Final = "localhost/falaj/platform"
# What an archive must call itself by; everything that runs names the image by digest.
TAG: Final = "current"
TITLE: Final = "Falaj platform"

# One moment for every file, for the image and for its bill of materials: a digest must not depend on when it was made.
EPOCH: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
CREATED: Final = "2026-01-01T00:00:00Z"

DEBIAN_SUITE: Final = "bookworm"
DEBIAN_ARCHITECTURE: Final = "amd64"
OCI_ARCHITECTURE: Final = "amd64"
LIBRARY_FOLDER: Final = "usr/lib/x86_64-linux-gnu"
LOADER: Final = f"{LIBRARY_FOLDER}/ld-linux-x86-64.so.2"

PYTHON: Final = "3.11"
WHEEL_PLATFORM: Final = "x86_64-manylinux_2_36"  # bookworm's glibc
PREFIX: Final = "opt/falaj"
SITE_PACKAGES: Final = f"{PREFIX}/lib/python{PYTHON}/site-packages"

USER_ID: Final = 65532
USER_NAME: Final = "falaj"
# The one folder that a pod with a read-only root makes writable for every program.
HOME: Final = "/tmp"  # noqa: S108 - inside the image

DEBIAN_ROOTS: Final = (
    "base-files",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "libgomp1",
    "netbase",
    "postgresql-15",
    "python3.11",
    "tini",
    "tzdata",
)

# Dependencies that serve only installation on a running Debian, or a feature that is switched off here. No maintainer
# script runs in this build, so what only those scripts use is never needed; nor is a package manager.
DEBIAN_OMITTED: Final = frozenset(
    {
        # maintainer scripts and their helpers
        "adduser",
        "debconf",
        "debianutils",
        "dpkg",
        "init-system-helpers",
        "libpam-modules",
        "libpam-modules-bin",
        "libsemanage-common",
        "libsemanage2",
        "libsepol2",
        "lsb-base",
        "mawk",
        "openssl",
        "passwd",
        "readline-common",
        "sensible-utils",
        "ssl-cert",
        "sysvinit-utils",
        "tar",
        "ucf",
        "usrmerge",
        # PostgreSQL's cluster management, written in Perl: initdb and postgres are started directly
        "libfile-find-rule-perl",
        "libgdbm-compat4",
        "libgdbm6",
        "libjson-perl",
        "libnumber-compare-perl",
        "libperl5.36",
        "libtext-glob-perl",
        "perl",
        "perl-base",
        "perl-modules-5.36",
        "postgresql-client-common",
        "postgresql-common",
        # PostgreSQL's just-in-time compiler: without its library PostgreSQL interprets
        "libllvm14",
        "libz3-4",
        # only C.UTF-8 is used, which libc-bin has
        "libc-l10n",
        "locales",
    }
)

# Paths that never enter the Debian layer. Licence texts (usr/share/doc/*/copyright) stay.
DEBIAN_DROPPED: Final = (
    "usr/lib/postgresql/15/lib/bitcode/*",
    "usr/lib/postgresql/15/lib/llvmjit*",
    "usr/lib/postgresql/15/lib/pgxs/*",
    "usr/lib/systemd/*",
    "usr/share/applications/*",
    "usr/share/bash-completion/*",
    "usr/share/binfmts/*",
    "usr/share/bug/*",
    "usr/share/debconf/*",
    "usr/share/icons/*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "usr/share/menu/*",
    "usr/share/pixmaps/*",
    "usr/share/postgresql/15/man/*",
    "usr/share/zoneinfo/posix/*",
    "usr/share/zoneinfo/right/*",
    "etc/apt/*",
    "etc/cron.d/*",
    "etc/cron.daily/*",
    "etc/init.d/*",
    "etc/pam.d/*",
)
DOCUMENTATION: Final = "usr/share/doc/"
LICENCE_FILE: Final = "copyright"

WHEEL_ROOTS: Final = (
    "cryptography>=45",
    "hvac>=2.4",
    "mlflow==3.17.*",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "psycopg[binary]",
    "pydantic>=2.11",
    "pyyaml>=6",
    "ray[default]==2.60.*",
    "rich>=14",
    "scikit-learn",
    "skl2onnx",
    "typer>=0.16",
    "urllib3>=2.4",
)

# What of the wheels (relative to site-packages) no program of the image reads.
WHEEL_DROPPED: Final = (
    # sources of what is compiled already, and a browser's debugging aids
    "*.c",
    "*.cc",
    "*.h",
    "*.js.map",
    "*.pxd",
    "*.pyx",
    "*/__pycache__/*",
    "matplotlib/tests/*",
    "matplotlib/mpl-data/sample_data/*",
    "mpl_toolkits/*/tests/*",
    "numpy/*/tests/*",
    "numpy/tests/*",
    "onnx/backend/test/*",
    "onnx/test/*",
    "pandas/tests/*",
    "pyarrow/include/*",
    "pyarrow/tests/*",
    "ray/jars/*",
    "ray/rllib/*",
    "scipy/*/tests/*",
    "scipy/*/*/tests/*",
    "sklearn/*/tests/*",
    "sklearn/tests/*",
    "sklearn/*/*/tests/*",
)
# Programs of the wheels that are put on PATH.
SCRIPTS: Final = ("falaj", "mlflow", "ray")

ENVIRONMENT: Final = {
    # No program of the image tells anyone outside that it runs.
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Its job runners are eight processes and 800 MB in each tenant, for features that need a language model.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    # There is no git in the image: MLflow need not say so at every run.
    "GIT_PYTHON_REFRESH": "quiet",
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "PATH": f"/{PREFIX}/bin:/usr/lib/postgresql/15/bin:/usr/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
    "TZ": "UTC",
}

# path -> (mode, owner): folders that no package brings.
FOLDERS: Final = {
    "dev": (0o755, 0),
    "etc/ssl/certs": (0o755, 0),
    "proc": (0o755, 0),
    "root": (0o700, 0),
    "run": (0o755, 0),
    "run/postgresql": (0o755, USER_ID),
    "sys": (0o755, 0),
    "tmp": (0o1777, 0),
    "var/tmp": (0o1777, 0),
}

# The merged /usr, as every current Debian has it.
MERGED: Final = ("bin", "lib", "lib64", "sbin")
LINKS: Final = {
    **{name: f"usr/{name}" for name in MERGED},
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "usr/bin/python3": f"python{PYTHON}",
    "usr/bin/sh": "dash",
    "var/run": "/run",
}

FILES: Final = {
    "etc/group": f"root:x:0:\n{USER_NAME}:x:{USER_ID}:\nnogroup:x:65534:\n",
    "etc/hostname": "falaj\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "etc/passwd": (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        f"{USER_NAME}:x:{USER_ID}:{USER_ID}:Falaj:{HOME}:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "etc/timezone": "Etc/UTC\n",
}
