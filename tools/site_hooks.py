"""What the site does to pages as MkDocs builds it. The pages on disk stay plain Markdown.

- A page with a problem (`tools.pages`) fails the build, with its path and line.
- `[[fact:NAME]]` becomes the number, with a link to where it comes from.
- Front matter shows as a box below the question: modules, concepts, exercise.
- A quote says which file it is from, and links to that file's own page.
- `<!-- figure: MODULE:FUNCTION -->` becomes what the function draws, and `assets/js` has the modules
  of `otlp_kit/views/js` that a page uses.
- Generated: reference/facts, reference/settings and the pages that compare (tools/*_matrix.py), one
  page for each module that a page names, the icon.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from otlp_kit.cli.items import Kit  # noqa: E402
from tools import (  # noqa: E402
    compression_matrix,
    exporter_matrix,
    facts,
    pages,
    pool_matrix,
    registry,
    settings_table,
    sources,
)

FACTS = "reference/facts.md"
FIGURE = re.compile(r"^<!-- figure: (?P<what>\S+) -->$", re.M)
MODULES = ("sizing.js",)
"""Of otlp_kit/views/js, those that pages import."""
SPECIFICATIONS = {
    "spec": "https://opentelemetry.io/docs/specs/otel/",
    "otlp": "https://opentelemetry.io/docs/specs/otlp/",
}


def on_config(config: Any) -> Any:
    """A nav entry with a `*` stands for all pages it matches."""
    docs = Path(config.docs_dir)
    for entry in config.nav:
        for title, what in entry.items() if isinstance(entry, dict) else ():
            if isinstance(what, str) and "*" in what:
                entry[title] = [
                    path.relative_to(docs).as_posix() for path in sorted(docs.glob(what))
                ]
    return config


def on_files(files: Files, config: Any) -> Files:
    icon = (ROOT / "otlp_kit/views/js/icon.svg").read_text("utf-8")
    files.append(File.generated(config, "assets/icon.svg", content=icon))
    for name in MODULES:
        text = (ROOT / "otlp_kit/views/js" / name).read_text("utf-8")
        files.append(File.generated(config, f"assets/js/{name}", content=text))
    known = facts.load()
    files.append(File.generated(config, FACTS, content=facts.page(known)))
    for matrix in (exporter_matrix, compression_matrix, pool_matrix):
        files.append(File.generated(config, matrix.PAGE, content=matrix.page(known)))
    files.append(File.generated(config, settings_table.PAGE, content=settings_table.page()))
    items = registry.text(Kit.here())
    files.append(File.generated(config, "reference/registry.json", content=items))
    for path in sorted(_shown_sources(files)):
        files.append(
            File.generated(
                config,
                _source_uri(path),
                content=_source_page(path),
                inclusion=InclusionLevel.NOT_IN_NAV,
            )
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    if page.file.generated_by or page.file.abs_src_path is None:
        return markdown
    if found := pages.problems(Path(page.file.abs_src_path)):
        raise PluginError("\n".join(map(str, found)))

    def href(uri: str) -> str:
        file = files.get_file_from_path(uri)
        assert file, uri
        return file.url_relative_to(page.file)

    markdown = _with_facts(markdown, "/".join([".."] * page.file.src_uri.count("/") + [FACTS]))
    markdown = _with_sources(markdown, href)
    markdown = FIGURE.sub(lambda figure: sources.generated(figure["what"]), markdown)
    if question := page.meta.get("question"):
        page.meta.setdefault("description", question)
        lead = f"{question}\n{{ .question }}\n\n{_box(page.meta, href)}"
        markdown = markdown.replace(question, lead, 1)
    return markdown


def _with_facts(markdown: str, reference: str) -> str:
    known, prose = facts.load(), pages.blank(markdown)
    for match in reversed(list(facts.REFERENCE.finditer(prose))):
        shown = facts.link(known[match["name"]], match["format"], reference)
        markdown = markdown[: match.start()] + shown + markdown[match.end() :]
    return markdown


def _with_sources(markdown: str, href: Any) -> str:
    for quote in reversed(list(sources.quotes(markdown))):
        if quote.kind == "source":
            path, _, symbol = quote.what.partition(":")
            target = f"{href(_source_uri(path))}#__codelineno-0-{sources.first_line(quote.what)}"
            of = f" <code>{escape(symbol)}</code>" if symbol else ""
            line = f'{quote.indent}<p class="source"><a href="{target}">{path}</a>{of}</p>\n\n'
            end = markdown.index("\n", quote.at) + 1
            markdown = markdown[: quote.at] + line + markdown[end:]
    return markdown


def _box(meta: dict[str, Any], href: Any) -> str:
    """The page's front matter for its reader."""
    rows = []
    if modules := meta.get("modules"):
        links = [
            f'<a href="{href(_source_uri(pages.module_path(name).as_posix()))}"><code>'
            f"{name.removeprefix('otlp_kit.')}</code></a>"
            for name in modules
        ]
        rows.append(("Code", " ".join(links)))
    if exercise := meta.get("exercise"):
        rows.append(("Exercise", _exercise(exercise)))
    if concepts := meta.get("concepts"):
        terms = "".join(map(_concept, concepts))
        names = ", ".join(name.replace("-", " ") for name in concepts)
        rows.append(("Concepts", f"<details><summary>{names}</summary><dl>{terms}</dl></details>"))
    body = "".join(f"<div><span>{name}</span><div>{text}</div></div>" for name, text in rows)
    return f'<div class="about">{body}</div>'


