"""``ragflow init``: a commented ``ragflow.yaml`` that works at once."""

import json
import os
import shlex
from pathlib import Path

from ragflow.config import FILE_NAME
from ragflow.errors import AlreadyThere, UsageError

_HEAD = """\
# Settings of this workspace. Every key that is commented out shows its default.
# An unknown key is refused with its line; `ragflow doctor` shows whether all is sound.
version: 1

"""

_FILES = """\
sources:
  # Other types are git, web, mail, sql, rest, or one that you install: `ragflow connectors list` names
  # them, docs/connectors/TYPE.md has a configuration of each that can be copied. One block for each source.
  docs:                           # the name of a source: a-z, 0-9, "-" and "_"
    type: files
    path: .                         # a folder, a file or an fsspec URL; relative paths start here
    readers: [everyone]             # who may read: user:NAME, group:NAME or everyone; nobody if empty
    # include: ["**/*"]             # which files; hidden files never
    # What excludes wins; a question file that were indexed would answer its own questions.
    exclude: ["**/~$*", ragflow.yaml, "questions*.jsonl"]
    # max_bytes: 100000000          # larger files are reported, not read
    # parser: kreuzberg             # or unstructured, or one of them by format: {html: unstructured}
    # description: ""               # what is in it, in a sentence: read by the router
    # examples: []                  # questions that it answers, as people ask them; five to twenty help
"""

_BEIR = """\
sources:
  beir:                           # the name of a source: a-z, 0-9, "-" and "_"
    type: beir                      # a folder with corpus.jsonl
    path: {path}
    readers: [everyone]             # who may read: user:NAME, group:NAME or everyone; nobody if empty
    # description: ""               # what is in it, in a sentence: read by the router
    # examples: []                  # questions that it answers, as people ask them; five to twenty help
"""

_REST = """
identity:
  impersonate: [{login}]    # logins that may read as others, with --as
  # principals: {{mia: [user:mia, group:support]}}   # a login's readers; absent: user:LOGIN
  # auditors: []                    # logins that may see the runs of others
  # groups: null                    # a CSV file of lines `group,user`: who is in which; docs/access.md

# outbound: {{allow: []}}             # hosts, addresses, networks to be reached though not public
# parse:
#   timeout: 60                     # seconds for a file
#   memory_mb: 1024                 # for the process that reads it
#   ocr: auto                       # or off; pictures of text need tesseract
#   hidden_text: drop               # or flag: what a person who opens the file would not see
{chunk}
# embed:
#   engine: onnx                    # or sentence-transformers: any model; litellm: an API; docs/models.md
#   model: all-MiniLM-L6-v2         # or a folder with a BERT-family checkpoint; litellm: openai/NAME
#   precision: fp32                 # or int8 (onnx)
#   device: null                    # of sentence-transformers: cpu, cuda, mps; null: what there is
#   # of litellm; names as under models
#   api_base: null
#   api_key_env: null
#   dimensions: null                # asked for and expected; null: the model's own
#   max_tokens: 8191                # of a text
#   timeout: 30                     # seconds for a request
#   retries: 2
#   usd_per_million_tokens: null    # where litellm does not know the price
#   batch_texts: 16                 # of a request
#   batch_tokens: 100000
#   parallel: 4                     # requests at once
# search:
#   k: 10                           # hits
#   candidates: 100                 # of each kind of search, before they are joined
#   dense_weight: 0.5               # 0 is words only, 1 is meaning only
#   title_boost: 2
#   heading_boost: 2
#   k1: 1.2                         # BM25
#   b: 0.75
#   rerank: null                    # a CrossEncoder, by folder or name: docs/models.md
# index:
#   keep_generations: 3
#   brake: {{share: 0.2, documents: 10}}   # a sync that would delete more than both stops and asks
#   url: null                       # or a Qdrant server, http://HOST:6333: docs/scale.md
#   qdrant: {{alias: ragflow, api_key_env: QDRANT_API_KEY, shards: null, replicas: null, quantization: null,
#     hnsw: {{m: 16, ef_construct: 100, ef: null}}, on_disk: false, batch: 256, timeout: 10, retries: 4}}
# answer:
#   min_confidence: 0.5             # below it the answer is "not found"
#   max_claims: 6                   # sentences
#   timeout: 120                    # seconds for a question, models and all
#   tier: null                      # of models; null: sentences of the documents, no model
#   entailment: null                # a CrossEncoder that claims must pass too: docs/models.md
# models:                           # docs/models.md; pip install "ragflow[llm]"
#   small: {{try: [{{model: openai/gpt-4o-mini, api_key_env: OPENAI_API_KEY}}], max_usd: 0.02}}
# budget: {{run_usd: null, day_usd: null}}
# routes:                           # rules, the first that matches decides; docs/routing.md
#   - {{name: holidays, when: {{any: [leave, vacation]}}, sources: [docs]}}
# router: {{scores: on, tier: null}}  # where no rule matches; tier: whose model decides where scores cannot
# guards: {{question: warn, retrieved: fence, redact: [secret]}}   # docs/security.md
# runs:
#   keep_days: 365
#   redact: [secret]                # or secret and personal: blanked before anything is asked
# workflows: []                     # modules with @workflow functions: docs/workflows.md
# tools: {{}}                         # what they and agents may call: docs/tools.md
# approvals: []                     # which actions wait for whom: docs/approvals.md
# notify: []                        # tools that tell approvers of a request
# telemetry: {{endpoint: null, headers_env: null, timeout: 5}}   # or an OTLP/HTTP endpoint for traces
# database: {{url: null, password_env: null}}   # or PostgreSQL, for runs on several machines
# gates:    # rules of `ragflow index --gate`: what answers the questions worse is not promoted
#   - {{dataset: questions.jsonl, metric: nDCG@10, margin: 0.05, min_questions: 30, on_inconclusive:
#      {{content: promote, configuration: hold}}}}
"""

