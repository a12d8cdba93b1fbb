"""The seal: what a message says is encrypted where it lies, with keys that only the processes have.

A sealed message keeps its envelope (queue, actor, id, time), the names of its arguments and options, what an actor
declares `readable`, and of its options numbers and the trace: by these SQL works on it. Everything else is ciphertext.
"""

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from errors import InvalidMessage, KeyMissing
from messaging.tracing import OPTION, is_trace

KEY = "key"
NONCE_BYTES = 12
ENVELOPE = ("queue_name", "actor_name", "message_id", "message_timestamp")
NAME = re.compile(r"[A-Za-z_]\w{0,62}", re.ASCII)  # of an argument; a sender may use any text, an address too
READABLE = re.compile(r"[\w.:+-]{1,200}", re.ASCII)  # an id, a time, a word of code
ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class Seal:
    """Encrypts with the first key, opens what any of the keys encrypted; without keys it leaves everything plain."""

    def __init__(self, keys: Callable[[], Iterable[bytes]] = tuple) -> None:
        """`keys` are asked for at each use: settings are not read before they are needed."""
        self._keys = keys

    def __bool__(self) -> bool:
        """Whether it encrypts."""
        return bool(self._ciphers())

    def key_names(self) -> list[str]:
        """What the keys are called in what they encrypted."""
        return list(self._ciphers())

    def abilities(self) -> list[str]:
        """What a process with these keys can do that others cannot, as messages are set aside for it."""
        return [ability(name) for name in self._ciphers()]

    def close(self, said: bytes) -> str:
        """What encrypts it: the key's name, a dot, base64."""
        name, cipher = next(iter(self._ciphers().items()))
        nonce = os.urandom(NONCE_BYTES)
        return f"{name}.{b64encode(nonce + cipher.encrypt(nonce, said, name.encode())).decode()}"

    def open(self, closed: str) -> bytes:
        """What was closed.

        Raises:
            KeyMissing: its key is none of these.
            InvalidMessage: it was changed since.
        """
        name, _, body = closed.partition(".")
        if not (cipher := self._ciphers().get(name)):
            raise KeyMissing(name)
        try:
            raw = b64decode(body, validate=True)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            raise InvalidMessage(f"What key {name} encrypted was changed since.") from None

    def content(
        self, said: Mapping[str, Any], readable: Collection[str] = (), text: str | None = None
    ) -> dict[str, Any]:
        """What a sealed message holds besides its envelope and options, for one that says this.

        `text`: the same as JSON, where that exists; arguments of these `readable` names stay so if they name nobody.
        """
        args, kwargs = said.get("args"), said.get("kwargs")
        content: dict[str, Any] = {"sealed": self.close((text or ENCODE(said)).encode())}
        if isinstance(args, list | tuple):
            content["args"] = [None] * len(args)
        if isinstance(kwargs, dict):
            named = {
                name: value if name in readable else None for name, value in kwargs.items() if NAME.fullmatch(name)
            }
            content["kwargs"] = {name: value if _is_code(value) else None for name, value in named.items()}
        return content

    def message(self, fields: Mapping[str, Any], readable: Collection[str] = ()) -> dict[str, Any]:
        """The fields of a message as they lie in the database."""
        envelope = {name: fields[name] for name in ENVELOPE}
        return envelope | self.rest(fields, readable)

    def rest(self, fields: Mapping[str, Any], readable: Collection[str] = ()) -> dict[str, Any]:
        """As `message`, without the envelope, which the database has."""
        said = {name: value for name, value in fields.items() if name not in ENVELOPE and name != "options"}
        return self.content(said, readable) | {"options": self.options(fields.get("options", {}))}

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """A message's options: SQL may look at their names, at numbers and at the trace; a traceback says much more."""
        return {
            name: value
            if value is None or isinstance(value, int | float) or (name == OPTION and is_trace(value))
            else {"sealed": self.close(ENCODE(value).encode())}
            for name, value in options.items()
        }

    def opened(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of a message as they were before it was sealed; those of a plain one as they are.

        Raises:
            KeyMissing, InvalidMessage: as `open`.
        """
        if "sealed" not in fields:
            return fields
        fields |= json.loads(self.open(fields.pop("sealed")))
        if isinstance(options := fields.get("options"), dict):
            fields["options"] = {name: self._option(value) for name, value in options.items()}
        return fields

    def resealed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A sealed message, without its envelope, under the first key; what it says is not looked at.

        Raises:
            KeyMissing, InvalidMessage: as `open`.
        """
        rest = {name: value for name, value in fields.items() if name not in ENVELOPE}
        options = {name: self._option(value) for name, value in rest.get("options", {}).items()}
        return rest | {"sealed": self.close(self.open(fields["sealed"])), "options": self.options(options)}

    def _option(self, value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {"sealed"}:
            return json.loads(self.open(value["sealed"]))
        return value

    def _ciphers(self) -> dict[str, AESGCM]:
        return _ciphers(tuple(self._keys()))


def ability(key_name: str) -> str:
    """What a message waits for that this key encrypted."""
    return f"{KEY} {key_name}"


def is_key(waits_for: str) -> bool:
    """Whether what a message waits for is a key: no actor's name has a blank."""
    return waits_for.startswith(f"{KEY} ")


@lru_cache(8)
def _ciphers(keys: tuple[bytes, ...]) -> dict[str, AESGCM]:
    return {sha256(b"name of a message key" + key).hexdigest()[:8]: AESGCM(key) for key in keys}


def _is_code(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and bool(READABLE.fullmatch(value)))
