# Ends with exit code 0 in the middle of its answer.

. "${0%/*}/speak.sh"
data 0 one
exit 0