_STRUCTURE = """\
# chunk:
#   mode: structure                 # or document: one chunk for each document
#   tokens: 200
#   overlap: 40"""

_WHOLE = """\
chunk:
  mode: document                    # one chunk for each document; or structure
  # tokens: 200                     # for structure
  # overlap: 40"""


def write(folder: Path, *, beir: Path | None, login: str) -> Path:
    """Write ``ragflow.yaml`` into a folder, made if absent, and return its path.

    Without ``beir`` its one source is the folder itself; with it, the corpus in that folder, one chunk
    a document. ``login`` may use ``--as``.

    Raises:
        AlreadyThere: the folder has one already; it is left as it is.
        UsageError: the folder is a file, or ``beir`` holds no corpus.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder", hint="name a folder: ragflow init DIR")
    if beir is not None and not (beir / "corpus.jsonl").is_file():
        raise UsageError(f"there is no corpus.jsonl in {beir}", hint="name the folder that holds it")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE_NAME
    text = _HEAD + (_FILES if beir is None else _BEIR.format(path=_quoted(str(beir.resolve()))))
    text += _REST.format(login=_quoted(login), chunk=_STRUCTURE if beir is None else _WHOLE)
    try:
        # "x": whoever made the file in the meantime keeps it.
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise AlreadyThere(f"there is a {FILE_NAME} in {folder.resolve()} already") from error
    return file


def next_commands(folder: Path) -> list[str]:
    """Return the commands to go on with, as they can be typed from here."""
    there = "" if os.path.normpath(folder) == "." else f"-C {shlex.quote(str(folder))} "
    return [f"ragflow {there}index", f'ragflow {there}ask "How many days of leave do I have?"']


def _quoted(text: str) -> str:
    """Return text as a YAML scalar: in quotes, which JSON and YAML share, where it is not plain."""
    plain = text[:1].isalpha() and all(letter.isalnum() or letter in "_-./" for letter in text)
    words = {"true", "false", "null"}
    return (
        text
        if plain and text.isascii() and text.lower() not in words
        else json.dumps(text, ensure_ascii=False)
    )
