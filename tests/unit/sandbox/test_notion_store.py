import sqlite3

from services.sandbox.notion_model import BOT_ID
from services.sandbox.notion_store import SCHEMA, NotionStore

TIME = '"2026-11-20T10:00:00Z"'
EARLIER = {
    ("Database", "d"): '{"id":"d","title":"All","created_at":%s,"parent":{"type":"workspace","workspace":true}}',
    ("DataSource", "s"): '{"id":"s","database_id":"d","title":"All","columns":[{"id":"title","name":"Name",'
    '"type":"title","options":[],"config":{}}],"created_at":%s,"edited_at":"2026-11-20T10:00:00Z"}',
    ("Page", "p"): '{"id":"p","data_source_id":"s","sequence":1,"created_at":%s,"edited_at":"2026-11-20T10:00:00Z",'
    '"values":{},"in_trash":false,"icon":null,"cover":null}',
}


def test_what_an_earlier_release_stored_still_loads() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(SCHEMA)
    rows = [(kind, name, (document % TIME).encode()) for (kind, name), document in EARLIER.items()]
    connection.executemany("INSERT INTO notion VALUES (?, ?, ?)", rows)

    store = NotionStore(connection)
    assert store.databases["d"].in_trash is False
    assert (store.pages["p"].created_by, store.pages["p"].edited_by) == (BOT_ID, BOT_ID)
