#!/usr/bin/env bash
# The libraries that wheels expect from the system: open3d libusb, EGL and X11; pyrender EGL with Mesa; OpenCV libGL and glib;
# weasyprint pango and harfbuzz.
# Fast when they are there. Missing: installed as root on Debian and Ubuntu, else named in one line to copy.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
declare -A package_of=(
    [libusb-1.0.so.0]=libusb-1.0-0
    [libEGL.so.1]=libegl1
    [libEGL_mesa.so.0]=libegl-mesa0
    [libGL.so.1]=libgl1
    [libGLESv2.so.2]=libgles2
    [libgthread-2.0.so.0]=libglib2.0-0
    [libX11.so.6]=libx11-6
    [libudev.so.1]=libudev1
    [libidn2.so.0]=libidn2-0
    [libpango-1.0.so.0]=libpango-1.0-0
    [libpangoft2-1.0.so.0]=libpangoft2-1.0-0
    [libharfbuzz-subset.so.0]=libharfbuzz-subset0
)
found=$(ldconfig -p 2>/dev/null || true)
missing=()
for library in "${!package_of[@]}"; do
    grep -qF "$library " <<<"$found" || missing+=("${package_of[$library]}")
done
# Mesa's software rasteriser is loaded by name at run time
compgen -G '/usr/lib/*/dri/swrast_dri.so' >/dev/null || compgen -G '/usr/lib/*/libgallium*.so' >/dev/null || missing+=(libgl1-mesa-dri)
[ ${#missing[@]} = 0 ] && exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort)
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "expected system libraries that are missing; install them and run make again:" >&2
    echo "    sudo apt-get install -y ${missing[*]}" >&2
    exit 1
fi
