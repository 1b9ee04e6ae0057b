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
            ("get_object", {**one, "Range": rng.choice(("bytes=0-1", "bytes=2-2000", "bytes=2990-9999"))}),
            ("head_object", one),
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
    assert heard >= {
        "get_object",
        "head_object",
        "put_object",
        "list_objects_v2",
        "NoSuchKey",
        "404",
        "304",
        "PreconditionFailed",
    }


def test_a_version_stays_what_it_was() -> None:
    # GIVEN an object that is written twice
    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        one = {"Bucket": names["DataBucketName"], "Key": "input/north/1.csv"}
        versions = [ask("put_object", **one, Body=body)["VersionId"] for body in (b"old", b"new one")]
        heard = [seen(ask("get_object", **one, VersionId=version)) for version in versions]
        heard += [seen(ask("head_object", **one, VersionId=version)) for version in versions]
        heard.append(ask("head_object", **one)["VersionId"] == versions[1])
        return [*heard, ask("get_object", **one, VersionId=versions[0], Range="bytes=1-1")["Body"].read()]

    # WHEN both versions are asked for
    # THEN
    real, simulated = both("s3", script)
    assert simulated == real
    assert real[-2:] == [True, b"l"]


def test_an_object_is_put_together_of_its_pieces_or_not_at_all() -> None:
    # GIVEN uploads in pieces, of which one is ended, one given up, and one too small
    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        one = {"Bucket": names["DataBucketName"], "Key": "batches/1/output-0.parquet"}
        big = b"x" * 5 * 1024 * 1024

        def upload(*pieces: bytes) -> tuple[dict[str, Any], list[Any]]:
            mine = {**one, "UploadId": ask("create_multipart_upload", **one)["UploadId"]}
            etags = [ask("upload_part", **mine, PartNumber=at, Body=body)["ETag"] for at, body in enumerate(pieces, 1)]
            return mine, [{"ETag": etag, "PartNumber": at} for at, etag in enumerate(etags, 1)]

        mine, parts = upload(big, b"end")
        heard = [
            ask("get_object", **one),
            done(ask("complete_multipart_upload", **mine, MultipartUpload={"Parts": parts})),
        ]
        heard.append(ask("get_object", **one)["Body"].read() == big + b"end")
        mine, parts = upload(b"small", b"end")
        heard.append(ask("complete_multipart_upload", **mine, MultipartUpload={"Parts": parts}))
        heard.append(done(ask("abort_multipart_upload", **mine)))
        return [*heard, ask("head_object", **one)["ContentLength"]]

    # WHEN both are asked
    # THEN
    real, simulated = both("s3", script)
    assert simulated == real
    assert "EntityTooSmall" in real


def done(answer: Any) -> Any:
    """Return the code of an error, or that there is none."""
    return answer if isinstance(answer, str) else "done"


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
    if "ContentLength" in answer:
        told = {name: answer.get(name) for name in ("ETag", "ContentLength", "ContentRange")}
        return {"Body": answer["Body"].read() if "Body" in answer else None, **told}
    if "IsTruncated" in answer:
        listed = [(each["Key"], each["Size"], each["ETag"]) for each in answer.get("Contents", [])]
        return {"IsTruncated": answer["IsTruncated"], "Contents": listed}
    return {"ETag": answer["ETag"]}
