"""Serverless football match predictions: the package that every function shares.

Importing it switches off what libraries send to their makers: ONNX Runtime and MLflow do so unless they are told not
to, and read these variables when they are first imported. Processes that are started from here inherit them.
"""

import os

__version__ = "0.1.0"

TELEMETRY_OFF = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "ORT_DISABLE_TELEMETRY": "1"}
os.environ.update(TELEMETRY_OFF)
