# Ends while a process that it started holds all that it had open.

. "${0%/*}/speak.sh"
data 0 one
sleep 300 &
exit 4
