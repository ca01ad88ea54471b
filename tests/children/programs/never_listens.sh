# Ignores every polite signal and runs in a circle.

. "${0%/*}/speak.sh"
trap '' TERM HUP INT
data 0 one
while :; do :; done
