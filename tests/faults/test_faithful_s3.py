"""That the simulated bucket answers as S3 does: the same requests to it and to moto have the same answers."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.faults.direct import Ask, both

pytestmark = pytest.mark.usefixtures("account")

KEYS = ("models/manifest.json", "models/releases/000001.json", "snapshots/a b/ü&<.json", "snapshots/manifest.json")


def a_request(rng: random.Random, bucket: str, etags: list[str]) -> tuple[str, dict[str, Any]]:
    """Draw one of the requests of the product, for objects that may be there."""
    key = rng.choice(KEYS)
    one: dict[str, Any] = {"Bucket": bucket, "Key": key}
    body = rng.choice((b"one", b"two" * 1000, b""))
    etag = rng.choice(etags)
    return rng.choice(
        [
            ("get_object", one),
            ("get_object", {**one, "IfNoneMatch": etag}),
            ("put_object", {**one, "Body": body}),
            ("put_object", {**one, "Body": body, "IfNoneMatch": "*"}),
            ("put_object", {**one, "Body": body, "IfMatch": etag}),
            ("list_objects_v2", {"Bucket": bucket, "Prefix": rng.choice(("", "models/", "snapshots/a b", "none"))}),
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_objects_conditions_and_lists_are_answered_as_by_s3(seed: int) -> None:
    # GIVEN some hundred requests in a row, drawn from those that the product makes
    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        rng, etags, heard = random.Random(seed), ['"none"'], []
        for _ in range(120):
            operation, request = a_request(rng, names["DataBucketName"], etags)
            answer = seen(ask(operation, **request))
            if isinstance(answer, dict) and "ETag" in answer and answer["ETag"] not in etags:
                etags.append(answer["ETag"])
            heard.append((operation, {**request, "Bucket": ""}, answer))
        return heard

    # WHEN both are asked
    real, simulated = both("s3", script)

    # THEN every answer is the same, and all kinds of them occur
    assert simulated == real
    heard = {answer if isinstance(answer, str) else operation for operation, _, answer in real}
    assert heard >= {"get_object", "put_object", "list_objects_v2", "NoSuchKey", "304", "PreconditionFailed"}


def test_a_list_goes_on_where_its_page_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN more objects than a page has
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    monkeypatch.setattr("tests.faults.s3._PAGE", 3)

    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        bucket = {"Bucket": names["DataBucketName"]}
        for number in range(7):
            ask("put_object", **bucket, Key=f"a/{number} ü", Body=b"")
        pages: list[list[str]] = []
        token: dict[str, str] = {}
        while True:
            page = ask("list_objects_v2", **bucket, Prefix="a/", **token)
            pages.append([each["Key"] for each in page["Contents"]])
            if not page["IsTruncated"]:
                return pages
            token = {"ContinuationToken": page["NextContinuationToken"]}

    # WHEN both are walked to their ends
    # THEN
    real, simulated = both("s3", script)
    assert simulated == real
    assert [len(page) for page in simulated] == [3, 3, 1]


def seen(answer: Any) -> Any:
    """Return what the product reads of an answer."""
    if isinstance(answer, str):
        return answer
    if "Body" in answer:
        return {"Body": answer["Body"].read(), "ETag": answer["ETag"], "ContentLength": answer["ContentLength"]}
    if "IsTruncated" in answer:
        listed = [(each["Key"], each["Size"], each["ETag"]) for each in answer.get("Contents", [])]
        return {"IsTruncated": answer["IsTruncated"], "Contents": listed}
    return {"ETag": answer["ETag"]}
