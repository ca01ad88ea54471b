# The protocol by hand, for shell scripts: sourced with the plugin's name as the first argument.

answer() { printf '{"jsonrpc":"2.0","id":"%s","result":%s}\n' "$id" "$1"; }
data() { printf '{"jsonrpc":"2.0","method":"$/data","params":{"id":"%s","seq":%s,"items":[{"t":"delta","part":0,"text":"%s"}]}}\n' "$id" "$1" "$2"; }

# The id of the next request; the script ends with its input.
next_request() { read -r line || exit 0; id=${line#*'"id":"'}; id=${id%%'"'*}; }

next_request
answer '{"protocol":1,"plugin":{"name":"zoo"}}'
next_request
case $line in *'"plugin/describe"'*) answer '{"digest":"1","models":[{"id":"'"$1"'"}]}'; next_request ;; esac
