#!/usr/bin/env bash
# Follows the README of this clone word for word: installs `barmkin`, tries the
# first example, and makes a rule of one's own that denies a request. It works in a
# new folder and leaves the clone as it is.
#
#   tests/readme.sh            installs into the folder, which takes minutes
#   tests/readme.sh PROGRAM    uses a `barmkin` that is there
set -euo pipefail
clone=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

# block HEADING LANGUAGE: the first block in that language below that heading.
block() {
    awk -v heading="$1" -v fence='```'"$2" '
        /^```/ && wanted { exit }
        /^```/ { fenced = !fenced; wanted = below && $0 == fence; next }
        wanted { print }
        !fenced && /^#/ { below = ($0 ~ "^#+ " heading "$") }
    ' "$clone/README.md"
}

# expect CODE TEXT COMMAND: that it ends so, and says that.
expect() {
    local said code=0
    said=$(bash -c "$3" 2>&1) || code=$?
    printf '$ %s\n%s\n' "$3" "$said"
    [ "$code" = "$1" ] && [[ "$said" == *"$2"* ]] || { echo "expected exit code $1 and '$2'" >&2; exit 1; }
}

if [ $# -gt 0 ]; then
    mkdir -p "$work/bin" && ln -s "$(realpath "$1")" "$work/bin/barmkin"
else
    (cd "$clone" && CARGO_INSTALL_ROOT=$work bash -c "$(block Install sh)")
fi
export PATH="$work/bin:$PATH"

mkdir "$work/use" && cd "$work/use"
block 'Use it' toml > barmkin.toml
block 'Use it' sh > commands
bash -c "$(sed '/^$/q' commands)"
mapfile -t commands < <(sed '1,/^$/d' commands)
expect 0 '' "${commands[0]}"
expect 0 allow "${commands[1]}"
expect 1 no-rule "${commands[2]}"
expect 1 missing-signature "${commands[3]}"
# The port may be somebody's: any that is free will do.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/127.0.0.1:8080/127.0.0.1:$port/" barmkin.toml
bash -c "exec ${commands[4]}" 2> log & server=$!
until grep -q listening log; do kill -0 "$server"; sleep 0.1; done
expect 0 'barmkin-reason: missing-api-key' "curl --silent --include http://127.0.0.1:$port/v1/items/7"
kill "$server" && wait "$server"
server=

cd "$work"
mapfile -t commands < <(block 'Write a policy' sh | sed 's/ *#.*//')
bash -c "${commands[0]}"
cd partners
expect 0 'test result: ok' "${commands[1]}"
expect 0 partners.wasm "${commands[2]}"
expect 0 '' "${commands[3]}"
# The rule that the README shows, and a request that it denies.
block 'Write a policy' rust,ignore > src/lib.rs
expect 0 partners.wasm "${commands[2]}"
cat > cases.toml <<'CASES'
component = "partners.wasm"
settings = { allowed = ["acme"] }
grants = { vouch = true }
[[cases]]
name = "a stranger"
request = { target = "/", headers = { x-partner = "stranger" } }
expect = { verdict = "deny", reason = "unknown-partner", status = 403 }
[[cases]]
name = "a partner"
request = { target = "/", headers = { x-partner = "acme" } }
expect = { verdict = "allow", principal = "acme" }
CASES
expect 0 '' "${commands[3]}"
echo 'the README holds'
