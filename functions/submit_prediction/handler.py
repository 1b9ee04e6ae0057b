"""Route of submit_prediction."""

from __future__ import annotations

from typing import Annotated, Any, Self

from aws_lambda_powertools.event_handler import Response
from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from matchcast.bootstrap import callbacks, http, parts, table, tasks
from matchcast.domain.prediction import Subject
from matchcast.domain.task import Priority
from matchcast.errors import AddressRefused, SecretMissing
from matchcast.http.api import Api, serve
from matchcast.http.bodies import WHOLE
from matchcast.http.callbacks import CallbackBody
from matchcast.http.contract import ACCEPTING, WRITE, Features, StageName, answers
from matchcast.http.envelope import TaskEnvelope, accepted
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.settings import LONGEST_LIFETIME_SECONDS
from matchcast.tasks.submit import Submission

api = Api(http.settings)
CALLBACK = (AddressRefused, SecretMissing)


class Waiting(CallbackBody):
    """How a task waits, whatever it is about."""

    stage: StageName = "champion"
    priority: Priority = Field(
        default=Priority.NORMAL,
        strict=False,  # strictly, JSON has no member of an enumeration
        description="The lane that the task waits in; `normal` if it is left out.",
    )
    start_within: Annotated[int, Field(ge=1, le=LONGEST_LIFETIME_SECONDS), WHOLE] | None = Field(
        default=None,
        description="Seconds, at most the lifetime of a task; one that is not started by then is `expired`.",
    )


class MatchSubmission(Waiting):
    """A prediction for later of a match of the snapshot."""

    match_id: str = Field(description="A match of the snapshot.", examples=["e0-2026-03-07-alder-birch"])
    features: None = Field(default=None, description="Left out: the snapshot has them.")


class FeaturesSubmission(Waiting):
    """A prediction for later from the caller's own features."""

    features: Features
    match_id: None = Field(default=None, description="Left out: the features say it all.")


class SubmitRequest(Waiting):
    """A prediction for later: a match of the snapshot, or the caller's own features."""

    match_id: str | None = None
    features: dict[str, Any] | None = None

    @model_validator(mode="after")
    def one_subject(self) -> Self:
        """Demand either a match or features."""
        self.submission()
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return what `one_subject` demands, as a choice between two schemas of which clients can generate classes."""
        kinds = (MatchSubmission, FeaturesSubmission)
        return {"description": cls.__doc__, "oneOf": [handler(kind.__pydantic_core_schema__) for kind in kinds]}

    def submission(self) -> Submission:
        """Return what the use case takes."""
        return Submission(
            Subject(self.match_id, self.features),
            self.stage,
            self.priority,
            self.start_within,
            callback_url=self.callback_url,
        )

    def checked(self, tenant: str) -> Submission:
        """Return what the use case takes, once the tenant may be called back there."""
        if self.callback_url is not None:
            callbacks.check_callback().check(tenant, self.callback_url)
        return self.submission()


@api.post("/predict/async/", security=WRITE, responses=answers(202, *ACCEPTING, *CALLBACK, model=TaskEnvelope))
def submit(body: SubmitRequest, key: Key = None) -> Response[TaskEnvelope]:
    """Accept a prediction for later and say where to ask for it.

    `Location` is where the task's status is, and `Retry-After` when it is worth asking. Send an `Idempotency-Key`, and
    a request that is repeated after a lost answer is the same task.
    """
    use_case = tasks.submit_prediction()
    if use_case.has_stage(body.stage):
        api.asked.stage = body.stage
    tenant = api.tenant
    once = idempotency_key(key, "POST /predict/async/", body.fingerprinted())
    task, is_new = use_case.submit(tenant, lambda: body.checked(tenant), once)
    api.asked.became_task(is_new=is_new)
    return accepted(task, table.lane_speed().retry_after(task.priority))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(tasks.submit_prediction, callbacks.check_callback, table.lane_speed, http.settings)
