# Answers well and then does not leave: it notes that its input was closed and that it got SIGTERM, and stays.

. "${0%/*}/speak.sh"
trap ': > told' TERM
trap '' HUP INT
data 0 fine
answer '{"finish":"stop","items":1}'
while read -r line; do :; done
: > asked
while :; do :; done
