"""A model file in this very process, no cell around it: prints the answer as it comes.

python -m cellbench.probes.local_here GGUF_FILE PROMPT
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from typing import Any

__all__: list[str] = []


def _main(model: str, prompt: str) -> None:
    os.environ["OMP_WAIT_POLICY"] = "passive"  # read when the library is loaded
    xllamacpp: Any = importlib.import_module("xllamacpp")  # untyped

    with tempfile.TemporaryDirectory() as folder:
        params = xllamacpp.CommonParams()
        params.model.path, params.hostnames = model, [f"{folder}/s.sock"]
        params.n_ctx, params.n_parallel, params.verbosity = 4096, 1, -1
        params.ui = params.warmup = False
        params.cpuparams.n_threads, params.cpuparams_batch.n_threads = 1, 2
        server = xllamacpp.Server(params)
        request = {
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
            "max_tokens": 64,
            "temperature": 0,
        }
        server.handle_chat_completions(request, _show)


def _show(chunk: dict[str, Any]) -> bool:
    for choice in chunk.get("choices", []):
        text = choice["delta"].get("content") or ""
        try:
            os.write(1, text.encode())
        except BrokenPipeError:
            return True
    return False


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
