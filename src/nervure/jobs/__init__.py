"""Whole jobs, as the command runs them."""

from nervure.jobs.freenet import FreeNetRequest, train_freenet
from nervure.jobs.modules import FoundModules, ModulesRequest, find_modules, write_modules
from nervure.jobs.neural_modules import NeuralModulesRequest, train_neural_modules
from nervure.jobs.predict import Predictions, predict_table, write_predictions
from nervure.jobs.request import TrainRequest
from nervure.jobs.sculpt import SculptRequest, train_sculpted
from nervure.jobs.sparse_mlp import SparseMLPRequest, train_sparse_mlp
from nervure.jobs.tradeoff import TradeoffRequest, train_tradeoff
from nervure.jobs.train import Listener, RunInterrupted, TrainResult

__all__ = [
    "FoundModules",
    "FreeNetRequest",
    "Listener",
    "ModulesRequest",
    "NeuralModulesRequest",
    "Predictions",
    "RunInterrupted",
    "SculptRequest",
    "SparseMLPRequest",
    "TradeoffRequest",
    "TrainRequest",
    "TrainResult",
    "find_modules",
    "predict_table",
    "train_freenet",
    "train_neural_modules",
    "train_sculpted",
    "train_sparse_mlp",
    "train_tradeoff",
    "write_modules",
    "write_predictions",
]
