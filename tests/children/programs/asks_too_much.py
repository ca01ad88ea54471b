"""Asks the host 70 questions at once, which is more than it may, and one more when six were refused.

Then it ends its call, and counts in the next one what became of all of them.
"""

import speak

QUESTIONS, MAY_BE_OPEN = 70, 64


def ask(number: int, alias: str, parent: str) -> None:
    """Ask for a key."""
    params = {"alias": alias, "meta": {"parent": parent}}
    speak.write({"jsonrpc": "2.0", "id": f"p{number}", "method": "keys/get", "params": params})


call = speak.begin()
for number in range(1, QUESTIONS + 1):
    ask(number, "slow", call)
answers = [speak.read() for _ in range(QUESTIONS - MAY_BE_OPEN)]
speak.answer(call, {"finish": "stop", "items": 0})
while len(answers) < QUESTIONS or "method" in answers[-1]:
    answers.append(speak.read())
    if "method" in answers[-1]:  # the next prompt
        call = answers.pop()["id"]
while not call or call == "h2":
    call = speak.read()["id"]
ask(QUESTIONS + 1, "zoo", call)
answers.append(speak.read())
kinds = [answer["error"]["data"]["kind"] if "error" in answer else "a key" for answer in answers]
ids = {answer["id"] for answer in answers}
told = [f"{kind}: {kinds.count(kind)}" for kind in ("Unavailable", "Cancelled", "a key")]
speak.data(call, 0, *told, f"ids: {len(ids)}")
speak.answer(call, {"finish": "stop", "items": 4})
speak.read()
