"""What each function reads from its environment; nothing else in the product does.

A setting is read when a function's parts are first made, and the template provides every one of
them (a test compares the two, and the table in infra/docs/settings.md).
"""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from matchcast.domain.manifests import Runtime


def is_on_lambda() -> bool:
    """Return whether this process is an environment of a function, and so has that function's settings."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


class Settings(BaseSettings):
    """A frozen set of environment variables, named after the fields in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class HttpSettings(Settings):
    """Every function behind the API."""

    tenant_claim: str = Field(default="client_id", description="The token's claim that names the tenant.")
    docs_enabled: bool = Field(
        default=True, description="Whether /docs and /openapi.json answer, and other answers point to them."
    )


class DataSettings(Settings):
    """Every function that reads the data bucket."""

    data_bucket_name: str = Field(description="The bucket of datasets, models and snapshots.")
    model_refresh_seconds: float = Field(
        default=30, ge=0, description="Seconds for which a function trusts the manifests that it has read."
    )


class ModelSettings(DataSettings):
    """Every function that runs models."""

    model_runtime: Runtime = Field(
        default="onnx", description="What images are built for: `onnx` alone, or `pyfunc`, which serves both."
    )


class TaskSettings(Settings):
    """Every function that reads or writes tasks."""

    tasks_table_name: str = Field(description="The table of tasks.")
    tenant_shards: int = Field(
        default=4, ge=1, le=64, description="Number of index keys that one tenant's tasks are spread over."
    )


class QueueSettings(Settings):
    """Every function that sends or dead-letters messages."""

    high_queue_url: str = Field(description="The queue of the high lane.")
    normal_queue_url: str = Field(description="The queue of the normal lane.")


class BatchQueueSettings(Settings):
    """Every function that sends messages of batches."""

    batches_queue_url: str = Field(description="The queue of batches to split and join.")
    normal_queue_url: str = Field(description="The queue of the normal lane.")


class BatchPartsSettings(BatchQueueSettings):
    """Every function that sends parts of batches."""

    batch_window: int = Field(
        default=4, ge=1, le=100, description="Parts of a batch that are in the normal lane at once."
    )


class CursorSettings(Settings):
    """Every function that pages lists."""

    cursor_secret_name: str = Field(description="The secret that signs cursors.")


LONGEST_LIFETIME_SECONDS = 259_200
"""What no deployment lets tasks outlive."""


class LifetimeSettings(Settings):
    """Every function that accepts tasks, or describes how."""

    task_lifetime_seconds: int = Field(
        default=86_400,
        ge=60,
        le=LONGEST_LIFETIME_SECONDS,
        description="How long a task stays readable, at most three days; then 410 for seven days, then 404.",
    )


class ServePredictionsSettings(HttpSettings, DataSettings, CursorSettings, LifetimeSettings):
    """serve_predictions."""

    odds_bookmaker: str = Field(default="fonbet", description="The bookmaker whose odds cards and odds show.")
    snapshot_stale_seconds: float = Field(
        default=86_400, ge=0, description="Age in seconds above which /health and all answers call a snapshot stale."
    )
    results_stale_seconds: float = Field(
        default=2_592_000, ge=0, description="Age in seconds of the newest result above which /health is degraded."
    )


class WebhooksTableSettings(Settings):
    """Every function that reads or writes events, deliveries or signing secrets."""

    webhooks_table_name: str = Field(description="The table of events, deliveries and signing secrets.")


class CallbackSettings(WebhooksTableSettings):
    """Every function that takes the address of a callback, or calls one."""

    loopback_callbacks: bool = Field(
        default=False, description="Whether callbacks may be http, and on any port, at addresses of the machine itself."
    )


class WebhooksSettings(WebhooksTableSettings):
    """Every function that sends messages of events, and uses signing secrets."""

    webhooks_queue_url: str = Field(description="The queue of events to deliver.")
    webhooks_dead_letter_queue_url: str = Field(description="The dead letters of the queue of events.")
    webhook_secrets_key_id: str = Field(description="The key that encrypts signing secrets.")


class AcceptTaskSettings(HttpSettings, DataSettings, TaskSettings, QueueSettings, LifetimeSettings):
    """Every function that accepts tasks."""

    max_open_tasks: int = Field(
        default=10_000, ge=1, description="How many open tasks a tenant may have before submissions get 429."
    )


class PredictNowSettings(AcceptTaskSettings):
    """predict_now."""

    run_inference_function_name: str = Field(description="The inference function, with its alias where it has one.")
    sync_deadline_seconds: float = Field(
        default=28, gt=0, le=29, description="How long after its arrival an on-demand request is answered."
    )
    prediction_cache_ttl: int = Field(
        default=3600, ge=0, description="How many seconds an on-demand prediction of a match is kept; 0 keeps none."
    )


class SubmitPredictionSettings(AcceptTaskSettings, CallbackSettings):
    """submit_prediction."""


class TrackTasksSettings(AcceptTaskSettings, CursorSettings):
    """track_tasks."""


class ManageBatchesSettings(
    HttpSettings, DataSettings, TaskSettings, BatchQueueSettings, LifetimeSettings, CursorSettings, CallbackSettings
):
    """manage_batches."""

    max_open_batches: int = Field(
        default=10, ge=1, description="How many open batches a tenant may have before submissions get 429."
    )


class ManageWebhooksSettings(HttpSettings, TaskSettings, WebhooksSettings):
    """manage_webhooks."""


class DeliverWebhooksSettings(WebhooksSettings, CallbackSettings):
    """deliver_webhooks."""


class DeadLetterSettings(Settings):
    """Every function that writes or reads dead letters."""

    high_dead_letter_queue_url: str = Field(description="The dead letters of the high lane.")
    normal_dead_letter_queue_url: str = Field(description="The dead letters of the normal lane.")


class BatchDeadLetterSettings(Settings):
    """Every function that writes or reads dead letters of batches."""

    batches_dead_letter_queue_url: str = Field(description="The dead letters of the queue of batches.")


class AttemptSettings(Settings):
    """Every function that gives up what fails again and again."""

    max_attempts: int = Field(
        default=3, ge=1, description="Attempts of a task or part before a temporary fault makes it fail."
    )


class SweepDeadLettersSettings(TaskSettings, DeadLetterSettings, BatchDeadLetterSettings, BatchQueueSettings):
    """sweep_dead_letters."""


class RunInferenceSettings(
    ModelSettings, TaskSettings, QueueSettings, DeadLetterSettings, AttemptSettings, BatchPartsSettings
):
    """run_inference."""

    write_concurrency: int = Field(default=8, ge=1, le=64, description="Parallel result writes of one receive.")


class SplitBatchSettings(ModelSettings, TaskSettings, BatchPartsSettings, BatchDeadLetterSettings):
    """split_batch."""


class RefreshSnapshotSettings(ModelSettings, TaskSettings, BatchQueueSettings, LifetimeSettings):
    """refresh_snapshot."""

    odds_bookmaker: str = Field(default="fonbet", description="The bookmaker whose odds cards and odds show.")
    edge_threshold: float = Field(
        default=0.05, description="The betting simulation bets where probability x odds - 1 is above this."
    )
    snapshot_stage: str = Field(default="champion", description="The stage whose model makes the snapshot.")
    snapshot_predictions_at_once: int = Field(
        default=200_000,
        ge=0,
        description="Most matches of a snapshot that its function predicts; of more it makes a batch.",
    )
    snapshots_kept: int = Field(
        default=24, ge=2, description="How many of the newest snapshots keep their files; the present one always does."
    )
