"""What every training shares: schedule, steps, averaged weights, checkpoints that resume exactly, several processes."""

from host_training.loop.schedule import CONFIGS, Config, Schedule, read_config
from host_training.loop.tensor_files import load_weights, part_of, read_checkpoint, write_tensors
from host_training.loop.trainer import LossOf, Trainer

__all__ = [
    "CONFIGS",
    "Config",
    "LossOf",
    "Schedule",
    "Trainer",
    "load_weights",
    "part_of",
    "read_checkpoint",
    "read_config",
    "write_tensors",
]
