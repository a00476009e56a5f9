"""Tiny CrossEncoder checkpoints, made in a second: they prove the wiring, and no quality at all."""

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

POSITIONS = 64
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Letters, so that every text has tokens of its own.
WORDS += [mark + sign for sign in string.ascii_lowercase + string.digits for mark in ("", "##")]
WORDS += list(".,;:!?-'\"()$%&/")


def write(
    folder: Path,
    labels: Sequence[str] = ("LABEL_0",),
    *,
    bias: Sequence[float] | None = None,
    seed: int = 1,
    sigmoid: bool = True,
) -> Path:
    """Write a checkpoint folder. With ``bias`` the head gives just this, whatever it reads."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # threads that wait for each other cost more than so small a model
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=POSITIONS,
            initializer_range=0.3,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
        )
    )
    if bias is not None:
        with torch.no_grad():
            model.classifier.weight.zero_()
            model.classifier.bias.copy_(torch.tensor(list(bias)))
    model.save_pretrained(folder)
    reads = Tokenizer(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    reads.normalizer = normalizers.BertNormalizer()
    reads.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    reads.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=reads, model_max_length=POSITIONS, **named)
    tokenizer.save_pretrained(folder)
    if not sigmoid:
        change(folder, sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"})
    return folder


def change(folder: Path, **settings: Any) -> Path:
    """Set keys of a checkpoint's configuration."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    return folder


def logits(folder: Path, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """Return what transformers itself gives each pair alone: the oracle."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found = []
    for pair in pairs:
        with torch.inference_mode():
            read = tokenizer(
                [pair[0]], [pair[1]], truncation=True, return_tensors="pt"
            )  # "" alone is no pair
            found.append(model(**read).logits[0].tolist())
    return found
