#!/bin/sh
# Brings this checkout to where everything runs: Python environment in .venv, jars in var/tools.
# usage: infra/setup/setup.sh [runtime|dev]    (dev: also what tests and lint need)
# Safe to run again and to interrupt: done steps are skipped, a stamp makes the next run take no time.
set -eu

kind=${1:-runtime}
home=$(cd "$(dirname "$0")/../.." && pwd)
here=$home/infra/setup
venv=$home/.venv
tools=$home/var/tools
log=$home/var/setup.log
# The plugin's version is pinned like everything else that is fetched.
copy=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
began=$(date +%s)

case $kind in
    runtime) requirements=$home/requirements.txt ;;
    dev) requirements=$home/requirements-dev.txt ;;
    *) echo "usage: $0 [runtime|dev]" >&2; exit 2 ;;
esac

digest() {
    cat "$1" "$here"/setup.sh "$here"/*.pom.xml "$here"/jars.sha256 | sha256sum | cut -d ' ' -f 1
}

# A dev environment serves as a runtime one too, as long as both are of today's requirements.
is_done() {
    [ -f "$venv/stamp-$1" ] && [ "$(cat "$venv/stamp-$1")" = "$(digest "$2")" ] && [ -d "$tools/kafka" ] && [ -d "$tools/flink" ]
}

fail() {
    echo "error: $1" >&2
    exit 1
}

say() {
    printf '[%3ds] %s\n' "$(($(date +%s) - began))" "$1"
}

# step TEXT COMMAND…: its output goes to the log, whose end is shown when it fails.
step() {
    text=$1
    shift
    say "$text ..."
    "$@" >>"$log" 2>&1 </dev/null &
    child=$!
    trap 'kill $child 2>/dev/null; exit 130' INT TERM
    while kill -0 $child 2>/dev/null; do
        sleep 1 # nothing is waited for but to show that time goes on
        [ -t 1 ] && printf '\r[%3ds] ' "$(($(date +%s) - began))"
    done
    [ -t 1 ] && printf '\r'
    trap - INT TERM
    if ! wait $child; then
        tail -n 25 "$log" >&2
        fail "$text: failed; the whole output is in $log"
    fi
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# need WHAT TEST PACKAGES ADVICE: when TEST fails, installs the first set of PACKAGES (separated by |) that makes it pass.
need() {
    if $2; then return 0; fi
    can_install || fail "$1 is missing. $4"
    if [ -z "${updated:-}" ]; then
        step "apt-get update" apt-get update
        updated=yes
    fi
    say "apt-get install $1 ..."
    echo "$3" | tr '|' '\n' | while read -r packages; do
        # shellcheck disable=SC2086  # a list of packages
        if DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages >>"$log" 2>&1 </dev/null && $2; then
            break
        fi
    done
    $2 || fail "$1 is missing, and apt-get could not provide it (see $log). $4"
}

find_python() {
    for candidate in python3.11 python3.12 python3.10 python3; do
        if $candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            python=$candidate
            return 0
        fi
    done
    return 1
}

has_java() {
    java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    version=$($java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}

has_maven() { command -v mvn >/dev/null; }

has_redis() { command -v redis-server >/dev/null; }

has_postgres() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

has_prometheus() { command -v prometheus >/dev/null; }

have_jars() {
    [ -d "$tools/kafka" ] && [ -d "$tools/flink" ] && (cd "$tools" && sha256sum --quiet -c "$here/jars.sha256" >/dev/null 2>&1)
}

# Each tool into a folder of its own, checked against the committed checksums before anything uses it.
fetch_jars() {
    rm -rf "$tools/new"
    for tool in kafka flink; do
        step "fetch the jars of $tool (Maven)" mvn -B -ntp -f "$here/$tool.pom.xml" $copy \
            -DoutputDirectory="$tools/new/$tool" -DincludeScope=runtime
    done
    (cd "$tools/new" && sha256sum --quiet -c "$here/jars.sha256") || fail "a jar is not the one this checkout was tested with: see above. \
If the versions in infra/setup/*.pom.xml were changed on purpose, renew infra/setup/jars.sha256 (make pin)"
    extra=$(cd "$tools/new" && ls */*.jar | while read -r jar; do grep -qF "  $jar" "$here/jars.sha256" || echo "$jar"; done)
    [ -z "$extra" ] || fail "Maven brought jars without a checksum: $extra"
    rm -rf "$tools/kafka" "$tools/flink"
    mv "$tools/new/kafka" "$tools/new/flink" "$tools/"
    rmdir "$tools/new"
}

# Flink's library folder: its own jars, the one that runs Python (optional there) and the connector.
link_flink() {
    flink=$("$venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("pyflink").submodule_search_locations[0])')
    find "$tools/flink" -type l -delete
    ln -s "$flink"/lib/*.jar "$flink"/opt/flink-python-*.jar "$tools/flink/"
}

make_venv() {
    if ! "$venv/bin/python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        need "Python 3.10 to 3.12 with venv" find_python "python3 python3-venv|python3.11 python3.11-venv|python3.12 python3.12-venv" \
            "Install it: on Debian or Ubuntu \`apt-get install python3 python3-venv\` when that is 3.10 to 3.12, else with uv or pyenv."
        rm -rf "$venv"
        step "make .venv with $($python --version)" "$python" -m venv "$venv"
    fi
    rm -f "$venv"/stamp-*
    # The list is complete and hashed: nothing is resolved, nothing else can come in.
    step "install $(grep -c == "$requirements") Python packages (700 MB the first time)" \
        "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes -r "$requirements"
}

is_done "$kind" "$requirements" && exit 0
[ "$kind" = runtime ] && is_done dev "$home/requirements-dev.txt" && exit 0

mkdir -p "$tools"
if command -v flock >/dev/null; then # two runs at once would undo each other's work
    exec 9>"$home/var/setup.lock"
    flock -n 9 || { say "another set-up of this checkout is at work; waiting for it"; flock 9; }
    is_done "$kind" "$requirements" && exit 0
fi
: >"$log"
say "set-up of $home (output in $log)"
make_venv
need "a JDK 17 or newer" has_java "openjdk-17-jre-headless|openjdk-21-jre-headless|default-jre-headless" \
    "Install one: on Debian or Ubuntu \`apt-get install openjdk-17-jre-headless\`, or set JAVA_HOME to it."
if ! have_jars; then
    need "Maven" has_maven "maven" "Install it: on Debian or Ubuntu \`apt-get install maven\`."
    fetch_jars
fi
link_flink
if [ "$kind" = dev ] && ! has_redis; then
    if can_install; then
        need "redis-server" has_redis "redis-server" "Install it: on Debian or Ubuntu \`apt-get install redis-server\`."
    else
        say "redis-server is missing: tests of the Redis store will fail until you install it (apt-get install redis-server)"
    fi
fi
if [ "$kind" = dev ] && ! has_postgres; then
    if can_install; then # RUNLEVEL: without a server of its own
        step "apt-get install postgresql" sh -c 'apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends postgresql || true'
    fi
    has_postgres || say "PostgreSQL is missing: the tests of the alert store over it will be skipped until you install it (apt-get install postgresql)"
fi
if [ "$kind" = dev ] && ! has_prometheus; then
    if can_install; then # RUNLEVEL: its package is not to start a service
        step "apt-get install prometheus" sh -c 'apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends prometheus || true'
    fi
    has_prometheus || say "prometheus is missing: its test will be skipped until you install it (apt-get install prometheus)"
fi
digest "$requirements" >"$venv/stamp-$kind"
say "set-up done"
