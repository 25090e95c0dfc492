"""Networks of transformers inside our contract: called with token ids alone, answering by our ports.

Axes: B batch, T places, W width.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from leadline.base.errors import InputError
from leadline.base.find import module
from leadline.models.nets.network import Network
from leadline.models.nets.sequence import Ends, lengths_of, mean_of, real
from leadline.models.nets.wrapped import _units
from leadline.record.ports import Classes, Embeddings, NextTokens, Port, TokenPairs, Tokens, Values

if TYPE_CHECKING:
    from leadline.models.zoo.transformers import Transformers


class TransformersNet(Network):
    """`net` of transformers, with our own head where it gives features; with NextTokens its own.

    rebuild: options that build the same network again without any download.
    """

    def __init__(self, net: nn.Module, takes: Tokens | TokenPairs, gives: Port, *, dropout: float, rebuild: dict[str, Any]) -> None:
        super().__init__()
        self.net, self.takes, self.rebuild = net, takes, rebuild
        self.writes = isinstance(gives, NextTokens)
        self.whole = isinstance(gives, Classes | Values | Embeddings)
        self.drop = nn.Dropout(dropout)
        config: Any = net.config
        self.out = None if self.writes else Ends(config.hidden_size, gives)
        self.longest = getattr(config, "max_position_embeddings", None)

    @property
    def head(self) -> nn.Module:
        if self.out is not None:
            return self.out
        inner: Any = self.inner
        return inner.get_output_embeddings()

    @property
    def inner(self) -> nn.Module:
        """transformers' own model, without the adapters around it."""
        peft: Any = getattr(self.net, "base_model", None)
        return peft.model if hasattr(self.net, "peft_config") else self.net

    def blocks(self) -> list[nn.Module]:
        own = {id(part) for part in self.head.modules()}
        return [part for part in _units(self.inner, level=0) if id(part) not in own]

    def forward(self, ids_BT: Tensor, beginning_BU: Tensor | None = None) -> Tensor:
        """ids_BT: the text, or the source; beginning_BU: what is written of the target so far. See the port for what comes out."""
        padding = self.takes.padding
        mask = real(lengths_of(Tokens(1, 1, padding), ids_BT, None), ids_BT.shape[1])
        if beginning_BU is not None:
            return self.net(input_ids=ids_BT, attention_mask=mask.long(), decoder_input_ids=beginning_BU).logits
        found = self.net(input_ids=ids_BT, attention_mask=mask.long())
        if self.out is None:
            return found.logits
        states = found.last_hidden_state
        return self.out(self.drop(mean_of(states, mask.sum(1)) if self.whole else states))

    def plain(self) -> TransformersNet:
        """A copy whose adapters are added into the weights; itself where it has none."""
        if not hasattr(self.net, "peft_config"):
            return self
        merged = copy.deepcopy(self)
        net: Any = merged.net
        merged.net = net.merge_and_unload()
        return merged

    def save_adapter(self, folder: Path) -> None:
        """Write the adapters as peft writes them."""
        net: Any = self.net
        net.save_pretrained(folder)


def wrapped_transformers(spec: Transformers.Spec, takes: Tokens | TokenPairs, gives: Port) -> TransformersNet:
    """The network that `spec` names. Raises InputError LL006 (cannot be had), LL022 (no name, or it does not fit), LL023."""
    library = module("transformers")
    config = _config(library, spec)
    made = _made(library, spec, config, _kind(takes, gives))
    made.config.use_cache = False
    if getattr(made, "pooler", None) is not None:
        made.pooler = None  # its weights would never learn: our head pools itself
    rebuild = {"config": _plain(made.config), "scratch": True, "lora": None, "dropout": spec.dropout}
    wrapped = TransformersNet(made, takes, gives, dropout=spec.dropout, rebuild=rebuild)
    if takes.vocabulary > made.config.vocab_size:
        text = f"the tokenizer has {takes.vocabulary:,} tokens, and transformers/{spec.variant} knows {made.config.vocab_size:,}"
        raise InputError("LL022", text, where="model", help="leave data.text.tokenizer out: the network brings its own")
    if spec.lora is not None:
        _adapt(wrapped, spec)
    return wrapped


def _kind(takes: Tokens | TokenPairs, gives: Port) -> str:
    if isinstance(takes, TokenPairs):
        return "AutoModelForSeq2SeqLM"
    return "AutoModelForCausalLM" if isinstance(gives, NextTokens) else "AutoModel"


def _config(library: Any, spec: Transformers.Spec) -> Any:
    if spec.config is not None:
        fields = dict(spec.config)
        try:
            return library.AutoConfig.for_model(fields.pop("model_type"), **fields)
        except (KeyError, ValueError) as error:
            text = f"model.config is no configuration of transformers: {error}"
            raise InputError("LL022", text, where="model.config", help="give its model_type, such as bert") from None
    if not spec.variant:
        raise InputError("LL022", "model = 'transformers' names no network", where="model.name", help="model=transformers/HUB_ID or FOLDER")
    with _said(spec.variant):
        return library.AutoConfig.from_pretrained(_place(spec.variant))


def _made(library: Any, spec: Transformers.Spec, config: Any, kind: str) -> Any:
    maker = getattr(library, kind)
    try:
        if spec.scratch or spec.config is not None:
            return maker.from_config(config).float()
        with _said(spec.variant or ""):
            return maker.from_pretrained(_place(spec.variant or ""), config=config, dtype=torch.float32)
    except ValueError as error:
        text = f"transformers/{spec.variant} cannot do this: {str(error).splitlines()[0][:120]}"
        raise InputError("LL022", text, where="model.name", help="name a network made for this task") from None


def _place(name: str) -> str:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if name.startswith((".", "/", "~")):
        raise InputError("LL001", f"there is no folder {name}", where="model.name", help="model=transformers/FOLDER, or a hub id")
    return name


class _said:
    """What transformers says when it cannot have a model, in our words."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):
            text = f"'{self.name}' cannot be had: {str(error).splitlines()[0][:160]}"
            raise InputError("LL006", text, where="model.name", help="check the name and the network, or name a local folder") from None


def _plain(config: Any) -> dict[str, Any]:
    """The configuration as plain JSON that builds the same network."""
    fields = config.to_dict()
    return {key: value for key, value in fields.items() if key not in ("transformers_version", "_name_or_path", "dtype", "torch_dtype")}


def _adapt(wrapped: TransformersNet, spec: Transformers.Spec) -> None:
    """Put adapters beside the linear layers and freeze everything else but our head."""
    peft = module("peft")
    lora = spec.lora
    assert lora is not None
    targets = list(lora.targets) if lora.targets else "all-linear"
    try:
        settings = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets)
        wrapped.net = peft.get_peft_model(wrapped.net, settings)
    except ValueError as error:
        names = sorted({name.rsplit(".", 1)[-1] for name, part in wrapped.net.named_modules() if isinstance(part, nn.Linear)})
        text = f"model.lora.targets = {list(lora.targets or ())}: {str(error).splitlines()[0][:100]}"
        raise InputError("LL022", text, where="model.lora.targets", help=f"linear layers here: {', '.join(names[:8])}") from None
    wrapped.fixed = frozenset(name for name, weight in wrapped.named_parameters() if not weight.requires_grad)
