"""What a peer answers may repeat what it was sent: a token in a reason would end up in a log.

    >>> hidden = secrets_in({"authorization": "Bearer s3cr3t-t0k3n"})
    >>> masked("no such token: s3cr3t-t0k3n", hidden)
    'no such token: ************'

Every value of a header that somebody gave may be a secret, as may each word of it. As many stars as
characters, so that an encoded answer stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import AnyStr

SHORTEST = 6
"""Characters of a word that is hidden; a shorter one is part of too many others, and no secret."""


def secrets_in(headers: Mapping[str, str | bytes]) -> tuple[str, ...]:
    """The values of `headers` and their words, the longest first."""
    values = [value for value in headers.values() if isinstance(value, str)]
    words = {word for value in values for word in (value, *value.split())}
    return tuple(sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True))


def masked(answer: AnyStr, secrets: Iterable[str]) -> AnyStr:
    """`answer`, text or bytes, with stars in the place of `secrets`."""
    for secret in secrets:
        if isinstance(answer, str):
            answer = answer.replace(secret, "*" * len(secret))
        else:
            answer = answer.replace(secret.encode("utf-8"), b"*" * len(secret.encode("utf-8")))
    return answer
