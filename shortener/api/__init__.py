"""The JSON API at ``/-/api/v1``: operations that call services and reporting, and the OpenAPI document of them."""