def _exercise(exercise: str) -> str:
    """Where it is: a heading of the page, or a checker, in a notebook or for the reader to import."""
    if exercise.startswith("#"):
        return f'<a href="{exercise}">at the end of this page</a>'
    checker = f"<code>{escape(exercise)}</code>"
    for notebook in sorted(Path("notebooks").glob("*.py")):
        if f"{exercise}(" in notebook.read_text(encoding="utf-8"):
            return f"{checker}, checked in notebook {notebook.name[:2]}"
    return f"{checker}, checked where you run it"


def _concept(name: str) -> str:
    one = pages.concepts()[name]
    kind, _, place = one["source"].partition(":")
    link = ""
    if base := SPECIFICATIONS.get(kind):
        path, _, anchor = place.partition("#")
        address = f"{base}{path.removesuffix('.md')}/#{anchor}" if path else f"{base}#{anchor}"
        if kind == "otlp":
            address = f"{base}#{place}"
        link = f' <a href="{escape(address)}">specification</a>'
    return f"<dt>{name.replace('-', ' ')}</dt><dd>{escape(one['def'])}.{link}</dd>"


def _shown_sources(files: Files) -> set[str]:
    """Every source file that a page names in its front matter or quotes."""
    shown = set()
    for file in files.documentation_pages():
        if file.generated_by or file.abs_src_path is None:
            continue
        text = Path(file.abs_src_path).read_text("utf-8")
        shown |= {
            pages.module_path(name).as_posix()
            for name in pages.front_matter(text).get("modules", ())
        }
        shown |= {
            quote.what.partition(":")[0] for quote in sources.quotes(text) if quote.kind == "source"
        }
    return {path for path in shown if (ROOT / path).is_file()}


def _source_uri(path: str) -> str:
    return f"reference/source/{re.sub(r'[.]py$', '', path)}.md"


def _source_page(path: str) -> str:
    text = (ROOT / path).read_text("utf-8")
    lines = text.count("\n")
    return (
        f"---\ntitle: {path}\nhide: [toc]\nsearch: {{exclude: true}}\n---\n\n# `{path}`\n\n"
        f'{lines} lines, as they are in this checkout.\n\n````python linenums="1"\n{text}````\n'
    )
