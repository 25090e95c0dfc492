"""A library's image classifier inside our contract: its head, its weights by depth, and images brought to what it takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.base.errors import InputError
from leadline.models.nets.network import Network
from leadline.record.ports import Images

# Sides tried, from small to large, when a network cannot take the images as they are; multiples of its usual total stride of 32.
LADDER = (32, 64, 96, 128, 160, 192, 224, 240, 256, 299, 384, 448, 512)


class WrappedNet(Network):
    """`net` of timm or torchvision. Grey images are repeated to three channels and small ones enlarged, where the network needs it.

    groups: names of parameters by depth where the library knows them; else they are read off the tree of modules.
    """

    def __init__(self, net: nn.Module, *, heads: Sequence[nn.Module], groups: Sequence[Sequence[str]] = (), repeat: bool = False) -> None:
        super().__init__()
        self.net = net
        self.size: tuple[int, int] | None = None
        self.repeat = repeat
        self._groups = [[f"net.{name}" for name in group] for group in groups]
        self._heads = [name for name, module in self.named_modules() if any(module is head for head in heads)]
        self.fixed = frozenset(name for name, weight in self.named_parameters() if not weight.requires_grad)

    @property
    def head(self) -> nn.Module:
        heads = [self.get_submodule(name) for name in self._heads]
        return heads[0] if len(heads) == 1 else nn.ModuleList(heads)  # distilled transformers have two

    def blocks(self) -> list[nn.Module]:
        heads = {id(module) for name in self._heads for module in self.get_submodule(name).modules()}
        return [part for part in _units(self.net, level=0) if id(part) not in heads]

    def stages(self) -> list[list[str]]:
        head = {name for name, weight in self.named_parameters() if any(weight is own for own in self.head.parameters())}
        groups = self._groups or [group for group in super().stages()[:-1] if group]
        learned = [[name for name in group if name not in head and name not in self.fixed] for group in groups]
        return [stage for stage in learned if stage] + [sorted(head)]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Outputs (B, num_outputs)."""
        if self.repeat:
            x_BCHW = x_BCHW.expand(-1, 3, -1, -1)
        if self.size is not None and tuple(x_BCHW.shape[-2:]) != self.size:
            x_BCHW = F.interpolate(x_BCHW, size=self.size, mode="bilinear", antialias=True)
        return self.net(x_BCHW)


def _units(module: nn.Module, *, level: int) -> list[nn.Module]:
    """Blocks in order: containers are opened, and near the root also modules that hold a container of blocks."""
    units: list[nn.Module] = []
    for child in module.children():
        if next(child.parameters(), None) is None:
            continue
        units += _units(child, level=level + 1) if _opens(child, level) else [child]
    return units


def _opens(module: nn.Module, level: int) -> bool:
    if isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return any(_is_composed(child) for child in module.children())
    # A transformer's encoder holds a dozen blocks in a list; an inception block holds two in a branch and is a block itself.
    return level == 0 and any(isinstance(part, nn.Sequential | nn.ModuleList) and _blocks_in(part) > 2 for part in module.children())


def _blocks_in(container: nn.Module) -> int:
    return sum(_is_composed(child) for child in container.children())


def _is_composed(module: nn.Module) -> bool:
    return any(next(child.parameters(), None) is not None for child in module.children())


def last_layer(net: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Name and module of the last linear or convolution layer in the order of definition: a classifier's head."""
    layers = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return layers[-1]


def fitted(wrapped: WrappedNet, port: Images, *, name: str, sizes: Sequence[int | tuple[int, int]] = ()) -> WrappedNet:
    """Settle the size that images are brought to, by trying: the wanted sizes, else as they are, then ever larger.

    Raises InputError LL022 when the network takes none of them.
    """
    larger = [side for side in LADDER if side > min(port.height, port.width)]
    tries = [_sized(size, port) for size in sizes] or [None, *(_sized(side, port) for side in larger)]
    failure: Exception | None = None
    for size in tries:
        wrapped.size = size
        try:
            _forward_once(wrapped, port)
            return wrapped
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            failure = error
    shown = f"{port.height} x {port.width}" if tries[-1] is None or not sizes else " x ".join(map(str, tries[-1]))
    raise InputError(
        "LL022",
        f"{name} does not take images of {shown} pixels: {str(failure).splitlines()[0][:160]}",
        where="model",
        help="leave out model.size to have a fitting one found, or set data.image_size=224, which most of these networks were made for",
    )


def _sized(size: int | tuple[int, int], port: Images) -> tuple[int, int]:
    """Height and width; a single number is the shorter side, the other follows in proportion."""
    if isinstance(size, tuple):
        return size
    scale = size / min(port.height, port.width)
    return round(port.height * scale), round(port.width * scale)


def _forward_once(wrapped: WrappedNet, port: Images) -> None:
    """One blank image through the network in evaluation mode, which moves no statistics."""
    was_training = wrapped.training
    wrapped.eval()
    try:
        with torch.no_grad():
            wrapped(torch.zeros(1, port.channels, port.height, port.width))
    finally:
        wrapped.train(was_training)


def no_download(name: str, error: OSError) -> InputError:
    """The published weights cannot be had."""
    return InputError(
        "LL006",
        f"the published weights of {name} could not be downloaded ({type(error).__name__})",
        where="model.pretrained",
        help="check the network, or start from random weights with  model.pretrained=false",
    )


def no_setting(name: str, error: TypeError) -> Exception:
    """A setting the network's constructor does not know, in the user's words; other type errors are handed back as they are."""
    words = {"drop_path_rate": "drop_path", "stochastic_depth_prob": "drop_path", "drop_rate": "dropout", "img_size": "size"}
    unknown = [key for key in (*words, "dropout") if f"unexpected keyword argument '{key}'" in str(error)]
    if not unknown:
        return error
    return lacks(name, words.get(unknown[0], unknown[0]))


def lacks(name: str, setting: str) -> InputError:
    """The network has nothing that this setting could change."""
    return InputError("LL022", f"{name} has no {setting}", where=f"model.{setting}", help=f"leave  model.{setting}  out")
