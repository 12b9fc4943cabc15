"""Loss curves as event files, which TensorBoard shows while a training runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.training.loop import LossRow


@contextmanager
def event_file(folder: Path, step: int) -> Iterator[Callable[[LossRow], None]]:
    """Yield what writes a row of the loss curve, a scalar a column.

    Args:
        folder: of the event files of one training.
        step: where the training continues; what an earlier file says of later steps counts no more.

    Raises:
        UserError: when TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "training.tensorboard is true, but TensorBoard is not installed; "
            "pip install -e '.[tensorboard]', or set it to false"
        ) from error
    with SummaryWriter(str(folder), purge_step=step + 1) as writer:

        def write(row: LossRow) -> None:
            for name, value in row._asdict().items():
                if name != "step":
                    writer.add_scalar(f"training/{name}", value, row.step)
            writer.flush()

        yield write
