"""Train an encoder by supervised matching, once, for all variants to start from."""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Training, WarmUp, load_study
from cotracker_pipeline.data.clips import ClipDataset, Sample, batches
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.checkpoints import save_weights
from cotracker_pipeline.models.encoder import Encoder, encode_video
from cotracker_pipeline.training.device import use_device
from cotracker_pipeline.training.matching import matching_loss


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    if study.training.warm_up is None:
        raise UserError(f"{arguments.config}: training.warm_up is missing; add it or leave this step out")
    encoder = warm_up(arguments.data, study.training, study.training.warm_up, study.seed)
    save_weights(arguments.output, encoder.state_dict(), {"format": "cotracker_pipeline.encoder.v1"})


def warm_up(shards: list[Path], training: Training, settings: WarmUp, seed: int) -> Encoder:
    """The trained encoder."""
    device = use_device(training.device, settings.threads)
    torch.manual_seed(seed)
    size = training.model
    encoder = Encoder(size.feature_dim, size.stride, size.encoder_widths).to(device)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)
    batch_size = settings.clip.batch_size
    length = settings.steps * batch_size
    data = ClipDataset(shards, settings.clip, settings.matches, seed, length, training.augmentation)
    clips = batches(data, batch_size, 0, training.workers, training.read_ahead)
    steps = tqdm(clips, total=settings.steps, desc="warm-up")
    for batch in steps:
        frames = torch.randperm(settings.clip.frames)[: settings.matched_frames]
        loss = _loss(encoder, Sample(*(part[:, frames].to(device) for part in batch)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        steps.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return encoder


def _loss(encoder: Encoder, batch: Sample) -> Tensor:
    """Matching loss among the frames of each clip."""
    maps = encode_video(encoder, batch.video.float())
    return matching_loss(maps, batch.trajectory, batch.visibility, encoder.stride)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.warm_up", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="H5", help="training shards")
    parser.add_argument("--output", type=Path, required=True, help="safetensors file to write")
    return parser


if __name__ == "__main__":
    run(main)
