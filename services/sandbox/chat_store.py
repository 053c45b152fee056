"""What was posted to a chat, in the order it was."""

import sqlite3
from datetime import datetime

import msgspec

from services.sandbox.calls import Api


class ChatMessage(msgspec.Struct, frozen=True):
    """`calls`: whom it would have called, as that chat reads mentions. `webhook`: the path it came to."""

    api: Api
    webhook: str
    text: str
    calls: tuple[str, ...]
    at: datetime
    id: str


class ChatStore:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS chat (sequence INTEGER PRIMARY KEY AUTOINCREMENT, message BLOB NOT NULL)"
        )

    def add(self, message: ChatMessage) -> None:
        self._connection.execute("INSERT INTO chat (message) VALUES (?)", (msgspec.json.encode(message),))

    def all(self) -> list[ChatMessage]:
        rows = self._connection.execute("SELECT message FROM chat ORDER BY sequence")
        return [msgspec.json.decode(row[0], type=ChatMessage) for row in rows]

    def clear(self) -> None:
        self._connection.execute("DELETE FROM chat")
