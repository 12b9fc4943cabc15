"""Seeds by name: the same sequence always gets the same one, whatever else is rendered."""

import hashlib


def sequence_seed(seed: int, split: str, index: int) -> int:
    """The seed of sequence ``index`` of ``split`` in a study with ``seed``: 0 to 2^63 - 1."""
    digest = hashlib.sha256(f"{seed}/{split}/{index}".encode()).digest()
    # 63 bits: the seed is stored as a signed integer
    return int.from_bytes(digest[:8], "big") >> 1
