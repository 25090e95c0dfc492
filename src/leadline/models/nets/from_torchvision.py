"""torchvision's classifiers, built for our ports and wrapped in our contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from leadline.base.errors import InputError
from leadline.base.find import module
from leadline.models.nets.wrapped import WrappedNet, fitted, lacks, last_layer, no_download, no_setting
from leadline.record.ports import Images

if TYPE_CHECKING:
    from leadline.models.zoo.torchvision import Torchvision

# Two old networks would return a tuple in training; with the side branches off they are as the others.
WITH_SIDE_BRANCHES = ("googlenet", "inception_v3")


def wrapped_torchvision(spec: Torchvision.Spec, port: Images, *, num_outputs: int) -> WrappedNet:
    """The network that `spec` names. Raises InputError LL006 (weights not to be had), LL022 (setting or size it cannot have)."""
    name = f"torchvision/{spec.variant}"
    if port.channels not in (1, 3):
        raise InputError(
            "LL022",
            f"{name} takes images of 1 or 3 channels, not {port.channels}",
            where="model",
            help=f"a network of timm takes any number: model=timm/{spec.variant}, if it is there",
        )
    net = _create(spec, num_outputs=num_outputs)
    if spec.pretrained:
        _renew_head(net, num_outputs)
    wrapped = WrappedNet(net, heads=[last_layer(net)[1]], repeat=port.channels == 1)
    return fitted(wrapped, port, name=name, sizes=[] if spec.size is None else [spec.size])


def _create(spec: Torchvision.Spec, *, num_outputs: int) -> nn.Module:
    models = module("torchvision").models
    settings: dict[str, Any] = {"stochastic_depth_prob": spec.drop_path, "dropout": spec.dropout}
    given = {key: value for key, value in settings.items() if value is not None}
    if spec.variant in WITH_SIDE_BRANCHES:
        given["aux_logits"] = False
        given["init_weights"] = not spec.pretrained  # unset, they warn
    if not spec.pretrained:
        given["num_classes"] = num_outputs
    try:
        net = models.get_model(spec.variant, weights="DEFAULT" if spec.pretrained else None, **given)
    except OSError as error:
        raise no_download(f"torchvision/{spec.variant}", error) from None
    except TypeError as error:
        raise no_setting(f"torchvision/{spec.variant}", error) from error
    if spec.drop_path and not any(type(part).__name__ == "StochasticDepth" for part in net.modules()):
        raise lacks(f"torchvision/{spec.variant}", "drop_path")  # some constructors swallow what they do not know
    return net


def _renew_head(net: nn.Module, num_outputs: int) -> None:
    """Put a fresh layer of the right width in the place of the last one, which knows other classes."""
    name, old = last_layer(net)
    if isinstance(old, nn.Linear):
        fresh: nn.Module = nn.Linear(old.in_features, num_outputs)
    else:
        fresh = nn.Conv2d(old.in_channels, num_outputs, kernel_size=1)  # SqueezeNet's
    net.set_submodule(name, fresh)
