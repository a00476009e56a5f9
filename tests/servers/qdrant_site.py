"""A workspace of eighteen small documents and a server that may fail, as tests of pushing use them."""

from dataclasses import replace

from indexes.qdrant.nominator import QdrantNominator
from indexes.qdrant.publisher import QdrantPublisher
from indexes.qdrant.server import Remote, Server
from indexes.query import Query, Ranking
from indexes.testing import Planted, shown

RETRIES = 2
BATCH = 4
ALIAS = "docs"
ASKED = [
    Query(text, frozenset({"everyone", "group:hr"}), k=50)
    for text in ("annual leave", "pump valve", "salary band")
]
DOCUMENTS = [
    Planted(
        f"s{number % 2}/{number}",
        f"{subject} number {number}: {['28 days', 'the valve', '140 euro'][number % 3]} in annual report.",
        ("everyone",) if number % 3 else ("group:hr",),
    )
    for number, subject in enumerate(["leave", "pump", "salary", "hotel", "travel", "contract"] * 3)
]
FEWER = DOCUMENTS[:-3]


class Site:
    """A workspace, and a server as its client sees it."""

    def __init__(self, world, server, *, key=None, timeout=20.0, **keys):
        self.world, self.server = world, server
        made = Server(
            server.url, api_key=key, alias=ALIAS, retries=RETRIES, batch=BATCH, timeout=timeout, **keys
        )
        self.remote = Remote(made, wait=0.001)
        self.publisher = QdrantPublisher(self.remote, world.store, world.generations, Ranking())

    @property
    def live(self):
        return self.world.generations.live()

    def sync(self, documents, *, publish=True):
        options = replace(self.world.options(), publisher=self.publisher if publish else None)
        return self.world.sync(documents, options=options)

    def push(self, generation=None):
        return self.publisher.push(self.world.generations.manifest(generation or self.live))

    def found(self):
        index = self.world.index(nominator=lambda store: QdrantNominator(self.remote, store))
        return [shown(index.search(query)) for query in ASKED]

    def points(self, generation=None):
        return self.server.points(f"{ALIAS}-{generation or self.live}")

    def told(self, generation=None):
        info = self.server.ask("GET", f"/collections/{ALIAS}-{generation or self.live}")
        return info["config"]["metadata"]
