"""otlp_kit: telemetry pipelines, from a record to a picture, in modules that you can copy.

    record -> processor -> encoder -> Payload -> sender ... receiver -> store -> view

A record (`model`) waits in a processor (`processors`), is encoded once (`encoding`), and travels
as a `Payload` (`wire`) through a sender (`exporters`). A receiver (`receiver`) stores it
(`stores`); a person looks at it (`views`). Every stage counts into one `ledger`.
"""

__version__ = "0.1.0"
