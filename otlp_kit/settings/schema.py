"""Everything that the kit can be told: what it is called, what it may be, and what holds without it.

    settings = load_settings(files=["kit.toml"], environ=environment())
    settings["batch.delay"]                     # Value(value=5.0, source=Source('defaults'))
    model(settings).batch.delay                 # 5.0
    json.dumps(json_schema())                   # for an editor

A setting stands here once: `KEYS`, for `layers`, and the JSON Schema are read off the model. What
values mean together is in `schema_rules`; what an exporter's values may be, in `otlp_exporter`.

Specification of the variables `OTEL_*`:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic.fields import FieldInfo

from otlp_kit.settings import layers, otel_env, otlp_exporter
from otlp_kit.settings.config_files import Mistake, Reading, TextFile
from otlp_kit.settings.layers import Key, Mistakes, Path, Settings
from otlp_kit.settings.schema_rules import mistake_of, settled
from otlp_kit.settings.schema_values import (
    ADDRESS_PATTERN,
    BOOLEAN_PATTERN,
    NUMBER_PATTERN,
    PAIR_PATTERN,
    SECONDS_PATTERN,
    SIZE_PATTERN,
    WHOLE_PATTERN,
    Address,
    address,
    boolean,
    number,
    pairs,
    seconds,
    shown,
    size,
    whole,
)
from otlp_kit.settings.secret_files import Secret
from otlp_kit.settings.toml_file import read_toml

NO_SETTINGS = ("OTLP_KIT_PAGE", "OTLP_KIT_RECEIVER")
"""What `otlp-kit up` tells its notebooks."""

SOON, NO_LIMIT = 0.001, 1e9
"""Seconds that stand for 0 in a variable `OTEL_*`: as soon as possible, and no limit."""


def _secret_pairs(value: object) -> Secret[dict[str, str]]:
    return value if isinstance(value, Secret) else Secret(pairs(value))


def _shape(pattern: str, **kind: Any) -> WithJsonSchema:
    """A value of this `kind`, or text of it, or one with a reference such as `${NAME}`."""
    return WithJsonSchema({"anyOf": [kind, {"type": "string", "pattern": pattern}, _REFERENCE]})


_REFERENCE = {"type": "string", "pattern": r"\$\{"}


def _count(most: int) -> Any:
    shape = _shape(WHOLE_PATTERN, type="integer", minimum=1, maximum=most)
    return Annotated[int, Field(ge=1, le=most), BeforeValidator(whole), shape]


_PAIRS = _shape("", type="array", items={"type": "string", "pattern": PAIR_PATTERN})

MOST, MOST_BYTES = 2**31 - 1, 2**63 - 1
"""What every library that is told of it can hold."""

if TYPE_CHECKING:
    Whole: TypeAlias = int
    Flights: TypeAlias = int
else:
    Whole, Flights = _count(MOST), _count(64)
Share: TypeAlias = Annotated[
    float,
    Field(ge=0, le=1),
    BeforeValidator(number),
    _shape(NUMBER_PATTERN, type="number", minimum=0, maximum=1),
]
Switch: TypeAlias = Annotated[
    bool, BeforeValidator(boolean), _shape(BOOLEAN_PATTERN, type="boolean")
]
Seconds: TypeAlias = Annotated[
    float,
    BeforeValidator(seconds),
    Field(gt=0, le=NO_LIMIT),
    _shape(SECONDS_PATTERN, type="number", exclusiveMinimum=0, maximum=NO_LIMIT),
]
SecondsOrNoLimit: TypeAlias = Annotated[
    float,
    BeforeValidator(seconds),
    Field(ge=0, le=NO_LIMIT),
    _shape(SECONDS_PATTERN, type="number", minimum=0, maximum=NO_LIMIT),
]
Size: TypeAlias = Annotated[
    int,
    BeforeValidator(size),
    Field(ge=1, le=MOST_BYTES),
    _shape(SIZE_PATTERN, type="integer", minimum=1, maximum=MOST_BYTES),
]
Listen: TypeAlias = Annotated[
    Address,
    PlainValidator(address),
    PlainSerializer(str),
    _shape(ADDRESS_PATTERN, type="integer", minimum=0, maximum=65535),
]
Pairs: TypeAlias = Annotated[dict[str, str], PlainValidator(pairs), _PAIRS]
SecretPairs: TypeAlias = Annotated[
    Secret[dict[str, str]], PlainValidator(_secret_pairs), PlainSerializer(str), _PAIRS
]


def setting(
    default: Any, about: str, *, unit: str = "", variable: str = "", secret: str = ""
) -> Any:
    """A field. `variable` is what others call it; `secret`, for one, is the rule that it follows."""
    return Field(
        default,
        description=about,
        json_schema_extra={"x-unit": unit, "x-variable": variable, "x-secret": secret},
    )


def _kind(field: FieldInfo) -> Any:
    """What a field may be, with the bounds that pydantic keeps beside the type."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


