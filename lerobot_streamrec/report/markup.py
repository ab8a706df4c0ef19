# Copyright 2026 lerobot_streamrec contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""HTML from Python values: whatever is not marked as HTML is escaped where it enters the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
import hashlib
import html
from importlib.resources import files
import json
from string import Template
from typing import Any


class Html(str):
    """A text that is HTML already, and so is not escaped again."""

    __slots__ = ()


def asset(name: str) -> str:
    """Return a text file of this folder, such as ``page/report.css``."""
    return files('lerobot_streamrec.report').joinpath(name).read_text(encoding='utf-8')


def safe(content: object) -> Html:
    """Return HTML that shows a value."""
    return content if isinstance(content, Html) else Html(html.escape(str(content)))


def joined(parts: Iterable[object]) -> Html:
    """Return HTML that shows values one after the other."""
    return Html(''.join(map(safe, parts)))


def filled(template: str, **values: object) -> Html:
    """Fill the file ``page/<template>.html``."""
    content = {name: safe(value) for name, value in values.items()}
    return Html(Template(asset(f'page/{template}.html')).substitute(content))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """
    Return an element.

    :param name: name of the element
    :param content: texts and HTML inside of it
    :param attributes: its attributes, ``class_`` for ``class`` and ``_`` for ``-``; those that are
        None are left out
    """
    stated = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f'<{name}{stated}>{joined(content)}</{name}>')


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> Html:
    """
    Return a table; its first column names the rows, and numbers are aligned to the right.

    :param head: titles of the columns
    :param rows: cells of each row
    :param caption: what the table shows, for readers that do not see the heading above it
    """
    titles = joined(tag('th', title, scope='col') for title in head)
    lines = (
        tag(
            'tr',
            tag('th', row[0], scope='row'),
            *(tag('td', one, class_='number' if _is_number(one) else None) for one in row[1:]),
        )
        for row in rows
    )
    return tag(
        'div',
        tag(
            'table',
            tag('caption', caption, class_='unseen'),
            tag('thead', tag('tr', titles)),
            tag('tbody', *lines),
        ),
        class_='scroll',
    )


def _is_number(cell: object) -> bool:
    return str(cell)[:1].isdigit() or cell == '\u2013'


def json_in_script(content: Any) -> Html:
    """Return JSON that cannot end the script element around it."""
    return Html(json.dumps(content, separators=(',', ':')).replace('<', '\\u003c'))


def jpeg_url(jpeg: bytes) -> str:
    """Return the URL that holds a picture itself."""
    return f'data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}'


def source_of(script: str) -> str:
    """Return the source, in the words of a content security policy, that is exactly a script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
