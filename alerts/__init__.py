"""From the topic of alerts to a person, once: record, silence, inhibit, group, escalate, send. A stage is a file."""
