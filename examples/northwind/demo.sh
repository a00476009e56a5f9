#!/usr/bin/env bash
# Indexes the example company, then asks three questions: one that a handbook page answers, one that a
# page of a pdf answers, and one that its documents do not answer. Usage: demo.sh [path of ragflow]
set -euo pipefail
program="$(command -v "${1:-ragflow}")"
program="$(cd "$(dirname "$program")" && pwd)/$(basename "$program")"
cd "$(dirname "${BASH_SOURCE[0]}")"

say() {
    printf '\n$ ragflow %s%s\n' "$1" "${2:+ \"$2\"}"
    # 6 says: not found. That is an answer.
    "$program" "$@" || [[ $? == 6 ]]
}

say index
say ask "How many days of annual leave do I get?"
say ask "How much may a hotel room cost per night?"
say verify last
say ask "Does the company pay for a gym membership?"
