"""`leadline env`: versions and devices."""

from __future__ import annotations

from leadline.cli.screen import Screen, columns
from leadline.cli.verb import verb


@verb("Reference")
def command(screen: Screen) -> None:
    """Show versions, processor, memory and devices: what to put in a report of a problem."""
    from leadline.flow.environment import environment

    found = environment()
    screen.give(found)
    screen.head("versions")
    screen.show("\n".join(columns(found["versions"].items())))
    machine = found["machine"]
    rows = [
        ("system", machine["system"]),
        ("processor", machine["processor"]),
        ("cores", f"{machine['cores']} (torch uses {machine['threads']})"),
        ("memory", f"{machine['memory_gb']:.1f} GB, {machine['free_gb']:.1f} GB free"),
    ]
    screen.section("machine", columns(rows))
    screen.section("devices", columns((device["name"], device["about"]) for device in found["devices"]))
    screen.show(f"\n--device auto  takes {found['auto']}")
    screen.next("leadline", "demo")
