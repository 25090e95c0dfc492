"""timm's networks, built for our ports and wrapped in our contract."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leadline.base.errors import InputError
from leadline.base.find import module
from leadline.base.nearest import did_you_mean
from leadline.models.nets.wrapped import WrappedNet, fitted, no_download, no_setting
from leadline.record.ports import Images

if TYPE_CHECKING:
    from leadline.models.zoo.timm import Timm


def wrapped_timm(spec: Timm.Spec, port: Images, *, num_outputs: int) -> WrappedNet:
    """The network that `spec` names. Raises InputError LL006 (weights not to be had), LL022 (setting it lacks), LL023 (unknown tag)."""
    timm = module("timm")
    _check_tag(timm, spec.variant)
    net = _create(timm, spec, port, num_outputs=num_outputs)
    head = net.get_classifier()
    heads = list(head) if isinstance(head, tuple) else [head]
    wrapped = WrappedNet(net, heads=heads, groups=_groups(timm, net))
    return fitted(wrapped, port, name=f"timm/{spec.variant}", sizes=_sizes(net, spec))


def _groups(timm: Any, net: Any) -> list[list[str]]:
    """Parameter names by depth as timm has them; none for the few networks that do not tell, which are then read off their modules."""
    matcher = getattr(net, "group_matcher", None)
    if matcher is None:
        return []
    groups = timm.models.group_parameters(net, matcher(coarse=False))
    return [groups[depth] for depth in sorted(groups)]


def _check_tag(timm: Any, variant: str) -> None:
    if "." in variant and variant not in timm.list_pretrained():
        known = timm.list_pretrained(f"{variant.split('.')[0]}.*")
        hint = did_you_mean(variant, known, else_say=f"leave the tag out: timm/{variant.split('.')[0]}")
        raise InputError("LL023", f"timm has no weights called '{variant}'", where="model", help=hint)


def _create(timm: Any, spec: Timm.Spec, port: Images, *, num_outputs: int) -> Any:
    settings: dict[str, Any] = {"drop_path_rate": spec.drop_path, "drop_rate": spec.dropout}
    if spec.size is not None and timm.get_pretrained_cfg(spec.variant).fixed_input_size:
        settings["img_size"] = spec.size
    given = {key: value for key, value in settings.items() if value is not None}
    with _quick_refusal_offline():
        try:
            return timm.create_model(spec.variant, pretrained=spec.pretrained, num_classes=num_outputs, in_chans=port.channels, **given)
        except OSError as error:
            raise no_download(f"timm/{spec.variant}", error) from None
        except TypeError as error:
            raise no_setting(f"timm/{spec.variant}", error) from error
        except RuntimeError as error:
            if "No pretrained weights exist" not in str(error):
                raise
            message = f"timm/{spec.variant} has no published weights"
            raise InputError("LL022", message, where="model", help="pretrained=false, or a network with weights: timm/resnet18") from None


def _sizes(net: Any, spec: Timm.Spec) -> list[int | tuple[int, int]]:
    """The sizes to bring images to: the one asked for, or the one the network was made for when it takes no other."""
    made_for = net.pretrained_cfg
    if not made_for.get("fixed_input_size"):
        return [] if spec.size is None else [spec.size]
    return [tuple(made_for["input_size"][1:]) if spec.size is None else (spec.size, spec.size)]


@contextmanager
def _quick_refusal_offline() -> Iterator[None]:
    """Without a network, let the hub look into its cache only: otherwise it tries again for a minute before it says so."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _can_resolve(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _can_resolve(address: str) -> bool:
    """Whether the host's name is known here; behind a proxy that is not for us to ask."""
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(address).hostname, 443)
    except OSError:
        return False
    return True
