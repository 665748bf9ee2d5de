#!/bin/sh
# A turn from a shell: ./curl.sh http://127.0.0.1:4097 DIRECTORY
# The output of a command goes into an answer, line by line, while the command runs. Needs jq.
set -eu
weir=$1 directory=$2

session=$(curl -sSf "$weir/session" --url-query "directory=$directory" \
               -d '{"title":"nightly"}' | jq -r .id)

{
    jq -nc --arg s "$session" '{type: "begin", turn: "t", session: $s, prompt: "list the files"}'
    ls "$directory" | jq -Rc --unbuffered '{type: "text", turn: "t", text: (. + "\n")}'
    echo '{"type":"end","turn":"t"}'
} | curl -sSfN -T . -X POST "$weir/weir/agents/shell" >&2

echo "$session"
