#!/bin/sh
# Records web-signin afresh and asks dissect for the verdict: `make lab-test`, with the Python
# of the project's virtual environment as argument. Skipped only if something that the lab needs
# is missing, and then each missing thing is named; a wrong verdict fails.
set -u
python=${1:?usage: lab-test.sh PYTHON}
cd "$(dirname "$0")/../.." || exit 1

sh captures/lab/install.sh || echo "lab-test: not everything could be installed (see above)"
"$python" captures/lab --probe
probed=$?
if [ "$probed" -eq 3 ]; then
    echo "SKIPPED: lab-test: the lines above name what is missing on this machine"
    exit 0
elif [ "$probed" -ne 0 ]; then
    echo "lab-test: the probe itself failed" >&2
    exit 1
fi

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# A recording that fails is not a verdict: one more try, said aloud.
"$python" captures/lab web-signin --out "$folder" || {
    echo "lab-test: the recording failed; once more"
    "$python" captures/lab web-signin --out "$folder" || exit 1
}
DISSECT_FRESH_LAB="$folder/web-signin" "$python" -m pytest -m lab tests || exit 1
"$python" -m pytest -n auto captures/lab/tests || exit 1
MYPYPATH=captures/lab "$python" -m mypy --strict captures/lab/signlab captures/lab/__main__.py
