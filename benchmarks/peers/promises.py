"""What each peer promises, in the words of its own documentation, read where it says. Ours are tests, see tests/e2e."""

from typing import Final

PROMISES: Final = {
    "loop": "nothing: what was read is lost with the process",
    "quixstreams": (
        "at-least-once by default; exactly-once from Kafka to Kafka by transactions (documented: "
        "`processing_guarantee` of Application). Late events are dropped after a grace period"
    ),
    "bytewax": (
        "state from the last snapshot; its Kafka sink at-least-once: messages of the resumed epoch are sent again "
        "(documented: docstring of KafkaSink)"
    ),
    "pathway": (
        "at-least-once in the free version, exactly-once in the one that is sold (documented: README, Consistency); "
        "late events correct earlier answers. Measured without keeping its state, for which it wants a licence key"
    ),
}
