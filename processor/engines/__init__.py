"""Where answers come from: the built-in demo, or any OpenAI-compatible model."""
