"""Routes of predict_now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from functions.predict_now.schemas import FeaturesRequest, ModelInfo, Stage
from matchcast import bootstrap
from matchcast.domain.prediction import Prediction
from matchcast.http.api import Api, serve

api = Api()


@api.get("/predict/model/info")
def model_info(stage: Stage = "champion") -> ModelInfo:
    """Return name, version, signature and metrics of the model that a stage serves."""
    return ModelInfo.model_validate(bootstrap.predict_now().model_info(stage, deadline()))


@api.get("/predict/<match_id>")
def predict_match(match_id: str, stage: Stage = "champion") -> Prediction:
    """Predict a match of the snapshot on demand."""
    return bootstrap.predict_now().match(match_id, stage, deadline())


@api.post("/predict/")
def predict_features(body: FeaturesRequest) -> Prediction:
    """Predict from the caller's own features on demand."""
    return bootstrap.predict_now().features(body.features, body.stage, deadline())


def deadline() -> datetime:
    """Return when this request has to be answered: counted from its arrival at the gateway, not here."""
    arrived = datetime.fromtimestamp(api.current_event.request_context.time_epoch / 1000, UTC)
    return arrived + bootstrap.sync_deadline()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)
