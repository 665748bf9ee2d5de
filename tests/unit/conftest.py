"""Properties are about results: how long an example takes says only how busy the machine is."""

from hypothesis import settings

settings.register_profile("weir", deadline=None, max_examples=70)
settings.load_profile("weir")
