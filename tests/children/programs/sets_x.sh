# Is traced by its shell on standard error, and greets on standard output.

. "${0%/*}/speak.sh"
set -x
echo 'Welcome to my plugin!'
data 0 fine
answer '{"finish":"stop","items":1}'
read -r line
