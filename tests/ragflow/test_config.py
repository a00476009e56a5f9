# ruff: noqa: E501, ISC004 - messages stand as they are printed
"""ragflow.yaml: what may stand in it, what beats what, and what is said about a mistake."""

import contextlib
import re
from types import NoneType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ragflow.config import find, load
from ragflow.errors import ConfigError, UnknownSource
from ragflow.sections import Settings
from ragflow.yaml_text import YamlProblem, read

GOOD = "version: 1\nsources:\n  hr: {type: files, path: docs, readers: [everyone]}\n"
SQL = "sources:\n  crm: {type: sql, query: SELECT 1, key: id, text: '{id}'"
WEB = """\
version: 1
sources:
  site: {type: web, start: ["https://handbook.example.com/"], readers: [everyone]}
"""
PINNED = """\
version: 1
sources:
  hr:
    type: files
    path: docs/hr
    include: ["**/*"]
    exclude: ["**/~$*"]
    max_bytes: 100000000
    readers: [group:hr]
    readers_by: [{glob: "public/**", readers: [everyone]}]
    parser: kreuzberg
    storage: {endpoint: null, region: us-east-1, key_env: null, secret_env: null, token_env: null, anonymous: false}
    parallel: 4
    description: Policies and benefits
  code: {type: git, path: code, ref: HEAD, include: ["**/*"], exclude: ["**/~$*"], max_bytes: 100000000, link: null, token_env: null, readers_by: [], parallel: 4}
  sets: {type: beir, path: /data/set, readers: [everyone], description: Passages}
  post:
    type: mail
    imap: {host: mail.example.org, port: 993, tls: implicit, user: mia, password_env: MAIL_PASSWORD, folders: [INBOX], timeout: 30}
    participants: false
    parallel: 4
    max_bytes: 100000000
  archive: {type: mail, path: old.mbox, participants: true}
  crm:
    type: sql
    url: postgresql://reader@db.example.org/crm
    query: SELECT * FROM tickets
    key: [id]
    text: "{subject} {body}"
    title: null
    updated: null
    readers_column: null
    readers_separator: ","
    readers_template: null
    link: null
    author: null
    modified: null
    format: text
    parallel: 4
    timeout: 30
    max_bytes: 100000000
  site:
    type: web
    start: ["https://handbook.example.com/"]
    sitemap: https://handbook.example.com/sitemap.xml
    hosts: [docs.example.com]
    include: ["**/*"]
    exclude: []
    depth: 3
    max_pages: 1000
    main_content: true
    robots: true
    rate: 2
    parallel: 2
    timeout: 30
    max_bytes: 100000000
    header: Authorization
    token_env: HANDBOOK_TOKEN
    readers: [everyone]
    readers_by: [{glob: "hr/**", readers: [group:hr]}]
outbound: {allow: []}
identity:
  principals: {mia: [user:mia, group:support]}
  impersonate: [mia]
  auditors: []
  groups: groups.csv
parse: {timeout: 60, memory_mb: 1024, ocr: auto, hidden_text: drop}
chunk: {mode: structure, tokens: 200, overlap: 40}
embed:
  engine: onnx
  model: all-MiniLM-L6-v2
  precision: fp32
  device: null
  api_base: null
  api_key_env: null
  dimensions: null
  max_tokens: 8191
  timeout: 30
  retries: 2
  usd_per_million_tokens: null
  batch_texts: 16
  batch_tokens: 100000
  parallel: 4
search: {k: 10, candidates: 100, dense_weight: 0.5, title_boost: 2, heading_boost: 2, k1: 1.2, b: 0.75, rerank: null}
index:
  url: null
  keep_generations: 3
  brake: {share: 0.2, documents: 10}
  qdrant:
    alias: ragflow
    api_key_env: QDRANT_API_KEY
    shards: null
    replicas: null
    quantization: null
    hnsw: {m: 16, ef_construct: 100, ef: null}
    on_disk: false
    batch: 256
    timeout: 10
    retries: 4
answer: {tier: null, min_confidence: 0.5, max_claims: 6, timeout: 120, entailment: null}
runs: {keep_days: 365, redact: [secret]}
database: {url: null, password_env: null}
gates: [{dataset: questions.jsonl, metric: nDCG@10, margin: 0.05, min_questions: 30, on_inconclusive: {content: promote, configuration: hold}}]
routes: [{name: holidays, when: {any: [leave, vacation]}, sources: [hr], workflow: answer, prompt: answer.md, tier: small}]
router: {scores: on, tier: null}
models:
  small: {try: [{model: openai/gpt-x, api_base: null, api_key_env: OPENAI_API_KEY, timeout: 30}], retries: 2, max_usd: 0.02}
budget: {run_usd: null, day_usd: null}
guards: {question: warn, retrieved: fence, redact: [secret]}
workflows: [examples.northwind.support]
tools: {refund: {python: "examples.northwind.support:refund", effect: write, roles: [group:support], timeout: 20, retries: 0}}
approvals: [{when: {tool: refund, amount_over: 100}, approvers: [group:leads], four_eyes: true, expires: 72h}]
notify: []
telemetry: {endpoint: null, headers_env: null, timeout: 5}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        file = tmp_path / "ragflow.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def test_every_pinned_key_is_accepted_and_its_pinned_value_is_the_default(write):
    pinned, bare = load(write(PINNED), environ={}), load(write(GOOD), environ={})
    for section in (
        "parse",
        "chunk",
        "embed",
        "search",
        "index",
        "answer",
        "runs",
        "database",
        "router",
        "budget",
        "guards",
        "telemetry",
        "notify",
    ):
        assert getattr(pinned, section) == getattr(bare, section)
    assert pinned.approvals[0].four_eyes
    assert pinned.tools["refund"].timeout == type(pinned.tools["refund"]).model_fields["timeout"].default
    assert pinned.sources["hr"].include == bare.sources["hr"].include
    assert pinned.sources["hr"].exclude == bare.sources["hr"].exclude
    for key in ("max_bytes", "parser", "storage", "parallel"):
        assert getattr(pinned.sources["hr"], key) == getattr(bare.sources["hr"], key)
    mail = "sources:\n  post: {type: mail, imap: {host: mail.example.org, user: mia, password_env: MAIL_PASSWORD}}\n"
    post = load(write(mail), environ={}).sources["post"].imap
    assert pinned.sources["post"].imap.model_copy(update={"port": None}) == post
    assert pinned.sources["post"].own_readers is False
    assert pinned.sources["archive"].own_readers is True
    for key in ("participants", "parallel", "max_bytes"):
        bare_mail = load(write("sources:\n  post: {type: mail, path: x}\n"), environ={}).sources["post"]
        assert getattr(pinned.sources["post"], key) == getattr(bare_mail, key)
    assert list(pinned.sources) == ["hr", "code", "sets", "post", "archive", "crm", "site"]
    defaults = {"title", "updated", "readers_separator", "format", "parallel", "timeout", "max_bytes"}
    fields = type(pinned.sources["crm"]).model_fields
    assert all(getattr(pinned.sources["crm"], key) == fields[key].default for key in defaults)
    site, least = pinned.sources["site"], load(write(WEB), environ={}).sources["site"]
    for key in type(site).model_fields.keys() - {"sitemap", "hosts", "token_env", "readers_by"}:
        assert getattr(site, key) == getattr(least, key)


def test_gates_have_the_pinned_defaults(write):
    (gate,) = load(write(f"{GOOD}gates: [{{dataset: questions.jsonl}}]\n"), environ={}).gates
    assert (gate.metric, gate.margin, gate.min_questions) == ("nDCG@10", 0.05, 30)
    assert (gate.on_inconclusive.content, gate.on_inconclusive.configuration) == ("promote", "hold")
    assert load(write(GOOD), environ={}).gates == ()


MISTAKES = [
    (
        "sources:\n  post: {type: mail}\n",
        "ragflow.yaml:2: sources.post: name the mail by path or by imap, one of them",
    ),
    (
        "sources:\n  a: {type: files, path: .}\n  post:\n    type: mail\n    path: x\n"
        "    imap: {host: h, user: u, password_env: P}\n",
        "ragflow.yaml:3: sources.post: name the mail by path or by imap, one of them",
    ),
    (
        "sources:\n  post:\n    type: mail\n    imap:\n      host: 10.0.0.1\n      user: u\n      password_env: P\n"
        "      tls: none\n",
        "ragflow.yaml:4: sources.post.imap: tls: none would send the password to 10.0.0.1 in clear: write implicit or"
        " starttls",
    ),
    (
        "sources:\n  post:\n    type: mail\n    imap:\n      hst: h\n      user: u\n      password_env: P\n",
        'ragflow.yaml:5: unknown key "hst" in sources.post.imap (nearest: "host")',
    ),
    (
        "sources:\n  post:\n    type: mail\n    imap: {host: h, user: u, password_env: P, folders: [], tls: ssl}\n",
        'ragflow.yaml:4: sources.post.imap.tls must be implicit, starttls or none, not the text "ssl"\n'
        "ragflow.yaml:4: sources.post.imap.folders is empty: name at least one entry",
    ),
    (
        "sources:\n  post:\n    type: mail\n    imap: {host: h, user: u}\n",
        'ragflow.yaml:4: "password_env" is missing in sources.post.imap',
    ),
    (
        "sources:\n  hr:\n    type: files\n    pth: docs\n",
        'ragflow.yaml:4: unknown key "pth" in sources.hr (nearest: "path")',
    ),
    (f"{GOOD}serch: {{k: 3}}\n", 'ragflow.yaml:4: unknown key "serch" (nearest: "search")'),
    (
        f"{GOOD}index:\n  brake:\n    shar: 1\n",
        'ragflow.yaml:6: unknown key "shar" in index.brake (nearest: "share")',
    ),
    (
        f"{GOOD}identity: {{teams: groups.csv}}\n",
        'ragflow.yaml:4: unknown key "teams" in identity (known: principals, impersonate, auditors, groups)',
    ),
    (
        "sources:\n  hr: {type: files, path: ., parser: tika}\n",
        'ragflow.yaml:2: sources.hr.parser: "tika" is no parser: write kreuzberg or unstructured',
    ),
    (
        "sources:\n  hr: {type: web, start: [https://a.example/], parser: {html: 1}}\n",
        'ragflow.yaml:2: sources.hr.parser: "1" is no parser: write kreuzberg or unstructured',
    ),
    (
        "sources:\n  hr: {type: files, path: ., parser: [html]}\n",
        "ragflow.yaml:2: sources.hr.parser: write kreuzberg or unstructured, or a section with one for each"
        " format, like {html: unstructured}",
    ),
    (
        "sources:\n  hr: {type: files, path: ., parser: {txt: unstructured}}\n",
        'ragflow.yaml:2: sources.hr.parser: "txt" is no format: write text',
    ),
    (
        "sources:\n  hr:\n    type: files\n    path: .\n    parser:\n      pdf: unstructured\n",
        "ragflow.yaml:5: sources.hr.parser: unstructured does not read pdf here, only csv, docx, html, mail,"
        " markdown, msg, pptx, text, tsv, xls, xlsx, xml: leave it to kreuzberg",
    ),
    (
        "sources:\n  hr: {type: files, path: ., login: x}\n",
        'ragflow.yaml:2: unknown key "login" in sources.hr (known: readers, description, examples, parser, type, path, include, exclude, max_bytes, readers_by, storage, parallel)',
    ),
    (
        "sources:\n  hr:\n    type: files\n    path: .\n    readers_by: [{glob: a, readers: [hr]}]\n",
        'ragflow.yaml:5: sources.hr.readers_by.readers, entry 1, entry 1: "hr" is not a reader: write user:NAME, group:NAME or everyone',
    ),
    (
        "sources:\n  hr: {type: files, path: s3://a, storage: {key: AKIA}}\n",
        'ragflow.yaml:2: unknown key "key" in sources.hr.storage (nearest: "key_env")',
    ),
    (
        "sources:\n  hr: {type: git, path: ., readers_by: [{glob: a, readers: [], x: y}]}\n",
        'ragflow.yaml:2: unknown key "x" in sources.hr.readers_by, entry 1 (known: glob, readers)',
    ),
    (
        "sources:\n  hr:\n    type: files\n    path: .\n    readers_by: [{glob: a}]\n",
        'ragflow.yaml:5: "readers" is missing in sources.hr.readers_by, entry 1',
    ),
    (
        "sources:\n  s: {type: beir, path: ., include: []}\n",
        'ragflow.yaml:2: unknown key "include" in sources.s (known: readers, description, examples, parser, type, path)',
    ),
    (
        f"{GOOD}xyz: 1\nsearch: {{k: -1}}\n",
        'ragflow.yaml:4: unknown key "xyz" (known: version, sources, outbound, identity, parse, chunk, embed, search, index,'
        " answer, runs, database, gates, routes, router, models, budget, guards, workflows, tools, approvals, notify, telemetry)\nragflow.yaml:5: search.k must be at least 1, not -1",
    ),
    (
        f"{GOOD}gates:\n- datset: q.jsonl\n",
        'ragflow.yaml:5: unknown key "datset" in gates, entry 1 (nearest: "dataset")',
    ),
    (
        f"{GOOD}gates: [{{dataset: q.jsonl, on_inconclusive: {{config: hold}}}}]\n",
        'ragflow.yaml:4: unknown key "config" in gates.on_inconclusive, entry 1 (nearest: "configuration")',
    ),
    (
        f"{GOOD}gates: [{{dataset: q.jsonl, on_inconclusive: {{content: maybe}}, margin: -1}}]\n",
        "ragflow.yaml:4: gates.margin, entry 1 must be at least 0, not -1\n"
        'ragflow.yaml:4: gates.on_inconclusive.content, entry 1 must be promote or hold, not the text "maybe"',
    ),
    (f"{GOOD}gates: [{{}}]\n", 'ragflow.yaml:4: "dataset" is missing in gates, entry 1'),
    ("version: 1\n", 'ragflow.yaml:1: "sources" is missing: name at least one source'),
    ("version: 1\nsources:\n", 'ragflow.yaml:2: "sources" is missing: name at least one source'),
    ("version: 1\nsources: {}\n", "ragflow.yaml:2: sources is empty: name at least one source"),
    ("sources:\n  hr: {type: files}\n", 'ragflow.yaml:2: "path" is missing in sources.hr'),
    (
        "sources:\n  hr: {path: .}\n",
        'ragflow.yaml:2: "type" is missing in sources.hr: files, git, mail, sql, rest, web or beir',
    ),
    (
        "sources:\n  hr: {type: fles, path: .}\n",
        'ragflow.yaml:2: unknown type "fles" in sources.hr (nearest: "files"; built in: files, git, mail, sql, rest, web, beir; installed: no others)',
    ),
    (
        "sources:\n  hr: docs\n",
        'ragflow.yaml:2: sources.hr must be a section (key: value), not the text "docs"',
    ),
    (
        "sources:\n  HR: {type: files, path: .}\n",
        'ragflow.yaml:2: sources.HR: "HR" cannot name a source: use a-z, 0-9, "-" and "_", starting with a letter or'
        " digit",
    ),
    (
        "sources:\n  hr: {type: files, path: ., readers: everyone}\n",
        'ragflow.yaml:2: sources.hr.readers must be a list, like [a, b], not the text "everyone"',
    ),
    (
        "sources:\n  hr:\n    type: files\n    path: .\n    readers:\n    - everyone\n    - hr\n",
        'ragflow.yaml:7: sources.hr.readers, entry 2: "hr" is not a reader: write user:NAME, group:NAME or everyone',
    ),
    (
        f"{GOOD}identity:\n  principals: {{mia: [user:mia, support]}}\n",
        'ragflow.yaml:5: identity.principals.mia, entry 2: "support" is not a reader: write user:NAME, group:NAME or'
        " everyone",
    ),
    (
        f"{SQL}, url: 'postgresql://me:hunter2@db/x'}}\n",
        "ragflow.yaml:2: sources.crm.url: it holds a password: put the whole url into an environment variable, and name that in `url_env`",
    ),
    (
        f"{SQL}, url: 'postgresql://db/x?user=me&password=hunter2'}}\n",
        "ragflow.yaml:2: sources.crm.url: it holds a password: put the whole url into an environment variable, and name that in `url_env`",
    ),
    (f"{SQL}}}\n", "ragflow.yaml:2: sources.crm: name the database by url or by url_env, one of them"),
    (
        f"{SQL}, url_env: CRM, title: '{{subject'}}\n",
        "ragflow.yaml:2: sources.crm.title: the template '{subject' has a single \"{\" at character 1: write {column}, and {{ or }} for a brace itself",
    ),
    (
        f"{SQL}, url_env: CRM, link: 'javascript:x'}}\n",
        'ragflow.yaml:2: sources.crm.link: "javascript:x" is no address: begin it with https://HOST/',
    ),
    (
        f"{SQL}, url_env: CRM, readers_template: 'user:{{value}}'}}\n",
        "ragflow.yaml:2: sources.crm: readers_template needs readers_column",
    ),
    (
        f"{SQL}, url_env: CRM, wizard: 1}}\n",
        'ragflow.yaml:2: unknown key "wizard" in sources.crm (known: readers, description, examples, parser, type, url, url_env, query, key, text, title, updated, readers_column, readers_separator, readers_template, link, author, modified, format, parallel, timeout, max_bytes)',
    ),
    (
        "sources:\n  hr: {type: 5}\n",
        'ragflow.yaml:2: unknown type "5" in sources.hr (built in: files, git, mail, sql, rest, web, beir; installed: no others)',
    ),
    ("sources:\n  hr: {type: files, path: 5}\n", "ragflow.yaml:2: sources.hr.path must be text, not 5"),
    (f"{GOOD}search: 5\n", "ragflow.yaml:4: search must be a section (key: value), not 5"),
    (f"{GOOD}search:\n  k: five\n", 'ragflow.yaml:5: search.k must be a whole number, not the text "five"'),
    (f"{GOOD}search:\n  k: 5.5\n", "ragflow.yaml:5: search.k must be a whole number, not 5.5"),
    (f"{GOOD}search:\n  k: true\n", "ragflow.yaml:5: search.k must be a whole number, not true"),
    (f'{GOOD}search:\n  k: "5"\n', 'ragflow.yaml:5: search.k must be a whole number, not the text "5"'),
    (f"{GOOD}search:\n  k: null\n", "ragflow.yaml:5: search.k must be a whole number, not null"),
    (f"{GOOD}search: {{k: 0}}\n", "ragflow.yaml:4: search.k must be at least 1, not 0"),
    (
        f"{GOOD}search: {{dense_weight: 1.5}}\n",
        "ragflow.yaml:4: search.dense_weight must be at most 1, not 1.5",
    ),
    (
        f"{GOOD}search: {{dense_weight: .nan}}\n",
        'ragflow.yaml:4: search.dense_weight must be a number, not the text ".nan"',
    ),
    (f"{GOOD}search: {{b: -0.1}}\n", "ragflow.yaml:4: search.b must be at least 0, not -0.1"),
    (f"{GOOD}parse: {{timeout: 0}}\n", "ragflow.yaml:4: parse.timeout must be more than 0, not 0"),
    (f"{GOOD}parse: {{ocr: on}}\n", 'ragflow.yaml:4: parse.ocr must be auto or off, not the text "on"'),
    (
        f"{GOOD}chunk: {{tokens: 40, overlap: 40}}\n",
        "ragflow.yaml:4: chunk: overlap (40) must be smaller than tokens (40)",
    ),
    (
        f"{GOOD}chunk: {{mode: pages}}\n",
        'ragflow.yaml:4: chunk.mode must be structure or document, not the text "pages"',
    ),
    (
        f"{GOOD}embed: {{engine: cohere}}\n",
        'ragflow.yaml:4: embed.engine must be onnx, sentence-transformers or litellm, not the text "cohere"',
    ),
    (
        f"{GOOD}embed: {{engine: litellm}}\n",
        "ragflow.yaml:4: embed: engine litellm needs a model, such as openai/text-embedding-3-small",
    ),
    (
        f"{GOOD}embed: {{engine: litellm, model: openai/any, precision: int8}}\n",
        "ragflow.yaml:4: embed: precision is a key of engine onnx, and engine is litellm",
    ),
    (
        f"{GOOD}embed: {{api_base: 'http://127.0.0.1:8080/v1'}}\n",
        "ragflow.yaml:4: embed: api_base is a key of engine litellm, and engine is onnx",
    ),
    (
        f"{GOOD}runs: {{redact: [secrets]}}\n",
        'ragflow.yaml:4: runs.redact, entry 1 must be secret or personal, not the text "secrets"',
    ),
    (
        f"{GOOD}index: {{url: q:6333}}\n",
        'ragflow.yaml:4: index.url: "q:6333" is no address of a Qdrant server: write http://HOST:6333',
    ),
    (
        f"{GOOD}search: {{rerank: 5}}\n",
        "ragflow.yaml:4: search.rerank: name a model (text), write a section with the key model, or null",
    ),
    (f"{GOOD}search: {{rerank: {{}}}}\n", 'ragflow.yaml:4: "model" is missing in search.rerank'),
    (
        f"{GOOD}search:\n  rerank:\n    model: models/r\n    candidats: 5\n",
        'ragflow.yaml:7: unknown key "candidats" in search.rerank (nearest: "candidates")',
    ),
    (
        f"{GOOD}search: {{rerank: {{model: models/r, candidates: 0}}}}\n",
        "ragflow.yaml:4: search.rerank.candidates must be at least 1, not 0",
    ),
    (
        f"{GOOD}answer: {{entailment: {{model: models/r, entails: 2}}}}\n",
        "ragflow.yaml:4: answer.entailment.entails must be at most 1, not 2",
    ),
    ("version: 2\nsources: {hr: {type: files, path: .}}\n", "ragflow.yaml:1: version must be 1, not 2"),
    (
        f"{GOOD}search: {{k: 1}}\nsearch: {{k: 2}}\n",
        'ragflow.yaml:5: key "search" is given twice (first on line 4)',
    ),
    (
        "sources:\n  hr: {type: files, path: a}\n  hr: {type: files, path: b}\n",
        'ragflow.yaml:3: key "hr" is given twice (first on line 2)',
    ),
    ("sources:\n\thr: 1\n", "ragflow.yaml:2: a tab indents this line: YAML takes spaces only"),
    ("sources: a: b\n", 'ragflow.yaml:1: there is a ":" too much, or the indentation is off'),
    (
        "sources:\n  hr: {type: files\nparse: {}\n",
        "ragflow.yaml:3: this is not YAML: expected ',' or '}', but got ':'",
    ),
    ("a: &x 1\nb: *x\n", "ragflow.yaml:1: aliases (*name) are not read here: write the value again"),
    (
        "sources: !!python/name:os.system\n",
        'ragflow.yaml:1: tags ("tag:yaml.org,2002:python/name:os.system") are not read here',
    ),
    ("? [a, b]\n: 1\n", "ragflow.yaml:1: a key must be a word, not a list or a section"),
    ("- a\n", "ragflow.yaml:1: the file must hold sections (key: value), not a list"),
    ("# only words\n", "ragflow.yaml:1: the file is empty"),
    (b"version: 1\nx: \xff\n", "ragflow.yaml:2: this is not UTF-8 text"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_named_with_file_line_and_cure(write, text, message):
    with pytest.raises(ConfigError) as caught:
        load(write(text), environ={})
    assert str(caught.value) == message
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_an_address_with_a_password_is_not_repeated(write):
    with pytest.raises(ConfigError) as caught:
        load(write(f"{GOOD}database: {{url: 'postgresql://me:hunter2@db/x'}}\n"), environ={})
    assert "hunter2" not in str(caught.value)


def test_a_section_whose_keys_are_all_commented_out_is_an_absent_one(write):
    assert load(write(f"{GOOD}search:\n  # k: 5\n"), environ={}).search.k == 10


def test_off_is_the_word_and_dates_are_text(write):
    config = load(write("sources: {s: {type: files, path: 2024-01-01}}\nparse: {ocr: off}\n"), environ={})
    assert config.parse.ocr == "off"
    assert config.sources["s"].path == "2024-01-01"


def test_flags_beat_variables_beat_the_file(write):
    file = write(f"{GOOD}search: {{k: 3}}\n")
    variables = {"RAGFLOW_SEARCH__K": "5"}
    assert load(file, environ={}).search.k == 3
    assert load(file, environ=variables).search.k == 5
    assert load(file, environ=variables, overrides=["search.k=7"]).search.k == 7
    assert load(file, environ={}, overrides=["search.k=7", "search.k=8"]).search.k == 8


def test_the_environment_of_the_process_is_read_when_none_is_given(write, monkeypatch):
    monkeypatch.setenv("RAGFLOW_SEARCH__K", "6")
    assert load(write(GOOD)).search.k == 6


def test_only_variables_of_a_section_are_configuration(write):
    others = {"RAGFLOW_TEST_DATA": "/x", "RAGFLOW_SEARCH": "1", "RAGFLOW_FOO__BAR": "1", "SEARCH__K": "1"}
    assert load(write(GOOD), environ=others) == load(write(GOOD), environ={})


def test_a_source_with_a_dash_can_be_set_by_a_variable(write):
    file = write("sources: {hr-docs: {type: files, path: a}}\n")
    assert load(file, environ={"RAGFLOW_SOURCES__HR_DOCS__PATH": "b"}).sources["hr-docs"].path == "b"


def test_a_value_in_quotes_is_text(write):
    assert load(write(GOOD), environ={}, overrides=['sources.hr.path="2024"']).sources["hr"].path == "2024"


def test_brackets_in_a_flag_or_variable_are_a_list_of_the_same_values(write):
    file = write(GOOD + "identity: {principals: {mia: [user:mia]}}\n")
    flag = load(file, environ={}, overrides=["identity.principals.mia=[user:mia, group:desk]"])
    assert flag.identity.principals["mia"] == ("user:mia", "group:desk")
    name = "RAGFLOW_IDENTITY__PRINCIPALS__MIA"
    assert load(file, environ={name: "[user:noor]"}).identity.principals["mia"] == ("user:noor",)
    assert load(file, environ={name: "[]"}).identity.principals["mia"] == ()
    with pytest.raises(ConfigError, match='entry 1: "group" is not a reader'):
        load(file, environ={}, overrides=["identity.principals.mia=[group]"])


def test_a_nested_section_that_the_file_lacks_can_be_set(write):
    assert load(write(GOOD), environ={}, overrides=["index.brake.share=0.5"]).index.brake.share == 0.5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("serach.k=1", '--set serach.k: unknown key "serach" (nearest: "search")'),
        ("search.kk=1", '--set search.kk: unknown key "kk" in search (nearest: "k")'),
        ("search.k=x", '--set search.k: search.k must be a whole number, not the text "x"'),
        ("search.k=", "--set search.k: search.k must be a whole number, not null"),
        ("sources.h.path=x", '--set sources.h.path: there is no source "h" (nearest: "hr")'),
        ("sources.hr.pth=x", '--set sources.hr.pth: unknown key "pth" in sources.hr (nearest: "path")'),
        ("search=1", "--set search: search must be a section (key: value), not 1"),
        ("sources.hr=1", "--set sources.hr: sources.hr is a section: set one of its keys"),
        ("version.x=1", "--set version.x: version is no section"),
        ("search.k", '--set search.k: write KEY=VALUE, for example --set "search.k=5"'),
        ("=5", '--set =5: write KEY=VALUE, for example --set "search.k=5"'),
    ],
)
def test_a_mistake_in_a_flag_names_the_flag(write, override, message):
    with pytest.raises(ConfigError) as caught:
        load(write(GOOD), environ={}, overrides=[override])
    assert str(caught.value) == message


def test_a_mistake_in_a_variable_names_the_variable(write):
    with pytest.raises(ConfigError, match=re.escape('RAGFLOW_SEARCH__KK: unknown key "kk" in search')):
        load(write(GOOD), environ={"RAGFLOW_SEARCH__KK": "1"})


def test_the_file_is_found_from_any_folder_below(tmp_path, write):
    file = write(GOOD)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find(below) == find(tmp_path) == file.resolve()


def test_no_file_and_no_folder_are_said(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        find(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"there is no ragflow\.yaml in .* or its parents") as caught:
        find(tmp_path)
    assert caught.value.hint == "ragflow init"


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "ragflow.yaml", environ={})


def test_relative_paths_start_at_the_file(write, tmp_path):
    config = load(write(GOOD), environ={})
    assert config.workspace == tmp_path / ".ragflow"
    assert config.resolve("docs/../hr") == str(tmp_path / "hr")
    assert config.resolve("/data") == "/data"
    assert config.resolve("s3://bucket/x") == "s3://bucket/x"


def test_a_model_is_a_name_or_a_folder_beside_the_file(write, tmp_path):
    assert load(write(GOOD), environ={}).model == "all-MiniLM-L6-v2"
    assert load(write(f"{GOOD}embed: {{model: models/own}}\n"), environ={}).model == str(
        tmp_path / "models/own"
    )


def test_sources_are_chosen_in_the_files_order(write):
    config = load(write("sources: {b: {type: files, path: .}, a: {type: files, path: .}}\n"), environ={})
    assert config.choose(None) == config.choose([]) == ("b", "a")
    assert config.choose(["a", "b", "a"]) == ("b", "a")
    with pytest.raises(UnknownSource, match=r'no source "c" \(known: b, a\)'):
        config.choose(["c"])


def test_a_source_that_may_not_be_read_is_an_absent_one(write):
    config = load(write("sources: {b: {type: files, path: .}, a: {type: files, path: .}}\n"), environ={})
    assert config.choose(None, readable={"a"}) == ("a",)
    messages = []
    for absent, readable in (("b", {"a"}), ("b", set()), ("c", {"a", "b"})):
        with pytest.raises(UnknownSource) as caught:
            config.choose([absent], readable=readable)
        messages.append((str(caught.value).replace(f'"{absent}"', "X"), caught.value.hint))
    assert len(set(messages)) == 1


def test_the_digest_follows_the_meaning_not_the_writing(write):
    plain = load(write(GOOD), environ={}).digest
    assert re.fullmatch("[0-9a-f]{64}", plain)
    assert load(write(f"# words\n{GOOD}search: {{k: 10}}\n"), environ={}).digest == plain
    assert load(write(f"{GOOD}search: {{k: 11}}\n"), environ={}).digest != plain
    assert load(write(GOOD), environ={}, overrides=["search.k=11"]).digest != plain


def test_a_configuration_cannot_be_changed(write):
    config = load(write(GOOD), environ={})
    with pytest.raises(ValueError, match="frozen"):
        config.search.k = 3


plain_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
keys = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | plain_text,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(keys, inside, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_what_yaml_writes_is_read_back(data):
    assert read(yaml.safe_dump(data, allow_unicode=True, sort_keys=False)).data == data


@given(st.text(max_size=60))
def test_any_text_is_data_or_a_known_problem(text):
    with contextlib.suppress(YamlProblem):
        assert isinstance(read(text).data, NoneType | dict | list | str | bool | int | float)


def test_the_reference_file_names_every_key():
    shown = read(PINNED).data
    assert set(shown) == set(Settings.model_fields)
    for name, section in Settings.model_fields.items():
        inside = getattr(section.annotation, "model_fields", None)
        if inside is not None:
            assert set(shown[name]) == set(inside), name


def test_the_name_of_a_cross_encoder_is_short_for_its_section(write):
    bare = load(write(GOOD), environ={})
    short = load(write(f"{GOOD}search: {{rerank: models/r}}\nanswer: {{entailment: models/e}}\n"), environ={})
    long = load(
        write(
            f"{GOOD}search: {{rerank: {{model: models/r, candidates: 50, device: null}}}}\n"
            "answer: {entailment: {model: models/e, entails: 0.5, contradicts: 0.5}}\n"
        ),
        environ={},
    )
    assert (short.search, short.answer, short.digest) == (long.search, long.answer, long.digest)
    assert bare.digest != short.digest
    assert (bare.search.rerank, bare.answer.entailment) == (None, None)


def test_a_cross_encoder_is_set_and_switched_off_by_a_flag(write):
    file = write(f"{GOOD}search: {{rerank: {{model: models/r, candidates: 20}}}}\n")
    assert load(file, environ={}, overrides=["search.rerank=null"]).search.rerank is None
    fewer = load(file, environ={}, overrides=["search.rerank.candidates=5"]).search.rerank
    assert (fewer.model, fewer.candidates) == ("models/r", 5)
    named = load(write(GOOD), environ={"RAGFLOW_SEARCH__RERANK": "models/r"})
    assert named.search.rerank.model == "models/r"
    with pytest.raises(ConfigError, match="search must be a section"):
        load(file, environ={}, overrides=["search=null"])
