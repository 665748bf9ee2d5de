"""The sources of answers: the built-in demo, and any OpenAI-compatible model."""
