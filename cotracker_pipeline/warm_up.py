"""Train an encoder by supervised matching, once, for all variants to start from.

Continues where an interrupted one stopped.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, Training, WarmUp, load_study
from cotracker_pipeline.data.clips import ClipDataset
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.data.loading import batches
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.checkpoints import save_weights
from cotracker_pipeline.models.encoder import Encoder
from cotracker_pipeline.training.device import use_device
from cotracker_pipeline.training.fingerprint import fingerprint
from cotracker_pipeline.training.keeper import Keeper
from cotracker_pipeline.training.matching_loop import Matching
from cotracker_pipeline.training.not_finite import NotFinite


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    settings = study.training.warm_up
    if settings is None:
        raise UserError(f"{arguments.config}: training.warm_up is missing; add it or leave this step out")
    matching = new_matching(study.training, settings, study.seed)
    keeper = Keeper(matching, arguments.state_dir, _fingerprint(study), study.training.save_every)
    with keeper:
        data = clips(arguments.data, study.training, settings, study.seed)
        first, workers, read_ahead = matching.step, study.training.workers, study.training.read_ahead
        with tqdm(total=settings.steps, initial=first, desc="warm-up", unit="step") as bar:
            for batch in batches(data, Division(settings.clip.batch_size), first, workers, read_ahead):
                try:
                    loss = matching.take(batch)
                except FloatingPointError as error:
                    raise not_finite(matching.step, data, settings) from error
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                bar.update()
                keeper.after_step()
        weights = matching.encoder.state_dict()
        save_weights(arguments.output, weights, {"format": "cotracker_pipeline.encoder.v1"})
        keeper.discard()


def new_matching(training: Training, settings: WarmUp, seed: int) -> Matching:
    """Untrained: its weights depend on the seed."""
    device = use_device(training.device, settings.threads)
    torch.manual_seed(seed)
    size = training.model
    encoder = Encoder(size.feature_dim, size.stride, size.encoder_widths).to(device)
    return Matching(encoder, settings)


def clips(shards: list[Path], training: Training, settings: WarmUp, seed: int) -> ClipDataset:
    """What the warm-up is trained with."""
    length = settings.steps * settings.clip.batch_size
    return ClipDataset(
        shards, settings.clip, settings.matches, seed, length, training.augmentation, training.skip_damaged
    )


def not_finite(step: int, data: ClipDataset, settings: WarmUp) -> NotFinite:
    """What to raise at a step, counted from 0, whose loss or gradient is not."""
    return NotFinite(
        f"the loss of the warm-up or its gradient is not finite at step {step + 1}, of "
        f"{data.origins(step, settings.clip.batch_size)}; lower training.warm_up.learning_rate, or mend "
        "these data"
    )


def _fingerprint(study: Study) -> str:
    """Names a warm-up: what it computes depends on nothing else."""
    return fingerprint(
        {
            "training": study.training.model_dump(
                mode="json", include={"model", "warm_up", "augmentation", "device"}
            ),
            "data": study.data.train.model_dump(mode="json"),
            "seed": study.seed,
        }
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.warm_up", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="H5", help="training shards")
    parser.add_argument("--state-dir", type=Path, required=True, help="folder of the state to continue from")
    parser.add_argument("--output", type=Path, required=True, help="safetensors file to write")
    return parser


if __name__ == "__main__":
    run(main)
