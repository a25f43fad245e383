"""From generated ids to text and counts: the pieces of an output, the kept text, the reference rules' counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.metrics import COMPAT_RULES, Kept, compat_tokens, keep


class Reader:
    """Reads the outputs of one backbone with its tokenizer.

    special: the backbone's ids (`mask`, `eos`). arch decides which of the reference counting rules apply.
    """

    def __init__(self, tokenizer: Any, special: Any, arch: str) -> None:
        self.tokenizer, self.special, self.arch = tokenizer, special, arch
        self.skip = frozenset(tokenizer.all_special_ids)

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The ids of a prompt, special tokens written in it read as such.

        `special`: the tokenizer adds its own (a BOS) if it has any; a chat template has written them already.
        """
        return list(self.tokenizer.encode(text, add_special_tokens=special))

    def decode(self, ids: Sequence[int], skip_special: bool = False) -> str:
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)
        )

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text that each id adds; joined, the text of all of them.

        A character spread over several ids belongs to the last of them.
        """
        single = [self.decode([token]) for token in ids]
        whole = self.decode(ids)
        if "".join(single) == whole:
            return single
        found, done = [], 0
        for end in range(1, len(ids) + 1):
            text = whole if end == len(ids) else self.decode(ids[:end])
            stable = text if end == len(ids) else text.rstrip("\ufffd")
            stable = stable if whole.startswith(stable) else whole[:done]
            found.append(whole[done : max(done, len(stable))])
            done = max(done, len(stable))
        return found

    def keep(self, ids: Sequence[int], pieces: Sequence[str], until: Sequence[str], policy: str = "cut") -> Kept:
        """The ids that count and the text that is scored, see `harness.metrics.keep`."""
        return keep(
            ids,
            pieces,
            eos=self.special.eos,
            until=until,
            skip=self.skip,
            mask=self.special.mask,
            policy=policy,
        )

    def compat(self, task: str, ids: Sequence[int], until: Sequence[str]) -> dict[str, int]:
        """The tokens under each reference rule; none for AR and block models, for which no rule is published."""
        if self.arch in ("ar", "block"):
            return {}
        return {
            rule: compat_tokens(
                rule,
                self.arch,
                task,
                ids,
                decode=self.decode,
                count=self.tokenizer.encode,
                eos=self.special.eos,
                until=until,
            )
            for rule in COMPAT_RULES
        }
