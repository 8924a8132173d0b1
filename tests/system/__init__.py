"""The whole product on real packets."""
