"""Templates that try to keep a sender busy, fill its memory or bring it down, made to be as bad as we can make them."""

from tests.unit.journey.campaign_folder import TOML

ROOM = 49_000
"""Characters an attack may use and still be a template of a size that is read."""

ONLY_FOR_EVE = "{{% if first_name == 'Eve' %}}{}{{% endif %}}"
"""Asleep while the campaign is loaded: the people it is tried with have other names."""

ROUNDS = "{% for a in business_name %}{% for b in business_name %}"
"""Nothing that campaigns supply can be looped over, so Eve brings a list of her own: ten times ten rounds."""

ENDS = "{% endfor %}{% endfor %}"
EVE: dict[str, object] = {"first_name": "Eve", "business_name": ["x"] * 10}


def in_text(inner: str) -> str:
    return f"<mj-section><mj-column><mj-text>\n{inner}\n</mj-text></mj-column></mj-section>"


def template(body: str, subject: str = "s") -> str:
    return f"---\nsubject: {subject}\npreheader: p\n---\n{body}\n"


def filled(piece: str, room: int = ROOM) -> str:
    return piece * (room // len(piece))


def chain(start: str, step: str, length: int) -> str:
    return f"{{{{ {start}{step * length} }}}}"


AT_LOAD: dict[str, str] = {
    "a million characters": in_text("x" * 1_000_000),
    "a tag that is never closed, again and again": in_text(filled("{{")),
    "a tag of spaces that is never closed": in_text("{{" + " " * ROOM),
    "a tag of spaces": in_text("{{" + " " * ROOM + "first_name }}"),
    "raw blocks that are never closed": in_text(filled("{%raw%}")),
    "comments that are never closed": in_text(filled("<!--")),
    "elements in elements": in_text("<b>" * 7_000 + "x" + "</b>" * 7_000),
    "elements in elements, a million of them": in_text("<b>" * 1_000_000 + "x" + "</b>" * 1_000_000),
    "blocks in blocks": in_text("{% if first_name %}" * 1_400 + "x" + "{% endif %}" * 1_400),
    "conditions in brackets": in_text("{% if " + "(" * 20_000 + "first_name" + ")" * 20_000 + " %}x{% endif %}"),
    "a condition without end": in_text("{% if first_name" + " or first_name" * 3_000 + " %}x{% endif %}"),
    "a chain of filters": in_text(chain(f"'{'&' * 20_000}'", " | escape", 3_000)),
    "a number that multiplies itself": in_text(chain("9", " | times: 999999999999999999", 1_500)),
    "one number squared fifty times": in_text("{% assign n = 9 %}" + "{% assign n = n | times: n %}" * 50 + "{{ n }}"),
    "five thousand strange names": in_text("".join(f"{{{{v{n}}}}}" for n in range(5_000))),
    "a strange name of great length": in_text(f"{{{{ {'x' * 40_000} }}}}"),
    "a loop over a range": in_text("{% for i in (1..1000000000) %}x{% endfor %}"),
    "ranges inside ranges": in_text("{% for i in (1..99999) %}{% for j in (1..99999) %}x{% endfor %}{% endfor %}"),
    "a template that includes itself": in_text("{% include 'hello' %}"),
    "a template that renders itself": in_text("{% render 'hello' %}"),
    "a file from elsewhere": in_text("{% include '/etc/hostname' %}"),
    "an mj-include": '<mj-include path="/etc/hostname" />',
    "entities that laugh": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + in_text("&b;"),
    "a letter of sections": filled("<mj-section><mj-column><mj-spacer/></mj-column></mj-section>"),
    "a subject that cannot be worked out": in_text("x"),
    "a subject that is blank for somebody": in_text("x"),
    "a text that fills the email": in_text(filled("<p>{{ first_name }}</p>", 6_000)),
}
"""Bodies of a template; each is refused when the campaign is loaded."""

SUBJECTS = {
    "a subject that cannot be worked out": "{% if first_name > 3 %}x{% endif %}",
    "a subject that is blank for somebody": "{{ first_name }}",
}

WHEN_RENDERED: dict[str, str] = {
    "output without end": ROUNDS + "x" * 3_000 + ENDS,
    "rounds without end": ROUNDS + "{% for c in business_name %}" + "{% endfor %}" + ENDS,
    "a text that grows in every round": f"{{% assign x = '{'&' * 400}' %}}{ROUNDS}{{% assign x = x | escape %}}{ENDS}",
    "a number that grows in every round": f"{{% assign n = 9 %}}{ROUNDS}{{% assign n = n | times: n %}}{ENDS}",
    "numbers of any length": "{% assign n = 9 %}"
    + "{% assign n = n | times: n %}" * 15
    + ROUNDS
    + filled(f"{{% assign m = n{' | times: n' * 40} | size %}}", 40_000)
    + ENDS,
    "a number without end": f"{{% assign n = '1e308' | plus: 0 %}}{ROUNDS}{{% assign n = n | times: 9.9 %}}{ENDS}",
    "filters in every tag": filled(f"{{% assign x = '{'&' * 200}'{'|escape' * 34} | truncate: 9 %}}", 45_000),
    "a filter in every round": ROUNDS + filled("{{ 'x' | upcase }}", 400) + ENDS,
    "many local names": "".join(f"{{% assign v{n} = '{'x' * 20}' %}}" for n in range(900)),
    "a filter misused": "{{ 'x' | truncate: 'x', 1, 2, 3 }}",
    "a text compared with a number": "{% if first_name > 3 %}x{% endif %}",
}
"""Bodies that nothing is wrong with until Eve comes; each is stopped then."""

WITHIN_LIMITS: dict[str, str] = {
    "a thousand filters on long texts": f"{{% assign x = 'é{'&' * 400}'{'|escape' * 9} %}}"
    + f"{{% assign y = x{'|upcase' * 60} | truncate: 9 %}}" * 16,
    "conditions in every round": ROUNDS
    + filled("{% if first_name contains 'aaaab' or 'aaaaaaaaaaaaaaaaab' contains 'aab' %}x{% endif %}", 45_000)
    + ENDS,
    "as many values as fit": filled("{{first_name}}", 18_000),
    "as many links as fit": filled("<a href='https://example.com/'>x</a>", 10_000),
}
"""Allowed, and as slow as we can make them; what is bounded is how slow that is."""


def hello_of(name: str) -> str:
    """The template file of an attack."""
    inner = WHEN_RENDERED.get(name) or WITHIN_LIMITS.get(name, "x")
    return template(AT_LOAD.get(name) or in_text(ONLY_FOR_EVE.format(inner)), SUBJECTS.get(name, "s"))


CONDITIONS: dict[str, str] = {
    "one of another": "red_systems > 1" + " or red_systems > 1" * 3_000,
    "brackets": "(" * 5_000 + "red_systems > 1" + ")" * 5_000,
    "a range": "(1..999999999) contains red_systems",
    "spaces": "red_systems" + " " * 40_000 + "> 1",
}
"""Of a segment; each is refused when the campaign is loaded."""

FILES: dict[str, str] = {
    "arrays in arrays": "x = " + "[" * 900 + "]" * 900 + "\n" + TOML,
    "a key of many parts": "x." * 20_000 + "x = 1\n" + TOML,
    "a million comments": TOML + "#\n" * 1_000_000,
}
"""Campaign files; each is refused when the campaign is loaded."""


def toml_of(name: str) -> str:
    """The campaign file of an attack."""
    return FILES.get(name) or TOML.replace("red_systems >= 2", CONDITIONS.get(name, "red_systems >= 2"))


ALL = (*AT_LOAD, *CONDITIONS, *FILES, *WHEN_RENDERED, *WITHIN_LIMITS)
