"""Models of the core's protocols, and what checks them: docs/model.md."""
