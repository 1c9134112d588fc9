"""Files with a mistake that its name says, and what is said about each."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from otlp_kit.settings.layers import Mistakes, load
from otlp_kit.settings.toml_file import read_toml
from otlp_kit.settings.yaml_file import read_yaml
from tests.settings.known_keys import KEYS

CORPUS = Path(__file__).parent / "corpus"
READERS = {".toml": read_toml, ".yaml": read_yaml}
ENVIRON = {"WORD": "many", "PAIR": "a: b"}
MEMORY = 4 * 1024 * 1024

# Of each file: the line, the column in what is shown of it, and the rule, for every mistake in it.
SAID = {
    "alias.yaml": [
        (
            2,
            13,
            "must have no anchors or aliases: write the value out; a text with & or * first needs quotes",
        ),
    ],
    "bad_escape.toml": [
        (2, 17, "is not TOML: Unescaped '\\' in a string"),
    ],
    "billion_laughs.yaml": [
        (
            1,
            1,
            "must have no anchors or aliases: write the value out; a text with & or * first needs quotes",
        ),
    ],
    "blank_after_colon_missing.yaml": [
        (3, 17, "is not YAML: indented wrongly, or the line above needs a blank after its colon"),
    ],
    "blank_before_equals.env": [
        (1, 22, "must have no blank before the =: a shell would run the name as a command"),
    ],
    "boolean_for_number.toml": [
        (2, 1, "batch.max_queue_size must be an integer of at least 1, not True"),
    ],
    "boolean_for_number.yaml": [
        (2, 3, "batch.max_queue_size must be an integer of at least 1, not True"),
    ],
    "braces_without_quotes.yaml": [
        (2, 14, "must have a text as a key, not a list or a mapping"),
    ],
    "bracket_not_closed.yaml": [
        (2, 12, "is not YAML: the bracket that begins here is not closed"),
    ],
    "bracket_of_list_not_closed.toml": [
        (2, 18, "is not TOML: Invalid value, a text needs quotes"),
    ],
    "bracket_of_table_not_closed.toml": [
        (1, 7, "is not TOML: Expected ']' at the end of a table declaration"),
    ],
    "brackets_too_deep.toml": [
        (2, 1, "must not be nested more than 16 deep"),
    ],
    "brackets_too_deep.yaml": [
        (
            2,
            13,
            "must have texts, numbers, true or false in a list: no setting is a list of anything else",
        ),
        (2, 26, "must not be nested more than 16 deep"),
    ],
    "colon_for_equals.env": [
        (1, 26, "must be NAME=VALUE"),
    ],
    "colon_in_value.yaml": [
        (2, 17, "is not YAML: a text with a colon and a blank in it needs quotes"),
    ],
    "colon_missing.yaml": [
        (3, 3, "is not YAML: a key needs a colon, and a blank after it"),
    ],
    "comma_missing.yaml": [
        (4, 21, "is not YAML: a comma is missing, or the bracket of line 2 is not closed"),
    ],
    "comment_after_value.env": [
        (1, 1, "batch.delay must be a number of seconds from 0, not '1.0 # second'"),
    ],
    "control_character.toml": [
        (2, 14, "is not TOML: Illegal character '\\x1b'"),
    ],
    "control_character.yaml": [
        (2, 1, "must not have the character U+001B, here in column 15"),
    ],
    "date_for_number.toml": [
        (2, 1, "must be a text, a number, true or false, or a list of these"),
    ],
    "directive.yaml": [
        (1, 1, "must have no directives: leave out the line that begins with %"),
    ],
    "equals_missing.env": [
        (1, 25, "must be NAME=VALUE"),
    ],
    "equals_missing.toml": [
        (2, 16, "is not TOML: Expected '=' after a key in a key/value pair"),
    ],
    "five_at_once.toml": [
        (2, 1, "batch.max_queue_size must be an integer of at least 1, not 0"),
        (3, 1, "batch.delay must be a number of seconds from 0, not 'x'"),
        (4, 1, "batch.max_queue is no setting; did you mean batch.max_queue_size?"),
        (5, 1, "batch.max_queue_size is here a second time, first on line 2"),
        (6, 1, "is not TOML: Expected '=' after a key in a key/value pair"),
    ],
    "five_at_once.yaml": [
        (2, 3, "batch.max_queue_size must be an integer of at least 1, not 0"),
        (3, 10, "must have no tags: a text that begins with ! needs quotes"),
        (4, 1, "batch.max_queue is no setting; did you mean batch.max_queue_size?"),
        (5, 3, "batch.max_queue_size is here a second time, first on line 2"),
        (6, 1, "is not YAML: indented neither as the lines above nor deeper below a key"),
    ],
    "indented_deeper.yaml": [
        (3, 18, "is not YAML: indented wrongly, or the line above needs a blank after its colon"),
    ],
    "indented_less.yaml": [
        (3, 3, "is not YAML: indented neither as the lines above nor deeper below a key"),
    ],
    "key_in_capitals.toml": [
        (2, 1, "batch.MAX_QUEUE_SIZE is no setting; did you mean batch.max_queue_size?"),
    ],
    "key_is_number.yaml": [
        (2, 1, "must have a text as a key: a number, true, false or null needs quotes"),
    ],
    "key_misspelt.toml": [
        (2, 1, "batch.max_queue_sise is no setting; did you mean batch.max_queue_size?"),
    ],
    "key_misspelt.yaml": [
        (2, 1, "batch.max_queue_sise is no setting; did you mean batch.max_queue_size?"),
    ],
    "key_of_another_table.toml": [
        (2, 1, "exporter.max_queue_size is no setting; did you mean batch.max_queue_size?"),
    ],
    "key_too_deep.toml": [
        (1, 1, "must not be nested more than 16 deep"),
    ],
    "key_too_deep.yaml": [
        (1, 1, "must not be nested more than 16 deep"),
    ],
    "key_too_long.yaml": [
        (1, 1, "must have keys of at most 200 characters, with those around them"),
    ],
    "key_twice.toml": [
        (4, 1, "batch.delay is here a second time, first on line 2"),
    ],
    "key_twice.yaml": [
        (4, 3, "batch.delay is here a second time, first on line 2"),
    ],
    "key_twice_dotted.toml": [
        (3, 1, "batch.delay is here a second time, first on line 1"),
    ],
    "key_twice_dotted.yaml": [
        (2, 1, "batch.delay is here a second time, first on line 1"),
    ],
    "leading_zero.toml": [
        (2, 19, "is not TOML: Expected newline or end of document after a statement"),
    ],
    "list_at_top.yaml": [
        (1, 1, "must be a mapping, of lines such as `key: value`"),
    ],
    "list_in_line_of_key.yaml": [
        (2, 12, "is not YAML: a list begins on the line below its key"),
    ],
    "list_in_list.toml": [
        (2, 1, "must be a text, a number, true or false, or a list of these"),
    ],
    "list_in_list.yaml": [
        (
            2,
            13,
            "must have texts, numbers, true or false in a list: no setting is a list of anything else",
        ),
    ],
    "list_of_mappings.yaml": [
        (
            4,
            7,
            "must have texts, numbers, true or false in a list: no setting is a list of anything else",
        ),
    ],
    "list_of_tables.toml": [
        (1, 1, "must be a table, in single brackets: no setting is a list of tables"),
    ],
    "merge_key.yaml": [
        (2, 1, "must have no merge keys: write the values out"),
    ],
    "name_missing.env": [
        (1, 1, "must begin with a name of letters, digits and _, before the ="),
    ],
    "name_misspelt.env": [
        (1, 1, "OTLP_KIT_BATCH_DELAI is no setting; did you mean OTLP_KIT_BATCH_DELAY?"),
    ],
    "name_twice.env": [
        (3, 21, "is here a second time, first on line 1"),
    ],
    "name_with_dot.env": [
        (1, 1, "must begin with a name of letters, digits and _, before the ="),
    ],
    "nested_too_deep.yaml": [
        (17, 1, "must not be nested more than 16 deep"),
    ],
    "no_for_number.yaml": [
        (2, 3, "batch.delay must be a number of seconds from 0, not 'no'"),
    ],
    "not_utf8.env": [
        (2, 1, "byte 31 of the line is not UTF-8: save the file as UTF-8"),
    ],
    "not_utf8.toml": [
        (2, 1, "byte 16 of the line is not UTF-8: save the file as UTF-8"),
    ],
    "not_utf8.yaml": [
        (2, 1, "byte 17 of the line is not UTF-8: save the file as UTF-8"),
    ],
    "nul.yaml": [
        (2, 1, "must not have the character U+0000, here in column 11"),
    ],
    "nul_in_value.env": [
        (1, 27, "must not hold a NUL: no variable can"),
    ],
    "number_infinite.toml": [
        (2, 1, "batch.delay must be a number of seconds from 0, not inf"),
    ],
    "number_of_5000_digits.toml": [
        (
            2,
            1,
            "is not TOML: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits",
        ),
    ],
    "number_of_5000_digits.yaml": [
        (2, 19, "must be a smaller number, of at most 308 digits"),
    ],
    "number_too_small.toml": [
        (2, 1, "batch.max_queue_size must be an integer of at least 1, not 0"),
    ],
    "number_with_fraction.toml": [
        (2, 1, "batch.max_queue_size must be an integer of at least 1, not 1.5"),
    ],
    "number_with_underscore.yaml": [
        (2, 3, "batch.max_queue_size must be an integer of at least 1, not '1_000'"),
    ],
    "quote_closed_later.yaml": [
        (2, 13, "is not YAML: the quote that begins here closes first on line 3"),
    ],
    "quote_not_closed.env": [
        (1, 27, 'must end with the quote that it begins with, ", on the same line'),
    ],
    "quote_not_closed.toml": [
        (2, 22, "is not TOML: Illegal character '\\n', a quote must be closed on its line"),
    ],
    "quote_not_closed.yaml": [
        (2, 13, "is not YAML: the quote that begins here is not closed"),
    ],
    "reference_beginning_with_digit.toml": [
        (
            2,
            20,
            "must refer to a variable as ${NAME}, ${env:NAME} or ${NAME:-default}; $$ is a plain $",
        ),
    ],
    "reference_in_brackets.yaml": [
        (2, 13, "is not YAML: a reference within brackets needs quotes"),
    ],
    "reference_of_another_kind.toml": [
        (
            2,
            13,
            "must refer to a variable as ${NAME}, ${env:NAME} or ${NAME:-default}; $$ is a plain $",
        ),
    ],
    "reference_to_structure.yaml": [
        (2, 3, "batch.delay must be a number of seconds from 0, not 'a: b'"),
    ],
    "reference_to_wrong_type.toml": [
        (2, 1, "batch.max_queue_size must be an integer of at least 1, not 'many'"),
    ],
    "reference_with_error_operator.toml": [
        (
            2,
            13,
            "must refer to a variable as ${NAME}, ${env:NAME} or ${NAME:-default}; $$ is a plain $",
        ),
    ],
    "reference_without_name.toml": [
        (
            2,
            20,
            "must refer to a variable as ${NAME}, ${env:NAME} or ${NAME:-default}; $$ is a plain $",
        ),
    ],
    "reference_without_name.yaml": [
        (
            2,
            20,
            "must refer to a variable as ${NAME}, ${env:NAME} or ${NAME:-default}; $$ is a plain $",
        ),
    ],
    "secret_and_its_file.env": [
        (2, 1, "must not be set together with OTLP_KIT_EXPORTER_TOKEN"),
    ],
    "secret_file_missing.env": [
        (
            1,
            1,
            "the file of exporter.token cannot be read (No such file or directory): mount it, or name another file",
        ),
    ],
    "secret_file_missing.toml": [
        (
            2,
            1,
            "the file of exporter.token cannot be read (No such file or directory): mount it, or name another file",
        ),
    ],
    "secret_in_line_of_another.yaml": [
        (1, 1, "must have no tags: a text that begins with ! needs quotes"),
    ],
    "secret_in_line_of_table.toml": [
        (1, 1, "is not TOML: Expected ']' at the end of a table declaration"),
    ],
    "secret_is_also_a_table.toml": [
        (1, 1, "token.x is no setting"),
        (3, 1, "is not TOML: Cannot overwrite a value"),
        (3, 1, "exporter.token.x is no setting; did you mean exporter.token?"),
    ],
    "secret_like_anchor.yaml": [
        (
            2,
            1,
            "must have no anchors or aliases: write the value out; a text with & or * first needs quotes",
        ),
    ],
    "secret_like_tag.yaml": [
        (2, 1, "must have no tags: a text that begins with ! needs quotes"),
    ],
    "secret_not_closed.toml": [
        (2, 1, "is not TOML: Illegal character '\\n', a quote must be closed on its line"),
    ],
    "secret_not_closed.yaml": [
        (2, 1, "is not YAML: the quote that begins here is not closed"),
    ],
    "secret_of_wrong_form.toml": [
        (2, 1, "exporter.token must be letters and digits"),
    ],
    "secret_of_wrong_form.yaml": [
        (2, 1, "exporter.token must be letters and digits"),
    ],
    "secret_on_several_lines.env": [
        (2, 1, "must begin with a name of letters, digits and _, before the ="),
        (3, 1, "must be NAME=VALUE"),
    ],
    "secret_on_several_lines.yaml": [
        (2, 1, "exporter.token must be letters and digits"),
        (4, 1, "is not YAML: a key needs a colon, and a blank after it"),
    ],
    "secret_where_its_file_belongs.toml": [
        (
            2,
            1,
            "the file of exporter.token cannot be read (No such file or directory): mount it, or name another file",
        ),
    ],
    "secret_with_colon.yaml": [
        (2, 1, "is not YAML: a text with a colon and a blank in it needs quotes"),
    ],
    "secret_with_misspelt_key.toml": [
        (2, 1, "exporter.tokn is no setting; did you mean exporter.token?"),
    ],
    "secret_with_misspelt_key.yaml": [
        (2, 1, "exporter.tokn is no setting; did you mean exporter.token?"),
    ],
    "secret_without_colon.yaml": [
        (3, 11, "is not YAML: indented wrongly, or the line above needs a blank after its colon"),
    ],
    "secret_without_equals.toml": [
        (2, 1, "is not TOML: Expected '=' after a key in a key/value pair"),
    ],
    "several_at_once.env": [
        (1, 1, "batch.delay must be a number of seconds from 0, not '-1'"),
        (2, 1, "must be NAME=VALUE"),
        (3, 1, "batch.max_queue_size must be an integer of at least 1, not 0"),
    ],
    "tab.yaml": [
        (2, 1, "is not YAML: a tab where only blanks may be"),
    ],
    "table_in_list.toml": [
        (2, 1, "must be a text, a number, true or false, or a list of these"),
    ],
    "table_twice.toml": [
        (4, 1, "[batch] is here a second time, first on line 1"),
    ],
    "tag_of_python.yaml": [
        (2, 13, "must have no tags: a text that begins with ! needs quotes"),
    ],
    "text_at_top.yaml": [
        (1, 1, "must be a mapping, of lines such as `key: value`"),
    ],
    "text_for_number.env": [
        (1, 8, "batch.max_queue_size must be an integer of at least 1, not 'many'"),
    ],
    "text_for_number.toml": [
        (2, 1, "batch.max_queue_size must be an integer of at least 1, not 'many'"),
    ],
    "text_for_number.yaml": [
        (2, 3, "batch.max_queue_size must be an integer of at least 1, not 'many'"),
    ],
    "text_without_quotes.toml": [
        (2, 12, "is not TOML: Invalid value, a text needs quotes"),
    ],
    "time_for_number.yaml": [
        (2, 3, "batch.delay must be a number of seconds from 0, not '12:30'"),
    ],
    "triple_quote_before_secret.toml": [
        (2, 1, "is not TOML: Unterminated string"),
    ],
    "triple_quote_not_closed.toml": [
        (2, 24, "is not TOML: Unterminated string"),
    ],
    "two_documents.yaml": [
        (3, 1, "must be one document: a second begins here"),
    ],
    "two_values_on_a_line.toml": [
        (1, 19, "is not TOML: Expected newline or end of document after a statement"),
    ],
    "unicode_line_end.yaml": [
        (2, 1, "must not have the character U+2028, here in column 14"),
    ],
    "unknown_ending.ini": [
        (0, 1, "must end in one of .toml, .yaml, so that its format is known"),
    ],
    "unknown_escape.yaml": [
        (2, 17, "is not YAML: in double quotes a \\ is written \\\\"),
    ],
    "utf16.toml": [
        (1, 1, "byte 1 of the line is not UTF-8: save the file as UTF-8"),
    ],
    "value_is_also_a_table.toml": [
        (1, 1, "batch is no setting; did you mean batch.delay?"),
        (2, 7, "is not TOML: Cannot overwrite a value"),
    ],
    "value_missing.toml": [
        (2, 17, "is not TOML: Invalid value, a text needs quotes"),
    ],
}


def test_every_file_of_the_corpus_is_here() -> None:
    """And nothing else."""
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(SAID)


@pytest.mark.parametrize("name", SAID)
def test_the_mistake_is_named_with_its_place(name: str) -> None:
    """Each mistake once, nothing about what is right, no secret, and within little memory."""
    path = CORPUS / name
    where = {"env_files" if path.suffix == ".env" else "files": [path]}
    tracemalloc.start()
    try:
        with pytest.raises(Mistakes) as caught:
            load(KEYS, readers=READERS, environ=ENVIRON, **where)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    mistakes = caught.value.mistakes
    assert [(one.line, one.column, one.rule) for one in mistakes] == SAID[name]
    assert {one.where for one in mistakes} == {str(path)}
    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 1000 * len(mistakes)
    assert str(caught.value).replace("\n", "").isprintable()
