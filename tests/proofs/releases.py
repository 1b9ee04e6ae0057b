"""`make prove-releases`: releases on a laptop stack, moved under load, corrupted in every way, promoted and gated."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Annotated

import typer

from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.errors import ReleaseRefused
from matchcast.releases.publishing import read_manifest
from matchcast_tools.models.train import train
from matchcast_tools.stack.invoke_refresh import invoke_refresh
from tests.proofs import parity
from tests.proofs.bench import REFRESH_SECONDS, Bench, bench
from tests.proofs.claims import Claims
from tests.proofs.corrupting import broken_models, broken_snapshots
from tests.proofs.moving import Traffic, expected_of, features_of, is_mixed, mixed_receives
from tests.proofs.promotions import DEGRADED, Promotions

PARITY_LIMIT = 1e-5
LOADING_SECONDS = 1.0
"""What a request may take on top of the refresh: the one that finds the new version loads it."""


def main(
    promotions: Annotated[int, typer.Option(min=1, help="How many equal models are promoted.")] = 100,
) -> None:
    """Show on a laptop stack that releases are whole or refused, and that gates stop what is worse and only that."""
    claims = Claims()
    claims.say(
        f"starting a laptop stack with the sample league, whose functions look for releases every {REFRESH_SECONDS} s"
    )
    with bench() as work:
        exports(work, claims)
        moved_alias(work, claims)
        python_model(work, claims)
        corrupted(work, claims)
        promoted(work, claims, promotions)
    claims.finish()


def exports(work: Bench, claims: Claims) -> None:
    """Compare models of every kind with their exports."""
    claims.say(f"a model of each kind beside its export, on {parity.ROWS} rows")
    found = {}
    for kind, difference in parity.differences(work.tracking):
        found[kind] = difference
        claims.say(f"  {kind}: {difference:.1e}")
    largest = max(found.values())
    claims.hold(
        f"every exported probability is within {PARITY_LIMIT:g} of the original",
        holds=largest <= PARITY_LIMIT,
        parity_models=len(found),
        parity_rows=parity.ROWS,
        parity_max_difference=largest,
    )


def moved_alias(work: Bench, claims: Claims) -> None:
    """Move the champion's alias while requests are in flight."""
    claims.say("training a second version; then its alias moves under requests that never stop")
    old = model_manifest(work).stages["champion"]
    # On less than the champion has seen, so that it is another model.
    until = (old.trained_until or date.today()) - timedelta(days=90)  # noqa: DTZ011
    train(work.data, until_day=until, aliases=["champion"], tracking=work.tracking)
    matches = work.matches[:40]
    traffic = Traffic(work, features_of(work, matches, old.signature.names))
    with traffic.flowing():
        time.sleep(3)
        work.command.json("publish", "--stage", "champion", "--data", str(work.data))
        time.sleep(REFRESH_SECONDS + LOADING_SECONDS + 3)
        invoke_refresh(work.stack)
        time.sleep(REFRESH_SECONDS + 2)
    manifest = model_manifest(work)
    new, switched = manifest.stages["champion"], manifest.published_at.timestamp()
    expected = {each.version: expected_of(work, each, traffic.features) for each in (old, new)}
    mixed = sum(is_mixed(prediction, asked.match_id, expected) for asked, prediction in traffic.predictions())
    tasks = work.wait_for(traffic.tasks, seconds=60)
    mixed += sum(is_mixed(task["result"], task["match_id"], expected) for task in tasks.values() if task["result"])
    mixed += mixed_receives(tasks)
    late = [
        asked.at - switched
        for asked, prediction in traffic.predictions()
        if asked.how in ("match", "features") and prediction["model"]["version"] == old.version
    ]
    unfinished = sum(task["status"] != "succeeded" for task in tasks.values())
    claims.hold(
        f"the new version answers every request that is sent {REFRESH_SECONDS} s after the switch or later; none fails",
        holds=new.version != old.version
        and max(late, default=0.0) <= REFRESH_SECONDS
        and not traffic.failed
        and not unfinished,
        requests_in_flight=len(traffic.asked),
        answered_by_the_new_version=sum(
            prediction["model"]["version"] == new.version for _, prediction in traffic.predictions()
        ),
        failed_requests=len(traffic.failed) + unfinished,
        last_old_answer_seconds=round(max(late, default=0.0), 2),
    )
    claims.hold("no answer and no receive mixes versions", holds=mixed == 0, mixed_versions=mixed)


def model_manifest(work: Bench) -> ModelManifest:
    """Return the release that is served."""
    manifest = read_manifest(work.bucket, MODEL_MANIFEST_KEY, ModelManifest).manifest
    if manifest is None:
        raise RuntimeError("no model is published")
    return manifest


def python_model(work: Bench, claims: Claims) -> None:
    """Serve a model that only Python can run."""
    claims.say("releasing a model that is Python code, under the stage `python`")
    work.release_timed_model("python")
    info = work.api.get("/predict/model/info", stage="python").expect(200)
    match = work.matches[0]
    now = work.api.get(f"/predict/{match}", stage="python").expect(200)
    task = work.api.post("/predict/async/", {"match_id": match, "stage": "python"}).expect(202)
    later = work.api.wait(task["task_id"], seconds=60)
    same = later["result"] is not None and abs(later["result"]["home"] - now["home"]) < 1e-6
    claims.hold(
        "it answers on demand and through the queue alike",
        holds=info["runtime"] == "pyfunc" and same,
        python_model_runtime=info["runtime"],
    )


def corrupted(work: Bench, claims: Claims) -> None:
    """Put broken releases into the bucket, one after another."""
    claims.say("broken releases of models and snapshots, put into the bucket past every check of the publisher")
    tried = [*broken_models(work), *broken_snapshots(work)]
    for each in tried:
        marks = ("refused" if each.refused else "NOT REFUSED", "served on" if each.served else "NOT SERVED")
        claims.say(f"  {each.name}: {', '.join(marks)}")
    claims.hold(
        "every broken release is refused, and the one before it serves on in every way of asking",
        holds=all(each.refused and each.served for each in tried),
        corruptions=len(tried),
        refused=sum(each.refused for each in tried),
        still_served=sum(each.served for each in tried),
    )


def promoted(work: Bench, claims: Claims, number: int) -> None:
    """Promote what is as good, and try to promote what is worse."""
    candidates = Promotions(work)
    claims.say("models that were made worse, each a candidate for champion")
    attempts: dict[str, Callable[[], str | None]] = {
        name: partial(candidates.degraded, degrade) for name, degrade in DEGRADED.items()
    }
    attempts["half a second for a prediction"] = candidates.slow
    stopped = 0
    for name, attempt in attempts.items():
        reason = attempt()
        stopped += reason is not None
        shown = "NOT STOPPED" if reason is None else reason.splitlines()[-1].strip()
        claims.say(f"  {name}: {shown}")
    claims.hold(
        "every degraded model is stopped",
        holds=stopped == len(attempts),
        degraded_promotions=len(attempts),
        degraded_stopped=stopped,
    )
    claims.say(f"{number} models that are as good: trained alike, each on another 90% of the same matches")
    reasons = []
    for seed in range(number):
        try:
            candidates.equal(seed)
        except ReleaseRefused as error:
            reasons.append(error.detail)
            claims.say(f"  number {seed} was stopped: {error.detail}")
    claims.hold("no equal model is stopped", holds=not reasons, null_promotions=number, null_rollbacks=len(reasons))


if __name__ == "__main__":
    typer.run(main)
