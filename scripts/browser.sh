#!/usr/bin/env bash
# Chromium, in which the viewer is tested. Fast when there is one. Missing: installed as root on Debian and Ubuntu where
# the package can be had; otherwise the tests in a browser are skipped and say so.
set -euo pipefail
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing chromium, for the tests of the viewer"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0
fi
echo "no Chromium here: the tests in a browser will be skipped; to run them: sudo apt-get install -y chromium" >&2
