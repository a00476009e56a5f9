#!/usr/bin/env bash
# The support desk's whole story: a question arrives, a refund waits for a second person and is revised, the
# process is killed twice on the way, the customer gets one mail. Usage: walk.sh [path of ragflow]
set -euo pipefail
program="$(command -v "${1:-ragflow}")"
program="$(cd "$(dirname "$program")" && pwd)/$(basename "$program")"
python="$(dirname "$program")/python"
cd "$(dirname "${BASH_SOURCE[0]}")"

rm -rf mails refunds.sqlite
"$python" postbox.py "$(sed -n 's/^ *port: //p' ragflow.yaml)" mails &
postbox=$!
trap 'kill "$postbox" 2>/dev/null || true' EXIT
until [[ -e mails/pid ]]; do
    kill -0 "$postbox" 2>/dev/null || exit 4  # it has said why
    sleep 0.1
done

tell() { printf '\n# %s\n' "$1"; }
say() {  # WHO COMMAND...; the exit codes that a story has: done, waiting, killed
    printf '$ ragflow %s    (%s)\n' "${*:2}" "$1"
    RAGFLOW="${plug:-$program}" bash as.sh "$@" || [[ $? == 7 || $? == 137 ]]
}
pull() { plug="$python pull_plug.py $1 $2" say "${@:3}"; }
field() { "$python" -c 'import json,sys; print(json.loads(sys.stdin.readline())[sys.argv[1]])' "$1"; }

say mia index

tell "A ticket arrives. The plug is pulled when the documents have been asked."
pull after support:proposes_refund mia run support --input ticket.json
run="$(RAGFLOW="$program" bash as.sh mia runs list --limit 1 --json | field run)"

tell "Mia resumes it. The documents are not asked again; the refund waits for a lead."
say mia runs resume "$run"
say noor approvals list
approval="$(RAGFLOW="$program" bash as.sh noor approvals list --json | field approval)"
digest="$(RAGFLOW="$program" bash as.sh noor approvals show "$approval" --json | field digest)"
say noor approvals show "$approval"

tell "Noor agrees to five boxes. The plug is pulled when the ledger has entered them, before anybody noted it."
pull after ledger:enter noor approvals revise "$approval" --digest "$digest" --set amount=124.50 \
    --comment "One of the six boxes was dry."

tell "Mia resumes it. The ledger is asked whether it happened; the customer gets one mail."
say mia runs resume "$run"
printf '$ python ledger.py\n'
"$python" ledger.py
printf '$ ls mails/*.eml\n'
ls mails/*.eml

tell "The whole story by one command, replayed by another."
say mia runs show "$run"
say mia runs replay "$run"
