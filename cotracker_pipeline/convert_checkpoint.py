"""Convert a published checkpoint (.pth) to a model.safetensors with its configuration inside, or back."""

import argparse
from pathlib import Path
from typing import Any, get_args

from cotracker_pipeline.command import run, say
from cotracker_pipeline.config import Architecture, Untold, parse_section
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.conversion import to_published, to_safetensors
from cotracker_pipeline.models.published_files import SUFFIXES

OWN = ".safetensors"


def main() -> None:
    """Command line."""
    for sentence in convert(_parser().parse_args()):
        say(sentence)


def convert(arguments: argparse.Namespace) -> list[str]:
    """Write the output; sentences about what is not as it was trained, or would not be computed so."""
    source, target = arguments.source, arguments.output
    told = {name: getattr(arguments, name) for name in Untold.model_fields}
    told = {name: value for name, value in told.items() if value is not None}
    if source.suffix in SUFFIXES and target.suffix == OWN:
        untold = parse_section(Untold, told, "command line")
        return to_safetensors(source, target, untold, arguments.corr_radius, not arguments.no_track_mask)
    if source.suffix == OWN and target.suffix in SUFFIXES:
        if told or arguments.corr_radius is not None or arguments.no_track_mask:
            raise UserError(f"{source}: says all of itself; give no other option than --output")
        return to_published(source, target)
    raise UserError(
        f"{source} to {target}: give a .pth file and a .safetensors file to write, or the other way round"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.convert_checkpoint", description=__doc__
    )
    parser.add_argument("source", type=Path, metavar="IN", help="cotracker2.pth, or a model.safetensors")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="OUT", help="file of the other kind to write"
    )
    untold = parser.add_argument_group("what a .pth does not say, where it is not as published")
    options: dict[str, dict[str, Any]] = {
        "architecture": {"choices": get_args(Architecture)},
        "stride": {"type": int, "metavar": "PIXELS"},
        "model_resolution": {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH")},
        "corr_levels": {"type": int},
        "num_heads": {"type": int},
        "first_estimate": {"choices": ("query", "matching")},
        "use_attention_mask": {"action": argparse.BooleanOptionalAction},
    }
    for name, option in options.items():
        described = Untold.model_fields[name].description
        untold.add_argument(f"--{name.replace('_', '-')}", default=None, help=described, **option)
    changes = parser.add_argument_group("what to make of it, no longer equal to the checkpoint")
    changes.add_argument(
        "--corr-radius", type=int, help="of CoTracker2, a smaller one: the columns it has are kept"
    )
    changes.add_argument(
        "--no-track-mask", action="store_true", help="of CoTracker2: a model without track mask"
    )
    return parser


if __name__ == "__main__":
    run(main)
