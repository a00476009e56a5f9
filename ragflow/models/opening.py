"""A tier of the configuration -> its models, ready to be asked. Nothing is imported, read or contacted yet.

```python
tier = Tier.model_validate({"try": ({"model": "openai/any", "api_base": "http://127.0.0.1:8080/v1"},)})
[model] = open_tier("small", tier, Means(Spending(), secret=lambda name: None))
```
"""

from ragflow.model_sections import Tier
from ragflow.models.calling import ConfiguredModel, Manner, Means
from ragflow.models.calls import Model


def open_tier(name: str, tier: Tier, means: Means) -> tuple[Model, ...]:
    """Return the models of a tier in the order in which they are asked.

    A model that cannot be used (no key, an unknown provider, the extra absent) is among them, and says so
    when it is asked: the next one is there for that.
    """
    manner = Manner(name, tier.retries, tier.max_usd, tier.cooldown, tier.on)
    return tuple(ConfiguredModel(entry, manner, means) for entry in tier.try_)
