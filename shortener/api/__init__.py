"""The JSON API at ``/-/api/v1``: its operations, which call services and reporting, and the OpenAPI document about
them.
"""