class Section(BaseModel):
    """Settings that belong together; nothing changes them, and no error repeats them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class Service(Section):
    name: str | None = setting(None, "What the service is called.", variable="OTEL_SERVICE_NAME")


class Resource(Section):
    attributes: Pairs = setting(
        {}, "What all records of the process say of it: `k=v,k2=v2`, or a list of `k=v`.",
        variable="OTEL_RESOURCE_ATTRIBUTES",
    )  # fmt: skip


class Sampler(Section):
    name: Literal[
        "always_on", "always_off", "traceidratio",
        "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
    ] = setting(
        "parentbased_always_on", "Which traces are recorded.", variable="OTEL_TRACES_SAMPLER"
    )  # fmt: skip
    argument: Share | None = setting(
        None, "The share that a sampler by ratio keeps; without one, all.",
        unit="of all traces", variable="OTEL_TRACES_SAMPLER_ARG",
    )  # fmt: skip


class Batch(Section):
    max_queue_size: Whole = setting(
        2048, "How many records wait at most; what comes then is dropped and counted.",
        unit="records", variable="OTEL_BSP_MAX_QUEUE_SIZE",
    )  # fmt: skip
    max_batch_size: Whole = setting(
        512, "How many records one request carries at most.",
        unit="records", variable="OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    )  # fmt: skip
    delay: Seconds = setting(
        5.0, "How long a record waits for others to fill a batch.",
        unit="seconds", variable="OTEL_BSP_SCHEDULE_DELAY",
    )  # fmt: skip
    export_timeout: Seconds = setting(
        30.0, "What a batch may take, with every further attempt.",
        unit="seconds", variable="OTEL_BSP_EXPORT_TIMEOUT",
    )  # fmt: skip
    shutdown_timeout: Seconds = setting(
        30.0, "How long the end of the process may be held up.", unit="seconds"
    )
    in_flight: Flights = setting(1, "How many batches are on their way at once.", unit="batches")
    when_full: Literal["drop_newest", "drop_oldest", "block", "sample"] = setting(
        "drop_newest", "Who gives way when the queue is full."
    )
    block_timeout: Seconds = setting(
        1.0, "How long a caller waits for room; only where `when_full` is `block`.",
        unit="seconds",
    )  # fmt: skip


class ExporterValues(Section):
    protocol: Literal["grpc", "http/protobuf", "http/json"] = setting(
        "http/protobuf", "How records travel.", variable="PROTOCOL"
    )
    endpoint: str | None = setting(
        None,
        "Where to. Of all signals over HTTP a base URL, to which `v1/traces` and its like are added;"
        " of one signal the whole URL. Without one, the port of the protocol on this machine.",
        variable="ENDPOINT",
    )
    headers: SecretPairs | None = setting(
        None, "What is sent along: `k=v,k2=v2`, percent-encoded, or a list of `k=v`.",
        variable="HEADERS", secret="must be a list of key=value, separated by commas",
    )  # fmt: skip
    compression: Literal["none", "gzip", "zstd"] = setting(
        "none", "Of requests. Every server takes gzip; zstd works over HTTP only.",
        variable="COMPRESSION",
    )  # fmt: skip
    timeout: SecondsOrNoLimit = setting(
        10.0, "What one export may take; 0 is no limit of its own.", unit="seconds",
        variable="TIMEOUT",
    )  # fmt: skip
    certificate: str | None = setting(
        None, "A PEM file of the authorities to trust, instead of the system's.",
        variable="CERTIFICATE",
    )  # fmt: skip
    client_certificate: str | None = setting(
        None, "A PEM file of what this client shows.", variable="CLIENT_CERTIFICATE"
    )
    client_key: str | None = setting(
        None, "A PEM file with the key of the client's certificate.", variable="CLIENT_KEY"
    )
    insecure: Switch = setting(
        False, "Without TLS, where an endpoint of gRPC has no scheme.", variable="INSECURE"
    )
    max_request_size: Size = setting(
        otlp_exporter.MAX_REQUEST, "Of a request before compression; a larger one is split.",
        unit="bytes",
    )  # fmt: skip


if TYPE_CHECKING:
    OfSignal: TypeAlias = ExporterValues
else:
    OfSignal = create_model(
        "OfSignal",
        __base__=Section,
        **{
            name: (
                _kind(field) | None,
                Field(
                    None, description=field.description, json_schema_extra=field.json_schema_extra
                ),
            )
            for name, field in ExporterValues.model_fields.items()
        },
    )


class Exporter(ExporterValues):
    traces: OfSignal = setting(OfSignal(), "What goes before it for traces.")
    metrics: OfSignal = setting(OfSignal(), "What goes before it for metrics.")
    logs: OfSignal = setting(OfSignal(), "What goes before it for logs.")


class Retry(Section):
    first_wait: Seconds = setting(
        1.0, "About how long after a first failure; each wait is twice the one before, and spread.",
        unit="seconds",
    )  # fmt: skip
    longest_wait: Seconds = setting(
        30.0, "What no wait exceeds. After an outage it may pass until records leave again.",
        unit="seconds",
    )  # fmt: skip
    max_attempts: Whole | None = setting(
        None, "The first one too; 1 is no retry. Without it, as many as the timeout allows."
    )


class Receiver(Section):
    http: Listen = setting(
        Address("127.0.0.1", 4318), "Where OTLP/HTTP is received; port 0: any free one.")  # fmt: skip
    grpc: Listen = setting(
        Address("127.0.0.1", 4317), "Where OTLP/gRPC is received; port 0: any free one.")  # fmt: skip
    page: Listen = setting(
        Address("127.0.0.1", 4320), "Where the page with traces and ledger is; port 0: any free one.")  # fmt: skip


class Store(Section):
    directory: str | None = setting(
        None, "Where the database is. Without it, where this system keeps a user's data."
    )
    keep: Seconds = setting(30 * 86_400.0, "What arrived longer ago is removed.", unit="seconds")
    max_size: Size = setting(
        2 * 10**9, "The oldest is removed when the database holds more.", unit="bytes"
    )


class Site(Section):
    address: Listen = setting(
        Address("127.0.0.1", 4321), "Where the documentation is; port 0: any free one.")  # fmt: skip


class Lab(Section):
    address: Listen = setting(
        Address("127.0.0.1", 4322), "Where JupyterLab is; port 0: any free one."
    )


class Demo(Section):
    enabled: Switch = setting(False, "Whether a small shop makes telemetry.")


class KitSettings(Section):
    """All settings of otlp_kit."""

    profile: Literal["development", "production", "throughput"] | None = setting(
        None, "A set of values that go together, in the place of the defaults."
    )
    service: Service = Service()
    resource: Resource = Resource()
    sampler: Sampler = Sampler()
    batch: Batch = Batch()
    exporter: Exporter = Exporter()
    retry: Retry = Retry()
    receiver: Receiver = Receiver()
    store: Store = Store()
    site: Site = Site()
    lab: Lab = Lab()
    demo: Demo = Demo()


def load_settings(
    *,
    files: Sequence[Path] = (),
    secret_directories: Sequence[Path] = (),
    env_files: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    profiles: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """The settings of the kit from all layers (see `layers.load`).

    `profiles` are the values of each profile by key; the one that `profile` names is the layer above
    the defaults. Raises `layers.Mistakes` with everything that is wrong.
    """

    def load(profile: tuple[str, Mapping[str, Any]] | None = None) -> Settings:
        return layers.load(
            KEYS,
            profile=profile,
            files=files,
            readers={".toml": read_toml, ".yaml": _read_yaml, ".yml": _read_yaml},
            secret_directories=secret_directories,
            env_files=env_files,
            environ=environ,
            arguments=arguments,
            other_variables=NO_SETTINGS,
        )

    settings = load()
    if chosen := settings["profile"].value:
        if chosen not in (profiles or {}):
            known = ", ".join(profiles or ()) or "none"
            rule = f"is not one that this program knows: {known}"
            raise Mistakes([mistake_of(settings, "profile", rule)])
        settings = load((chosen, (profiles or {})[chosen]))
    return settled(settings)


def model(settings: Settings) -> KitSettings:
    """The same values with types: `model(settings).batch.delay`."""
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        *sections, last = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value.value
    return KitSettings.model_validate(nested)


def json_schema() -> dict[str, Any]:
    """For editors: what a file of settings may hold.

    Whatever `load_settings` takes from a file with tables is valid. What is valid can still be wrong
    together, or as text: the range of `"0s"` and what `${NAME}` stands for are not looked at.
    """
    found = KitSettings.model_json_schema()
    for section in (found, *found["$defs"].values()):
        files = {}
        for name, field in section["properties"].items():
            unit, secret, _ = (field.pop(f"x-{one}", "") for one in _EXTRA)
            if "$ref" in field:
                del field["default"]
                continue
            if choice := field.pop("enum", None):
                field["anyOf"] = [{"type": field.pop("type"), "enum": choice}, _REFERENCE]
            default = "unset" if (held := field["default"]) is None else shown(held, unit)
            about = f"{field['description']}{f' Unit: {unit}.' if unit else ''} Default: {default}."
            field["description"] = about
            if secret:
                about = f"The file that {name} is in, which then is in no file of settings."
                files[f"{name}_file"] = {"type": "string", "description": about}
        section["properties"].update(files)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:otlp-kit:settings",
        **found,
        "title": "Settings of otlp_kit",
    }


_EXTRA = ("unit", "secret", "variable")
"""What a field has besides its type, each as `x-` and its name."""


def _keys(section: type[BaseModel], prefix: str = "", of: str = "") -> Iterator[Key]:
    """The settings of `section`; those of an exporter are called after the signal `of` which it is."""
    for name, field in section.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            signal = f"{name.upper()}_" if prefix == "exporter." else ""
            yield from _keys(kind, f"{prefix}{name}.", signal)
            continue
        extra: Any = field.json_schema_extra
        variable = extra["x-variable"]
        if variable and prefix.startswith("exporter."):
            variable = f"OTEL_EXPORTER_OTLP_{of}{variable}"
        parse = _parser(_kind(field), bool(extra["x-secret"]))
        yield Key(
            prefix + name,
            parse,
            field.default,
            unit=extra["x-unit"],
            secret=bool(extra["x-secret"]),
            rule=extra["x-secret"],
            variable=variable,
            parse_variable=_parser_of_others(variable, parse) if variable else None,
            about=field.description or "",
        )


def _parser(kind: Any, secret: bool) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def parse(raw: Any) -> Any:
        try:
            value = adapter.validate_python(raw)
        except ValidationError as error:
            raise ValueError(_rule(error)) from None
        return value.reveal() if secret else value

    return parse


def _parser_of_others(variable: str, parse: Callable[[Any], Any]) -> Callable[[str], Any]:
    """By the rules of `OTEL_*` first: durations are milliseconds there, and 0 has a meaning."""
    read = otel_env.TABLE[variable].parse
    instead = NO_LIMIT if variable.endswith("_EXPORT_TIMEOUT") else SOON
    may_be_zero = variable.startswith("OTEL_BSP_") and variable.endswith(("TIMEOUT", "DELAY"))

    def parse_variable(text: str) -> Any:
        value = read(text)
        return parse(instead if may_be_zero and value == 0 else value)

    return parse_variable


def _rule(error: ValidationError) -> str:
    """What the first of pydantic's complaints means, as it reads on after the name of a setting."""
    first = error.errors(include_url=False, include_input=False)[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"must be {words} {context[bound]:.12g}"
    return "must be text" if kind == "string_type" else "must be text in UTF-8"


_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most"}


def _read_yaml(file: TextFile) -> Reading:
    try:
        from otlp_kit.settings.yaml_file import read_yaml
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        return [], [Mistake(file.name, "needs PyYAML: pip install 'otlp-kit[config]'")]
    return read_yaml(file)


KEYS: tuple[Key, ...] = tuple(_keys(KitSettings))
"""Every setting, in the order of the model."""
