"""Each request to either API: who knocked, with which key, and what came of it."""

import sqlite3
from datetime import datetime

import msgspec

from services.sandbox.calls import Api


class Entry(msgspec.Struct, frozen=True):
    """`status` is None where the connection was dropped; `fault` names the trouble that was asked for."""

    api: Api
    method: str
    path: str
    key: str | None
    status: int | None
    at: datetime
    fault: str | None = None


class RequestLog:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS requests (sequence INTEGER PRIMARY KEY AUTOINCREMENT, entry BLOB NOT NULL)"
        )

    def add(self, entry: Entry) -> None:
        self._connection.execute("INSERT INTO requests (entry) VALUES (?)", (msgspec.json.encode(entry),))

    def all(self) -> list[Entry]:
        rows = self._connection.execute("SELECT entry FROM requests ORDER BY sequence")
        return [msgspec.json.decode(row[0], type=Entry) for row in rows]

    def count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM requests").fetchone()[0])

    def clear(self) -> None:
        self._connection.execute("DELETE FROM requests")
