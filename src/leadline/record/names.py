"""Names of runs: the time, for sorting, and two words, for saying aloud."""

from __future__ import annotations

import secrets
from datetime import datetime


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _words(
    "amber autumn bold brave bright brisk calm candid clear clever cosy crisp curious daring dapper eager early easy fair fearless fine "
    "fond frank fresh gentle glad golden good graceful happy hardy honest humble jolly keen kind lively lucid lucky mellow merry mild "
    "modest nimble noble patient placid playful plucky polite proud quick quiet rapid rosy serene sharp silver sincere snug spry steady "
    "sturdy sunny swift tender tidy tranquil true trusty upbeat vivid warm wise witty young"
)
NOUNS = _words(
    "acorn alder anchor aspen aster badger beacon beaver birch bison bramble breeze brook cedar clover comet coral cove crane cricket "
    "curlew cypress dahlia daisy delta dolphin dune eagle elm ember falcon fern finch fjord fox garnet glacier grove harbor hare hawk "
    "hazel heron holly iris ivy jasper juniper kestrel lagoon lantern lark laurel linden lotus lynx maple marten meadow merlin moss "
    "nutmeg oak opal orchid osprey otter owl panda pebble petrel pine plover pond poplar prairie puffin quail quartz raven reef ridge "
    "river robin rowan sable salmon seal sparrow spruce starling stork summit swallow swan tern thistle thrush tulip valley walnut "
    "willow wren yarrow"
)


def name_run(now: datetime) -> str:
    """A name such as 20261120-2136-brave-otter. The words come from the system's own randomness: no generator of the training moves."""
    return f"{now:%Y%m%d-%H%M}-{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}"
