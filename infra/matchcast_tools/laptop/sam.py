"""The environments of functions for `sam local invoke` against the laptop stack."""

from __future__ import annotations

from urllib.parse import urlsplit

from matchcast_tools.stack.deployed import Stack


def environments(stack: Stack, host: str) -> dict[str, dict[str, str]]:
    """Return each function's environment by logical id, as the laptop stack deployed it, with the engine at `host`."""
    endpoint = f"http://{host}:{urlsplit(stack.api_url).port}"
    resources = stack.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    functions = {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for item in resources
        if item["ResourceType"] == "AWS::Lambda::Function"
    }
    client = stack.client("lambda")
    return {
        logical_id: {
            **client.get_function_configuration(FunctionName=name)["Environment"]["Variables"],
            "AWS_ENDPOINT_URL": endpoint,
        }
        for logical_id, name in sorted(functions.items())
    }
