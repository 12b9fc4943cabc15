"""The memory laboratory: what a configuration takes, without a GPU."""

from cotracker_pipeline.memory.prediction import Prediction, predict_inference_peak, predict_peak_memory

__all__ = ["Prediction", "predict_inference_peak", "predict_peak_memory"]
