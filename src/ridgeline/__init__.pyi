# The public API: every name here can be imported from `ridgeline`, and src/ridgeline/__init__.py finds it by this file.
# A study from Python.
from ridgeline.api.champion import Champion as Champion
from ridgeline.api.champion import Ensemble as Ensemble
from ridgeline.api.estimators import RegularizedClassifier as RegularizedClassifier
from ridgeline.api.estimators import RegularizedRegressor as RegularizedRegressor
from ridgeline.api.studies import Best as Best
from ridgeline.api.studies import Study as Study
from ridgeline.api.studies import Verdict as Verdict
from ridgeline.api.studies import search as search

# Settings, and what an entry point says and checks.
from ridgeline.bars import bar_of as bar_of
from ridgeline.checking import ConfigError as ConfigError
from ridgeline.command_line.commands import command as command
from ridgeline.command_line.outputs import draft_of as draft_of
from ridgeline.command_line.outputs import json_text as json_text
from ridgeline.command_line.outputs import require_writable as require_writable
from ridgeline.command_line.outputs import write_whole as write_whole
from ridgeline.config import CallbacksConfig as CallbacksConfig
from ridgeline.config import Config as Config
from ridgeline.config import DataConfig as DataConfig
from ridgeline.config.batchable import structure as structure

# Data. The test split is not among them: only the entry points that confirm open it.
from ridgeline.data import Split as Split
from ridgeline.data import Splits as Splits
from ridgeline.data import load_splits as load_splits

# From a test to a verdict.
from ridgeline.evaluation.arms import Measured as Measured
from ridgeline.evaluation.arms import interval as interval
from ridgeline.evaluation.arms import measure as measure
from ridgeline.evaluation.arms import tested as tested
from ridgeline.evaluation.confirmation import LEDGER as LEDGER
from ridgeline.evaluation.fits import FitsFailed as FitsFailed
from ridgeline.evaluation.fits import count_workers as count_workers
from ridgeline.evaluation.fits import fingerprint as fingerprint
from ridgeline.evaluation.fits import start_workers as start_workers
from ridgeline.evaluation.fits import train_all as train_all
from ridgeline.evaluation.origin import wall_seconds as wall_seconds
from ridgeline.evaluation.statistics import Estimate as Estimate
from ridgeline.evaluation.statistics import estimate as estimate
from ridgeline.evaluation.statistics import over_seeds as over_seeds
from ridgeline.evaluation.stored import open_study as open_study

# A regularizer of one's own.
from ridgeline.regularizers.effect import Batch as Batch
from ridgeline.regularizers.effect import Effect as Effect

# Pictures and words.
from ridgeline.report.axes import DPI as DPI
from ridgeline.report.axes import count_axis as count_axis
from ridgeline.report.axes import log_axis as log_axis
from ridgeline.report.notation import counted as counted
from ridgeline.report.notation import moment as moment
from ridgeline.report.notation import ordinal as ordinal
from ridgeline.report.notation import revision as revision
from ridgeline.report.notation import seconds as seconds

# Studies.
from ridgeline.search.endings import StudyStopped as StudyStopped
from ridgeline.search.folder import locked as locked
from ridgeline.search.ranking import best_settings as best_settings
from ridgeline.search.ranking import ran as ran
from ridgeline.stack.device import describe_machine as describe_machine

# Training, and what it does step by step.
from ridgeline.stack.device import pick_device as pick_device
from ridgeline.stack.fitting import fit as fit
from ridgeline.stack.prediction import logits_KNC as logits_KNC
from ridgeline.stack.recording import Beginning as Beginning
from ridgeline.stack.recording import KeptMasks as KeptMasks
from ridgeline.stack.recording import Objectives as Objectives
from ridgeline.stack.recording import WeightPaths as WeightPaths
from ridgeline.stack.records import FitResult as FitResult
from ridgeline.stack.records import Row as Row
from ridgeline.stack.records import TrialFailed as TrialFailed

# What is recorded.
from ridgeline.tracking import Tracker as Tracker
from ridgeline.tracking import check_store as check_store
from ridgeline.tracking.address import look_at_run as look_at_run
from ridgeline.tracking.provenance import commit as commit
from ridgeline.tracking.provenance import versions as versions
from ridgeline.trial.run import keep_fit as keep_fit
