"""The routes that template.yaml declares."""

from typing import Any


def template_routes(template: dict[str, Any]) -> dict[str, str]:
    """Return the function's logical id for each route key, such as `GET /api/results` or `$default`."""
    resources = template["Resources"]
    integrations = {
        f"integrations/${{{name}}}": resource["Properties"]["IntegrationUri"]["Ref"].removesuffix(".Alias")
        for name, resource in resources.items()
        if resource["Type"] == "AWS::ApiGatewayV2::Integration"
    }
    return {
        resource["Properties"]["RouteKey"]: integrations[resource["Properties"]["Target"]["Fn::Sub"]]
        for resource in resources.values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    }
