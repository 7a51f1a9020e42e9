"""Hypothesis strategies after the grammar of RFC 3261 section 25: valid values, near misses and hostile text."""

from hypothesis import strategies as st

TOKEN_CHARS = "abcXYZ019-.!%*_+`'~"
# what breaks parsers: delimiters, escapes, white space that SIP does not know, bytes that are no text
EVIL = '"\\<>;,:=@?&/%[]()*+ \t\0\x0b\x1f\x7f\x85\xa0\u2028\u0130\u00b2\u0663\udcff\udc80aA1SIP/2.0sip'

evil_text = st.text(alphabet=EVIL, max_size=60)
tokens = st.text(alphabet=TOKEN_CHARS, min_size=1, max_size=8)
spaces = st.sampled_from(["", "", " ", "\t", "  "])
ports = st.one_of(st.none(), st.integers(0, 65535))


@st.composite
def quoted(draw: st.DrawFn) -> str:
    """A quoted string with escapes, other scripts, and bytes that are no text."""
    pieces = draw(
        st.lists(st.sampled_from(['\\"', "\\\\", "\\x", "a b", ",", ";", "<", ">", "é", "名", "\udcff", ""]))
    )
    return '"' + "".join(pieces) + '"'


hosts = st.one_of(
    st.sampled_from(
        [
            "mesh",
            "node1",
            "example.com",
            "a-b.c_d.e",
            "192.0.2.1",
            "[::1]",
            "[2001:db8::9:1]",
            "[::ffff:192.0.2.2]",
        ]
    ),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)


@st.composite
def parameters(draw: st.DrawFn) -> str:
    """``;name=value;flag`` with white space where it may stand."""
    names = draw(st.lists(tokens, max_size=4, unique_by=str.lower))
    out = ""
    for name in names:
        value = draw(st.one_of(st.none(), tokens, hosts, quoted()))
        out += f"{draw(spaces)};{draw(spaces)}{name}"
        if value is not None:
            out += f"{draw(spaces)}={draw(spaces)}{value}"
    return out


@st.composite
def sip_uris(draw: st.DrawFn) -> str:
    """A sip or sips URI."""
    user = draw(
        st.one_of(
            st.just(""), st.text(alphabet="aZ9-_.!~*'()&=+$,;?/", min_size=1, max_size=8), st.just("%C3%bc")
        )
    )
    password = draw(st.sampled_from(["", ":", ":a=1"])) if user else ""
    port = draw(ports)
    names = draw(
        st.lists(st.sampled_from(["lr", "transport", "ob", "x-[a]", "m%41ddr"]), max_size=3, unique=True)
    )
    tail = "".join(f";{name}{draw(st.sampled_from(['', '=udp', '=[::1]', '=%20']))}" for name in names)
    headers = draw(st.sampled_from(["", "", "?Replaces=a%3Bb", "?a=&b=c"]))
    scheme = draw(st.sampled_from(["sip", "sips", "SIP"]))
    before = f"{user}{password}@" if user else ""
    after = "" if port is None else f":{port}"
    return f"{scheme}:{before}{draw(hosts)}{after}{tail}{headers}"


uris = st.one_of(
    sip_uris(), st.sampled_from(["tel:+1-201-555-0123;phone-context=+1", "urn:service:sos", "http://a/b?c"])
)


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """A name-addr with its parameters."""
    display = draw(st.one_of(st.just(""), quoted(), st.sampled_from(["Bob", "Bob B.", "é ü", "O'Neil\t X"])))
    return f"{display}{draw(spaces)}<{draw(uris)}>{draw(parameters())}"


@st.composite
def vias(draw: st.DrawFn) -> str:
    """A Via value."""
    slash = [f"{draw(spaces)}/{draw(spaces)}" for _ in range(2)]
    port = draw(ports)
    colon = "" if port is None else f"{draw(spaces)}:{draw(spaces)}{port}"
    return f"SIP{slash[0]}2.0{slash[1]}{draw(tokens)} {draw(hosts)}{colon}{draw(parameters())}"


cseqs = st.builds(
    lambda number, space, method: f"{number} {space}{method}", st.integers(0, 2**31 - 1), spaces, tokens
)
media_types = st.builds(lambda a, b, c: f"{a}/{b}{c}", tokens, tokens, parameters())


@st.composite
def spoilt(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """A valid value with a few characters put in, taken out or doubled."""
    text = draw(values)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.one_of(st.sampled_from(EVIL), st.just("")))
            + text[at + draw(st.integers(0, 2)) :]
        )
    return text
