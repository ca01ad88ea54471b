# Sends itself SIGKILL in the middle of its answer.

. "${0%/*}/speak.sh"
data 0 one
kill -KILL $$
