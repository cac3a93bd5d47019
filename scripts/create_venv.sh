#!/usr/bin/env bash
# create_venv.sh PYTHON FOLDER: a virtual environment; installs Debian's venv module first where it is missing.
set -euo pipefail
python=$1 folder=$2
[ -x "$folder/bin/python" ] && "$folder/bin/python" -m pip --version >/dev/null 2>&1 && exit 0
rm -rf "$folder"
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $package"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
    else
        echo "expected Python's venv module, but this system keeps it in a package of its own; install it and run make again:" >&2
        echo "    sudo apt-get install -y $package" >&2
        exit 1
    fi
fi
"$python" -m venv "$folder"
