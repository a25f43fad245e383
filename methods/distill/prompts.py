"""The privileged teacher's prompt: the student's prompt with the reference answer shown before the question.

TAD puts it into a system turn, whose markers depend on the chat template; a plain prompt gets a line in front. The
reference's generators never store the answer and give the student the privileged prompt; here both prompts are made
from the same problem and stored side by side.
"""

from __future__ import annotations

_LLADA_START = "<|startoftext|>"
_QWEN_SYSTEM, _QWEN_END = "<|im_start|>system\n", "<|im_end|>"


def with_reference(prompt: str, reference: str) -> str:
    """`prompt` (chat template already applied) with the reference answer in it.

    LLaDA's template: a system turn after the start token. Dream's and Qwen's: the end of the system message, or a new
    one. Any other text: a paragraph in front.
    """
    line = f"Reference Answer: {reference}"
    if prompt.startswith(_LLADA_START):
        turn = f"<|start_header_id|>system<|end_header_id|>\n\n{line}<|eot_id|>"
        return _LLADA_START + turn + prompt[len(_LLADA_START) :]
    if prompt.startswith(_QWEN_SYSTEM):
        end = prompt.index(_QWEN_END)
        return f"{prompt[:end]}\n\n{line}{prompt[end:]}"
    if prompt.startswith("<|im_start|>"):
        return f"{_QWEN_SYSTEM}{line}{_QWEN_END}\n{prompt}"
    return f"{line}\n\n{prompt}"
