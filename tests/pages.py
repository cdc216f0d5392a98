"""What tests of pages share: how a page is read, without minding how its markup is written."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

from emonet.html.render import open_templates


class Tags(HTMLParser):
    """Elements, attributes and what was left open or closed twice."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.found = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def values(self, name):
        return [attributes[name] for _, attributes in self.found if name in attributes]

    def named(self, tag, kind=None):
        """The attributes of all elements of this name, and of this class if one is given."""
        return [
            attributes
            for name, attributes in self.found
            if name == tag and (kind is None or kind in attributes.get("class", "").split())
        ]


def words(markup):
    """What a reader sees of markup, with single spaces."""
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", markup))).strip()


def sentences(markup):
    """The same with elements that are no words of their own joined to what stands beside them."""
    return words(re.sub("</?(strong|code|span|i|b)[^>]*>", "", markup))


def section(text, name):
    return text.split(f'<section id="{name}">')[1].split("</section>")[0]


def headings(text, level=2):
    return [words(found) for found in re.findall(f"<h{level}>(.*?)</h{level}>", text, re.DOTALL)]


def parts(markup, tag):
    """The elements of one name, as markup."""
    return re.findall(rf"<{tag}\b[^>]*>.*?</{tag}>", markup, re.DOTALL)


def rows(markup):
    """Each row of all tables, as its words."""
    return [words(row) for row in parts(markup, "tr")]


def macro(name, *given, **options):
    """What a macro of `ui.html.j2` makes."""
    return str(getattr(open_templates().get_template("ui.html.j2").module, name)(*given, **options))


def block(template, name, /, **model):
    """What a block of a template makes."""
    found = open_templates().get_template(template)
    return "".join(found.blocks[name](found.new_context(model)))
